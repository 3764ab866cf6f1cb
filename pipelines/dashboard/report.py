"""The numbers and charts of a period as one HTML file, which opens without a network and holds no script.

`make_report` reads, `html` and `in_words` write. Charts are pictures; under each are its definition and its table.
Agents are left out: what is sent around says teams, not people.
"""

from __future__ import annotations

import hashlib
import json
from base64 import b64encode
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from pipelines.answers import replacing
from pipelines.dashboard import in_words as words
from pipelines.dashboard import queries
from pipelines.dashboard.charts import svg
from pipelines.dashboard.drawings import CHARTS, EMPTY, NOTHING
from pipelines.dashboard.filters import DEFAULT_DAY_COUNT, LISTS, Filters
from pipelines.dashboard.published_copy import LACKS, MADE_EARLIER, PublishedCopy
from pipelines.notifications import send_as_asked
from pipelines.senders import Attachment, Message
from pipelines.warehouse import WarehouseUnreadable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import date, datetime

    from pipelines.dashboard.published_copy import Reading
    from pipelines.dashboard.queries import Query
    from pipelines.settings import Settings
    from pipelines.warehouse import Warehouse

TEMPLATE = "report.html.jinja"
TITLE = "Social Connect report"
ABSENT = "-"
CHARTED_ROW_COUNT = 20
"""Topics, teams, ... that a chart shows at most, the largest first; the table has all."""
KNOWN_VALUE_COUNT = 10
"""Values that are named to somebody who has asked for one that there is not."""

CHAPTERS: tuple[tuple[str, tuple[Query, ...]], ...] = (
    ("What came in and what was done", (queries.KEEPING_UP, queries.CHANNELS, queries.SENTIMENT_BY_DAY, queries.TAGS)),
    (
        "Response times",
        (
            queries.RESPONSE_PERCENTILES,
            queries.RESPONSE_DISTRIBUTION,
            queries.RESPONSE_BY_DAY,
            queries.RESPONSE_BY_TOPIC,
            queries.RESPONSE_BY_CHANNEL,
            queries.RESPONSE_BY_HOUR,
        ),
    ),
    ("Backlog", (queries.BACKLOG_BY_DAY, queries.AGE_OF_OPEN)),
    ("Cases", (queries.CASES_BY_DAY,)),
    ("Teams", (queries.WORK_OF_TEAMS,)),
    ("Targets", (queries.ATTAINMENT_BY_POLICY,)),
    ("Satisfaction", (queries.SATISFACTION_BY_KIND, queries.SATISFACTION_BY_DAY)),
)
LARGEST_FIRST = {
    queries.CHANNELS,
    queries.TAGS,
    queries.RESPONSE_BY_TOPIC,
    queries.RESPONSE_BY_CHANNEL,
    queries.WORK_OF_TEAMS,
}
"""Queries with a row for each of something of which there may be hundreds."""

_NUMBERS: tuple[tuple[Query, str, str, Callable[[float | None], str]], ...] = (
    (queries.OVERVIEW_TOTALS, "mention_count", "Mentions of customers", words.count),
    (queries.OVERVIEW_TOTALS, "replied_share", "With a reply", words.share),
    (queries.OVERVIEW_TOTALS, "first_response_p50_seconds", "First response, median", words.length),
    (
        queries.OVERVIEW_TOTALS,
        "first_response_business_hours_p50_seconds",
        "First response, median in business hours",
        words.length,
    ),
    (queries.OVERVIEW_TOTALS, "resolve_p50_seconds", "Resolve, median", words.length),
    (queries.BACKLOG_AT_END, "open_mention_count", "Mentions open at the end", words.count),
    (queries.BACKLOG_AT_END, "open_case_count", "Cases open at the end", words.count),
)


class NoSuchValue(Exception):
    """A filter was given a value that the published copy does not have."""


@dataclass(frozen=True)
class Number:
    """One of the main numbers.

    Attributes:
        name: for programs; says the unit.
        title: for people.
        now: of the period; None where it is not known. Lengths are in seconds.
        before: of as many days just before.
        in_words: writes either for people.
        not_followed: filters that are chosen and do not change it.
    """

    name: str
    title: str
    now: float | None
    before: float | None
    in_words: Callable[[float | None], str]
    not_followed: tuple[str, ...] = ()

    @property
    def heading(self) -> str:
        """Its title, with the filters that it does not follow."""
        return f"{self.title} (not filtered by {' and '.join(self.not_followed)})" if self.not_followed else self.title


