"""Reads the API's statistics (insights/facets) for the definitions of statistics.yml, and makes load packages of them.

A number may change as long as its mentions are handled. So the last days are asked again each time, older ones once.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlencode

import dlt
import pandas as pd
import pyarrow as pa
import yaml
from pydantic import ValidationError

from pipelines.api import InvalidParameter, SocialConnectError
from pipelines.keeping import known_versions
from pipelines.source.hints import table_hints
from pipelines.source.reading import ReadingFailed, is_refusal
from pipelines.source.streams import FACETS
from pipelines.source.windows import Cursor, Window
from transforms.statistics import (
    DAY_KEY,
    Asked,
    Definition,
    FacetUnreadable,
    Segmentation,
    as_arrow,
    changed_rows,
    facet_rows,
    segment_count,
)
from transforms.tables import STATISTICS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import duckdb
    from dlt.extract import DltResource
    from pydantic_core import ErrorDetails

    from pipelines.source.packages import LoadTally
    from pipelines.source.reading import AccountReading


ONE_DAY = timedelta(days=1)
ASKED_AGAIN_DAYS = 35
"""How many days before today's are asked again each time: the API credits handling up to 28 days after a mention."""

MOST_DAYS_PER_CALL = 92
"""A quarter: some 2,200 buckets by hour. How many the API gives at most is not documented."""

LONGEST_BUCKET = timedelta(hours=25)
"""The day on which clocks go back. So far beyond its last day a call counts, for every bucket to be whole."""

LONGEST_QUERY_CHARACTERS = 6_000
"""Longer questions are asked in parts: the API is read by GET, and web servers refuse addresses of 8 kB."""

BYTES_PER_ROW = 1_000
"""About what a number takes, which carries the question it answers."""

_TABLE_FINGERPRINT = hashlib.sha256(repr(STATISTICS.all_columns).encode()).hexdigest()[:12]


# --- the definitions ---


class DefinitionsInvalid(ValueError):
    """A definition says what cannot be asked: a line for each place, naming it, what it got and what it wants."""


@cache
def definitions() -> tuple[Definition, ...]:
    """The definitions of statistics.yml.

    Raises:
        DefinitionsInvalid: the file says what cannot be asked.
    """
    file = Path(__file__).with_name("statistics.yml")
    return read_definitions(file.read_text(encoding="utf-8"), file=file.name)


def read_definitions(text: str, *, file: str) -> tuple[Definition, ...]:
    """Definitions from the text of a file, whose name is for the message.

    Raises:
        DefinitionsInvalid: the text says what cannot be asked.
    """
    try:
        declared = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise DefinitionsInvalid(f"{file}: is no YAML: {error}") from None
    if not isinstance(declared, dict) or not declared:
        raise DefinitionsInvalid(f"{file}: got {_shown(declared)}; wants definitions by name")
    read: list[Definition] = []
    wrong: list[str] = []
    for name, words in declared.items():
        if not isinstance(words, dict):
            wrong.append(f"{file}: {name}: got {_shown(words)}; wants {_words_of(Definition)}")
            continue
        if "name" in words:
            wrong.append(f"{file}: {name}.name: got a word that is not known; wants {_words_of(Definition)}")
            continue
        try:
            read.append(Definition.model_validate({**words, "name": name}))
        except ValidationError as error:
            wrong += [f"{file}: {name}{_complaint(each)}" for each in error.errors()]
    if wrong:
        raise DefinitionsInvalid("\n".join(wrong))
    return tuple(read)


def _complaint(error: ErrorDetails) -> str:
    """One line: where in a definition, what it got, and what it wants."""
    path = [str(part) for part in error["loc"]]
    place = "".join(f".{part}" for part in path)
    match error["type"]:
        case "missing":
            return f"{place}: got nothing; wants a text"
        case "extra_forbidden":
            known = _words_of(Definition if len(path) == 1 else Segmentation)
            return f"{place}: got a word that is not known; wants {known}"
        case "literal_error":
            return f"{place}: got {_shown(error['input'])}; wants {error['ctx']['expected']}"
        case "value_error":
            return f"{place}: {error['ctx']['error']}"
        case _:
            return f"{place}: got {_shown(error['input'])}; {error['msg']}"


def _words_of(model: type[Definition | Segmentation]) -> str:
    return ", ".join(word for word in model.model_fields if word != "name")


def _shown(declared: Any) -> str:
    return f"the words {', '.join(map(str, declared))}" if isinstance(declared, dict) else repr(declared)


# --- which days ---


