"""Counts as a checksum: what the API counts per day beside what the warehouse holds, and which days differ.

A day is a bucket of the API's, which cuts days in a zone of its own: the warehouse's mentions are counted into the same
buckets. Definitions are asked as statistics are (`transforms.statistics`); this module has their meaning in SQL.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from transforms.selects import quoted
from transforms.statistics import Definition, Segmentation

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    import pandas as pd

MOST_TAGS = 100
"""Tags that are compared by name; each takes a filter of its own in the question."""

CELL = ["bucket_start_at", "measure", "segment"]
"""What one number is of."""

TOLERANCE = {"response_time_by_topic": 1.0}
"""How far numbers may differ, by measure; an average may be rounded. Counts may not."""

_STATUS = "CASE WHEN author_managed THEN 'sent' ELSE status END"
OURS = {
    "mentions": ("'all'", "count(*)", "mentions"),
    "mentions_by_topic": ("topic_id", "count(*)", "mentions"),
    "mentions_by_status": (_STATUS, "count(*)", "mentions"),
    "mentions_by_sentiment": ("message_sentiment", "count(*)", "mentions"),
    "mentions_by_tag": ("tag", "count(DISTINCT unique_id)", "mentions JOIN tags USING (account_id, unique_id)"),
    "response_time_by_topic": ("topic_id", "avg(response_time_seconds)", "mentions"),
    "cases": ("'all'", "count(*)", "cases"),
    "cases_by_topic": ("topic_id", "count(*)", "cases"),
    "cases_by_status": (_STATUS, "count(*)", "cases"),
    "cases_by_sentiment": ("message_sentiment", "count(*)", "cases"),
}
"""Each measure of the warehouse's: segment, value, and what they are taken from."""


def measures_of(name: str) -> list[str]:
    """The measures of `mentions`, or of `cases`; the first of them is their number."""
    return [measure for measure, (_, _, source) in OURS.items() if source.startswith(name)]


def definitions(tag_filters: Mapping[str, str]) -> tuple[Definition, ...]:
    """What is asked of the API, a definition for each measure.

    Args:
        tag_filters: by name of the tag, the filter with which the API finds its mentions.
    """
    topics = Segmentation(field="topic.id", size=500)
    statuses = {status: f"status:{status}" for status in ("new", "pending", "done", "sent")}
    asked: dict[str, dict[str, Any]] = {
        "mentions": {},
        "mentions_by_topic": {"segmentation": topics},
        "mentions_by_status": {"segmentation": Segmentation(filters=statuses)},
        "mentions_by_sentiment": {"segmentation": Segmentation(field="message.sentiment", size=10)},
        "response_time_by_topic": {"segmentation": topics, "value": "response_time"},
        "cases": {"type": "cases"},
        "cases_by_topic": {"type": "cases", "segmentation": topics},
        "cases_by_status": {"type": "cases", "segmentation": Segmentation(filters=statuses)},
        "cases_by_sentiment": {"type": "cases", "segmentation": Segmentation(field="message.sentiment", size=10)},
    }
    if tag_filters:
        chosen = dict(sorted(tag_filters.items())[:MOST_TAGS])
        asked["mentions_by_tag"] = {"segmentation": Segmentation(filters=chosen)}
    return tuple(
        Definition.model_validate({"name": name, "counts": name, "unit": "checksum", **words})
        for name, words in asked.items()
    )


def recount(schema: str, measures: Sequence[str]) -> str:
    """The SELECT of the warehouse's numbers: `bucket_start_at`, `measure`, `segment`, `value`.

    It wants a table `buckets` (`bucket_start_at`), and the parameters `$account_id`, `$end` (UTC) and `$tags`: what was
    added before the first bucket, at the end or later, or is gone, is not counted.

    Args:
        schema: where the normalised tables are.
        measures: which of `OURS`.
    """
    counted = (
        f"SELECT * FROM {schema}.{{0}} AS {{0}} ASOF JOIN buckets ON {{0}}.added_at >= buckets.bucket_start_at"
        " WHERE account_id = $account_id AND added_at < $end AND deleted_at IS NULL"
    )
    parts = [
        f"SELECT bucket_start_at, '{measure}' AS measure, {segment}::VARCHAR AS segment, {value}::DOUBLE AS value"
        f" FROM {source} GROUP BY ALL HAVING value IS NOT NULL AND segment IS NOT NULL"
        for measure, (segment, value, source) in OURS.items()
        if measure in measures
    ]
    return f"""
        WITH mentions AS MATERIALIZED ({counted.format("mentions")}),
        cases AS MATERIALIZED ({counted.format("cases")}),
        tags AS (
          SELECT account_id, unique_id, tag FROM {schema}.mention_tags
          WHERE account_id = $account_id AND tag IN (SELECT unnest($tags))
        )
        {" UNION ALL ".join(parts)}
    """


def compared(theirs: pd.DataFrame, ours: pd.DataFrame) -> pd.DataFrame:
    """Every cell of which one side says something: `theirs`, `ours`, and whether they are `equal`.

    A count that is not told is 0. An average that is not told is null, and differs from any number.

    Args:
        theirs: the API's numbers, with the columns of `CELL` and `value`.
        ours: the warehouse's, the same; of segments that the API was not asked for, none.
    """
    cells = theirs.rename(columns={"value": "theirs"})[[*CELL, "theirs"]].merge(
        ours.rename(columns={"value": "ours"})[[*CELL, "ours"]], how="outer", on=CELL
    )
    is_count = ~cells["measure"].isin(TOLERANCE)
    for side in ("theirs", "ours"):
        cells[side] = cells[side].astype("float64").where(~(is_count & cells[side].isna()), 0.0)
    tolerance = cells["measure"].map(TOLERANCE).fillna(0.0).astype("float64")
    is_near = (cells["theirs"] - cells["ours"]).abs() <= tolerance
    return cells.assign(equal=is_near | (cells["theirs"].isna() & cells["ours"].isna()))


@dataclass(frozen=True, order=True)
class Days:
    """Neighbouring buckets, half-open: UTC instants of `date.added`."""

    start: datetime
    end: datetime


def days_of(starts: Sequence[datetime], buckets: Sequence[datetime], end: datetime) -> list[Days]:
    """The buckets that begin at `starts`, neighbours together, oldest first.

    Args:
        starts: beginnings of the buckets that are meant.
        buckets: the beginnings of all.
        end: where the last one ends.
    """
    order = sorted(buckets)
    ends = dict(zip(order, [*order[1:], end], strict=True))
    found: list[Days] = []
    for start in sorted(set(starts)):
        if found and found[-1].end == start:
            found[-1] = Days(found[-1].start, ends[start])
        else:
            found.append(Days(start, ends[start]))
    return found


def tag_filters_of(schema: str) -> str:
    """The SELECT of an account's tags: name and filter. Parameter `$account_id`."""
    return (
        f"SELECT tag, min({quoted('filter')}) FROM {schema}.tags WHERE account_id = $account_id AND tag <> ''"
        f" AND {quoted('filter')} <> '' GROUP BY tag ORDER BY tag"
    )
