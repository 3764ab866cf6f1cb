"""Statistics (insights/facets): counts and averages of mentions or cases, by time and by segment.

They are taken from the same columns as the lists, so a facet counts exactly what a list with the same filter, topics
and window lists. Instants are unix seconds, UTC; the buckets of a key begin on the clock of a time zone.
"""

import html
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from zoneinfo import ZoneInfo

import numpy as np

from sandbox import texts
from sandbox.account import Cases, State
from sandbox.cases import DOMAIN as CASE_DOMAIN
from sandbox.channels import CHANNELS
from sandbox.draws import Draws
from sandbox.history import NEVER, Flags, Slot
from sandbox.hours import Instants
from sandbox.later_changes import Timeline
from sandbox.mentions import APPLICATIONS, HASHTAGS, PLACES, SITES
from sandbox.organisation import LANGUAGES, SENTIMENTS, profile_id

Json = dict[str, Any]

GROUPINGS = ("hour", "day", "week", "month")
VALUES = (
    *("mentions", "rating", "author_id_cardinality", "followers"),
    *("response_time", "resolve_time", "assign_time", "first_action_time"),
)
MOST_KEYS = 20_000

_STRIPPED = np.array([channel.stripped for channel in CHANNELS])
_PRIVATE = np.array([channel.private for channel in CHANNELS])
_REVIEW = np.array([channel.review for channel in CHANNELS])
_STYLE = np.array([channel.author for channel in CHANNELS])