class Span(NamedTuple):
    """Days, UTC: from one midnight up to, not with, another."""

    first_day: datetime
    end_day: datetime


@dataclass(frozen=True)
class Covered:
    """The days of a definition that have been asked for: all from `first_day` on, counted up to `asked_to`, UTC."""

    first_day: datetime
    asked_to: datetime

    @classmethod
    def from_state(cls, text: str) -> Covered:
        """Reads what `to_state` wrote."""
        first_day, _, asked_to = text.partition("/")
        return cls(datetime.fromisoformat(first_day), datetime.fromisoformat(asked_to))

    def to_state(self) -> str:
        """An ISO 8601 interval."""
        return f"{self.first_day.isoformat()}/{self.asked_to.isoformat()}"


def spans_to_ask(covered: Covered | None, *, start_date: datetime, now: datetime) -> tuple[list[Span], list[Span]]:
    """The days to ask for: those that may have changed or are new, oldest first, and those never asked, newest first.

    In this order what has been asked is one run of days at any moment. A run as of an earlier time asks for nothing:
    it would take back what is known.
    """
    if covered is not None and now < covered.asked_to:
        return [], []
    first, today = midnight(start_date), midnight(now)
    recent = today - ASKED_AGAIN_DAYS * ONE_DAY
    if covered is not None:
        recent = min(recent, midnight(covered.asked_to))
        first_known = min(first, covered.first_day)
    else:
        first_known = first
    recent = max(recent, first_known)
    older_end = recent if covered is None else min(recent, covered.first_day)
    return _split(Span(recent, today + ONE_DAY)), _split(Span(first, older_end))[::-1]


def _split(days: Span) -> list[Span]:
    spans = []
    start = days.first_day
    while start < days.end_day:
        end = min(start + MOST_DAYS_PER_CALL * ONE_DAY, days.end_day)
        spans.append(Span(start, end))
        start = end
    return spans


def midnight(time: datetime) -> datetime:
    """The beginning of the UTC day."""
    return time.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


# --- reading ---


@dataclass(frozen=True)
class Answers:
    """What one call gave: rows, the days they are of, and what holds once they are in the warehouse."""

    account_id: str
    rows: tuple[pd.DataFrame, ...]
    days: pd.DataFrame
    cursors: dict[str, str]


