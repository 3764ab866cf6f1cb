"""The reference lists of an account: how they change, by the clock and by a test, and how the API shows them."""

import html
import re
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urlencode

from sandbox import renewal
from sandbox.channels import CHANNELS
from sandbox.founding import Id, Json, founding
from sandbox.hours import Period, calendar
from sandbox.organisation import LANGUAGES, OFFICE_SHIFT, SENTIMENTS, Organisation, Schedule, User, availability

_LINK = re.compile(r"https?://[^\s<]+")


@dataclass(frozen=True, slots=True)
class Change:
    """What happened to an object of a reference list. `at` is in unix seconds."""

    at: int
    what: Literal["add", "change", "remove"]
    list_name: str
    id: Id
    name: str
    by_user_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """What the objects of a list are made of.

    `label` is the field that names an object, `key` the one that identifies it. `fields` are the others that can be
    set, with what a new object has; None stands for a key that is left out. `links` names the list whose ids a field
    holds. `hidden` fields are not shown as they are.
    """

    label: str
    fields: Json
    key: str = "id"
    links: dict[str, str] = field(default_factory=dict)
    hidden: tuple[str, ...] = ()
    dates: Literal["none", "date", "date.updated", "flat"] = "none"


LISTS: dict[str, Kind] = {
    "users": Kind(
        label="name",
        fields={"email": None, "avatar": None, "account_role": "editor", "business_hours_schedule_id": None},
        links={"account_role": "userroles", "business_hours_schedule_id": "businesshoursschedules"},
    ),
    "userroles": Kind(
        label="title",
        fields={"license": "paying", "permissions": [], "topics": []},
        links={"topics": "topics"},
        dates="date",
    ),
    "teams": Kind(
        label="name", fields={"show_in_team_performance": True, "users": []}, links={"users": "users"}, dates="date"
    ),
    "tags": Kind(
        label="tag",
        fields={
            "parent_id": None,
            "is_smarttag": False,
            "color_code": None,
            "visible": True,
            "category_model_tag": False,
            "status": None,
        },
        links={"parent_id": "tags"},
    ),
    "connectedprofiles": Kind(
        label="displayname",
        fields={
            "type": "facebook",
            "service_id": "100000000000001",
            "username": None,
            "avatar": None,
            "provider": "SearchProviderFacebook",
            "filters": [],
            "connected_by": None,
        },
        links={"connected_by": "users"},
        hidden=("connected_by",),
    ),
    "topics": Kind(
        label="name",
        fields={"searchkeywords": None, "monitoredprofiles": None, "project_id": None, "default_inbox": False},
        links={"monitoredprofiles": "connectedprofiles"},
        hidden=("project_id", "default_inbox"),
    ),
    "customattributes": Kind(label="name", fields={"type": "string", "allowed_values": None}),
    "canned_responses_folders": Kind(label="name", fields={"updated_by": None}, dates="flat"),
    "canned_responses": Kind(
        label="name",
        fields={
            "message": "",
            "type": "text",
            "labels": None,
            "images": None,
            "folder_id": None,
            "should_show_in_inbox": True,
            "matching_tags": [],
            "data": None,
            "used_count": 0,
        },
        links={"folder_id": "canned_responses_folders"},
        hidden=("folder_id", "used_count", "created_at", "updated_at"),
        dates="flat",
    ),
    "businesshoursschedules": Kind(
        label="name", fields={"timezone": "Europe/Brussels", "summary": "", "periods": []}, dates="date"
    ),
    "profilegroups": Kind(label="name", fields={"profiles": []}, links={"profiles": "connectedprofiles"}, dates="date"),
    "publishing_guidelines": Kind(
        label="message",
        fields={"type": "TEXT", "content": "", "arguments": None, "level": "WARNING", "regex": None},
        dates="date.updated",
    ),
    "crisis_plans": Kind(
        label="name",
        fields={
            "summary": [],
            "description": "",
            "type": "warning",
            "instructions": "",
            "coordinators": None,
            "todo_items": None,
            "active_event": None,
        },
        links={"coordinators": "users"},
        dates="flat",
    ),
    "dashboards": Kind(label="name", fields={"description": None, "components": None}),
    "mailboxes": Kind(label="name", fields={"folders": []}, key="key"),
}


