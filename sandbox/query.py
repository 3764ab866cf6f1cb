"""What a list request asks for: dates, topics, filter, order and page."""

import base64
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar
from zoneinfo import ZoneInfo

import numpy as np

from sandbox.account import State
from sandbox.behaviour import Behaviour
from sandbox.channels import CHANNELS
from sandbox.errors import invalid_parameter
from sandbox.history import STATUSES, Flags
from sandbox.hours import Instants
from sandbox.organisation import LANGUAGES, SENTIMENTS, profile_id

Json = dict[str, Any]
Word = TypeVar("Word")

USUAL = Behaviour()

_PAGE_TOKEN = re.compile(r"a:2:\{i:0;i:(\d+);i:1;a:0:\{\}\}")
_TOKEN = re.compile(
    r"""\s*(?:(?P<bracket>[()])|(?P<term>(?:[^\s():"\[\]]+:)?(?:"(?:[^"\\]|\\.)*"|\[[^\]]*\]|[^\s()"\[\]]+)))"""
)
_RANGE = re.compile(r"\[(\d+|\*) TO (\d+|\*)\]")


# --- dates and numbers ---


def instant(text: str, zone: str) -> float:
    """A date as unix seconds, read leniently: any ISO 8601 form, `T` or a space; without offset it is in `zone`.

    Raises:
        ValueError: when it is none of those. A `+` that was not escaped in a URL arrives as a space and ends up here.
    """
    if text.isdigit() and len(text) != len("20260302"):
        raise ValueError(text)
    read = datetime.fromisoformat(text)
    return (read if read.tzinfo else read.replace(tzinfo=ZoneInfo(zone))).timestamp()


def date_parameter(parameters: Mapping[str, str], name: str, default: int, zone: str) -> float:
    """The instant of a date parameter; missing or empty means the default."""
    text = parameters.get(name, "").strip()
    if not text:
        return default
    try:
        return instant(text, zone)
    except ValueError:
        raise invalid_parameter(name, text, "an ISO 8601 date") from None


def limit_parameter(
    parameters: Mapping[str, str], default: int, lowest: int, highest: int, behaviour: Behaviour = USUAL
) -> int:
    """The number of rows a page may have."""
    text = parameters.get("limit", "")
    if not text:
        return default
    if text == "0" and lowest == 0 and behaviour.zero_limit == "default":
        return default
    if lowest == 0 and behaviour.zero_limit == "refused":
        lowest = 1
    if not text.isascii() or not text.isdigit() or int(text) < lowest:
        raise invalid_parameter("limit", text, f"a whole number from {lowest} to {highest}")
    if int(text) > highest and behaviour.too_large_limit == "refused":
        raise invalid_parameter("limit", text, f"a whole number from {lowest} to {highest}")
    return min(int(text), highest)


def list_parameter(parameters: Mapping[str, str], name: str) -> list[str]:
    """A comma list (`name=1,2`) or a PHP array (`name[0]=1&name[1]=2`, `name[]=1`)."""
    values = [value for key, value in parameters.items() if key == name or key.startswith(f"{name}[")]
    return [part.strip() for value in values for part in value.split(",") if part.strip()]


# --- pages ---


def write_page_token(offset: int) -> str:
    """The offset in its disguise."""
    return base64.b64encode(f"a:2:{{i:0;i:{offset};i:1;a:0:{{}}}}".encode()).decode()


def read_page_token(parameters: Mapping[str, str]) -> int:
    """The offset that a page token stands for; no token is the start."""
    token = parameters.get("page_token", "")
    if not token:
        return 0
    try:
        found = _PAGE_TOKEN.fullmatch(base64.b64decode(token, validate=True).decode("ascii"))
    except ValueError:
        found = None
    if found is None:
        raise invalid_parameter("page_token", token, "a token from a next_url")
    return int(found[1])


# --- order ---

SORTS: dict[str, Callable[[State], Instants]] = {
    "dateadd:desc": lambda state: -state.added_at,
    "dateadd:asc": lambda state: state.added_at,
    "followers:desc": lambda state: -state.followers,
    "timestamps.action_reply_first:desc": lambda state: -state.response_seconds,
    "timestamps.action_reply_first_in_bh:desc": lambda state: -state.response_business_hours_seconds,
    "timestamps.action_status_last:desc": lambda state: -state.last_status_at,
    "timestamps.action_last_date:desc": lambda state: -state.last_action_at,
}


def sort_parameter(
    parameters: Mapping[str, str], known: Collection[str], default: str, behaviour: Behaviour = USUAL
) -> str:
    """The order that is asked for, or the default where the API ignores it."""
    sort = parameters.get("sort") or default
    treatment = behaviour.sorts.get(sort, "honoured" if sort in known else behaviour.unknown_sorts)
    if treatment == "refused" or (treatment == "honoured" and sort not in known):
        raise invalid_parameter("sort", sort, f"one of {', '.join(known)}")
    return default if treatment == "ignored" else sort


