"""Cases: which messages belong together, and a case as the API shows it, as a mention of its own.

A private message opens a case with its author, or joins the one that is open; a person puts public messages into a case
by hand. A case takes no more messages once it is resolved (until it is reopened), and one with an author none after 28
days without a message. So a case follows from the message that opened it and from what was done to it before each
later message: a history that grows never changes what it said before. Instants are unix seconds, UTC.
"""

from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from sandbox.acts import PRIORITIES, Act, apply
from sandbox.draws import Draw
from sandbox.history import CASE_SLOTS, NEVER, Flags, History, Slot
from sandbox.hours import Instants
from sandbox.mentions import API, WEB, Incoming, Life, case_id, in_order, permalink
from sandbox.organisation import Organisation, profile_id

Json = dict[str, Any]
StatusChanges = dict[int, list[tuple[int, str]]]

SERVICE, CATEGORY, PROVIDER, DOMAIN = "social_case", "case", "SearchProviderCase", "app.engagor.com"

_IDLE_SECONDS = 28 * 86_400
_MANUAL_PER_TOPIC = 3
_FIRST_NUMBER = 101


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseBook:
    """The cases of a history, in the order in which they were opened.

    `history` has one row a case, with the columns of the message that opened it (whose row is `opener`), but the times
    of the case. `manual` are those that a person made and `number` their running number. `links` are the rows of linked
    messages, grouped by case from `link_starts[case]` on, each group by `linked_at`. `case_of` is the case of each
    message, or -1.
    """

    history: History
    opener: Instants
    manual: Flags
    number: Instants
    links: Instants
    linked_at: Instants
    link_starts: Instants
    case_of: Instants

    def links_of(self, case: int) -> list[tuple[int, int]]:
        """The rows of the messages of a case, each with when it is linked, oldest first."""
        group = slice(int(self.link_starts[case]), int(self.link_starts[case + 1]))
        return list(zip(self.links[group].tolist(), self.linked_at[group].tolist(), strict=True))


def bind(history: History, changed: StatusChanges) -> CaseBook:
    """The cases of a history; `changed` are the statuses that a test gave the cases opened by some rows."""
    linked_at = np.minimum(history.times[:, Slot.CASE_AUTO], history.times[:, Slot.CASE_MANUAL])
    group = _groups(history)
    rows = np.flatnonzero(linked_at != NEVER)
    rows = rows[np.lexsort((rows, linked_at[rows], group[rows]))]
    opener_of_link, cut_short = _openers(history, rows, linked_at[rows], group[rows], changed)
    openers = np.unique(opener_of_link)
    openers = openers[np.lexsort((openers, linked_at[openers]))]
    case_of_opener = np.full(len(history), -1, dtype=np.int64)
    case_of_opener[openers] = np.arange(len(openers))
    case_of_link = case_of_opener[opener_of_link]
    by_case = np.lexsort((rows, linked_at[rows], case_of_link))
    case_of = np.full(len(history), -1, dtype=np.int64)
    case_of[rows] = case_of_link
    manual = history.times[openers, Slot.CASE_MANUAL] != NEVER
    return CaseBook(
        history=_as_messages(history, openers, linked_at[openers], cut_short),
        opener=openers,
        manual=manual,
        number=_FIRST_NUMBER - 1 + np.cumsum(manual),
        links=rows[by_case],
        linked_at=linked_at[rows][by_case],
        link_starts=np.searchsorted(case_of_link[by_case], np.arange(len(openers) + 1)),
        case_of=case_of,
    )


def _groups(history: History) -> Instants:
    """Messages that can share a case have one number: those of an author in a topic, and what people put together."""
    manual = history.times[:, Slot.CASE_MANUAL] != NEVER
    channels = 64
    automatic = (history.author * channels + history.channel) * channels + history.topic
    by_hand = (history.serial % _MANUAL_PER_TOPIC) * channels + history.topic
    return np.where(manual, -1 - by_hand, automatic)


def _openers(
    history: History, rows: Instants, at: Instants, group: Instants, changed: StatusChanges
) -> tuple[Instants, list[int]]:
    """Per link the row that opened its case, and the openers of cases that another case has replaced.

    Who comes back to a resolved case gets another one, and then the resolved one is not reopened any more.
    """
    resolved, reopened, again = (
        history.case_times[:, CASE_SLOTS.index(slot)].tolist()
        for slot in (Slot.RESOLVE, Slot.REOPEN, Slot.SECOND_RESOLVE)
    )

    def is_resolved(opener: int, instant: int) -> bool:
        if opener not in changed:
            return bool(resolved[opener] <= instant < reopened[opener] or again[opener] <= instant)
        planned = [(resolved[opener], "done"), (reopened[opener], "new"), (again[opener], "done")]
        pending = history.case_times[opener, CASE_SLOTS.index(Slot.PENDING)]
        changes = sorted([(pending, "pending"), *planned, *changed[opener]], key=lambda change: change[0])
        return [(0, "new"), *(change for change in changes if change[0] <= instant)][-1][1] == "done"

    openers: list[int] = []
    cut_short: list[int] = []
    opener, opened_group, last_at = -1, None, 0
    for row, instant, its_group in zip(rows.tolist(), at.tolist(), group.tolist(), strict=True):
        same = its_group == opened_group
        idle = its_group >= 0 and instant >= last_at + _IDLE_SECONDS
        if not same or idle or is_resolved(opener, instant):
            if same and instant < reopened[opener]:
                cut_short.append(opener)
            opener, opened_group = row, its_group
        openers.append(opener)
        last_at = instant
    return np.array(openers, dtype=np.int64), cut_short