class Reference:
    """The reference lists of one account, as of the newest instant it was asked about. Instants are unix seconds, UTC.

    Messages follow a new name of a user, team, topic or tag, other hours of a schedule, and the end of a topic. In all
    else they are planned for the organisation as it was at the start: who joins later handles none of them by plan, who
    leaves goes on handling them, a user's other schedule counts for the acts of a test only, a removed tag stays.
    """

    def __init__(self, organisation: Organisation, now: int) -> None:
        self.organisation = organisation
        self.changes: list[Change] = []
        self._records = founding(organisation, now)
        self._started_at = now
        self._renewed_days = 0

    def records(self, list_name: str) -> dict[Id, Json]:
        """What is kept of each object of a list: the fields of the API, with ids instead of linked objects.

        Raises:
            KeyError: when there is no such list.
        """
        if list_name not in LISTS:
            raise KeyError(f"no list {list_name!r}: choose one of {', '.join(LISTS)}")
        return self._records[list_name]

    def catch_up(self, now: int) -> None:
        """Let happen what the account's people do to the lists until an instant."""
        while (at := renewal.due_at(self.organisation.account_id, self._started_at, self._renewed_days)) <= now:
            renewal.renew(self, self._renewed_days, at)
            self._renewed_days += 1

    def objects(self, list_name: str, now: int, *, with_email: bool) -> list[Json]:
        """The objects of a list as the API shows them."""
        self.catch_up(now)
        view = _View(self, now, with_email)
        return [view.shown(list_name, record) for record in self.records(list_name).values()]

    def one(self, list_name: str, identifier: Id, now: int, *, with_email: bool) -> Json | None:
        """One object of a list, or None when there is no such."""
        self.catch_up(now)
        record = self.records(list_name).get(identifier)
        return None if record is None else _View(self, now, with_email).shown(list_name, record)

    def me(self, user_id: int, now: int, *, with_email: bool) -> Json:
        """A user outside the context of an account."""
        self.catch_up(now)
        return _View(self, now, with_email).user(self.records("users")[user_id], in_account=False)

    def projects(self, now: int, *, with_email: bool) -> list[Json]:
        """The projects with their topics; an empty project lacks `topics`."""
        topics = self.objects("topics", now, with_email=with_email)
        project_ids = {record["id"]: record.get("project_id") for record in self.records("topics").values()}
        projects = []
        for project in self.organisation.projects:
            shown: Json = {"id": project.id, "name": project.name, "visible": project.visible}
            members = [topic for topic in topics if project_ids[topic["id"]] == project.id]
            projects.append(shown | ({"topics": members} if members else {}))
        return projects

    def suggestions(self, now: int) -> list[Json]:
        """The objects filter_suggestion: what can be filtered by, in the words of the filter."""
        self.catch_up(now)
        found = [(f"Tag: {record['tag']}", usertag_filter(record["tag"])) for record in self._records["tags"].values()]
        found += [
            (f"Profile: {record.get('displayname', record['service_id'])}", record["filters"]["profile"])
            for record in self._records["connectedprofiles"].values()
            if record["filters"]
        ]
        found += [(f"Status: {status}", f"status:{status}") for status in ("new", "pending", "done", "alldone", "sent")]
        found += [(f"Sentiment: {sentiment}", f"sentiment:{sentiment}") for sentiment in SENTIMENTS]
        found += [(f"Language: {language}", f"language:{language}") for language in LANGUAGES]
        services = dict.fromkeys(channel.service for channel in CHANNELS)
        found += [(f"Source: {service}", f"source:{service}") for service in services]
        found.append(("Action: replied", "action:replied"))
        return [{"name": name, "filter": words} for name, words in found]

    def user(self, user_id: int) -> User | None:
        """A user who can act, with the schedule that is set now."""
        record = self._records["users"].get(user_id)
        if record is None:
            return None
        schedule_id = record.get("business_hours_schedule_id")
        founder = next((user for user in self.organisation.users if user.id == user_id), None)
        return User(
            id=user_id,
            name=record["name"],
            role=record["account_role"],
            team=0 if founder is None else founder.team,
            shift=OFFICE_SHIFT if founder is None else founder.shift,
            schedule=None if schedule_id is None else self.schedule(schedule_id),
        )

    def schedule(self, schedule_id: str) -> Schedule:
        """A schedule as it is set now; the calendar of a founding one also knows its former hours."""
        record = self._records["businesshoursschedules"][schedule_id]
        founded = next((each for each in self.organisation.schedules if each.id == schedule_id), None)
        return Schedule(
            id=schedule_id,
            name=record["name"],
            timezone=record["timezone"],
            summary=record["summary"],
            periods=_periods(record),
            calendar=calendar(record["timezone"], _periods(record)) if founded is None else founded.calendar,
        )

    def add(self, list_name: str, fields: Json, at: int, *, by_user_id: int | None = None) -> Id:
        """Put an object into a list; returns its id.

        Raises:
            KeyError: when there is no such list, or the object links to something that is not there.
            ValueError: when its name is missing or a field is not known.
        """
        records = self.records(list_name)
        kind = LISTS[list_name]
        if not fields.get(kind.label):
            raise ValueError(f"a new object of {list_name} needs {kind.label}")
        self._check(list_name, fields)
        record = {kind.key: self._fresh_id(list_name)} | deepcopy(kind.fields) | deepcopy(fields)
        if list_name == "users":
            record["email"] = fields.get("email", f"agent{record['id']}@aurelle.example")
        if list_name == "topics":
            record["project_id"] = fields.get("project_id", self.organisation.projects[0].id)
        records[record[kind.key]] = _present(record)
        self._note("add", list_name, record[kind.key], at, by_user_id)
        identifier: Id = record[kind.key]
        return identifier

    def change(self, list_name: str, identifier: Id, fields: Json, at: int, *, by_user_id: int | None = None) -> None:
        """Give an object other values; None takes a field away.

        Raises:
            KeyError: when there is no such list or object, or a field links to something that is not there.
            ValueError: when a field is not known.
        """
        record, label = self._record(list_name, identifier), LISTS[list_name].label
        self._check(list_name, fields)
        record.update(deepcopy(fields))
        for name in [name for name, value in record.items() if value is None]:
            del record[name]
        if list_name in {"users", "teams", "topics", "tags"} and label in fields:
            self.organisation.rename(list_name, identifier, fields[label])
        if list_name == "businesshoursschedules" and fields.keys() & {"periods", "timezone"}:
            self.organisation.reschedule(str(identifier), calendar(record["timezone"], _periods(record)), at)
        self._note("change", list_name, identifier, at, by_user_id)

    def remove(self, list_name: str, identifier: Id, at: int, *, by_user_id: int | None = None) -> None:
        """Take an object out of a list, and out of everything that links to it.

        Raises:
            KeyError: when there is no such list or object.
            ValueError: when users still have the role.
        """
        self._record(list_name, identifier)
        if list_name == "userroles":
            holders = [user["name"] for user in self._records["users"].values() if user["account_role"] == identifier]
            if holders:
                raise ValueError(f"role {identifier} is still that of {', '.join(holders)}")
        self._note("remove", list_name, identifier, at, by_user_id)
        for other, kind in LISTS.items():
            linking = [name for name, target in kind.links.items() if target == list_name]
            for each in list(self._records[other].values()):
                for name in linking:
                    held = each.get(name)
                    if isinstance(held, list) and identifier in held:
                        kept = [one for one in held if one != identifier]
                        self.change(other, each[kind.key], {name: kept}, at, by_user_id=by_user_id)
                    elif held == identifier:
                        self.change(other, each[kind.key], {name: None}, at, by_user_id=by_user_id)
        if list_name == "topics":
            self.organisation.closed_topic_ids |= {int(identifier)}
        del self._records[list_name][identifier]

    def _record(self, list_name: str, identifier: Id) -> Json:
        record = self.records(list_name).get(identifier)
        if record is None:
            raise KeyError(f"account {self.organisation.account_id} has no {identifier!r} in {list_name}")
        return record

    def _check(self, list_name: str, fields: Json) -> None:
        kind = LISTS[list_name]
        unknown = sorted(set(fields) - set(kind.fields) - {kind.label})
        if unknown:
            raise ValueError(f"{list_name} have no {', '.join(unknown)}: set {kind.label}, {', '.join(kind.fields)}")
        lacking = [name for name in fields if fields[name] is None and kind.fields.get(name, "") is not None]
        if lacking:
            raise ValueError(f"{list_name} cannot be without {', '.join(lacking)}")
        for name, target in kind.links.items():
            held = fields.get(name)
            for identifier in held if isinstance(held, list) else [] if held is None else [held]:
                self._record(target, identifier)

    def _fresh_id(self, list_name: str) -> Id:
        given_out = [*self._records[list_name], *(each.id for each in self.changes if each.list_name == list_name)]
        following = 1 + max((int(digits) for each in given_out for digits in re.findall(r"\d+", str(each))), default=0)
        if list_name == "userroles":
            return f"custom_{following}"
        if list_name == "mailboxes":
            return f"mailbox_{following}"
        return str(following) if isinstance(given_out[0], str) else following

    def _note(
        self, what: Literal["add", "change", "remove"], name: str, identifier: Id, at: int, by: int | None
    ) -> None:
        kind, record = LISTS[name], self._records[name][identifier]
        user_id = self.organisation.users[0].id if by is None else by
        match kind.dates:
            case "date":
                record["date"] = {"added": at} | record.get("date", {}) | {"updated": at}
            case "date.updated":
                record["date"] = {"updated": at}
            case "flat":
                record.update({"created_at": record.get("created_at", at), "updated_at": at})
            case "none":
                pass
        if name == "canned_responses_folders":
            record["updated_by"] = user_id
        self.changes.append(Change(at, what, name, identifier, str(record.get(kind.label, identifier)), user_id))