# --- keys ---


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys of a facet: buckets of time, or a single one for all. `starts_at` are the beginnings of the buckets."""

    shown: list[Json]
    starts_at: Instants

    def of(self, instants: Instants) -> Instants:
        """The position of the bucket of each instant."""
        position: Instants = np.searchsorted(self.starts_at, instants, side="right") - 1
        return position


def label(identifier: Any, text: str) -> Json:
    """A key or a segment."""
    return {"id": identifier, "text": text, "html": html.escape(text)}


def time_keys(grouping: str | None, date_from: float, last_at: float, zone: str) -> Keys:
    """The buckets from that of `date_from` to that of `last_at`, empty ones included; without a grouping just one.

    Raises:
        OverflowError: when there are more than MOST_KEYS.
    """
    if grouping is None:
        return Keys([label("total", "Total")], np.array([-NEVER], dtype=np.int64))
    timezone = ZoneInfo(zone)
    starts: list[int] = []
    start = _bucket_start(grouping, datetime.fromtimestamp(date_from, tz=timezone))
    while start.timestamp() <= last_at:
        starts.append(int(start.timestamp()))
        start = _next_start(grouping, start)
        if len(starts) > MOST_KEYS:
            raise OverflowError(f"more than {MOST_KEYS} keys")
    formats = {"hour": "%b %-d, %H:%M", "day": "%b %-d", "week": "Week of %b %-d", "month": "%b %Y"}
    shown = [label(at, datetime.fromtimestamp(at, tz=timezone).strftime(formats[grouping])) for at in starts]
    return Keys(shown, np.array(starts, dtype=np.int64))


def _bucket_start(grouping: str, local: datetime) -> datetime:
    hour = local.replace(minute=0, second=0, microsecond=0)
    if grouping == "hour":
        return hour
    # Of the two midnights of a day whose clock goes back over midnight, the day begins with the first.
    day = hour.replace(hour=0, fold=0)
    if grouping == "week":
        return day - timedelta(days=day.weekday())
    return day.replace(day=1) if grouping == "month" else day


def _next_start(grouping: str, start: datetime) -> datetime:
    if grouping == "hour":  # by the instant: an hour that the clock shows twice is two hours
        return (start.astimezone(UTC) + timedelta(hours=1)).astimezone(start.tzinfo)
    if grouping == "month":
        return _bucket_start("month", start + timedelta(days=32))
    return start + timedelta(days=7 if grouping == "week" else 1)


# --- segments ---


@dataclass(frozen=True, slots=True)
class Segment:
    """A segment and the rows in it, ascending."""

    shown: Json
    rows: Instants


def everything(chosen: Flags) -> list[Segment]:
    """The one segment of a facet that is not segmented."""
    return [Segment(label("mentions", "Mentions"), np.flatnonzero(chosen))]


def by_field(state: State, field: str, chosen: Flags, size: int) -> list[Segment]:
    """The segments of a field, the largest first; who lacks the field is in none.

    Raises:
        KeyError: when the field cannot be segmented by.
    """
    codes, labels = _FIELDS[field](state)
    rows = np.flatnonzero(chosen & (codes >= 0))
    counts = np.bincount(codes[rows], minlength=len(labels))
    largest = sorted(range(len(labels)), key=lambda code: (-counts[code], labels[code]["text"]))[:size]
    return [Segment(labels[code], rows[codes[rows] == code]) for code in largest if counts[code]]


# --- values ---


def cells(
    state: State,
    segment: Segment,
    bucket: Instants,
    size: int,
    value: str,
    *,
    average: Literal["mean", "median"],
    without: Literal["null", "zero"],
) -> list[Any]:
    """The values of a segment, one for each of so many keys; `bucket` is the key of each of its rows.

    `mentions` counts, `author_id_cardinality` counts different authors and `followers` adds up; the others are averages
    over the mentions that have the value.
    """
    if value == "mentions":
        return list(np.bincount(bucket, minlength=size).tolist())
    if value == "author_id_cardinality":
        authors = _measure(state, "author", _author)[segment.rows]
        known = authors >= 0
        pairs = np.unique(bucket[known] * (int(authors.max(initial=0)) + 1) + authors[known])
        return list(np.bincount(pairs // (int(authors.max(initial=0)) + 1), minlength=size).tolist())
    measured = _measure(state, value, _MEASURES[value])[segment.rows]
    known = measured >= 0
    bucket, measured = bucket[known], measured[known]
    counts = np.bincount(bucket, minlength=size)
    sums = np.bincount(bucket, weights=measured, minlength=size)
    if value == "followers":
        return [int(total) for total in sums.tolist()]
    empty = None if without == "null" else 0
    if average == "median":
        order = np.lexsort((measured, bucket))
        groups = np.split(measured[order], np.cumsum(counts)[:-1])
        return [round(float(np.median(group)), 2) if len(group) else empty for group in groups]
    return [
        round(total / count, 2) if count else empty for total, count in zip(sums.tolist(), counts.tolist(), strict=True)
    ]


def _measure(state: State, name: str, measure: Callable[[State], Instants]) -> Instants:
    if name not in state.measures:
        state.measures[name] = measure(state)
    return state.measures[name]


def _since_publication(
    state: State, slots: Sequence[Slot], kind: Callable[[Json], bool], later: Timeline | None = None
) -> Instants:
    """Seconds from publication to the first of some deeds; -1 when there is none."""
    history = state.account.history
    first = history.times[: state.planned, list(slots)].min(axis=1, initial=NEVER)
    if later is not None:
        first = np.minimum(first, later.first(state.now, state.planned))
    published_at = history.published_at[: state.planned]
    seconds = np.full(state.size, -1, dtype=np.int64)
    seconds[: state.planned] = np.where(first <= state.now, first - published_at, -1)
    for row, mention in state.touched.items():
        published = int(published_at[row]) if row < state.planned else (mention.get("date") or {}).get("published")
        deeds = [action["date"]["added"] for action in mention.get("actions") or [] if kind(action)]
        seconds[row] = min(deeds) - published if deeds and published is not None else -1
    return seconds


def _rating(state: State) -> Instants:
    rating = np.full(state.planned, -1, dtype=np.int64)
    if state.account.kind == "mentions":
        rated = _REVIEW[_channel(state)] & ~state.erased[: state.planned]
        rating = np.where(rated, 1 + _messages(state).below(5, "rating"), -1)
    return state.column(rating, _shown_rating)


def _shown_rating(mention: Json) -> int:
    attachments = (mention.get("message") or {}).get("attachments") or []
    return next((each["content"] for each in attachments if each["type"] == "rating_answer"), -1)


# Authors have numbers by the form of their `author.id`: all the same text, all the same number.
_PHONES_FROM, _ADDRESSES_FROM, _SITES_FROM, _OTHERS_FROM = (10**17 * kind for kind in (1, 2, 3, 4))
_PHONE = re.compile(r"\+32([1-9]\d{8})")
_ADDRESS = re.compile(r"(.+)\.([1-9]\d\d)@example\.org")


def _author(state: State) -> Instants:
    """A number for each `author.id`; -1 where there is none."""
    history, people, style = state.account.history, _people(state), _STYLE[_channel(state)]
    digits = people.digits(15, "id")
    first_names = [name.lower() for name in texts.words()["first_names"]]
    different_names = sorted(set(first_names))
    name = np.array([different_names.index(name) for name in first_names])[people.below(len(first_names), "first name")]
    numbers = np.select(
        [style == "number", style == "visitor", style == "phone", style == "address", style == "domain"],
        [
            people.digits(10, "id"),
            digits // 10**9,
            _PHONES_FROM + people.digits(9, "phone"),
            _ADDRESSES_FROM + name * 1_000 + digits // 10**12,
            _SITES_FROM + people.below(len(SITES), "site"),
        ],
        digits,
    )
    profiles = _profiles(state)
    numbers = np.where(history.brand[: state.planned], profiles, numbers)
    if isinstance(state.account, Cases):
        makers = np.array([user.id for user in state.organisation.users])
        numbers = np.where(
            state.account.book.manual[: state.planned], makers[history.late_agent[: state.planned]], numbers
        )
    others: dict[str, int] = {}

    def number_of(mention: Json) -> int:
        author_id = (mention.get("author") or {}).get("id")
        if author_id is None or str(author_id) == "":
            return -1
        text = str(author_id)
        if text.isascii() and text.isdigit() and text[0] != "0" and int(text) < _PHONES_FROM:
            return int(text)
        if phone := _PHONE.fullmatch(text):
            return _PHONES_FROM + int(phone[1])
        if (address := _ADDRESS.fullmatch(text)) and address[1] in different_names:
            return _ADDRESSES_FROM + different_names.index(address[1]) * 1_000 + int(address[2])
        if text in SITES:
            return _SITES_FROM + SITES.index(text)
        return _OTHERS_FROM + others.setdefault(text, len(others))

    return state.column(numbers, number_of)


_MEASURES: dict[str, Callable[[State], Instants]] = {
    "rating": _rating,
    "followers": lambda state: state.followers,
    "response_time": lambda state: state.response_seconds,
    "resolve_time": lambda state: _since_publication(
        state,
        (Slot.RESOLVE, Slot.SECOND_RESOLVE),
        lambda action: action["type"] == "status" and action["metadata"]["status"] == "done",
    ),
    "assign_time": lambda state: _since_publication(
        state,
        (Slot.AUTO_ASSIGN, Slot.ASSIGN, Slot.REASSIGN),
        lambda action: action["type"] == "assign",
        state.account.later.assignments,
    ),
    "first_action_time": lambda state: _since_publication(
        state, tuple(Slot), lambda _action: True, state.account.later.actions
    ),
}


# --- what segments are made of ---


def _channel(state: State) -> Instants:
    return state.account.history.channel[: state.planned]


def _messages(state: State) -> Draws:
    """The draws of the planned messages."""
    return Draws(state.account.seed, state.account.id, state.account.history.serial[: state.planned])


def _people(state: State) -> Draws:
    """The draws of the authors of the planned messages."""
    history, upto = state.account.history, slice(state.planned)
    return Draws(state.account.seed, state.account.id, history.channel[upto], history.author[upto])


def _profiles(state: State) -> Instants:
    """The profile on which each planned message was found, as a number."""
    table = np.array(
        [[int(profile_id(topic, channel)) for channel in CHANNELS] for topic in state.organisation.topics],
        dtype=np.int64,
    )
    return table[state.account.history.topic[: state.planned], _channel(state)]


Coded = tuple[Instants, list[Json]]


def _coded(state: State, texts_: Sequence[str], codes: Instants, shown: Callable[[Json], Any]) -> Coded:
    """Codes of all rows (-1: no value) with the labels that they stand for; touched rows have what is shown of them."""
    labels = dict.fromkeys(texts_)
    position = {text: code for code, text in enumerate(labels)}
    known = np.array([position[text] for text in texts_], dtype=np.int64)
    planned = np.where(codes >= 0, known[np.maximum(codes, 0)], -1)

    def code_of(mention: Json) -> int:
        value = shown(mention)
        return -1 if value is None else position.setdefault(str(value), len(position))

    return state.column(planned, code_of), [label(text, text) for text in position]


def _at(*path: str) -> Callable[[Json], Any]:
    """What a mention has at a path, or None."""

    def value(mention: Json) -> Any:
        found: Any = mention
        for name in path:
            found = found.get(name) if isinstance(found, dict) else None
        return found

    return value


def _of_mentions(
    field: Callable[[State], tuple[Sequence[str], Instants]], shown: Callable[[Json], Any]
) -> Callable[[State], Coded]:
    """A field that cases lack."""

    def coded(state: State) -> Coded:
        names, codes = field(state)
        if state.account.kind == "cases":
            codes = np.full(state.planned, -1, dtype=np.int64)
        return _coded(state, names, codes, shown)

    return coded


def _types(state: State) -> Coded:
    shown = _at("message", "type")
    if state.account.kind == "cases":
        return _coded(state, ("case",), np.zeros(state.planned, dtype=np.int64), shown)
    names = list(dict.fromkeys(name for channel in CHANNELS for name in channel.message_types))
    draws, channel = _messages(state), _channel(state)
    codes = np.full(state.planned, -1, dtype=np.int64)
    told = ~_STRIPPED[channel] & ~draws.chance(0.03, "no type")
    for index, each in enumerate(CHANNELS):
        drawn = np.array([names.index(name) for name in each.message_types])
        here = told & (channel == index)
        codes[here] = drawn[draws.below(len(drawn), "type")[here]]
    return _coded(state, names, codes, shown)


def _categories(state: State, *, parents_only: bool) -> Coded:
    names = [category.split("_")[0] if parents_only else category for _, category in state.account.sources]

    def shown(mention: Json) -> Any:
        category = _at("source", "category")(mention)
        return category.split("_")[0] if parents_only and category else category

    return _coded(state, names, _channel(state), shown)


def _domains(state: State) -> Coded:
    shown = _at("source", "domain")
    if state.account.kind == "cases":
        return _coded(state, (CASE_DOMAIN,), np.zeros(state.planned, dtype=np.int64), shown)
    channel = _channel(state)
    names = [*(each.domain for each in CHANNELS), *SITES]
    site = len(CHANNELS) + _people(state).below(len(SITES), "site")
    return _coded(state, names, np.where(_STYLE[channel] == "domain", site, channel), shown)


def _found_on(state: State, *, posted_by: bool | None) -> Coded:
    """Profiles on which mentions were found: all, those posted by the profile, or those posted on it by others."""
    numbers, brand = _profiles(state), state.account.history.brand[: state.planned]
    names, codes = np.unique(numbers, return_inverse=True)
    found = _STYLE[_channel(state)] != "domain"
    if state.account.kind == "mentions":
        found &= ~_STRIPPED[_channel(state)]
    if posted_by is not None:
        found &= brand == posted_by

    def shown(mention: Json) -> Any:
        managed = bool((mention.get("author") or {}).get("managed", False))
        return None if posted_by not in {None, managed} else _at("source", "profile")(mention)

    return _coded(state, [str(name) for name in names.tolist()] or [""], np.where(found, codes, -1), shown)


def _applications(state: State) -> tuple[Sequence[str], Instants]:
    draws = _messages(state)
    told = ~_STRIPPED[_channel(state)] & draws.chance(0.3, "application")
    return APPLICATIONS, np.where(told, draws.below(len(APPLICATIONS), "client"), -1)


def _hashtags(state: State) -> tuple[Sequence[str], Instants]:
    draws, channel = _messages(state), _channel(state)
    told = ~_PRIVATE[channel] & ~_REVIEW[channel] & ~_STRIPPED[channel] & ~state.erased[: state.planned]
    told &= draws.chance(0.3, "entities")
    return HASHTAGS, np.where(told, draws.below(len(HASHTAGS), "hashtag"), -1)


def _shown_hashtag(mention: Json) -> Any:
    entities = _at("message", "entities", "hashtags")(mention)
    return entities[0]["text"] if entities else None


def _places(part: int, *, in_town: bool) -> Callable[[State], tuple[Sequence[str], Instants]]:
    def field(state: State) -> tuple[Sequence[str], Instants]:
        draws = _messages(state)
        told = ~_STRIPPED[_channel(state)] & ~state.erased[: state.planned] & draws.chance(0.3, "location")
        if in_town:
            told &= draws.chance(0.7, "city")
        return [str(place[part]) for place in PLACES], np.where(told, draws.below(len(PLACES), "place"), -1)

    return field


def _topics(state: State) -> Coded:
    ids = [topic.id for topic in state.organisation.topics]
    codes, labels = _coded(
        state,
        [str(topic_id) for topic_id in ids],
        state.account.history.topic[: state.planned],
        _at("topic", "id"),
    )
    names = {str(topic.id): topic.name for topic in state.organisation.topics}
    return codes, [label(int(each["id"]), names.get(each["id"]) or each["text"]) for each in labels]


_region = _of_mentions(_places(3, in_town=True), _at("location", "region"))

_FIELDS: dict[str, Callable[[State], Coded]] = {
    "message.language": lambda state: _coded(
        state, LANGUAGES, state.account.history.language[: state.planned], _at("message", "language")
    ),
    "message.sentiment": lambda state: _coded(
        state, SENTIMENTS, state.sentiment[: state.planned], _at("message", "sentiment")
    ),
    "message.type": _types,
    "hashtag": _of_mentions(_hashtags, _shown_hashtag),
    "source.category": lambda state: _categories(state, parents_only=False),
    "category_parentsonly": lambda state: _categories(state, parents_only=True),
    "source.domain": _domains,
    "source.profile": lambda state: _found_on(state, posted_by=None),
    "source.profile.postedby": lambda state: _found_on(state, posted_by=True),
    "source.profile.postedin": lambda state: _found_on(state, posted_by=False),
    "source.application": _of_mentions(_applications, _at("source", "application")),
    "location.continent": _of_mentions(_places(0, in_town=False), _at("location", "continent")),
    "location.country": _of_mentions(_places(1, in_town=False), _at("location", "country")),
    "location.city": _of_mentions(_places(2, in_town=True), _at("location", "city")),
    "location.region": _region,
    "region_state": _region,
    "topic.id": _topics,
}
FIELDS = tuple(_FIELDS)
