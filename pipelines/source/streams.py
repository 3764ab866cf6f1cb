"""The streams: which list of the API feeds which tables, and how it is read.

Adding one is an entry here and a contract file. The order is the priority: what stands first is read first, should the
request budget run out.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import Enum

from transforms.contract import Contract, contract


class Reading(Enum):
    """How a list is read, and so what its cursor is."""

    SNAPSHOT = "the whole list each time; the cursor is when it was last read whole"
    INBOX = "new rows by date added, then rows changed by last action"
    UPDATED = "rows updated since the cursor, oldest first"
    LOG = "rows of a window that starts at the cursor; they never change"
    NOTES = "the notes on chosen mentions, a call for each"
    TRAILING = "rows of a window that trails behind now, since they change without a sign"


EVERY_RUN = timedelta(0)
HOURLY = timedelta(hours=1)
EVERY_FOUR_HOURS = timedelta(hours=4)
DAILY = timedelta(days=1)


@dataclass(frozen=True)
class Stream:
    """One list of the API.

    Attributes:
        name: also the name of its table.
        object: name of the contract.
        path: the endpoint below the API's root.
        reading: how the list is read.
        page_size: the most rows it gives per call (api-behaviour.md says how sure that is); None for a list without
            pages.
        time_path: where a record has the time that the cursor follows.
        mention_path: where a record of an inbox has the mention.
        rhythm: how old what was read may become before the list is due again (`pipelines.source.rhythm`).
        keeps_versions: whether each version of a row that was seen is kept, with the time it was valid.
        keeps_ids: whether the ids of its objects are kept in its cursor, since other lists are asked for by them.
        is_needed: whether a sync without it would be worth nothing; others are skipped when the API refuses them.
    """

    name: str
    object: str
    path: str
    reading: Reading
    page_size: int | None = None
    time_path: tuple[str, ...] = ()
    mention_path: tuple[str, ...] = ()
    rhythm: timedelta = EVERY_RUN
    keeps_versions: bool = False
    keeps_ids: bool = False
    is_needed: bool = False

    @property
    def contract(self) -> Contract:
        """What the list's objects are declared to hold."""
        return contract(self.object)

    @property
    def is_of_the_token(self) -> bool:
        """Whether the list is the same for every account: what the token's user sees."""
        return "{account_id}" not in self.path


def _snapshot(name: str, of: str, path: str, page_size: int | None, rhythm: timedelta, **other: bool) -> Stream:
    return Stream(name, of, path, Reading.SNAPSHOT, page_size, rhythm=rhythm, **other)  # type: ignore[arg-type]


_SETTINGS = "{account_id}/settings"
_ADDED, _FLAT_ADDED, _UPDATED = ("date", "added"), ("dateadd",), ("date", "updated")

STREAMS = (
    _snapshot(
        "topics",
        "topic",
        f"{_SETTINGS}/topics",
        50,
        HOURLY,
        keeps_versions=True,
        keeps_ids=True,
        is_needed=True,
    ),
    Stream("mentions", "mention", "{account_id}/inbox/mentions", Reading.INBOX, 100, is_needed=True),
    Stream("cases", "case", "{account_id}/inbox/cases", Reading.INBOX, 100, mention_path=("case",)),
    Stream(
        "account_changes",
        "account_change",
        f"{_SETTINGS}/history",
        Reading.LOG,
        200,
        time_path=_ADDED,
        rhythm=EVERY_FOUR_HOURS,
    ),
    Stream(
        "security_events",
        "security_event",
        "{account_id}/security/audit",
        Reading.LOG,
        200,
        time_path=_FLAT_ADDED,
        rhythm=EVERY_FOUR_HOURS,
    ),
    Stream(
        "contacts",
        "contact",
        "{account_id}/inbox/contacts",
        Reading.UPDATED,
        50,
        time_path=_UPDATED,
        rhythm=HOURLY,
    ),
    Stream(
        "publisher_posts",
        "publisher_post",
        "{account_id}/publisher/mentions",
        Reading.TRAILING,
        100,
        rhythm=EVERY_FOUR_HOURS,
    ),
    Stream(
        "mention_context_items", "context_item", "{account_id}/inbox/context/{topic_id}/{mention_id}", Reading.NOTES
    ),
    _snapshot("users", "user", f"{_SETTINGS}/users", 50, HOURLY, keeps_versions=True),
    _snapshot("teams", "team", f"{_SETTINGS}/teams", 200, HOURLY, keeps_versions=True),
    _snapshot("user_roles", "user_role", f"{_SETTINGS}/userroles", 50, DAILY, keeps_versions=True),
    _snapshot("tags", "tag", f"{_SETTINGS}/tags", 200, EVERY_FOUR_HOURS, keeps_versions=True),
    _snapshot(
        "business_hours_schedules",
        "business_hours_schedule",
        f"{_SETTINGS}/businesshoursschedules",
        50,
        EVERY_FOUR_HOURS,
        keeps_versions=True,
    ),
    _snapshot("accounts", "account", "me/accounts", 50, DAILY, keeps_ids=True),
    _snapshot("connected_profiles", "connected_profile", "me/connectedprofiles", 50, DAILY),
    _snapshot("custom_attributes", "custom_attribute", f"{_SETTINGS}/customattributes", 200, DAILY),
    _snapshot("canned_responses", "canned_response", f"{_SETTINGS}/canned_responses", 50, DAILY),
    _snapshot("canned_response_folders", "canned_response_folder", f"{_SETTINGS}/canned_responses_folders", 50, DAILY),
    _snapshot("profile_groups", "profile_group", f"{_SETTINGS}/profilegroups", 200, DAILY),
    _snapshot("publishing_guidelines", "publishing_guideline", f"{_SETTINGS}/publishing_guidelines", 200, DAILY),
    _snapshot("crisis_plans", "crisis_plan", "{account_id}/crisis/plans", None, DAILY),
    _snapshot("mailboxes", "mailbox", "{account_id}/inbox/mailboxes", 50, DAILY),
    _snapshot("dashboards", "dashboard", "{account_id}/dashboards/overview", None, DAILY),
    _snapshot("filter_suggestions", "filter_suggestion", "{account_id}/filter/suggestions", 2000, DAILY),
)

INBOX = tuple(stream for stream in STREAMS if stream.reading is Reading.INBOX)
"""The mentions, and the cases, which are mentions that gather others."""

FACETS = Stream("statistics", "statistics", "{account_id}/insights/facets", Reading.TRAILING, rhythm=HOURLY)
"""The statistics: no list of objects, and no contract (`pipelines.source.statistics`)."""