def ordered(state: State, sort: str) -> Instants:
    """All rows in the asked order; rows that lack the value come last, equal ones in a fixed order of no meaning."""
    if sort not in SORTS:
        raise invalid_parameter("sort", sort, f"one of {', '.join(SORTS)}")
    if sort not in state.orders:
        state.orders[sort] = np.lexsort((state.tie_breaker, SORTS[sort](state)))
    return state.orders[sort]


# --- filter ---


@dataclass(frozen=True, slots=True)
class _Word:
    """A kind of filter word: what it selects among planned rows, and whether it selects a mention that a test touched.

    The second answers None when what the API shows of the mention does not tell: then the plan's answer holds.
    """

    rows: Callable[[State, str], Any]
    mention: Callable[[State, Json, str], bool | None]


def filtered(state: State, text: str, behaviour: Behaviour = USUAL) -> Flags:
    """Which rows a filter selects; an empty one selects all.

    Raises:
        ApiError: `invalid_parameter` when the filter cannot be read or has a word that is not known.
    """
    return _read(text, state.size, _WORDS, lambda word, value: _selected(state, word, value), behaviour)


def filtered_objects(objects: list[Json], text: str, words: Mapping[str, Callable[[Json, str], bool]]) -> Flags:
    """Which objects a filter selects whose words are those given; each tells whether it holds for an object.

    Raises:
        ApiError: `invalid_parameter` when the filter cannot be read or has a word that is not known.
    """

    def select(word: Callable[[Json, str], bool], value: str) -> Flags:
        return np.array([word(each, value) for each in objects], dtype=np.bool_)

    return _read(text, len(objects), words, select)


def _read(
    text: str,
    size: int,
    words: Mapping[str, Word],
    select: Callable[[Word, str], Flags],
    behaviour: Behaviour = USUAL,
) -> Flags:
    if not text.strip():
        return np.ones(size, dtype=np.bool_)
    reader = _FilterReader(text, size, words, select, behaviour)
    mask = reader.either()
    if reader.peek() is not None:
        raise invalid_parameter("filter", text, f"nothing more before {reader.peek()!r}")
    return mask


def _selected(state: State, word: _Word, value: str) -> Flags:
    mask = np.zeros(state.size, dtype=np.bool_)
    mask[: state.planned] = word.rows(state, value)
    for row, mention in state.touched.items():
        selected = word.mention(state, mention, value)
        if selected is not None:
            mask[row] = selected
    return mask


class _FilterReader(Generic[Word]):
    """Reads `a AND (b OR NOT c) d` by descent; words side by side must all hold."""

    def __init__(
        self,
        text: str,
        size: int,
        words: Mapping[str, Word],
        select: Callable[[Word, str], Flags],
        behaviour: Behaviour,
    ) -> None:
        self.text = text
        self.size = size
        self.behaviour = behaviour
        self.words = words
        self.select = select
        self.tokens = self._tokens(text)
        self.position = 0

    def peek(self) -> str | None:
        return self.tokens[self.position] if self.position < len(self.tokens) else None

    def either(self) -> Flags:
        mask = self._all()
        while self.peek() == "OR":
            self.position += 1
            mask |= self._all()
        return mask

    def _all(self) -> Flags:
        mask = self._one()
        while self.peek() not in {None, "OR", ")"}:
            if self.peek() == "AND":
                self.position += 1
            mask = mask & self._one()
        return mask

    def _one(self) -> Flags:
        token = self.peek()
        self.position += 1
        if token == "NOT":  # noqa: S105 - a word of the filter language
            return ~self._one()
        if token == "(":  # noqa: S105 - a bracket of the filter language
            mask = self.either()
            if self.peek() != ")":
                raise invalid_parameter("filter", self.text, "a closing bracket")
            self.position += 1
            return mask
        if token is None or token in {")", "AND", "OR"}:
            raise invalid_parameter("filter", self.text, f"a word instead of {token or 'the end'}")
        return self._word(token)

    def _word(self, token: str) -> Flags:
        name, colon, value = ("content", ":", token) if token.startswith('"') else token.partition(":")
        if not colon:
            name, value = "content", token
        word, behaviour = self.words.get(name), self.behaviour
        value = re.sub(r"\\(.)", r"\1", value[1:-1]) if value.startswith('"') else value
        treatment = behaviour.filter_words.get(name, behaviour.unknown_filter_words if word is None else "honoured")
        if treatment in {"everything", "nothing"}:
            return np.full(self.size, treatment == "everything", dtype=np.bool_)
        if word is None or not value or treatment == "refused":
            raise invalid_parameter("filter", self.text, f"one of the words {', '.join(self.words)}")
        try:
            return self.select(word, value)
        except ValueError:
            raise invalid_parameter("filter", self.text, f"a known value for {name}") from None

    @staticmethod
    def _tokens(text: str) -> list[str]:
        tokens, position, end = [], 0, len(text.rstrip())
        while position < end:
            found = _TOKEN.match(text, position)
            if found is None:
                raise invalid_parameter("filter", text, f"something readable at character {position}")
            tokens.append(found["bracket"] or found["term"])
            position = found.end()
        return tokens