@dataclass(frozen=True)
class Section:
    """A query with its rows as texts, and its chart as a picture.

    Attributes:
        query: what is shown.
        heads: above the columns of its table.
        rows: the table; none where there is nothing to show.
        picture: the chart as an address that holds it; None where the query has none.
        charted_row_count: how many rows the chart is of, where it is not of all.
        not_followed: filters that are chosen and do not change it.
    """

    query: Query
    heads: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    picture: str | None = None
    charted_row_count: int | None = None
    not_followed: tuple[str, ...] = ()

    @property
    def empty(self) -> str:
        """What is said where there are no rows."""
        return EMPTY.get(self.query, NOTHING)


@dataclass(frozen=True)
class Report:
    """What a report says.

    Attributes:
        filters: the period and what is chosen.
        labels: for each filter that is chosen, its values for people.
        reporting_time_zone: in which days are days.
        data_as_of: the instant of the data, UTC.
        numbers: the main numbers.
        chapters: headings, and what stands below each.
    """

    filters: Filters
    labels: Mapping[str, tuple[str, ...]]
    reporting_time_zone: str
    data_as_of: datetime
    numbers: tuple[Number, ...]
    chapters: tuple[tuple[str, tuple[Section, ...]], ...]

    @property
    def title(self) -> str:
        """What it is, and of which dates."""
        return f"{TITLE}, {self.filters.first_date} to {self.filters.last_date}"

    @property
    def about(self) -> tuple[str, ...]:
        """Of which days, what and when it is, in sentences."""
        days = f"{self.filters.day_count} days, both dates included, as days of {self.reporting_time_zone}."
        chosen = [f"{name.capitalize()}: {', '.join(labels)}." for name, labels in self.labels.items()]
        return (days, *chosen, f"Data as of {self.data_as_of:%Y-%m-%d %H:%M} UTC.")

    @property
    def file_name(self) -> str:
        """Of the dates and, where something is chosen, a mark of it: a topic's name may be no name of a file."""
        chosen = {name: values for name in LISTS if (values := self.filters.values(name))}
        mark = f"_{hashlib.sha256(json.dumps(chosen).encode()).hexdigest()[:8]}" if chosen else ""
        return f"social-connect_{self.filters.first_date}_{self.filters.last_date}{mark}.html"

    def as_json(self) -> dict[str, Any]:
        """The dates and the main numbers in plain values; what is not known is None."""
        return {
            "first_date": self.filters.first_date.isoformat(),
            "last_date": self.filters.last_date.isoformat(),
            "reporting_time_zone": self.reporting_time_zone,
            "data_as_of": self.data_as_of.isoformat(),
            "filters": {name: list(values) for name in LISTS if (values := self.filters.values(name))},
            "numbers": {
                each.name: {"now": each.now, "before": each.before, "not_filtered_by": list(each.not_followed)}
                for each in self.numbers
            },
        }


def make_report(
    warehouse: Warehouse,
    *,
    first_date: date | None = None,
    last_date: date | None = None,
    day_count: int = DEFAULT_DAY_COUNT,
    chosen: Mapping[str, Sequence[str]] | None = None,
) -> Report:
    """Reads the report of a period from the published copy.

    Args:
        warehouse: whose copy is read.
        first_date: the first date, in the reporting time zone; `day_count` days to the last one when not given.
        last_date: the last date, itself included; the last that is over in the data when not given.
        day_count: how many days, where the first date is not given.
        chosen: identifiers or names of accounts, topics, channels, teams and tags, by the name of the filter.

    Raises:
        NoSuchValue: the copy has no such topic, channel, ...; or the first date is after the last one.
        pipelines.warehouse.WarehouseUnreadable: nothing has been published yet, or by an earlier version.
    """
    with PublishedCopy(warehouse).reading() as reading:
        try:
            told = reading.frame(queries.FRESHNESS.sql, {}).iloc[0]
            choices = reading.frame(queries.CHOICES.sql, {})
            found = {name: _matching(choices, name, values) for name, values in (chosen or {}).items() if values}
            last = last_date or told["today"].date() - timedelta(days=1)
            first = first_date or last - timedelta(days=day_count - 1)
            if first > last:
                raise NoSuchValue(f"the first date, {first}, is after the last one, {last}.")
            filters = Filters(first, last, **{name: tuple(labels) for name, labels in found.items()}, zone=None)
            return Report(
                filters,
                {name: tuple(labels.values()) for name, labels in found.items()},
                told["reporting_time_zone"],
                told["as_of"].to_pydatetime(),
                _numbers(reading, filters),
                tuple(
                    (heading, tuple(section_of(query, _frame(reading, query, filters), filters) for query in of))
                    for heading, of in CHAPTERS
                ),
            )
        except LACKS:
            raise WarehouseUnreadable(MADE_EARLIER) from None