class StatisticsLoader:
    """Asks for the statistics of all accounts and makes packages of them.

    A definition that the API refuses, or answers with something else than a matrix of numbers, is set aside for the
    rest of the run: the others go on, and its days are asked for again by the next run.

    Attributes:
        is_done: whether everything that could be read has been read.
        stopped_by: why the reading ended early, when it did. What was read until then has been given.
        notices: what was not read, and why.
        record_count: numbers read.
        page_count: calls answered.

    Args:
        accounts: what is read of each account.
        loaded_at: start of the run, UTC.
        asked: the definitions; those of statistics.yml when not given.
    """

    name = FACETS.name

    def __init__(
        self, accounts: Sequence[AccountReading], *, loaded_at: datetime, asked: Sequence[Definition] | None = None
    ) -> None:
        self.is_done = False
        self.stopped_by: SocialConnectError | ReadingFailed | None = None
        self.notices: list[str] = []
        self.record_count = 0
        self.page_count = 0
        self._accounts = accounts
        self._definitions = tuple(definitions() if asked is None else asked)
        self._loaded_at = loaded_at
        self._answers: Iterator[Answers] | None = None

    def read(self, state: dict[str, Any], *, most_bytes: float = math.inf) -> StatisticsPackage:
        """Asks the API for the next package.

        Args:
            state: as the loader keeps it; read when the reading starts.
            most_bytes: after which the package is big enough; an answer's rows are repeated text, about so much each.
        """
        if self._answers is None:
            self._answers = self._read(state.get("cursors", {}))
        answers: list[Answers] = []
        row_count = 0
        while row_count * BYTES_PER_ROW < most_bytes:
            answer = next(self._answers, None)
            if answer is None:
                self.is_done = True
                break
            answers.append(answer)
            row_count += sum(map(len, answer.rows))
        return StatisticsPackage(tuple(answers), self._loaded_at, row_count * BYTES_PER_ROW)

    def _read(self, cursors: dict[str, dict[str, str]]) -> Iterator[Answers]:
        for account in self._accounts:
            try:
                yield from self._read_account(account, cursors.get(account.account_id, {}))
            except (SocialConnectError, ReadingFailed) as stop:
                self.stopped_by = stop
                return

    def _read_account(self, account: AccountReading, kept: dict[str, str]) -> Iterator[Answers]:
        topic_ids = tuple(account.topic_ids())
        if not topic_ids:
            self.notices.append(f"account {account.account_id} has no topics: no statistics to ask for")
            return
        covered = {
            definition.name: Covered.from_state(kept[_cursor_name(definition)])
            for definition in self._definitions
            if _cursor_name(definition) in kept
        }
        aside: set[str] = set()
        page_count = self.page_count
        for span, together in self._calls(account, covered):
            asked_to = min(span.end_day + LONGEST_BUCKET, account.now.astimezone(UTC).replace(microsecond=0))
            asked = Asked(account.account_id, topic_ids, span.first_day, span.end_day, asked_to)
            for part in _in_parts([each for each in together if each.name not in aside], asked):
                rows = dict(self._ask(account, part, asked))
                aside |= {definition.name for definition in part} - rows.keys()
                covered |= {name: _extended(covered.get(name), asked) for name in rows}
                days = [(account.account_id, name, day) for name in rows for day in asked.days]
                yield Answers(
                    account.account_id,
                    tuple(rows.values()),
                    pd.DataFrame(days, columns=DAY_KEY),
                    self._cursors(covered),
                )
        nothing = pd.DataFrame([], columns=DAY_KEY)
        whole = Cursor(read_at=account.now, call_count=self.page_count - page_count).to_state()
        yield Answers(account.account_id, (), nothing, self._cursors(covered) | whole)

    def _cursors(self, covered: dict[str, Covered]) -> dict[str, str]:
        return {
            _cursor_name(definition): covered[definition.name].to_state()
            for definition in self._definitions
            if definition.name in covered
        }

    def numbers(self, account: AccountReading, asked: Asked) -> pd.DataFrame:
        """The rows of some days at once, of the definitions that the API answers.

        Raises:
            pipelines.api.SocialConnectError: the API cannot be read.
        """
        parts = [rows for part in _in_parts(self._definitions, asked) for _, rows in self._ask(account, part, asked)]
        return pd.concat(parts, ignore_index=True) if parts else as_arrow(pd.DataFrame()).to_pandas()

    def _calls(self, account: AccountReading, covered: dict[str, Covered]) -> Iterator[tuple[Span, list[Definition]]]:
        """Which days are asked of which definitions together, recent days first."""
        plans = [
            (definition, spans_to_ask(covered.get(definition.name), start_date=account.start_date, now=account.now))
            for definition in self._definitions
        ]
        for turn, newest_first in ((0, False), (1, True)):
            calls: dict[tuple[Any, ...], list[Definition]] = {}
            for definition, spans in plans:
                for span in spans[turn]:
                    calls.setdefault((span, *_asked_of(definition)), []).append(definition)
            for key in sorted(calls, reverse=newest_first):
                yield key[0], calls[key]

    def _ask(
        self, account: AccountReading, together: Sequence[Definition], asked: Asked
    ) -> Iterator[tuple[str, pd.DataFrame]]:
        """The rows of each definition, by its name. When the API refuses a call, it is found out whose fault it is."""
        facets: list[Any] = []
        try:
            for page in account.api.pages(
                f"/{FACETS.path.format(account_id=account.account_id)}", _query(together, asked)
            ):
                self.page_count += 1
                account.on_page(FACETS, page)
                facets += page.records
        except InvalidParameter as refusal:
            if len(together) == 1:
                self._set_aside(account, together, str(refusal))
                return
            middle = len(together) // 2
            yield from self._ask(account, together[:middle], asked)
            yield from self._ask(account, together[middle:], asked)
            return
        except SocialConnectError as refusal:
            if not is_refusal(refusal):
                raise
            self._set_aside(account, together, str(refusal))
            return
        if len(facets) != len(together):
            self._set_aside(account, together, f"the API gave {len(facets)} answers to {len(together)} definitions")
            return
        for definition, facet in zip(together, facets, strict=True):
            try:
                rows = facet_rows(definition, facet, asked)
            except FacetUnreadable as unreadable:
                self._set_aside(account, [definition], f"the answer cannot be read: {unreadable.reason}")
                continue
            self._notice_if_cut(account, definition, facet)
            self.record_count += len(rows)
            yield definition.name, rows

    def _set_aside(self, account: AccountReading, together: Sequence[Definition], why: str) -> None:
        names = ", ".join(definition.name for definition in together)
        self.notices.append(f"account {account.account_id}: statistics {names} are left out: {why}")

    def _notice_if_cut(self, account: AccountReading, definition: Definition, facet: Any) -> None:
        size = definition.segmentation.size if definition.segmentation is not None else None
        if size is None or segment_count(facet) < size:
            return
        notice = (
            f"account {account.account_id}: statistics {definition.name} have {size} segments, as many as"
            " were asked for: there may be more. Ask for a larger size."
        )
        if notice not in self.notices:
            self.notices.append(notice)


