"""One account: its organisation, its messages and cases, what a test did to them, and their state at a second."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from copy import deepcopy
from functools import cached_property
from typing import Any, Literal, NamedTuple
from zlib import crc32

import numpy as np

from sandbox.acts import Act, apply
from sandbox.cases import CATEGORY, SERVICE, CaseBook, StatusChanges, bind, render_case, title_of
from sandbox.channels import CHANNELS
from sandbox.history import (
    DAY,
    NEVER,
    REPLY_SLOTS,
    STATUS_SLOTS,
    STATUSES,
    Flags,
    History,
    Slot,
    expected_count,
    plan,
)
from sandbox.hours import Instants
from sandbox.later_changes import DailyChanges, LaterChanges
from sandbox.mentions import Json, case_id, mention_id, render, text_of
from sandbox.organisation import Organisation, User


class Added(NamedTuple):
    """A message that a test added: its date, from when on it is listed, and what is served."""

    added_at: int
    arrives_at: int
    raw: Json


class Messages(ABC):
    """Messages of one kind with what a test did to them: an account's inbox, or its cases.

    Instants are unix seconds, UTC. Rows are positions in the order of arrival: first the planned messages, then those
    that a test added.
    """

    sources: tuple[tuple[str, str], ...] = tuple((channel.service, channel.category) for channel in CHANNELS)
    """`source.service` and `source.category` by position of the channel."""

    kind: Literal["mentions", "cases"] = "mentions"
    history: History

    def __init__(self, organisation: Organisation, seed: int, daily: DailyChanges) -> None:
        self.organisation = organisation
        self.id = organisation.account_id
        self.seed = seed
        self.later = LaterChanges(organisation, seed, daily)
        self.added: list[Added] = []
        self.acts: dict[str, list[Act]] = {}
        self.edits: dict[str, Json] = {}
        self.deleted: set[str] = set()
        self.revision = 0
        self._rows: dict[str, int] = {}
        self._indexed_count = 0
        self._texts: list[str] = []
        self._state: State | None = None

    def state(self, now: int) -> "State":
        """The messages at a second; made anew only when the clock or a test has changed something."""
        if self._state is None or (self._state.now, self._state.revision) != (now, self.revision):
            self._grow(now)
            self._state = State(self, now)
        return self._state

    def planned_row(self, unique_id: str) -> int | None:
        """The row of a planned message, visible yet or not."""
        for row in range(self._indexed_count, len(self.history)):
            self._rows[self.unique_id(row)] = row
        self._indexed_count = len(self.history)
        return self._rows.get(unique_id)

    @abstractmethod
    def unique_id(self, row: int) -> str:
        """The `unique_id` of a planned message."""

    def words(self, row_count: int) -> list[str]:
        """The words of the first planned messages, in lower case."""
        for row in range(len(self._texts), row_count):
            self._texts.append(self._text(row).lower())
        return self._texts[:row_count]

    def render_planned(self, row: int, now: int) -> Json:
        """A planned message as the API shows it, with what a test and the clock did to it."""
        touched = bool(self.acts or self.edits)
        unique_id = self.unique_id(row) if touched else ""
        mention = self._render(row, now, [*self.later.of_row(row, now), *self.acts.get(unique_id, [])])
        return merged(mention, self.edits[unique_id]) if unique_id in self.edits else mention

    def render_added(self, position: int, now: int) -> Json:
        """A message that a test added, as given, with what a test did to it afterwards."""
        mention = deepcopy(self.added[position].raw)
        unique_id = mention["unique_id"]
        for act in self.acts.get(unique_id, []):
            if act.at <= now:
                apply(mention, act, (mention.get("date") or {}).get("published"))
        return merged(mention, self.edits[unique_id]) if unique_id in self.edits else mention

    @abstractmethod
    def _grow(self, now: int) -> None:
        """Plans further messages, up to a second."""

    @abstractmethod
    def _text(self, row: int) -> str:
        """The text of a planned message."""

    @abstractmethod
    def _render(self, row: int, now: int, acts: list[Act]) -> Json:
        """A planned message as the API shows it, after some acts of a test."""


class Account(Messages):
    """An account of the sandbox: its organisation, its inbox and, drawn from that, everything else that it holds."""

    def __init__(
        self, organisation: Organisation, *, seed: int, now: int, mentions: int, days: int, daily: DailyChanges
    ) -> None:
        super().__init__(organisation, seed, daily)
        self._founded_at = now
        self._per_day = mentions / days
        self._authors = max(40, mentions // 3)
        founding = plan(
            organisation,
            seed=seed,
            span=0,
            start=now - days * DAY,
            end=now,
            count=mentions,
            authors=self._authors,
        )
        self.history: History = self.later.with_stragglers(founding, 0, days)
        self._spans = 0
        self.cases = Cases(self)

    def user(self, user_id: int) -> User | None:
        """The user with this id."""
        return next((user for user in self.organisation.users if user.id == user_id), None)

    def unique_id(self, row: int) -> str:
        """The `unique_id` of a planned message."""
        topic = self.organisation.topics[self.history.topic[row]]
        return f"{topic.id}_{mention_id(self.seed, self.id, int(self.history.serial[row]))}"

    def conversation(self, case: int, now: int) -> list[int]:
        """The rows of the visible messages of a visible case, oldest first."""
        state, book = self.state(now), self.cases.book
        unique_id = self.cases.unique_id(case)
        linked = [row for row, linked_at in book.links_of(case) if row < state.planned and linked_at <= now]
        if state.touched:
            named = state.named_cases
            linked = [row for row in linked if row not in state.touched or unique_id in named.get(row, ())]
            linked += [row for row, cases in named.items() if unique_id in cases and row not in linked]
        return [row for row in linked if state.alive[row]]

    def grow(self, now: int) -> None:
        """Plan what happens up to `now`."""
        while self._founded_at + self._spans * DAY < now:
            start = self._founded_at + self._spans * DAY + 1
            self._spans += 1
            expected = expected_count(start, start + DAY, self._per_day)
            count = int(np.random.default_rng([self.seed, self.id, self._spans, 1]).poisson(expected))
            later = plan(
                self.organisation,
                seed=self.seed,
                span=self._spans,
                start=start,
                end=start + DAY,
                count=count,
                authors=self._authors,
            )
            self.later.grow(self.history, self._spans, start)
            self.history = self.history.followed_by(self.later.with_stragglers(later, self._spans, 1))

    def _grow(self, now: int) -> None:
        self.grow(now)
        self.cases.bind()

    def _text(self, row: int) -> str:
        return text_of(self.organisation, self.history, row, self.seed)

    def _render(self, row: int, now: int, acts: list[Act]) -> Json:
        case = int(self.cases.book.case_of[row])
        return render(
            self.organisation,
            self.history,
            row,
            seed=self.seed,
            now=now,
            extra=acts,
            case_serial=None if case < 0 else int(self.cases.history.serial[case]),
        )


class Cases(Messages):
    """The cases of an account, which are mentions of their own."""

    sources = ((SERVICE, CATEGORY),) * len(CHANNELS)
    kind = "cases"

    def __init__(self, account: Account) -> None:
        super().__init__(account.organisation, account.seed, DailyChanges())
        self.account = account
        self.book: CaseBook
        self._bound: tuple[int, int] | None = None
        self.bind()

    def unique_id(self, row: int) -> str:
        """The `unique_id` of a case."""
        topic = self.organisation.topics[self.history.topic[row]]
        return f"{topic.id}_{case_id(self.seed, self.id, int(self.history.serial[row]))}"

    def bind(self) -> None:
        """Work out the cases of the account's history as far as it is planned."""
        changes = {unique_id: [act for act in acts if act.status] for unique_id, acts in self.acts.items()}
        bound = (len(self.account.history), sum(map(len, changes.values())))
        if bound == self._bound:
            return
        changed: StatusChanges = {}
        for unique_id, acts in changes.items():
            row = self.planned_row(unique_id)
            if acts and row is not None:
                changed[int(self.book.opener[row])] = [(act.at, str(act.status)) for act in acts]
        self._bound = bound
        self.book = bind(self.account.history, changed)
        self.history = self.book.history
        self._rows, self._indexed_count, self._texts = {}, 0, []

    def _grow(self, now: int) -> None:
        self.account.grow(now)
        self.bind()

    def _text(self, row: int) -> str:
        return title_of(self.organisation, self.book, row, self.seed)

    def _render(self, row: int, now: int, acts: list[Act]) -> Json:
        return render_case(self.organisation, self.book, row, seed=self.seed, now=now, extra=acts)