def section_of(query: Query, frame: pd.DataFrame, filters: Filters) -> Section:
    """A query's section, its chart drawn.

    Args:
        query: what is shown.
        frame: its rows.
        filters: what was chosen.
    """
    ignored = query.not_followed(filters)
    if frame.empty:
        return Section(query, not_followed=ignored)
    charted = frame.head(CHARTED_ROW_COUNT) if query in LARGEST_FIRST else frame
    draw = CHARTS.get(query)
    picture = draw and f"data:image/svg+xml;base64,{b64encode(svg(draw(charted)).encode()).decode()}"
    return Section(
        query,
        tuple(column.replace("_", " ") for column in frame.columns),
        tuple(
            tuple(_cell(column, value) for column, value in zip(frame.columns, row, strict=True))
            for row in frame.itertuples(index=False, name=None)
        ),
        picture,
        len(charted) if len(charted) < len(frame) else None,
        ignored,
    )


def html(report: Report) -> str:
    """The report as a page; every text of the data is written as text."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(TEMPLATE).render(report=report)


def in_words(report: Report) -> str:
    """The main numbers in lines of text, for a message."""
    numbers = [
        f"{each.heading}: {each.in_words(each.now)}; {each.in_words(each.before)} before" for each in report.numbers
    ]
    before = report.filters.before()
    return "\n".join(
        [*report.about, "", *numbers, "", f"Before: {before.first_date} to {before.last_date}, as many days."]
    )


def write(page: str, file: Path) -> None:
    """Writes a page to a file that only its owner can read, whole or not at all.

    Raises:
        OSError: the file cannot be written.
    """
    with replacing(file) as part:
        part.touch(mode=0o600)
        part.write_text(page, encoding="utf-8")


def keep(page: str, report: Report, warehouse: Warehouse) -> Path:
    """Writes a report's page to reports/ of the warehouse's folder, in place of the last one of the same dates.

    Raises:
        OSError: the file cannot be written.
    """
    warehouse.reports_folder.mkdir(mode=0o700, exist_ok=True)
    file = warehouse.reports_folder / report.file_name
    write(page, file)
    return file


def send(settings: Settings, report: Report, page: str, *, now: datetime) -> int:
    """Sends a report to whoever the settings name: by e-mail with its page, elsewhere its main numbers.

    Args:
        settings: the options.
        report: whose main numbers are told.
        page: the report as a page.
        now: the time of the message, UTC.

    Returns:
        The number of ways that it went.

    Raises:
        pipelines.settings.SettingsInvalid: the settings name nobody.
        pipelines.senders.MessageNotSent: it did not get through one of the ways.
    """
    attachment = Attachment(report.file_name, page)
    message = Message("report", report.title, in_words(report), now, attachment)
    return send_as_asked(settings, message)


def _frame(reading: Reading, query: Query, filters: Filters) -> pd.DataFrame:
    return reading.frame(*query.statement(filters))


def _numbers(reading: Reading, filters: Filters) -> tuple[Number, ...]:
    now, before = (
        {query: _frame(reading, query, each).iloc[0] for query in {query for query, *_ in _NUMBERS}}
        for each in (filters, filters.before())
    )
    before[queries.OVERVIEW_TOTALS] = queries.to_compare_with(before[queries.OVERVIEW_TOTALS])
    return tuple(
        Number(name, title, _plain(now[query][name]), _plain(before[query][name]), says, query.not_followed(filters))
        for query, name, title, says in _NUMBERS
    )


def _plain(value: Any) -> float | None:
    if pd.isna(value):
        return None
    return int(value) if float(value).is_integer() else float(value)


def _matching(choices: pd.DataFrame, name: str, values: Sequence[str]) -> dict[str, str]:
    """What is meant by identifiers or names of a filter: identifiers, with their names."""
    rows = choices[choices["filter"] == name]
    labels = dict(zip(rows["value"].astype(str), rows["label"].astype(str), strict=True))
    found: dict[str, str] = {}
    for value in values:
        meant = {each: label for each, label in labels.items() if value in {each, label}}
        if not meant:
            known = [each if each == label else f"{each} ({label})" for each, label in labels.items()]
            more = f" and {len(known) - KNOWN_VALUE_COUNT} more" if len(known) > KNOWN_VALUE_COUNT else ""
            raise NoSuchValue(
                f"the data has no {name} {value!r}. It has {', '.join(known[:KNOWN_VALUE_COUNT]) or 'none'}{more}."
            )
        found |= meant
    return found


def _cell(column: str, value: Any) -> str:
    if pd.isna(value):
        return ABSENT
    if isinstance(value, pd.Timestamp):
        return f"{value:%Y-%m-%d %H:%M} UTC" if value.tzinfo else f"{value:%Y-%m-%d}"
    if isinstance(value, bool | str):
        return str(value)
    if column.endswith("_share"):
        return f"{value:.1%}"
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.2f}"
