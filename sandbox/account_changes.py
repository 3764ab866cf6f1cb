"""The log of an account's changes (`settings/history`): what people, tests and the product itself have changed.

What happens to reference lists and to mentions is told by those who do it; beside that, the account's people go on
changing things that the API shows nowhere else, from long before the start on. Instants are unix seconds, UTC.
"""

from dataclasses import dataclass
from typing import Any

from sandbox.account import Account
from sandbox.diary import Diary
from sandbox.draws import Draw
from sandbox.history import DAY
from sandbox.later_changes import Told
from sandbox.reference import Change, Reference

Json = dict[str, Any]

_PAST_DAYS = 400

MENTION_CHANGES = {
    "mention_delete": "Deleted mention",
    "service_mention_delete": "Mention was deleted on the network",
    "mention_restore": "Restored mention",
}

_PREFIXES = {
    "users": "user",
    "userroles": "user_custom_role",
    "teams": "account_teams",
    "tags": "account_tag",
    "connectedprofiles": "account_connectedservice",
    "topics": "query",
    "customattributes": "account_customfield",
    "canned_responses_folders": "cannedresponses_folder",
    "canned_responses": "cannedresponses",
    "businesshoursschedules": "account_businesshoursschedules",
    "profilegroups": "account_social_profiles_group",
    "publishing_guidelines": "publishingguideline",
    "crisis_plans": "account_crisis_plans",
    "dashboards": "dashboard",
    "mailboxes": "mailbox",
}
_ENDINGS = {"add": "add", "change": "edit", "remove": "delete"}
_VERBS = {"add": "Added", "change": "Changed", "remove": "Removed"}

# type, description, whether it is about a topic, whether the product does it by itself
_HABITS: tuple[tuple[str, str, bool, bool], ...] = (
    ("saved_search_add", 'Added saved search "Klachten (week {n})"', False, False),
    ("saved_search_edit", "Changed saved search “Réseau > pannes”", False, False),
    ("automation_rule_edit", "Changed automation rule Auto-tag {n}", True, False),
    ("automation_rule_status", "Switched automation rule Auto-tag {n} off", True, False),
    ("chart_template_add", "Added chart template Volume per hour", False, False),
    ("dashboard_component_edit", "Changed widget {n}", False, False),
    ("mailbox_folder_watchdog_edit", "Changed watchdog: answer within {n} minutes", False, False),
    ("account_businesshoursschedules_holiday_add", "Added holiday 21/07 🇧🇪", False, False),
    ("security_settings_changed", "Changed the security settings", False, False),
    ("query_stream_edit", "Changed the search keywords", True, False),
    ("query_mention_add", "Added a mention by hand", True, False),
    ("account_volume_warning", "{n} % of the mentions of this month are used", False, True),
    ("connectedservice_expired", "The connection of a profile has expired", False, True),
    ("query_connectedservice_auth_refresh", "The connection of a profile was renewed", True, True),
    ("custom_error", "A crawl was interrupted: HTTP 503", True, True),
)


# Changes are numbered by where they come from, so no number depends on what else has happened.
_HABITS_FROM, _LISTS_FROM, _RECORDED_FROM, _MENTIONS_FROM = (10**9 * kind for kind in (1, 2, 3, 4))
_HABITS_PER_DAY = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountChange:
    """A change. `user_id` is None when the product made it, `topic_id` when it is about no topic.

    `mention` is the `unique_id` of the mention that it is about, of which the API need not tell.
    """

    id: int
    at: int
    type: str
    description: str
    user_id: int | None = None
    topic_id: int | None = None
    mention: str | None = None