def _asked_of(definition: Definition) -> tuple[str, str, tuple[str, ...]]:
    """What definitions must have in common to be asked in one call."""
    return definition.type, definition.filter, definition.profile_ids


def _query(together: Sequence[Definition], asked: Asked) -> dict[str, str]:
    source_type, words, profile_ids = _asked_of(together[0])
    query = {"facetdefinitions": f"[{','.join(definition.request for definition in together)}]"}
    query |= Window(asked.first_day, asked.asked_to).as_parameters()
    if source_type == "monitored profile kpis":
        query["profile_ids"] = ",".join(profile_ids)
    else:
        query["topic_ids"] = ",".join(asked.topic_ids)
    return query | ({"filter": words} if words else {})


def _in_parts(together: Sequence[Definition], asked: Asked) -> Iterator[list[Definition]]:
    """Definitions in parts whose question is short enough; one alone may be longer."""
    part: list[Definition] = []
    for definition in together:
        if part and len(urlencode(_query([*part, definition], asked))) > LONGEST_QUERY_CHARACTERS:
            yield part
            part = []
        part.append(definition)
    if part:
        yield part


def _extended(covered: Covered | None, asked: Asked) -> Covered:
    """What has been asked for once the answer is in the warehouse."""
    if covered is None:
        return Covered(asked.first_day, asked.asked_to)
    is_older = asked.end_day <= covered.first_day
    return Covered(
        min(asked.first_day, covered.first_day), covered.asked_to if is_older else min(asked.end_day, asked.asked_to)
    )


def _cursor_name(definition: Definition) -> str:
    return f"{definition.name}@{definition.fingerprint}"


# --- loading ---


@dataclass
class StatisticsPackage:
    """What of the statistics is loaded at once: the days whose numbers have changed, and the cursors."""

    answers: tuple[Answers, ...]
    loaded_at: datetime
    byte_count: int
    _changed: pd.DataFrame | None = None

    @property
    def name(self) -> str:
        """The table's name."""
        return STATISTICS.name

    def close(self) -> None:
        """Has nothing to give back."""

    def keep(self, con: duckdb.DuckDBPyConnection, tally: LoadTally) -> None:
        """Leaves out the days whose numbers the warehouse holds unchanged.

        Args:
            con: a connection to the work file.
            tally: is told what goes into the package.
        """
        days = pd.concat([pd.DataFrame(columns=DAY_KEY, dtype="str"), *(each.days for each in self.answers)])
        keys = pa.Table.from_pandas(days, pa.schema([(name, pa.string()) for name in DAY_KEY]), preserve_index=False)
        known = known_versions(con, STATISTICS, keys).to_pandas()
        rows = changed_rows([rows for each in self.answers for rows in each.rows], days, known)
        self._changed = rows.assign(_loaded_at=self.loaded_at)
        tally.row_counts[self.name] += int(rows["_is_removed"].isna().sum())

    def resources(self, state: dict[str, Any], tally: LoadTally) -> Iterator[DltResource]:  # noqa: ARG002 - see `keep`
        """The package as dlt resources: the cursors, and the rows.

        Args:
            state: the statistics' state as the loader keeps it.
            tally: has been told.
        """
        declares_table = state.get("contract") != _TABLE_FINGERPRINT
        if self._changed is None or not (self.answers or declares_table):
            return
        yield dlt.resource(self._remember(), name=f"{self.name}_cursors")
        if len(self._changed) or declares_table:
            hints = table_hints(STATISTICS, only_new=False)
            hints |= {"primary_key": None, "merge_key": STATISTICS.object_key}
            yield dlt.resource(_loaded(self._changed), name=self.name, **hints)

    def _remember(self) -> Iterator[Any]:
        """Commits the cursors with the package: a resource without items."""
        state = dlt.current.source_state().setdefault(self.name, {})
        state["contract"] = _TABLE_FINGERPRINT
        state.setdefault("cursors", {}).update({each.account_id: each.cursors for each in self.answers})
        yield from ()


def _loaded(rows: pd.DataFrame) -> Iterator[pa.Table]:
    """The rows as Arrow, with the package's id as the loader names it."""
    load_id = dlt.current.load_package_state()["load_id"]
    table = as_arrow(rows)
    yield table.append_column("_dlt_load_id", pa.array([load_id] * table.num_rows, pa.string()))
