"""What the clock brings to mentions beside their own lives: late arrivals, and whatever the API tells nobody about.

Everything is planned day by day from the seed, with numbers of its own: it does not depend on how the clock is moved,
and an account without any of it is the account that it always was. Instants are unix seconds, UTC.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from typing import Any, Literal

import numpy as np

from sandbox import texts
from sandbox.acts import Act, user_assignee
from sandbox.channels import CHANNELS
from sandbox.draws import Draw
from sandbox.history import DAY, HOUR, NEVER, REPLY_SLOTS, STATUS_SLOTS, STATUSES, Flags, History, Slot
from sandbox.hours import Instants
from sandbox.mentions import tag_names
from sandbox.organisation import SENTIMENTS, Organisation, User

_STRIPPED = np.array([channel.stripped for channel in CHANNELS])
_LATE_AT_MOST = 2 * DAY
_TRIES = 300
_SWAP_SECONDS = 1_800

ChangeKind = Literal["acts", "edits", "swaps", "deletions", "restorations", "erasures"]
_KINDS: tuple[ChangeKind, ...] = ("acts", "edits", "swaps", "deletions", "restorations", "erasures")
_ACTS = ("note", "tag", "note", "sentiment", "assign", "status")
_EDITS = ("sentiment", "tag", "status", "updated", "assign")


@dataclass(frozen=True, slots=True, kw_only=True)
class DailyChanges:
    """How many mentions of an account meet with each of these on each day after the start.

    None but `acts` leaves an action or a new time of the last one, and none but deletions and restorations is told in
    settings/history. There are fewer where none is left to meet with it.

    Attributes:
        acts: something done by a colleague to a mention of any age: a note, tags, a sentiment, an assignment, a status.
        edits: silent edits, in turn of sentiment, tags, status, text and assignment (no count shows the last two).
        swaps: pairs of mentions of one topic and half-hour that silently exchange their sentiments: no count shows it.
        deletions: mentions taken away, by a colleague (`mention_delete`) or by the network (`service_mention_delete`).
        restorations: deleted mentions that come back as they were (`mention_restore`).
        erasures: mentions whose text, attachments, place and author's name are emptied.
        late_arrivals: mentions that show up minutes to two days after their `date.added`.
        moves: mentions that leave their topic, one hour to three days after they came, for another, where they have
            another `unique_id`.
        reach_days: how many days old a mention is at most that a silent change, a deletion or an erasure finds.
    """

    acts: int = 0
    edits: int = 0
    swaps: int = 0
    deletions: int = 0
    restorations: int = 0
    erasures: int = 0
    late_arrivals: int = 0
    moves: int = 0
    reach_days: int = 28

    def __post_init__(self) -> None:
        for field in fields(self):
            if getattr(self, field.name) < 0:
                raise ValueError(f"{field.name}={getattr(self, field.name)}: pass 0 or more")


RESTLESS = DailyChanges(acts=40, edits=8, swaps=2, deletions=3, restorations=1, erasures=2, late_arrivals=6, moves=2)
"""A day of a middling account on which something of everything happens."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What settings/history tells of a mention: `user` is None when the network did it."""

    at: int
    type: str
    row: int
    user: User | None


class Timeline:
    """What became of one aspect of mentions: at an instant, a row got a value. Noted in the order of time."""

    def __init__(self) -> None:
        self._noted: list[tuple[int, int, int]] = []
        self._columns: Instants = np.zeros((0, 3), dtype=np.int64)
        self._latest: dict[int, tuple[int, int]] = {}

    def note(self, at: int, row: int, value: int) -> None:
        """A row got a value."""
        self._noted.append((at, row, value))
        self._latest[row] = (at, value)

    def last(self, row: int) -> tuple[int, int]:
        """When a row got its newest value and that value, however late that is; (-1, -1) when it never got one."""
        return self._latest.get(row, (-1, -1))

    def until(self, now: int) -> tuple[Instants, Instants, Instants]:
        """Instants, rows and values up to an instant, in the order of time."""
        if len(self._columns) < len(self._noted):
            later = np.array(self._noted[len(self._columns) :], dtype=np.int64)
            self._columns = np.concatenate([self._columns, later])
        at, rows, values = self._columns.T
        count = int(np.searchsorted(at, now, side="right"))
        return at[:count], rows[:count], values[:count]

    def latest(self, now: int, size: int) -> tuple[Instants, Instants]:
        """Per row, when it got the value that it has at an instant, and that value; -1 where it has none."""
        since, held = np.full((2, size), -1, dtype=np.int64)
        at, rows, values = self.until(now)
        since[rows], held[rows] = at, values  # of several for a row, the last is kept
        return since, held

    def first(self, now: int, size: int) -> Instants:
        """Per row, when it got its first value; NEVER where it has none."""
        first = np.full(size, NEVER, dtype=np.int64)
        at, rows, _ = self.until(now)
        first[rows[::-1]] = at[::-1]
        return first