_STATUS_WORDS: dict[str, tuple[tuple[str, ...], tuple[bool, ...]]] = {
    # the word: which statuses, and whether for messages of others (False) and of the brand itself (True)
    "new": (("new",), (False,)),
    "pending": (("pending",), (False,)),
    "done": (("done",), (False,)),
    "alldone": (("done",), (False, True)),
    "sent": (STATUSES, (True,)),
}


def _status_word(value: str) -> tuple[tuple[str, ...], tuple[bool, ...]]:
    if value not in _STATUS_WORDS:
        raise ValueError(value)
    return _STATUS_WORDS[value]


def _status_rows(state: State, value: str) -> Flags:
    statuses, brand = _status_word(value)
    fits = np.isin(state.status[: state.planned], [STATUSES.index(status) for status in statuses])
    return fits & np.isin(state.account.history.brand[: state.planned], brand)


def _status_mention(_state: State, mention: Json, value: str) -> bool:
    statuses, brand = _status_word(value)
    return mention.get("status") in statuses and bool((mention.get("author") or {}).get("managed", False)) in brand


def _source_fits(value: str, service: str, category: str) -> bool:
    return value in {service, category} or category.startswith(f"{value}_")


def _source_rows(state: State, value: str) -> Flags:
    fits = np.array([_source_fits(value, service, category) for service, category in state.account.sources])
    chosen: Flags = fits[state.account.history.channel[: state.planned]]
    return chosen


def _source_mention(_state: State, mention: Json, value: str) -> bool:
    source = mention.get("source") or {}
    return _source_fits(value, source.get("service", ""), source.get("category", ""))


def _language_rows(state: State, value: str) -> Any:
    position = LANGUAGES.index(value) if value in LANGUAGES else -1
    return state.account.history.language[: state.planned] == position


def _sentiment_rows(state: State, value: str) -> Any:
    return state.sentiment == SENTIMENTS.index(value)


def _tag_rows(state: State, value: str) -> Any:
    position = state.tag_position(value)
    return np.zeros(state.planned, dtype=np.bool_) if position is None else state.tags >> position & 1 == 1


def _action_rows(state: State, value: str) -> Any:
    return _replied(value, state.response_seconds[: state.planned] >= 0)


def _replied(value: str, answer: Any) -> Any:
    if value != "replied":
        raise ValueError(value)
    return answer


def _age_limits(value: str) -> tuple[float, float]:
    found = _RANGE.fullmatch(value)
    if found is None:
        raise ValueError(value)
    low, high = found[1], found[2]
    return (0.0 if low == "*" else float(low)), (float("inf") if high == "*" else float(high))


def _age_rows(state: State, value: str) -> Any:
    low, high = _age_limits(value)
    last = state.last_action_at[: state.planned]
    minutes = (state.now - last) / 60
    return (last >= 0) & (minutes >= low) & (minutes <= high)


def _age_mention(state: State, mention: Json, value: str) -> bool:
    low, high = _age_limits(value)
    actions = mention.get("actions")
    newest = max((action["date"]["added"] for action in actions), default=-1) if isinstance(actions, list) else -1
    return newest >= 0 and low <= (state.now - newest) / 60 <= high


def _content_rows(state: State, value: str) -> Flags:
    wanted = value.lower()
    words = state.account.words(state.planned)
    found = np.array([wanted in each for each in words], dtype=np.bool_)
    for row, addition in state.account.later.additions(state.now):
        found[row] |= wanted in f"{words[row]}\n{addition.lower()}"
    return found & ~state.erased[: state.planned]


def _content_mention(_state: State, mention: Json, value: str) -> bool | None:
    message = mention.get("message") or {}
    shown = message.get("stripped_content", message.get("content"))
    return None if shown is None else value.lower() in str(shown).lower()


def _profile_rows(state: State, value: str) -> Any:
    fits = np.array(
        [
            [channel.author != "domain" and profile_id(topic, channel) == value for channel in CHANNELS]
            for topic in state.organisation.topics
        ]
    )
    history = state.account.history
    return fits[history.topic[: state.planned], history.channel[: state.planned]]


def _profile_mention(_state: State, mention: Json, value: str) -> bool | None:
    shown = (mention.get("source") or {}).get("profile")
    return None if shown is None else str(shown) == value


def _of_message(mention: Json, name: str) -> Any:
    return (mention.get("message") or {}).get(name)


_WORDS: dict[str, _Word] = {
    "status": _Word(_status_rows, _status_mention),
    "source": _Word(_source_rows, _source_mention),
    "language": _Word(_language_rows, lambda _state, mention, value: _of_message(mention, "language") == value),
    "sentiment": _Word(_sentiment_rows, lambda _state, mention, value: _of_message(mention, "sentiment") == value),
    "usertag": _Word(_tag_rows, lambda _state, mention, value: value in mention.get("tags", [])),
    "action": _Word(
        _action_rows,
        lambda _state, mention, value: bool(
            _replied(value, any(action["type"] == "reply" for action in mention.get("actions", [])))
        ),
    ),
    "action_date_age": _Word(_age_rows, _age_mention),
    "content": _Word(_content_rows, _content_mention),
    "profile": _Word(_profile_rows, _profile_mention),
}