class AccountChanges:
    """The changes of one account."""

    def __init__(self, account: Account, reference: Reference, seed: int, now: int) -> None:
        self.account = account
        self.reference = reference
        self.organisation = reference.organisation
        self._identity = (seed, self.organisation.account_id, 11)
        self._diary = Diary(now - _PAST_DAYS * DAY, self._habits)
        self._recorded: list[AccountChange] = []

    def record(
        self,
        type_: str,
        description: str,
        at: int,
        *,
        user_id: int | None = None,
        topic_id: int | None = None,
        mention: str | None = None,
    ) -> None:
        """Note a change that is not one of a reference list; without a user the product made it."""
        self._recorded.append(
            AccountChange(
                id=_RECORDED_FROM + len(self._recorded),
                at=at,
                type=type_,
                description=description,
                user_id=user_id,
                topic_id=topic_id,
                mention=mention,
            )
        )

    def until(self, now: int) -> list[AccountChange]:
        """The changes up to an instant, oldest first."""
        self.reference.catch_up(now)
        of_lists = [_of_list(number, change) for number, change in enumerate(self.reference.changes)]
        self.account.grow(now)
        of_mentions = [self._of_mention(number, told) for number, told in enumerate(self.account.later.told)]
        changes = [change for change in [*of_lists, *self._recorded, *of_mentions] if change.at <= now]
        return sorted([*self._diary.until(now), *changes], key=lambda change: (change.at, change.id))

    def item(self, change: AccountChange, *, with_email: bool, names_mention: bool) -> Json:
        """Object history_item."""
        draw = Draw(*self._identity, change.id, 1)
        topic = next((each for each in self.organisation.topics if each.id == change.topic_id), None)
        about: Json = {} if topic is None else {"topic": topic, "project": topic.project}
        description = change.description
        if change.mention is not None and names_mention:
            description += f" {change.mention}"
        shown: Json = {"id": change.id, "type": change.type, "description": description}
        for name in ("topic", "project"):
            if name in about:
                shown[name] = {"id": about[name].id, "name": about[name].name}
            elif draw.chance(0.6, f"empty {name}"):
                shown[name] = []  # nothing, as PHP writes it
        if change.user_id is not None:
            shown["user"] = self._user(change.user_id, with_email=with_email)
            shown["ip"] = f"81.82.{change.user_id % 250}.{1 + draw.below(250, 'ip')}"
        elif draw.chance(0.5, "empty user"):
            shown["user"] = []
        shown["date"] = {"added": change.at}
        return shown

    def _of_mention(self, number: int, told: Told) -> AccountChange:
        return AccountChange(
            id=_MENTIONS_FROM + number,
            at=told.at,
            type=told.type,
            description=MENTION_CHANGES[told.type],
            user_id=None if told.user is None else told.user.id,
            topic_id=self.organisation.topics[self.account.history.topic[told.row]].id,
            mention=self.account.unique_id(told.row),
        )

    def _user(self, user_id: int, *, with_email: bool) -> Json:
        record = self.reference.records("users").get(user_id)
        if record is not None:
            return {key: record[key] for key in ("id", "name", *(("email",) if with_email else ())) if key in record}
        founder = next((user for user in self.organisation.users if user.id == user_id), None)
        return {"id": user_id} | ({} if founder is None else {"name": founder.name})

    def _habits(self, day: int, begins_at: int) -> list[AccountChange]:
        count = Draw(*self._identity, day).below(_HABITS_PER_DAY, "count")
        return [self._habit(day * _HABITS_PER_DAY + number, begins_at) for number in range(count)]

    def _habit(self, number: int, begins_at: int) -> AccountChange:
        draw = Draw(*self._identity, number, 2)
        type_, description, about_topic, by_product = draw.pick(_HABITS, "habit")
        return AccountChange(
            id=_HABITS_FROM + number,
            at=begins_at + draw.below(DAY, "at"),
            type=type_,
            description=description.format(n=1 + draw.below(95, "n")),
            user_id=None if by_product else draw.pick(self.organisation.users[:4], "user").id,
            topic_id=draw.pick(self.organisation.topics, "topic").id if about_topic else None,
        )


def _of_list(number: int, change: Change) -> AccountChange:
    return AccountChange(
        id=_LISTS_FROM + number,
        at=change.at,
        type=f"{_PREFIXES[change.list_name]}_{_ENDINGS[change.what]}",
        description=f"{_VERBS[change.what]} {change.list_name.removesuffix('s').replace('_', ' ')} {change.name}",
        user_id=change.by_user_id,
        topic_id=int(change.id) if change.list_name == "topics" else None,
    )
