"""The life of every message, planned in arrays: when it comes in, who does what with it and when.

A plan covers a span of arrivals. It is a function of the seed, the account and the number of the span only, so a
history grows span by span as the clock moves and never changes what it said before. Instants are unix seconds, UTC.
"""

from dataclasses import dataclass, fields
from enum import IntEnum
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt

from sandbox.channels import CHANNELS
from sandbox.hours import Instants
from sandbox.organisation import LANGUAGES, SENTIMENTS, Organisation

Flags = npt.NDArray[np.bool_]

NEVER = 2**62
DAY = 86_400
HOUR = 3_600
SERIALS_PER_SPAN = 10**7

# Share of a day's arrivals per hour (local to Brussels in winter) and of a week's per day, Monday first.
_BY_HOUR = np.array([2, 1, 1, 1, 1, 2, 4, 7, 10, 12, 12, 11, 11, 10, 10, 10, 10, 11, 12, 13, 13, 11, 8, 4], dtype=float)
_BY_DAY = np.array([1.2, 1.1, 1.05, 1.05, 1.0, 0.8, 0.7])
_RHYTHM = np.outer(_BY_DAY / _BY_DAY.mean(), _BY_HOUR / _BY_HOUR.mean())

_PRIVATE = np.array([channel.private for channel in CHANNELS])
_CRAWLED = np.array([channel.crawled for channel in CHANNELS])
_REVIEW = np.array([channel.review for channel in CHANNELS])
_CHAT = np.array([channel.name in {"web_chat", "whatsapp"} for channel in CHANNELS])
_FOLLOWED = np.array([channel.category.startswith("social") and not channel.private for channel in CHANNELS])


class Slot(IntEnum):
    """What can happen to a message, in the order in which it happens at the same second."""

    AUTO_TAG = 0
    AUTO_ASSIGN = 1
    CASE_AUTO = 2
    FLOW = 3
    BOT_REPLY = 4
    ASSIGN = 5
    PRIORITY = 6
    NOTE = 7
    TODO = 8
    TAG = 9
    SENTIMENT = 10
    PENDING = 11
    REASSIGN = 12
    REPLY = 13
    LIKE = 14
    RESOLVE = 15
    CSAT = 16
    TODO_DONE = 17
    REOPEN = 18
    SECOND_REPLY = 19
    SECOND_RESOLVE = 20
    LATE_TAG = 21
    LATE_NOTE = 22
    CASE_MANUAL = 23
    ERASE = 24


STATUSES: tuple[Literal["new", "pending", "done"], ...] = ("new", "pending", "done")
# The slots that set a status, with its position in STATUSES, and those that reply.
STATUS_SLOTS = ((Slot.PENDING, 1), (Slot.RESOLVE, 2), (Slot.REOPEN, 0), (Slot.SECOND_RESOLVE, 2))
REPLY_SLOTS = (Slot.BOT_REPLY, Slot.REPLY, Slot.SECOND_REPLY)

