"""What the people of an account do to its reference lists as the clock moves: one small change a day.

None of it alters a message: a tag that messages carry, a topic and a schedule's hours only change when a test says so.
"""

from typing import TYPE_CHECKING, Any

from sandbox.draws import Draw

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.reference import Reference

DAY_SECONDS = 86_400

_NEWCOMERS = ("Yasmine El Amrani", "Noor Janssens", "Günther Groß", "Ilse Van Acker", "Kwame Mensah", "Zoë Peeters")


def due_at(account_id: int, started_at: int, day: int) -> int:
    """When the change of a day (0 is the first) happens, in unix seconds."""
    return started_at + day * DAY_SECONDS + Draw(account_id, 8, day).below(DAY_SECONDS, "at")


def renew(reference: "Reference", day: int, at: int) -> None:
    """Make the change of a day. Each kind comes round; one whose lists are empty falls out."""
    change, list_names = _RENEWALS[day % len(_RENEWALS)]
    if all(reference.records(list_name) for list_name in list_names):
        change(reference, Draw(reference.organisation.account_id, 9, day), day, at)


def _picked(reference: "Reference", list_name: str, draw: Draw) -> Any:
    return draw.pick(list(reference.records(list_name).values()), list_name)


def _toggled(held: list[Any], one: Any) -> list[Any]:
    return [each for each in held if each != one] if one in held else [*held, one]


def _move_team_member(reference: "Reference", draw: Draw, _day: int, at: int) -> None:
    team, user = _picked(reference, "teams", draw), _picked(reference, "users", draw)
    reference.change("teams", team["id"], {"users": _toggled(team["users"], user["id"])}, at)


def _recolour_tag(reference: "Reference", draw: Draw, _day: int, at: int) -> None:
    tag = _picked(reference, "tags", draw)
    color_code = f"rgb({draw.below(256, 'red')},0,90)"
    reference.change("tags", tag["id"], {"color_code": color_code, "visible": not tag["visible"]}, at)


def _rewrite_canned_response(reference: "Reference", draw: Draw, day: int, at: int) -> None:
    canned = _picked(reference, "canned_responses", draw)
    fields = {"message": f"{canned['message']} (v{day})", "used_count": canned["used_count"] + 1}
    reference.change("canned_responses", canned["id"], fields, at)


def _add_tag(reference: "Reference", draw: Draw, day: int, at: int) -> None:
    parents = [tag["id"] for tag in reference.records("tags").values() if "parent_id" not in tag]
    parent_id = draw.pick(parents, "parent") if draw.chance(0.5, "child") else None
    fields = {"tag": f"Actie (nr. {day})", "color_code": "rgb(245,166,35)", "parent_id": parent_id}
    reference.add("tags", fields, at)


def _change_role(reference: "Reference", draw: Draw, _day: int, at: int) -> None:
    role = _picked(reference, "userroles", draw)
    reference.change("userroles", role["id"], {"permissions": _toggled(role["permissions"], "watchdogs.read")}, at)


def _regroup_profiles(reference: "Reference", draw: Draw, _day: int, at: int) -> None:
    group, profile = _picked(reference, "profilegroups", draw), _picked(reference, "connectedprofiles", draw)
    reference.change("profilegroups", group["id"], {"profiles": _toggled(group["profiles"], profile["id"])}, at)


def _run_crisis_plan(reference: "Reference", draw: Draw, day: int, at: int) -> None:
    plan = _picked(reference, "crisis_plans", draw)
    event = {"id": str(90_000 + day), "name": f"{plan['name']} {day}", "created_at": at}
    reference.change("crisis_plans", plan["id"], {"active_event": None if "active_event" in plan else event}, at)


def _welcome_user(reference: "Reference", draw: Draw, day: int, at: int) -> None:
    fields = {
        "name": _NEWCOMERS[day // len(_RENEWALS) % len(_NEWCOMERS)],
        "account_role": _picked(reference, "userroles", draw)["id"],
        "business_hours_schedule_id": _picked(reference, "businesshoursschedules", draw)["id"],
    }
    user_id = reference.add("users", fields, at)
    team = _picked(reference, "teams", draw)
    reference.change("teams", team["id"], {"users": [*team["users"], user_id]}, at)


def _add_canned_response(reference: "Reference", draw: Draw, day: int, at: int) -> None:
    folder_id = _picked(reference, "canned_responses_folders", draw)["id"]
    fields = {"name": f"Nieuw antwoord {day}", "message": "Hi [contact_name]!", "folder_id": folder_id}
    reference.add("canned_responses", fields, at)


def _reword_guideline(reference: "Reference", draw: Draw, day: int, at: int) -> None:
    guideline = _picked(reference, "publishing_guidelines", draw)
    reference.change("publishing_guidelines", guideline["id"], {"level": ("INFO", "WARNING", "BLOCK")[day % 3]}, at)


def _widen_attribute(reference: "Reference", draw: Draw, day: int, at: int) -> None:
    attribute = _picked(reference, "customattributes", draw)
    if attribute["type"] == "enum":
        values = [*attribute["allowed_values"], f"Optie {day}"]
        reference.change("customattributes", attribute["id"], {"allowed_values": values}, at)


_RENEWALS: "tuple[tuple[Callable[[Reference, Draw, int, int], None], tuple[str, ...]], ...]" = (
    (_move_team_member, ("teams", "users")),
    (_recolour_tag, ("tags",)),
    (_rewrite_canned_response, ("canned_responses",)),
    (_add_tag, ("tags",)),
    (_change_role, ("userroles",)),
    (_regroup_profiles, ("profilegroups", "connectedprofiles")),
    (_run_crisis_plan, ("crisis_plans",)),
    (_welcome_user, ("userroles", "businesshoursschedules", "teams")),
    (_add_canned_response, ("canned_responses_folders",)),
    (_reword_guideline, ("publishing_guidelines",)),
    (_widen_attribute, ("customattributes",)),
)
