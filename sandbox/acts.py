"""What people and automation do to a mention, and how each deed changes what the API shows of it."""

import html
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from sandbox.organisation import User

Json = dict[str, Any]

PRIORITIES: dict[str, Json] = {
    "low": {"id": 0, "name": "low", "color": "#9b9b9b"},
    "medium": {"id": 4, "name": "medium", "color": "#f5a623"},
    "high": {"id": 7, "name": "high", "color": "#ff7043"},
    "critical": {"id": 10, "name": "critical", "color": "#d0021b"},
}

ACTION_KINDS = (
    *("tag", "assign", "status", "note", "reply", "sentiment", "like", "retweet", "favorite", "automationtriggered"),
    *("property", "email", "delete_on_service", "hide_on_service", "create_case_on_service", "block_on_service"),
    *("triggered_by_alert", "case_linked", "case_unlinked", "post_created", "upvote", "verify", "suggest"),
    *("post_awaitingapproval_created", "post_draft_created", "case_created", "csat_reply", "nps_reply"),
    *(
        "handover_on_service",
        "multiple_choice",
        "rebut",
        "flow",
        "quote_tweet",
        "erase_pii_content",
        "updated",
        "mark_todo",
    ),
)

_PERSONAL_MESSAGE_KEYS = ("title", "content", "stripped_content", "entities", "attachments")
_PERSONAL_AUTHOR_KEYS = ("name", "fullname", "url", "img", "tags")


@dataclass(slots=True, kw_only=True)
class Act:
    """One deed at an instant (unix seconds). The fields that a kind does not use stay empty.

    `user` is None for automation, which the API shows without the key or, when `empty_user`, as an empty PHP array.
    A `silent` deed changes the mention and nothing tells of it. `addition` is what it writes behind the text.
    """

    kind: str
    at: int
    user: User | None = None
    empty_user: bool = False
    text: str | None = None
    handle_seconds: int = 0
    status: Literal["new", "pending", "done"] | None = None
    tags_added: tuple[str, ...] = ()
    tags_removed: tuple[str, ...] = ()
    assignees: tuple[Json, ...] = ()
    sentiment: str | None = None
    priority: str | None = None
    score: int | None = None
    case: Json | None = None
    todo: Json | None = None
    handled_by: Json | None = None
    silent: bool = False
    addition: str | None = None


def apply(mention: Json, act: Act, published_at: int | None) -> None:
    """Change a mention, as the API shows it, by one deed. Deeds are applied in the order in which they happen."""
    if act.silent:
        _EFFECTS[act.kind](mention, act)
        return
    metadata = _METADATA.get(act.kind, _no_metadata)(mention, act)
    timestamps = mention["timestamps"] = mention.get("timestamps") or {}
    timestamps["handle_time"] = timestamps.get("handle_time", 0) + act.handle_seconds
    if act.kind == "reply":
        _stamp(timestamps, "response_time", act, published_at)
    if act.status == "done":
        _stamp(timestamps, "resolve_time", act, published_at)
    if act.handled_by is not None:
        mention["handled_by"] = act.handled_by
    _EFFECTS.get(act.kind, _no_effect)(mention, act)
    mention.setdefault("actions", []).insert(0, action_json(act, metadata))


def user_assignee(user: User) -> Json:
    """Object mention_assignee for a user."""
    return {"id": str(user.id), "type": "user", "display_name": user.name}


def _stamp(timestamps: Json, name: str, act: Act, published_at: int | None) -> None:
    """Note the first reply or resolve. Business hours are those of who acted; without a schedule there are none."""
    if name in timestamps or published_at is None:
        return
    timestamps[name] = act.at - published_at
    if act.user is not None and act.user.schedule is not None:
        timestamps[f"{name}_during_bh"] = act.user.schedule.calendar.seconds_between(published_at, act.at)


def action_json(act: Act, metadata: Json | list[Any] | None = None) -> Json:
    """Object mention_action."""
    shown: Json = {}
    if act.user is not None:
        shown["user"] = {"id": str(act.user.id), "name": act.user.name}
    elif act.empty_user:
        shown["user"] = []
    shown |= {"type": act.kind, "description": _description(act)}
    if act.text is not None:
        shown["details"] = act.text
    shown["date"] = {"added": act.at}
    if metadata is not None:
        shown["metadata"] = metadata
    return shown