class LaterChanges:
    """What the clock has brought to the mentions of one account, as far as it is planned."""

    def __init__(self, organisation: Organisation, seed: int, daily: DailyChanges) -> None:
        self._organisation = organisation
        self._identity = (seed, organisation.account_id)
        self._daily = daily
        self._history: History
        self._edit_count = 0
        self._deleted: list[int] = []
        self.acts: dict[int, list[Act]] = defaultdict(list)
        """What happened to each row, silent or not, oldest first."""
        self.told: list[Told] = []
        """What settings/history tells, oldest first."""
        self.sentiments = Timeline()
        self.tags = Timeline()
        self.statuses = Timeline()
        self.erasures = Timeline()
        self.absences = Timeline()
        """Value 1 when a mention was deleted, 0 when it came back."""
        self.actions = Timeline()
        """Everything that left an action."""
        self.assignments = Timeline()
        """What of that is an assignment."""
        self.status_actions = Timeline()
        """What of that is a status."""

    def of_row(self, row: int, now: int) -> list[Act]:
        """What has happened to a row up to an instant."""
        return [act for act in self.acts.get(row, ()) if act.at <= now]

    def additions(self, now: int) -> Iterator[tuple[int, str]]:
        """Rows whose text has been added to, and what was added."""
        for row, acts in self.acts.items():
            for act in acts:
                if act.addition is not None and act.at <= now:
                    yield row, act.addition

    def with_stragglers(self, history: History, span: int, days: float) -> History:
        """A span of so many days in which some mentions arrive late and some move to another topic."""
        late_count, move_count = round(self._daily.late_arrivals * days), round(self._daily.moves * days)
        if not late_count and not move_count:
            return history
        rng = np.random.default_rng([*self._identity, span, 3])
        _, index, counts = np.unique(history.serial, return_index=True, return_counts=True)
        unlinked = (history.times[:, [Slot.CASE_AUTO, Slot.CASE_MANUAL]] == NEVER).all(axis=1)
        # What only one topic has found can move to another; the cases do not know of messages that come and go.
        fits = np.intersect1d(index[counts == 1], np.flatnonzero(unlinked))
        chosen = rng.permutation(fits)[: late_count + move_count]
        late, moving = chosen[:late_count], chosen[late_count:]
        arrives_at, leaves_at = history.arrives_at.copy(), history.leaves_at.copy()
        delays = np.exp(rng.normal(np.log(40 * 60), 1.4, len(late))).astype(np.int64)
        arrives_at[late] += np.clip(delays, 60, _LATE_AT_MOST)
        moved_at = history.added_at[moving] + rng.integers(HOUR, 3 * DAY, len(moving))
        leaves_at[moving] = moved_at
        there = replace(history, arrives_at=arrives_at, leaves_at=leaves_at)
        columns: dict[str, Any] = {field.name: getattr(there, field.name)[moving] for field in fields(there)}
        topic_count = len(self._organisation.topics)
        elsewhere = (columns["topic"] + rng.integers(1, topic_count, len(moving))) % topic_count
        columns |= {"topic": elsewhere, "arrives_at": moved_at, "leaves_at": np.full(len(moving), NEVER)}
        there = there.followed_by(History(**columns))
        order = np.lexsort((there.topic, there.serial, there.added_at))
        return History(**{field.name: getattr(there, field.name)[order] for field in fields(there)})

    def grow(self, history: History, span: int, start: int) -> None:
        """Plan the day that begins at `start` for the mentions of the history before it."""
        counts = [getattr(self._daily, kind) for kind in _KINDS]
        if not any(counts) or not len(history):
            return
        self._history = history
        rng = np.random.default_rng([*self._identity, span, 2])
        moments = sorted(
            (int(start + second), kind)
            for kind, count in zip(_KINDS, counts, strict=True)
            for second in rng.integers(0, DAY, count)
        )
        pairs = self._pairs(rng, start) if self._daily.swaps else iter(())
        for number, (at, kind) in enumerate(moments):
            draw = Draw(*self._identity, span, 21, number)
            if kind == "acts":
                self._act(draw, at, self._pick(rng, at, of_any_age=True))
            elif kind == "edits":
                self._edit(draw, at, rng)
            elif kind == "swaps":
                self._swap(at, pairs)
            elif kind == "erasures":
                self._erase(at, self._pick(rng, at, unerased=True))
            elif kind == "deletions":
                self._delete(draw, at, self._pick(rng, at, settled=True))
            else:
                self._restore(draw, at)

    # --- what a mention is at an instant ---

    def _sentiment(self, row: int, at: int) -> int:
        since, value = self.sentiments.last(row)
        if since < self._history.times[row, Slot.SENTIMENT] <= at:
            return int(self._history.sentiment_after[row])
        return value if since >= 0 else int(self._history.sentiment[row])

    def _status(self, row: int, at: int) -> int:
        since, value = self.statuses.last(row)
        status = value if since >= 0 else 2 if self._history.brand[row] else 0
        for slot, after in STATUS_SLOTS:
            if since < self._history.times[row, slot] <= at:
                status = after
        return status

    def _tags(self, row: int, at: int) -> int:
        since, value = self.tags.last(row)
        history = self._history
        tags = value if since >= 0 else int(history.tags_base[row])
        for slot, removed, added in (
            (Slot.AUTO_TAG, 0, history.tags_auto[row]),
            (Slot.TAG, history.tags_removed[row], history.tags_agent[row]),
            (Slot.LATE_TAG, 0, history.tags_late[row]),
        ):
            if since < history.times[row, slot] <= at:
                tags = tags & ~int(removed) | int(added)
        return tags

    def _is_there(self, row: int, at: int) -> bool:
        history = self._history
        return bool(history.arrives_at[row] <= at < history.leaves_at[row]) and self.absences.last(row)[1] != 1

    def _is_erased(self, row: int, at: int) -> bool:
        return bool(self._history.times[row, Slot.ERASE] <= at) or self.erasures.last(row)[1] == 1

    def _is_settled(self, row: int, at: int) -> bool:
        times = self._history.times[row]
        return not bool(((times > at) & (times != NEVER)).any()) and self._history.leaves_at[row] == NEVER

    # --- whom it meets ---

    def _pick(
        self,
        rng: np.random.Generator,
        at: int,
        *,
        settled: bool = False,
        unerased: bool = False,
        told_text: bool = False,
        of_public: bool = False,
        of_any_age: bool = False,
    ) -> int | None:
        """A mention that is there; `settled` ones have nothing planned any more. None when none is found."""
        history = self._history
        reach_seconds = self._daily.reach_days * DAY
        oldest = 0 if of_any_age else int(np.searchsorted(history.added_at, at - reach_seconds))
        if oldest >= len(history):
            return None
        for row in rng.integers(oldest, len(history), _TRIES).tolist():
            if (
                self._is_there(row, at)
                and not (settled and not self._is_settled(row, at))
                and not (unerased and self._is_erased(row, at))
                and not (told_text and _STRIPPED[history.channel[row]])
                and not (of_public and history.brand[row])
            ):
                return int(row)
        return None

    def _pairs(self, rng: np.random.Generator, start: int) -> Iterator[tuple[int, int]]:
        """Neighbours that differ in nothing countable but their sentiment: nobody has done anything about them."""
        history = self._history
        unhandled = [*(slot for slot, _ in STATUS_SLOTS), *REPLY_SLOTS]
        fits: Flags = (history.times[:, unhandled] == NEVER).all(axis=1) & ~history.brand
        fits &= np.where(history.times == NEVER, -1, history.times).max(axis=1) <= start
        fits &= (history.arrives_at <= start) & (history.leaves_at == NEVER)
        fits &= history.added_at >= start - self._daily.reach_days * DAY
        rows = rng.permutation(np.flatnonzero(fits))
        group = history.topic[rows] * 2**32 + history.added_at[rows] // _SWAP_SECONDS
        waiting: dict[int, list[int]] = defaultdict(list)
        for row, key in zip(rows.tolist(), group.tolist(), strict=True):
            for other in waiting[key]:
                if history.sentiment[other] != history.sentiment[row]:
                    waiting[key].remove(other)
                    yield other, row
                    break
            else:
                waiting[key].append(row)

    # --- what happens ---

    def _agent(self, row: int) -> User:
        return self._organisation.users[int(self._history.late_agent[row])]

    def _act(self, draw: Draw, at: int, row: int | None) -> None:
        if row is None:
            return
        kind = draw.pick(_ACTS, "act")
        resolved = self._history.times[row, Slot.RESOLVE] <= at
        if kind == "status" and (self._history.brand[row] or not resolved):
            kind = "note"  # the first resolve, which stamps a time, belongs to the mention's own life
        act = Act(kind=kind, at=at, user=self._agent(row), handle_seconds=5 + draw.below(300, "handle"))
        if kind == "note":
            act.text = texts.internal(draw, "notes", "note")
        else:
            self._change(draw, act, row)
        self.actions.note(at, row, 1)
        if kind == "assign":
            self.assignments.note(at, row, 1)
        if kind == "status":
            self.status_actions.note(at, row, 1)
        self.acts[row].append(act)

    def _edit(self, draw: Draw, at: int, rng: np.random.Generator) -> None:
        kind = _EDITS[self._edit_count % len(_EDITS)]
        self._edit_count += 1
        is_text = kind == "updated"
        row = self._pick(rng, at, unerased=is_text, told_text=is_text, of_public=kind == "status")
        if row is not None:
            act = Act(kind=kind, at=at, silent=True)
            self._change(draw, act, row)
            self.acts[row].append(act)

    def _change(self, draw: Draw, act: Act, row: int) -> None:
        """Fill in what an act changes; it always changes something."""
        at = act.at
        if act.kind == "sentiment":
            after = (self._sentiment(row, at) + 1 + draw.below(len(SENTIMENTS) - 1, "sentiment")) % len(SENTIMENTS)
            act.sentiment = SENTIMENTS[after]
            self.sentiments.note(at, row, after)
        elif act.kind == "tag":
            before, bit = self._tags(row, at), int(self._history.tags_late[row])
            names = tag_names(self._organisation, bit)
            act.tags_added, act.tags_removed = ((), names) if before & bit else (names, ())
            self.tags.note(at, row, before ^ bit)
        elif act.kind == "status":
            after = (self._status(row, at) + 1 + draw.below(2, "status")) % len(STATUSES)
            act.status = STATUSES[after]
            self.statuses.note(at, row, after)
        elif act.kind == "updated":
            act.addition = f"{texts.internal(draw, 'todos', 'addition')} ({draw.digits(6, 'addition')})"
        else:
            act.assignees = (user_assignee(self._agent(row)),)
            act.text = f"{texts.internal(draw, 'assignment_comments', 'comment')} ({draw.digits(6, 'comment')})"

    def _swap(self, at: int, pairs: Iterator[tuple[int, int]]) -> None:
        for one, other in pairs:
            sentiments = self._sentiment(one, at), self._sentiment(other, at)
            statuses = self._status(one, at), self._status(other, at)
            here = self._is_there(one, at) and self._is_there(other, at)
            if here and sentiments[0] != sentiments[1] and statuses[0] == statuses[1]:
                for row, after in ((one, sentiments[1]), (other, sentiments[0])):
                    self.sentiments.note(at, row, after)
                    self.acts[row].append(Act(kind="sentiment", at=at, silent=True, sentiment=SENTIMENTS[after]))
                return

    def _erase(self, at: int, row: int | None) -> None:
        if row is not None:
            self.erasures.note(at, row, 1)
            self.acts[row].append(Act(kind="erase_pii_content", at=at, silent=True))

    def _delete(self, draw: Draw, at: int, row: int | None) -> None:
        if row is None:
            return
        by_network = draw.chance(0.4, "by the network")
        type_ = "service_mention_delete" if by_network else "mention_delete"
        self.absences.note(at, row, 1)
        self.told.append(Told(at=at, type=type_, row=row, user=None if by_network else self._agent(row)))
        if not by_network:
            self._deleted.append(row)  # what is gone from the network cannot be brought back

    def _restore(self, draw: Draw, at: int) -> None:
        if not self._deleted:
            return
        row = self._deleted.pop(draw.below(len(self._deleted), "restored"))
        self.absences.note(at, row, 0)
        self.told.append(Told(at=at, type="mention_restore", row=row, user=self._agent(row)))