# What can happen to a case after it was opened.
CASE_SLOTS = (
    *(Slot.ASSIGN, Slot.PRIORITY, Slot.NOTE, Slot.TAG, Slot.PENDING, Slot.REPLY, Slot.RESOLVE),
    *(Slot.REOPEN, Slot.SECOND_REPLY, Slot.SECOND_RESOLVE),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """Messages in the order in which they were added; every array has one entry a message.

    `topic`, `channel`, `language` and the agents are positions in their lists, the tag columns are sets of positions of
    tags as bits. `times[:, slot]` is when that slot happens, or NEVER. Messages found by two topics share a `serial`.
    `arrives_at` and `leaves_at` bound the time in which a message is listed: late arrivals come after `added_at`.
    `case_times[:, index]` is when CASE_SLOTS[index] happens to the case that this message opens, should it open one.
    """

    serial: Instants
    added_at: Instants
    published_at: Instants
    arrives_at: Instants
    leaves_at: Instants
    topic: Instants
    channel: Instants
    language: Instants
    sentiment: Instants
    sentiment_after: Instants
    author: Instants
    followers: Instants
    brand: Flags
    by_automation: Flags
    first_agent: Instants
    second_agent: Instants
    late_agent: Instants
    tags_base: Instants
    tags_auto: Instants
    tags_agent: Instants
    tags_removed: Instants
    tags_late: Instants
    times: Instants
    case_times: Instants

    def __len__(self) -> int:
        return len(self.serial)

    def followed_by(self, later: Self) -> Self:
        """This history with a later span behind it."""
        return type(self)(
            **{
                field.name: np.concatenate([getattr(self, field.name), getattr(later, field.name)])
                for field in fields(self)
            }
        )


def expected_count(start: int, end: int, per_day: float) -> float:
    """Arrivals to expect in [start, end) when a mean day has `per_day` of them."""
    return float((_weights(start, end)[0]).sum()) * per_day / 24


def plan(
    organisation: Organisation, *, seed: int, span: int, start: int, end: int, count: int, authors: int
) -> History:
    """Plan `count` messages that are added in [start, end), from a public of `authors` people a channel."""
    rng = np.random.default_rng([seed, organisation.account_id, span])
    dice = _Dice(rng, count)
    added_at = _arrivals(rng, start, end, count)
    topic = dice.weighted(np.array([topic.volume for topic in organisation.topics]))
    channel, language = _channels_and_languages(dice, organisation, topic)
    batched = _CRAWLED[channel] & dice.share(0.8)
    added_at = np.where(batched, np.maximum(added_at // 900 * 900, start), added_at)
    brand = dice.share(0.07) & ~_REVIEW[channel] & ~_CRAWLED[channel]
    columns: dict[str, Any] = {
        "added_at": added_at,
        "published_at": added_at - _lateness(dice, channel),
        "topic": topic,
        "channel": channel,
        "language": language,
        "sentiment": dice.weighted(np.array([0.34, 0.38, 0.2, 0.08])),
        "sentiment_after": dice.below(len(SENTIMENTS)),
        "author": (authors * rng.random(count) ** 2.2).astype(np.int64),
        "followers": np.where(_FOLLOWED[channel], dice.duration(300, 1.8), -1),
        "brand": brand,
        "serial": SERIALS_PER_SPAN * span + np.arange(count, dtype=np.int64),
    }
    _copy_into_other_topics(dice, columns)
    order = np.lexsort((columns["serial"], columns["added_at"]))
    columns = {name: values[order] for name, values in columns.items()}
    columns |= {"arrives_at": columns["added_at"], "leaves_at": np.full(count, NEVER, dtype=np.int64)}
    columns |= _tags(dice, organisation)
    lives = _Lives(dice, organisation, columns)
    columns |= lives.columns()
    columns["case_times"] = lives.case_times(columns["first_agent"], columns["second_agent"])
    return History(**columns)


class _Dice:
    """Random columns of one length."""

    def __init__(self, rng: np.random.Generator, count: int) -> None:
        self.rng = rng
        self.count = count

    def share(self, share: Any) -> Flags:
        """True for this share of the rows."""
        result: Flags = self.rng.random(self.count) < share
        return result

    def duration(self, median_seconds: float, spread: float) -> Instants:
        """Log-normal whole seconds."""
        drawn = np.exp(self.rng.normal(np.log(median_seconds), spread, self.count))
        result: Instants = np.minimum(drawn, 400 * DAY).astype(np.int64)
        return result

    def between(self, low: int, high: int) -> Instants:
        """Whole numbers in [low, high)."""
        return self.rng.integers(low, high, self.count, dtype=np.int64)

    def below(self, bound: int) -> Instants:
        """Whole numbers in [0, bound)."""
        return self.between(0, bound)

    def weighted(self, weights: npt.NDArray[np.float64]) -> Instants:
        """Positions, drawn by weight."""
        cumulative = np.cumsum(weights) / weights.sum()
        drawn = np.searchsorted(cumulative, self.rng.random(self.count), side="right").astype(np.int64)
        result: Instants = np.minimum(drawn, len(weights) - 1)
        return result


def _weights(start: int, end: int) -> tuple[npt.NDArray[np.float64], Instants]:
    """Expected arrivals per hour piece of [start, end), in units of a mean hour, and the borders of the pieces."""
    hours = np.arange(start // HOUR, -(-end // HOUR), dtype=np.int64)
    borders = np.clip(np.append(hours, hours[-1:] + 1) * HOUR, start, end)
    local = hours + 1
    weekday = (local // 24 + 3) % 7  # the first of January 1970 was a Thursday
    return _RHYTHM[weekday, local % 24] * np.diff(borders) / HOUR, borders


def _arrivals(rng: np.random.Generator, start: int, end: int, count: int) -> Instants:
    weights, borders = _weights(start, end)
    cumulative = np.concatenate([[0.0], np.cumsum(weights)])
    spots = np.interp(rng.random(count) * cumulative[-1], cumulative, borders.astype(float))
    result: Instants = np.clip(spots.astype(np.int64), start, end - 1)
    return np.sort(result)


def _channels_and_languages(dice: _Dice, organisation: Organisation, topic: Instants) -> tuple[Instants, Instants]:
    channel = np.zeros(dice.count, dtype=np.int64)
    language = np.zeros(dice.count, dtype=np.int64)
    for index, each in enumerate(organisation.topics):
        here = topic == index
        drawn = dice.weighted(np.array(each.channel_weights))
        channel[here] = np.array(each.channels)[drawn][here]
        spoken = np.array([LANGUAGES.index(name) for name in each.languages])
        language[here] = spoken[dice.below(len(spoken))][here]
    return channel, language


def _lateness(dice: _Dice, channel: Instants) -> Instants:
    """Seconds from publication to arrival: few in conversations, minutes in public, hours to weeks when crawled."""
    usual = np.where(_PRIVATE[channel], dice.between(0, 8), dice.duration(70, 1.2))
    late = np.where(dice.share(0.05), dice.duration(5 * HOUR, 1.0), usual)
    very_late = np.where(dice.share(0.012), dice.between(DAY, 9 * DAY), late)
    crawled = np.where(dice.share(0.02), dice.between(20 * DAY, 60 * DAY), dice.duration(9 * HOUR, 1.1))
    result: Instants = np.where(_CRAWLED[channel], crawled, very_late)
    return result


def _copy_into_other_topics(dice: _Dice, columns: dict[str, Any]) -> None:
    """Turn some public messages into another topic's find of the message before them: same id, another unique_id."""
    before = np.maximum(np.arange(dice.count) - 1, 0)
    fits = ~_PRIVATE[columns["channel"][before]] & (columns["topic"] != columns["topic"][before])
    copied = dice.share(0.08) & fits
    copied[1:] &= ~copied[:-1]
    copied[:1] = False
    for name in ("serial", "published_at", "channel", "language", "sentiment", "author", "followers", "brand"):
        columns[name] = np.where(copied, columns[name][before], columns[name])
    later = np.maximum(columns["added_at"], columns["added_at"][before])
    columns["added_at"] = np.where(copied, later, columns["added_at"])


def _tags(dice: _Dice, organisation: Organisation) -> dict[str, Instants]:
    smart = np.array([index for index, tag in enumerate(organisation.tags) if tag.smart])
    manual = np.array([index for index, tag in enumerate(organisation.tags) if not tag.smart])
    one = np.int64(1)

    def some(choices: Instants, share: float) -> Instants:
        return np.where(dice.share(share), one << choices[dice.below(len(choices))], 0)

    base = some(smart, 0.4) | some(smart, 0.12)
    auto = some(manual, 1.0)
    agent = some(manual, 1.0) | some(manual, 0.35) | some(smart, 0.1)
    return {
        "tags_base": base,
        "tags_auto": auto,
        "tags_agent": agent,
        "tags_removed": np.where(dice.share(0.2), (base | auto) & ~agent, 0),
        "tags_late": some(manual, 1.0),
    }


class _Lives:
    """Works out the times of every slot. Each step starts where the message's story stands (`now`)."""

    def __init__(self, dice: _Dice, organisation: Organisation, columns: dict[str, Any]) -> None:
        self.dice = dice
        self.organisation = organisation
        self.brand: Flags = columns["brand"]
        self.private: Flags = _PRIVATE[columns["channel"]]
        self.chat: Flags = _CHAT[columns["channel"]]
        self.team: Instants = np.array([topic.team for topic in organisation.topics])[columns["topic"]]
        self.shifts = list(dict.fromkeys(user.shift for user in organisation.users))
        self.shift_of_agent = np.array([self.shifts.index(user.shift) for user in organisation.users])
        self.times: Instants = np.full((dice.count, len(Slot)), NEVER, dtype=np.int64)
        self.now: Instants = columns["added_at"]

    def columns(self) -> dict[str, Any]:
        """The agents, what automation resolved, and the times of all slots."""
        share = self.dice.share
        automatic = ~self.brand & share(0.04)
        bot = self.chat & ~self.brand & ~automatic & share(0.35)
        handed_over = bot & share(0.4)
        handled = handed_over | (~self.brand & ~automatic & ~bot & share(np.where(self.private, 0.95, 0.6)))
        first, another, late = self._agents(), self._agents(), self._agents()
        second = np.where(share(0.15), another, first)
        self._reception(handled, bot)
        self._handling(handled, first, second)
        self._ending(handled, automatic | (bot & ~handed_over), second)
        self._afterwards(late)
        return {
            "first_agent": first,
            "second_agent": second,
            "late_agent": late,
            "by_automation": automatic | (bot & ~handed_over),
            "times": self.times,
        }

    def case_times(self, first: Instants, second: Instants) -> Instants:
        """The times of CASE_SLOTS, as if every message that is linked to a case had opened it."""
        dice = self.dice
        opened_at = np.minimum(self.times[:, Slot.CASE_AUTO], self.times[:, Slot.CASE_MANUAL])
        opens = opened_at != NEVER
        self.times = np.full_like(self.times, NEVER)
        self.now = np.where(opens, opened_at, 0)
        self._work(Slot.ASSIGN, opens & dice.share(0.8), first, dice.duration(1_500, 1.2))
        self._work(Slot.PRIORITY, opens & dice.share(0.3), first, dice.duration(60, 1.0))
        self._work(Slot.NOTE, opens & dice.share(0.2), first, dice.duration(400, 1.2))
        self._work(Slot.TAG, opens & dice.share(0.4), first, dice.duration(120, 1.1))
        self._work(Slot.PENDING, opens & dice.share(0.35), first, dice.duration(2_400, 1.3))
        self._work(Slot.REPLY, opens & dice.share(0.75), second, dice.duration(1_800, 1.4))
        resolved = opens & dice.share(0.85)
        self._work(Slot.RESOLVE, resolved, second, dice.duration(5 * HOUR, 1.3))
        reopened = resolved & dice.share(0.15)
        self._at(Slot.REOPEN, reopened, self.now + dice.duration(10 * HOUR, 1.2))
        self._work(Slot.SECOND_REPLY, reopened & dice.share(0.7), second, dice.duration(2_000, 1.3))
        self._work(Slot.SECOND_RESOLVE, reopened & dice.share(0.85), second, dice.duration(HOUR, 1.4))
        return self.times[:, list(CASE_SLOTS)]

    def _agents(self) -> Instants:
        """Somebody of the topic's team who handles messages; some do more than others."""
        chosen = np.zeros(self.dice.count, dtype=np.int64)
        skew = self.dice.rng.random(self.dice.count) ** 1.4
        for index, team in enumerate(self.organisation.teams):
            members = np.array(
                [member for member in team.members if self.organisation.users[member].role != "observer"]
            )
            chosen = np.where(self.team == index, members[(skew * len(members)).astype(np.int64)], chosen)
        return chosen

    def _at(self, slot: Slot, happens: Flags, at: Instants) -> None:
        self.times[:, slot] = np.where(happens, at, NEVER)
        self.now = np.where(happens, at, self.now)

    def _work(self, slot: Slot, happens: Flags, agent: Instants, delay_seconds: Instants) -> None:
        """The slot happens after so many seconds of the agent's working time."""
        at = self.now.copy()
        shift = self.shift_of_agent[agent]
        for index, hours in enumerate(self.shifts):
            rows = np.flatnonzero(happens & (shift == index))
            at[rows] = hours.after(self.now[rows], delay_seconds[rows])
        self._at(slot, happens, at)

    def _reception(self, handled: Flags, bot: Flags) -> None:
        dice = self.dice
        self._at(Slot.AUTO_TAG, ~self.brand & dice.share(0.25), self.now + dice.between(1, 5))
        self._at(Slot.AUTO_ASSIGN, handled & dice.share(0.35), self.now + dice.between(0, 4))
        self._at(Slot.CASE_AUTO, self.private & ~self.brand, self.now + dice.between(0, 3))
        self._at(Slot.FLOW, bot & dice.share(0.5), self.now + dice.between(1, 9))
        self._at(Slot.BOT_REPLY, bot, self.now + dice.between(0, 6))

    def _handling(self, handled: Flags, first: Instants, second: Instants) -> None:
        dice = self.dice
        self._work(Slot.ASSIGN, handled & dice.share(0.7), first, dice.duration(1_200, 1.3))
        self._work(Slot.PRIORITY, handled & dice.share(0.15), first, dice.duration(40, 1.0))
        self._work(Slot.NOTE, handled & dice.share(0.2), first, dice.duration(300, 1.2))
        self._work(Slot.TODO, handled & dice.share(0.05), first, dice.duration(60, 1.0))
        self._work(Slot.TAG, handled & dice.share(0.5), first, dice.duration(120, 1.1))
        self._work(Slot.SENTIMENT, handled & dice.share(0.12), first, dice.duration(30, 1.0))
        self._work(Slot.PENDING, handled & dice.share(0.28), first, dice.duration(200, 1.5))
        self._work(Slot.REASSIGN, handled & (first != second), first, dice.duration(1_500, 1.3))
        self._work(Slot.REPLY, handled & dice.share(0.78), second, dice.duration(1_100, 1.6))
        self._work(
            Slot.LIKE, (handled & dice.share(0.08)) | (self.brand & dice.share(0.1)), second, dice.duration(60, 1.0)
        )

    def _ending(self, handled: Flags, automatic: Flags, second: Instants) -> None:
        dice = self.dice
        at_once = dice.share(0.45)  # "reply and resolve": both in the same second
        delay = np.where(at_once, 0, dice.duration(1_800, 1.8))
        resolved = handled & dice.share(0.9)
        self._work(Slot.RESOLVE, resolved, second, delay)
        by_rule = self.now + np.where(self.chat, dice.between(20, 240), dice.between(0, 3))
        self.times[:, Slot.RESOLVE] = np.where(automatic, by_rule, self.times[:, Slot.RESOLVE])
        self.now = np.where(automatic, by_rule, self.now)
        self._at(
            Slot.CSAT, self.private & (resolved | automatic) & dice.share(0.2), self.now + dice.duration(1_500, 1.5)
        )
        todo = self.times[:, Slot.TODO] != NEVER
        self._work(Slot.TODO_DONE, todo & dice.share(0.7), second, dice.duration(4_000, 1.2))
        reopened = (resolved | automatic) & dice.share(0.12)
        self._at(Slot.REOPEN, reopened, self.now + dice.duration(9 * HOUR, 1.5))
        self._work(Slot.SECOND_REPLY, reopened & dice.share(0.8), second, dice.duration(1_500, 1.4))
        self._work(
            Slot.SECOND_RESOLVE, reopened & dice.share(0.85), second, np.where(at_once, 0, dice.duration(900, 1.4))
        )

    def _afterwards(self, late: Instants) -> None:
        dice = self.dice
        self._work(Slot.LATE_TAG, dice.share(0.03), late, dice.between(2 * DAY, 14 * DAY))
        self._work(Slot.LATE_NOTE, dice.share(0.02), late, dice.between(3 * DAY, 20 * DAY))
        self._work(Slot.CASE_MANUAL, ~self.private & dice.share(0.02), late, dice.between(DAY // 2, 8 * DAY))
        self._work(Slot.ERASE, dice.share(0.004), late, dice.between(DAY, 15 * DAY))