def _description(act: Act) -> str:
    named = ", ".join(assignee["display_name"] for assignee in act.assignees)
    texts = {
        "tag": f"Tags changed: {', '.join([*act.tags_added, *(f'-{tag}' for tag in act.tags_removed)])}",
        "assign": f"Assigned to {named}" if named else "Assignment removed",
        "status": f"Status changed to {act.status}",
        "note": "Note Added",
        "reply": "Replied",
        "sentiment": f"Sentiment changed to {act.sentiment}",
        "property": f"Priority changed to {act.priority}",
        "csat_reply": f"Customer answered the satisfaction survey: {act.score}",
        "case_linked": "Linked to a case",
        "case_unlinked": "Taken out of a case",
        "mark_todo": "To-do marked",
        "post_draft_created": "Draft created",
        "post_awaitingapproval_created": "Post submitted for approval",
        "erase_pii_content": "Personal information and content erased",
    }
    return texts.get(act.kind, act.kind.replace("_", " ").capitalize())


def _no_metadata(_mention: Json, act: Act) -> list[Any] | None:
    return [] if act.kind in {"like", "note"} else None


def _property_metadata(mention: Json, act: Act) -> Json:
    before = mention.get("priority")
    return {"priority": act.priority} | ({"previous_priority": before["name"]} if before else {})


_METADATA: dict[str, Callable[[Json, Act], Json | list[Any] | None]] = {
    "status": lambda _mention, act: {"status": act.status},
    "assign": lambda _mention, act: {"assignees": [dict(assignee) for assignee in act.assignees]},
    "property": _property_metadata,
}


def _no_effect(_mention: Json, _act: Act) -> None:
    """Most kinds are only noted."""


def _set_status(mention: Json, act: Act) -> None:
    mention["status"] = act.status


def _change_tags(mention: Json, act: Act) -> None:
    kept = [tag for tag in mention.get("tags", []) if tag not in act.tags_removed]
    mention["tags"] = kept + [tag for tag in act.tags_added if tag not in kept]


def _assign(mention: Json, act: Act) -> None:
    mention["assignees"] = [dict(assignee) for assignee in act.assignees]
    mention["assignment"] = {
        "user_ids": [int(assignee["id"]) for assignee in act.assignees if assignee["type"] == "user"],
        "team_ids": [int(assignee["id"]) for assignee in act.assignees if assignee["type"] == "team"],
        "comments": act.text or "",
    }


def _set_sentiment(mention: Json, act: Act) -> None:
    mention.setdefault("message", {})["sentiment"] = act.sentiment


def _set_priority(mention: Json, act: Act) -> None:
    if act.priority is not None:
        mention["priority"] = dict(PRIORITIES[act.priority])


def _answer_survey(mention: Json, act: Act) -> None:
    answer = {"type": "csat_answer", "question": "csat_q_17", "content": act.score}
    mention.setdefault("message", {}).setdefault("attachments", []).append(answer)


def _link_case(mention: Json, act: Act) -> None:
    if act.case is not None:
        linked = (mention.get("part_of_cases") or {}).get("mention_identifiers", [])
        mention["part_of_cases"] = {"mention_identifiers": [*linked, act.case]}


def _unlink_case(mention: Json, act: Act) -> None:
    linked = (mention.get("part_of_cases") or {}).get("mention_identifiers", [])
    mention["part_of_cases"] = {"mention_identifiers": [case for case in linked if case != act.case]}


def _mark_todo(mention: Json, act: Act) -> None:
    if act.todo is not None:
        others = [todo for todo in mention.get("todos", []) if todo["id"] != act.todo["id"]]
        mention["todos"] = [*others, act.todo]


def _erase(mention: Json, _act: Act) -> None:
    for key in _PERSONAL_MESSAGE_KEYS:
        mention.get("message", {}).pop(key, None)
    for key in _PERSONAL_AUTHOR_KEYS:
        mention.get("author", {}).pop(key, None)
    mention.pop("location", None)


def _add_text(mention: Json, act: Act) -> None:
    message, addition = mention["message"], act.addition
    if addition is None or "content" not in message:
        return
    if "stripped_content" in message:
        message["stripped_content"] += f"\n{addition}"
        message["content"] += f"<p>{html.escape(addition)}</p>"
    else:
        message["content"] += f"\n{addition}"


_EFFECTS: dict[str, Callable[[Json, Act], None]] = {
    "status": _set_status,
    "tag": _change_tags,
    "assign": _assign,
    "sentiment": _set_sentiment,
    "property": _set_priority,
    "csat_reply": _answer_survey,
    "case_linked": _link_case,
    "case_unlinked": _unlink_case,
    "mark_todo": _mark_todo,
    "erase_pii_content": _erase,
    "updated": _add_text,
}