@dataclass(frozen=True, slots=True)
class _View:
    """How records are shown at an instant."""

    reference: Reference
    now: int
    with_email: bool

    def shown(self, list_name: str, record: Json) -> Json:
        """A record as the API shows it: its own fields, and what follows from others."""
        kind = LISTS[list_name]
        plain = {name: deepcopy(value) for name, value in record.items() if name not in kind.hidden}
        show = _SHOWN.get(list_name)
        return plain if show is None else show(self, record, plain)

    def user(self, record: Json, *, in_account: bool = True) -> Json:
        """Object user; role and `business_hours_schedule_is_active` only in the context of an account."""
        hidden = set() if self.with_email else {"email"}
        if not in_account:
            hidden.add("account_role")
        shown = {name: value for name, value in record.items() if name not in hidden}
        user = self.reference.user(record["id"])
        if user is not None:
            shown["status"] = availability(user, self.now)
        schedule_id = record.get("business_hours_schedule_id")
        if in_account and schedule_id is not None:
            shown["business_hours_schedule_is_active"] = self.reference.schedule(schedule_id).calendar.contains(
                self.now
            )
        return shown

    def linked(self, list_name: str, identifiers: list[Id]) -> list[Json]:
        """The objects with these ids; one that is gone is left out."""
        records = self.reference.records(list_name)
        return [self.shown(list_name, records[identifier]) for identifier in identifiers if identifier in records]

    def role(self, record: Json, plain: Json) -> Json:
        topics = self.reference.records("topics")
        plain["topics"] = [{"id": topic_id, "name": topics[topic_id]["name"]} for topic_id in record["topics"]]
        return plain

    def team(self, record: Json, plain: Json) -> Json:
        return plain | {"users": self.linked("users", record["users"])}

    def tag(self, record: Json, plain: Json) -> Json:
        return plain | {"filter": usertag_filter(record["tag"])}

    def topic(self, record: Json, plain: Json) -> Json:
        if "monitoredprofiles" in record:
            plain["monitoredprofiles"] = self.linked("connectedprofiles", record["monitoredprofiles"])
        return plain

    def canned_response(self, record: Json, plain: Json) -> Json:
        folder_id = record.get("folder_id")
        plain["folder"] = []  # nothing, as PHP writes it
        if folder_id is not None:
            folder = self.reference.records("canned_responses_folders")[folder_id]
            plain["folder"] = {"id": str(folder_id), "name": folder["name"]}
        return plain

    def schedule(self, record: Json, plain: Json) -> Json:
        holders = [
            self.user(user)
            for user in self.reference.records("users").values()
            if user.get("business_hours_schedule_id") == record["id"]
        ]
        statuses = [user["status"] for user in holders]
        plain["is_active"] = self.reference.schedule(record["id"]).calendar.contains(self.now)
        plain["users"] = {"count": len(statuses)} | {
            f"count_with_status_{status}": statuses.count(status) for status in ("available", "busy", "unavailable")
        }
        return plain

    def profile_group(self, record: Json, plain: Json) -> Json:
        profiles = self.linked("connectedprofiles", record["profiles"])
        return plain | {"profiles_count": len(profiles), "profiles": profiles}

    def crisis_plan(self, record: Json, plain: Json) -> Json:
        account_id, users = self.reference.organisation.account_id, self.reference.records("users")
        address = f"https://api.engagor.com/{account_id}/crisis"
        plain |= {
            "account_id": account_id,
            "instructions_html": with_links(record["instructions"]),
            "is_active": "active_event" in record,
            "action_links": [
                {"key": "edit", "type": "api", "link": f"{address}/plan/{record['id']}", "http_method": "POST"}
            ],
        }
        if "coordinators" in record:
            plain["coordinators"] = self.linked("users", record["coordinators"])
        for item in plain.get("todo_items", []):
            item["description_html"] = with_links(item["description"])
            item["action_links"] = [
                {"key": "mark_as_done", "type": "api", "link": f"{address}/todo/{item['id']}", "http_method": "POST"}
            ]
            if item.pop("assignee", None) is not None:
                assignee = next(each["assignee"] for each in record["todo_items"] if each["id"] == item["id"])
                if assignee in users:
                    item["assignee"] = self.user(users[assignee])
        for done in plain.get("active_event", {}).get("completed_todo_items", []):
            user_id = done.pop("completed_by", None)
            if user_id in users:
                done["completed_by"] = self.user(users[user_id])
        return plain

    def dashboard(self, _record: Json, plain: Json) -> Json:
        for component in plain.get("components", []):
            del component["widget"]
        return plain

    def mailbox(self, _record: Json, plain: Json) -> Json:
        for folder in plain["folders"]:
            self._complete_folder(folder)
        return plain

    def _complete_folder(self, folder: Json) -> None:
        topics = self.reference.records("topics")
        folder["topics"] = [topic_id for topic_id in folder["topics"] if topic_id in topics]
        path = "inbox/mentions" if folder["data_type"] == "mentions" else "publisher/mentions"
        asked = urlencode({"filter": folder["filter"], "topic_ids": ",".join(map(str, folder["topics"]))})
        account_id = self.reference.organisation.account_id
        folder["action_links"] = [
            {
                "key": "recent_conversations",
                "type": "api",
                "link": f"https://api.engagor.com/{account_id}/{path}?{asked}",
                "http_method": "GET",
            }
        ]
        for subfolder in folder.get("subfolders", []):
            self._complete_folder(subfolder)


_SHOWN: dict[str, Callable[[_View, Json, Json], Json]] = {
    "users": lambda view, record, _plain: view.user(record),
    "userroles": _View.role,
    "teams": _View.team,
    "tags": _View.tag,
    "topics": _View.topic,
    "canned_responses": _View.canned_response,
    "businesshoursschedules": _View.schedule,
    "profilegroups": _View.profile_group,
    "crisis_plans": _View.crisis_plan,
    "dashboards": _View.dashboard,
    "mailboxes": _View.mailbox,
}


def usertag_filter(name: str) -> str:
    """The filter that finds what carries a tag."""
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'usertag:"{escaped}"'


def with_links(text: str) -> str:
    """A text as HTML in which addresses can be clicked."""
    shown, position = "", 0
    for found in _LINK.finditer(text):
        address = html.escape(found[0])
        shown += html.escape(text[position : found.start()]) + f'<a href="{address}">{address}</a>'
        position = found.end()
    return shown + html.escape(text[position:])


def _periods(schedule: Json) -> tuple[Period, ...]:
    return tuple(Period(each["dayofweek"], each["start"], each["end"]) for each in schedule["periods"])


def _present(record: Json) -> Json:
    return {name: value for name, value in record.items() if value is not None}