def _as_messages(history: History, openers: Instants, opened_at: Instants, cut_short: list[int]) -> History:
    columns: dict[str, Any] = {field.name: getattr(history, field.name)[openers] for field in fields(history)}
    times = np.full((len(openers), len(Slot)), NEVER, dtype=np.int64)
    times[:, Slot.CASE_AUTO] = opened_at
    times[:, list(CASE_SLOTS)] = columns["case_times"]
    ended = np.isin(openers, np.array(cut_short, dtype=np.int64))
    for slot in (Slot.REOPEN, Slot.SECOND_REPLY, Slot.SECOND_RESOLVE):
        times[ended, slot] = NEVER
    columns |= {
        "added_at": opened_at,
        "published_at": opened_at,
        "arrives_at": opened_at,
        "leaves_at": np.full(len(openers), NEVER, dtype=np.int64),
        "followers": np.full(len(openers), -1, dtype=np.int64),
        "brand": np.zeros(len(openers), dtype=np.bool_),
        "by_automation": np.zeros(len(openers), dtype=np.bool_),
        "times": times,
    }
    return History(**columns)


# --- a case as the API shows it ---


def title_of(organisation: Organisation, book: CaseBook, case: int, seed: int) -> str:
    """The title; what the filter's `content:` looks at."""
    return _Opened(organisation, book, case, seed).title()


def render_case(
    organisation: Organisation, book: CaseBook, case: int, *, seed: int, now: int, extra: list[Act]
) -> Json:
    """The mention of a case as of `now`, with the `extra` deeds of a test among its own."""
    opened = _Opened(organisation, book, case, seed)
    shown = opened.mention()
    deeds = in_order(_CaseLife(opened, book, case).deeds(now), extra, now)
    for act in deeds:
        apply(shown, act, opened.published_at)
    _add_spells(shown["timestamps"], opened.added_at, deeds)
    return shown


def _add_spells(timestamps: Json, opened_at: int, deeds: list[Act]) -> None:
    """Add the seconds that a case has spent in each status.

    A spell counts once it has ended, and its business hours are those of who ended it, if somebody with a schedule did.
    """
    names = {"new": "unresolved_time", "pending": "pending_time"}
    status, since = "new", opened_at
    for act in deeds:
        if act.status is None or act.status == status:
            continue
        if status in names:
            timestamps[names[status]] = timestamps.get(names[status], 0) + act.at - since
        if status == "new" and act.user is not None and act.user.schedule is not None:
            working = act.user.schedule.calendar.seconds_between(since, act.at)
            timestamps["unresolved_time_during_bh"] = timestamps.get("unresolved_time_during_bh", 0) + working
        status, since = act.status, act.at


class _Opened(Incoming):
    """A case at the moment it was opened; `author` and `language` are those of the message that opened it."""

    def __init__(self, organisation: Organisation, book: CaseBook, case: int, seed: int) -> None:
        super().__init__(organisation, book.history, case, seed)
        serial = int(book.history.serial[case])
        self.id = case_id(seed, self.account_id, serial)
        self.draw = Draw(seed, self.account_id, serial, self.topic.id)
        self.manual = bool(book.manual[case])
        self.number = int(book.number[case])
        self.maker = organisation.users[book.history.late_agent[case]]

    def title(self) -> str:
        if self.manual:
            return f"Case #{self.number}"
        return f"Conversation on {self.channel.service}"

    def text(self) -> str:
        return self.title()

    def mention(self) -> Json:
        topic, account_id = self.topic, self.account_id
        source: Json = {
            "category": CATEGORY,
            "type": PROVIDER,
            "service": SERVICE,
            "id": self.id,
            "domain": DOMAIN,
        }
        if self.channel.author != "domain":
            source |= {"profile": profile_id(topic, self.channel), "profile_name": topic.profile_name}
        shown: Json = {
            "id": self.id,
            "unique_id": f"{topic.id}_{self.id}",
            "message": {
                "title": self.title(),
                "language": self.language,
                "sentiment": self.sentiment,
                "type": "case",
            },
            "source": source,
            "topic": {"id": topic.id, "name": topic.name},
            "project": {"id": topic.project.id, "name": topic.project.name},
            "status": "new",
            "permalink": permalink(account_id, topic.id, self.id),
            "handled_by": None,
            "actions": [],
            "action_links": self._case_links(),
            "date": {"added": self.added_at, "published": self.published_at},
            "tags": list(self.tags),
            "timestamps": {"handle_time": 0},
            "author": self._person(),
            "assignment": {"user_ids": [], "team_ids": [], "comments": ""},
            "assignees": [],
        }
        if self.manual:
            shown["priority"] = dict(PRIORITIES[self.draw.pick(("low", "medium", "high"), "first priority")])
        return shown

    def _person(self) -> Json:
        if self.manual:
            return {"id": str(self.maker.id), "name": self.maker.name, "managed": False}
        return self.author_json()

    def _case_links(self) -> list[Json]:
        where = f"{self.account_id}/inbox/case/{self.topic.id}/{self.id}"
        return [
            {"key": "case", "type": "web", "name": "Open", "title": "Open this case", "link": f"{WEB}/{where}"},
            {"key": "case", "type": "api", "link": f"{API}/{where}", "http_method": "GET"},
        ]


class _CaseLife(Life):
    """The planned deeds of a case."""

    def __init__(self, opened: _Opened, book: CaseBook, case: int) -> None:
        super().__init__(opened, book.history, case, None)
        self.opened = opened
        self.times[Slot.CASE_AUTO] = NEVER  # when it was opened, which is told in a case's own words

    def deeds(self, now: int) -> list[Act]:
        opened, at = self.opened, self.opened.added_at
        if opened.manual:
            created = self.by_agent("case_created", Slot.CASE_AUTO, at, opened.maker)
        else:
            created = self.by_rule("case_created", Slot.CASE_AUTO, at)
        return [created, *super().deeds(now)]