class State:
    """What can be asked about the visible messages of an account at one second, as columns with one entry a row."""

    def __init__(self, account: Messages, now: int) -> None:
        self.account = account
        self.organisation = account.organisation
        self.now = now
        self.revision = account.revision
        self.planned = int(np.searchsorted(account.history.added_at, now, side="right"))
        self.added = [position for position, each in enumerate(account.added) if each.arrives_at <= now]
        self.size = self.planned + len(self.added)
        self.orders: dict[str, Instants] = {}
        self.measures: dict[str, Instants] = {}
        added_at = [account.added[position].added_at for position in self.added]
        self.added_at: Instants = np.concatenate(
            [account.history.added_at[: self.planned], np.array(added_at, dtype=np.int64)]
        )

    @cached_property
    def touched(self) -> dict[int, Json]:
        """The rendered mentions of the rows that a test added or changed: the plan does not know about those."""
        rows = [self.row(unique_id) for unique_id in [*self.account.acts, *self.account.edits]]
        planned = {row for row in rows if row is not None and row < self.planned}
        return {row: self.mention(row) for row in [*sorted(planned), *range(self.planned, self.size)]}

    @cached_property
    def named_cases(self) -> dict[int, tuple[str, ...]]:
        """The `unique_id`s of the cases that the touched mentions say they are part of."""
        return {row: _cases_of(mention) for row, mention in self.touched.items()}

    @cached_property
    def alive(self) -> Flags:
        """Rows that have arrived and that nobody has deleted, of topics that are there."""
        alive = ~np.isin(self.topic_id, list(self.organisation.closed_topic_ids))
        history = self.account.history
        here = (history.arrives_at[: self.planned] <= self.now) & (history.leaves_at[: self.planned] > self.now)
        _, absent = self.account.later.absences.latest(self.now, self.planned)
        alive[: self.planned] &= here & (absent != 1)
        for unique_id in self.account.deleted:
            row = self.row(unique_id)
            if row is not None:
                alive[row] = False
        return alive

    @cached_property
    def topic_id(self) -> Instants:
        """The topic of each row."""
        ids = np.array([topic.id for topic in self.organisation.topics], dtype=np.int64)
        planned = ids[self.account.history.topic[: self.planned]]
        added = [int(self.account.added[position].raw["topic"]["id"]) for position in self.added]
        return np.concatenate([planned, np.array(added, dtype=np.int64)])

    def dates(self, which: Literal["added", "published"]) -> Instants:
        """When each row was added or published."""
        return self.added_at if which == "added" else self.published_at

    @cached_property
    def published_at(self) -> Instants:
        """When each row was published, also where the API does not show it; an added one may only tell when added."""
        published_at = self.added_at.copy()
        published_at[: self.planned] = self.account.history.published_at[: self.planned]
        for row, mention in self.touched.items():
            shown = (mention.get("date") or {}).get("published")
            published_at[row] = published_at[row] if shown is None else shown
        return published_at

    @cached_property
    def tie_breaker(self) -> Instants:
        """A fixed order of rows that has nothing to do with time."""
        planned = self.account.history.serial[: self.planned] * 2_654_435_761 + self.topic_id[: self.planned] * 40_503
        added = [crc32(self.account.added[position].raw["unique_id"].encode()) for position in self.added]
        return np.concatenate([planned % 2**32, np.array(added, dtype=np.int64)])

    @cached_property
    def done_by_now(self) -> Instants:
        """Per planned row and slot: when it happened, or -1."""
        times = self.account.history.times[: self.planned]
        return np.where(times <= self.now, times, -1)

    @cached_property
    def status(self) -> Instants:
        """Positions in STATUSES."""
        since, held = self.account.later.statuses.latest(self.now, self.planned)
        status = np.where(since >= 0, held, np.where(self.account.history.brand[: self.planned], 2, 0))
        for slot, value in STATUS_SLOTS:
            status = np.where(self.done_by_now[:, slot] > since, value, status)
        return self.column(status, lambda mention: _position(STATUSES, mention.get("status")))

    @cached_property
    def last_action_at(self) -> Instants:
        """When the newest action was; -1 without actions."""
        later, _ = self.account.later.actions.latest(self.now, self.planned)
        latest = np.maximum(self.done_by_now.max(axis=1, initial=-1), later)
        return self.column(latest, lambda mention: _newest(_actions(mention)))

    @cached_property
    def last_status_at(self) -> Instants:
        """When the status was last changed; -1 when never."""
        slots = [slot for slot, _ in STATUS_SLOTS]
        later, _ = self.account.later.status_actions.latest(self.now, self.planned)
        latest = np.maximum(self.done_by_now[:, slots].max(axis=1, initial=-1), later)
        return self.column(
            latest, lambda mention: _newest(action for action in _actions(mention) if action["type"] == "status")
        )

    @cached_property
    def response_seconds(self) -> Instants:
        """`timestamps.response_time`; -1 when there is none."""
        first = self._first_reply_at
        published_at = self.account.history.published_at[: self.planned]
        return self.column(
            np.where(first == NEVER, -1, first - published_at),
            lambda mention: int((mention.get("timestamps") or {}).get("response_time", -1)),
        )

    @cached_property
    def response_business_hours_seconds(self) -> Instants:
        """`timestamps.response_time_during_bh`; -1 when there is none."""
        history, first = self.account.history, self._first_reply_at
        by_bot = self.done_by_now[:, Slot.BOT_REPLY] >= 0
        seconds: Instants = np.full(self.planned, -1, dtype=np.int64)
        for index, user in enumerate(self.organisation.users):
            if user.schedule is not None:
                here = (history.second_agent[: self.planned] == index) & (first != NEVER) & ~by_bot
                hours = user.schedule.calendar
                seconds[here] = hours.elapsed(first[here]) - hours.elapsed(history.published_at[: self.planned][here])
        return self.column(
            seconds, lambda mention: int((mention.get("timestamps") or {}).get("response_time_during_bh", -1))
        )

    @cached_property
    def followers(self) -> Instants:
        """Followers of the author; -1 when unknown."""
        return self.column(self.account.history.followers[: self.planned], None)

    @cached_property
    def tags(self) -> Instants:
        """Tags of the planned rows as bits, without what a test did."""
        history, upto = self.account.history, slice(self.planned)
        since, held = self.account.later.tags.latest(self.now, self.planned)
        happened = self.done_by_now > since[:, None]
        tags = np.where(since >= 0, held, history.tags_base[upto])
        tags = np.where(happened[:, Slot.AUTO_TAG], tags | history.tags_auto[upto], tags)
        tags = np.where(happened[:, Slot.TAG], tags & ~history.tags_removed[upto] | history.tags_agent[upto], tags)
        result: Instants = np.where(happened[:, Slot.LATE_TAG], tags | history.tags_late[upto], tags)
        return result

    @cached_property
    def sentiment(self) -> Instants:
        """Sentiment of the planned rows (positions in SENTIMENTS), without what a test did."""
        history = self.account.history
        since, held = self.account.later.sentiments.latest(self.now, self.planned)
        before = np.where(since >= 0, held, history.sentiment[: self.planned])
        changed = self.done_by_now[:, Slot.SENTIMENT] > since
        return np.where(changed, history.sentiment_after[: self.planned], before)

    @cached_property
    def erased(self) -> Flags:
        """Rows whose text, attachments, place and author's name were emptied."""
        _, silently = self.account.later.erasures.latest(self.now, self.planned)
        erased = np.zeros(self.size, dtype=np.bool_)
        erased[: self.planned] = (self.done_by_now[:, Slot.ERASE] >= 0) | (silently == 1)
        for unique_id, acts in self.account.acts.items():
            row = self.row(unique_id)
            if row is not None and any(act.kind == "erase_pii_content" and act.at <= self.now for act in acts):
                erased[row] = True
        return erased

    def row(self, unique_id: str) -> int | None:
        """The row of a visible message, deleted or not."""
        for offset, position in enumerate(self.added):
            if self.account.added[position].raw["unique_id"] == unique_id:
                return self.planned + offset
        row = self.account.planned_row(unique_id)
        return row if row is not None and row < self.planned else None

    def mention(self, row: int) -> Json:
        """The mention of a row, as the API shows it."""
        if row < self.planned:
            return self.account.render_planned(row, self.now)
        return self.account.render_added(self.added[row - self.planned], self.now)

    def tag_position(self, name: str) -> int | None:
        """The bit of a tag, or None when the account has no tag of that name."""
        names = [tag.name for tag in self.organisation.tags]
        return names.index(name) if name in names else None

    @cached_property
    def _first_reply_at(self) -> Instants:
        times = self.account.history.times[: self.planned][:, list(REPLY_SLOTS)]
        first: Instants = np.where(times <= self.now, times, NEVER).min(axis=1, initial=NEVER)
        return first

    def column(self, planned: Instants, of_mention: Callable[[Json], int] | None) -> Instants:
        """A column from what is planned, and from what is shown of the mentions that a test added or changed."""
        values = np.concatenate([planned, np.full(self.size - self.planned, -1, dtype=np.int64)])
        if of_mention is not None:
            for row, mention in self.touched.items():
                values[row] = of_mention(mention)
        return values


def _position(names: tuple[str, ...], name: Any) -> int:
    return names.index(name) if name in names else -1


def _actions(mention: Json) -> list[Json]:
    actions = mention.get("actions")
    return list(actions) if isinstance(actions, list) else []


def _cases_of(mention: Json) -> tuple[str, ...]:
    identifiers = (mention.get("part_of_cases") or {}).get("mention_identifiers") or []
    return tuple(identifier["unique_id"] for identifier in identifiers)


def _newest(actions: Iterable[Json]) -> int:
    return max((int(action["date"]["added"]) for action in actions), default=-1)


def merged(value: Any, changes: Any) -> Any:
    """The value with changes: objects are merged, all else is replaced."""
    if isinstance(value, dict) and isinstance(changes, dict):
        return value | {key: merged(value.get(key), change) for key, change in changes.items()}
    return deepcopy(changes)
