"""Statistics: what is asked of the API, and its answers as tidy rows, one number a row.

The API answers a definition with a matrix (a facet): buckets of time across, segments down. A row of the warehouse
keeps its number together with the question, so that the number can be asked for again.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, Literal

import pandas as pd
import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from transforms.tables import OVERALL, STATISTICS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Text = Annotated[str, StringConstraints(min_length=1)]
SourceType = Literal["mentions", "cases", "monitored profile kpis"]
Grouping = Literal["day", "hour"]
ValueField = Literal[
    "mentions",
    "rating",
    "author_id_cardinality",
    "followers",
    "response_time",
    "resolve_time",
    "assign_time",
    "first_action_time",
]
SegmentField = Literal[
    "message.language",
    "message.sentiment",
    "message.type",
    "message.entities.video",
    "message.entities.photo",
    "message.entities.url",
    "message.entities.domain",
    "hashtag",
    "author.name",
    "source.category",
    "category_parentsonly",
    "source.domain",
    "source.profile",
    "source.profile.postedby",
    "source.profile.postedin",
    "source.application",
    "location.continent",
    "location.country",
    "region_state",
    "location.city",
    "location.region",
    "topic.id",
    "topic.keywords",
]

_NUMBER = re.compile(r"-?\d+(\.\d+)?([eE][+-]?\d+)?", re.ASCII)
_YEAR_10000 = 253_402_300_800


# --- what is asked ---


class _Declared(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Segmentation(_Declared):
    """What a number is split by: a field of the API's, of which the `size` largest are told, or filters by label."""

    field: SegmentField | None = None
    size: Annotated[int, Field(ge=1, strict=True)] | None = None
    filters: dict[Text, Text] = {}

    @model_validator(mode="after")
    def _is_one_of_both(self) -> Segmentation:
        by_field = self.field is not None and self.size is not None and not self.filters
        by_filter = self.field is None and self.size is None and bool(self.filters)
        if not (by_field or by_filter):
            given = ", ".join(sorted(self.model_fields_set)) or "nothing"
            raise ValueError(f"got {given}; wants field and size, or filters by label")
        return self

    def as_sent(self) -> dict[str, Any]:
        """The API's words for it."""
        if self.field is not None:
            return {"field": self.field, "size": self.size}
        return {"field": "custom", "field_values": self.filters, "size": len(self.filters)}


class Definition(_Declared):
    """A number that is asked for, bucket by bucket.

    Attributes:
        name: names it in the warehouse.
        counts: its meaning, in a sentence.
        unit: of its value.
        value: the API's field of which it is an average or a count; None counts.
        grouping: the length of a bucket.
        segmentation: what it is split by; None for the number over all.
        type: what is counted.
        filter: which of them, in the API's filter language.
        profile_ids: whose key figures, for monitored profile kpis.
    """

    name: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9]*(_[a-z0-9]+)*$")]
    counts: Text
    unit: Text
    value: ValueField | None = None
    grouping: Grouping = "day"
    segmentation: Segmentation | None = None
    type: SourceType = "mentions"
    filter: str = ""
    profile_ids: tuple[Text, ...] = ()

    @model_validator(mode="after")
    def _names_profiles(self) -> Definition:
        if (self.type == "monitored profile kpis") != bool(self.profile_ids):
            raise ValueError(
                f"got profile_ids {list(self.profile_ids)} with type {self.type!r};"
                " wants them for the type 'monitored profile kpis', and for no other"
            )
        return self

    @cached_property
    def request(self) -> str:
        """The definition as sent, JSON."""
        sent = {
            "key": {"field": "date.added", "grouping": self.grouping},
            "value": None if self.value is None else {"field": self.value},
            "segmentation": None if self.segmentation is None else self.segmentation.as_sent(),
            "type": self.type,
        }
        return json.dumps(sent, ensure_ascii=False, separators=(",", ":"))

    @cached_property
    def fingerprint(self) -> str:
        """Changes when what is asked does, so that all its days are asked anew."""
        asked = json.dumps([self.request, self.filter, self.profile_ids, self.unit])
        return hashlib.sha256(asked.encode()).hexdigest()[:8]


@dataclass(frozen=True)
class Asked:
    """A call for the buckets that begin on some days of one account: from `first_day` up to, not with, `end_day`.

    Both are midnights, UTC. `asked_to` is where counting ends: after `end_day`, so that the last bucket is whole.
    """

    account_id: str
    topic_ids: tuple[str, ...]
    first_day: datetime
    end_day: datetime
    asked_to: datetime

    @property
    def days(self) -> list[str]:
        """The days, as in `bucket_start_date`."""
        count = (self.end_day - self.first_day).days
        return [(self.first_day + timedelta(days=day)).date().isoformat() for day in range(count)]


# --- rows ---

DAY_KEY = list(STATISTICS.object_key)
_HASHED = [
    column.name
    for column in (*STATISTICS.key, *STATISTICS.columns)
    if column.name not in {"asked_from_at", "asked_to_at"}
]
_ARROW = {
    "text": pa.string(),
    "json": pa.string(),
    "integer": pa.int64(),
    "float": pa.float64(),
    "boolean": pa.bool_(),
    "timestamp": pa.timestamp("us", tz="UTC"),
}


def as_arrow(rows: pd.DataFrame) -> pa.Table:
    """Rows of the statistics table as Arrow, with its columns and types; columns that are not there are null."""
    types = {column.name: _ARROW[column.type] for column in STATISTICS.all_columns}
    return pa.table(
        {
            name: pa.array(rows[name], kind, from_pandas=True) if name in rows else pa.nulls(len(rows), kind)
            for name, kind in types.items()
        }
    )


# --- what is answered ---


class FacetUnreadable(ValueError):
    """An answer is no matrix of numbers with its keys: which definition's, and what is wrong with it."""

    def __init__(self, definition: str, reason: str) -> None:
        super().__init__(definition, reason)
        self.definition = definition
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.definition}: {self.reason}"


class _Wrong(Exception):
    """What is wrong with an answer, without whose it is."""


def facet_rows(definition: Definition, facet: Any, asked: Asked) -> pd.DataFrame:
    """The rows of an answer whose buckets begin on the days that were asked for.

    A null stays null, and a number that arrives as text is read. Of buckets that begin before the days or after them,
    only a part was counted: they are left to the call that asks for their days.

    Args:
        definition: what was asked.
        facet: its answer, parsed JSON.
        asked: the call.

    Raises:
        FacetUnreadable: the sizes of the matrix disagree with its keys and segments, a cell is no number, a key is no
            time, or a key or segment comes twice.
    """
    try:
        starts, offsets = _buckets(_list_of(facet, "keys"))
        segments = _segments(definition, _list_of(facet, "segments"))
        values = _matrix(_list_of(facet, "data"), row_count=len(segments), column_count=len(starts))
    except _Wrong as wrong:
        raise FacetUnreadable(definition.name, str(wrong)) from None
    cell_count = len(segments) * len(starts)
    rows = pd.DataFrame(
        {
            "segment": [identifier for identifier, _ in segments for _ in starts],
            "segment_label": pd.Series([label for _, label in segments for _ in starts], dtype="object"),
            "bucket_start_at": pd.Series(starts * len(segments), dtype="datetime64[us, UTC]"),
            "zone_offset_seconds": pd.Series(offsets * len(segments), dtype="Int64"),
            "value": pd.Series(values, dtype="float64"),
        },
        index=range(cell_count),
    ).assign(
        account_id=asked.account_id,
        definition=definition.name,
        bucket_start_date=lambda cells: cells["bucket_start_at"].dt.strftime("%Y-%m-%d"),
        grouping=definition.grouping,
        unit=definition.unit,
        type=definition.type,
        filter=definition.filter,
        topic_ids=",".join(asked.topic_ids),
        profile_ids=",".join(definition.profile_ids),
        asked_from_at=asked.first_day,
        asked_to_at=asked.asked_to,
        request=definition.request,
    )
    begins = rows["bucket_start_at"]
    return rows[(begins >= asked.first_day) & (begins < asked.end_day)].reset_index(drop=True)


def segment_count(facet: Any) -> int:
    """How many segments a readable answer has."""
    return len(_list_of(facet, "segments"))


def _list_of(facet: Any, name: str) -> list[Any]:
    if facet == []:  # PHP's empty object
        facet = {}
    found = facet.get(name) if isinstance(facet, dict) else facet
    if found is None:
        return []
    if not isinstance(found, list):
        raise _Wrong(f"got {_shown(found)} for {name}; wants a list")
    return found


def _buckets(keys: list[Any]) -> tuple[list[datetime], list[int | None]]:
    """The beginnings of the buckets, UTC, and the zone's offset in seconds where the API tells it."""
    starts: list[datetime] = []
    offsets: list[int | None] = []
    for key in keys:
        start, offset = _moment(_identifier(key, "a key"))
        starts.append(start)
        offsets.append(offset)
    if len(set(starts)) < len(starts):
        raise _Wrong("got a key twice; wants each bucket once")
    return starts, offsets


def _moment(told: Any) -> tuple[datetime, int | None]:
    """Unix seconds, or ISO 8601 with an offset."""
    if isinstance(told, str) and not told.isdecimal():
        try:
            time = datetime.fromisoformat(told)
        except ValueError:
            time = None
        if time is None or (offset := time.utcoffset()) is None:
            raise _Wrong(f"got {_shown(told)} for a key; wants unix seconds, or ISO 8601 with an offset")
        return time.astimezone(UTC), int(offset.total_seconds())
    seconds = _number(told)
    if seconds is None or not seconds.is_integer() or not 0 <= seconds < _YEAR_10000:
        raise _Wrong(f"got {_shown(told)} for a key; wants unix seconds, or ISO 8601 with an offset")
    return datetime.fromtimestamp(int(seconds), UTC), None


def _segments(definition: Definition, told: list[Any]) -> list[tuple[str, str | None]]:
    """Identifier and label of each row of the matrix."""
    if definition.segmentation is None and not definition.profile_ids:
        if len(told) > 1:
            raise _Wrong(f"got {len(told)} segments; wants one number a bucket, since nothing is segmented")
        return [(OVERALL, None)]
    filters = definition.segmentation.filters if definition.segmentation is not None else {}
    segments = [_own_segment(each, filters) if filters else _told_segment(each) for each in told]
    identifiers = [identifier for identifier, _ in segments]
    if len(set(identifiers)) < len(identifiers):
        raise _Wrong("got a segment twice; wants each once")
    return segments


def _told_segment(told: Any) -> tuple[str, str | None]:
    label = told.get("text", told.get("name")) if isinstance(told, dict) else None
    return str(_identifier(told, "a segment")), None if label is None else str(label)


def _own_segment(told: Any, filters: Mapping[str, str]) -> tuple[str, str]:
    """A segment of our own, by its label; the API may name it by that or by its filter."""
    labels = {words: label for label, words in filters.items()} | {label: label for label in filters}
    names = [told.get(word) for word in ("id", "text", "name")] if isinstance(told, dict) else []
    label = next((labels[name] for name in names if isinstance(name, str) and name in labels), None)
    if label is None:
        raise _Wrong(f"got {_shown(told)} for a segment; wants one of {', '.join(filters)}")
    return label, label


def _identifier(told: Any, what: str) -> str | int | float:
    """The `id` of a key or segment; answers of 2013 had it in `name`."""
    names = [told.get(word) for word in ("id", "name", "text")] if isinstance(told, dict) else []
    found = next((name for name in names if name is not None), None)
    if isinstance(found, bool) or not isinstance(found, str | int | float):
        raise _Wrong(f"got {_shown(told)} for {what}; wants an object with an id")
    return found


def _matrix(data: list[Any], *, row_count: int, column_count: int) -> list[float | None]:
    """The cells, row by row."""
    if not data and column_count == 0:
        data = [[]] * row_count
    lengths = {len(row) if isinstance(row, list) else None for row in data}
    if len(data) != row_count or not lengths <= {column_count}:
        found = f"{len(data)} rows of {' or '.join(sorted(map(str, lengths))) or 'no'} cells"
        raise _Wrong(f"got {found} for data; wants {row_count} of {column_count}, as there are segments and keys")
    return [_number(cell) for row in data for cell in row]


def _number(cell: Any) -> float | None:
    if cell is None:
        return None
    is_number = isinstance(cell, int | float) and not isinstance(cell, bool)
    is_number = is_number or (isinstance(cell, str) and _NUMBER.fullmatch(cell) is not None)
    if is_number and math.isfinite(number := float(cell)):
        return number
    raise _Wrong(f"got {_shown(cell)} where a number or null is wanted")


def _shown(told: Any) -> str:
    text = json.dumps(told, ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:57]}..."  # noqa: PLR2004 - what fits a line


# --- what is written ---


def changed_rows(answers: Sequence[pd.DataFrame], days: pd.DataFrame, known: pd.DataFrame) -> pd.DataFrame:
    """The rows of the days that the warehouse does not hold unchanged, each day whole.

    A day that had rows and has none now gives one row with `_is_removed` set, by which the loader deletes it.

    Args:
        answers: rows of the days, each row once.
        days: the days that were asked for: account_id, definition, bucket_start_date.
        known: the same columns and `_content_hash` of the warehouse's rows of these days. A hash that is null stands
            for rows whose load did not end, so that they are written again whatever they hold.
    """
    nothing = as_arrow(pd.DataFrame()).to_pandas().drop(columns="_content_hash")
    rows = pd.concat(answers, ignore_index=True) if answers else nothing
    rows = rows.merge(_content_hashes(rows), how="left", on=DAY_KEY)
    hashes = rows[[*DAY_KEY, "_content_hash"]].drop_duplicates()
    changed = _without(rows, _whole_days(known).merge(hashes, on=[*DAY_KEY, "_content_hash"]))
    gone = _without(days.merge(known[DAY_KEY].drop_duplicates(), on=DAY_KEY), hashes)
    return pd.concat([changed.assign(_is_removed=None), gone.assign(_is_removed=True)], ignore_index=True)


def _content_hashes(rows: pd.DataFrame) -> pd.DataFrame:
    """The hash of each day's numbers, whatever their order, and of the question; not of where counting ended."""
    told = rows[_HASHED].to_json(orient="records", lines=True, date_format="iso", double_precision=15).split("\n")
    numbers = pd.Series(told[: len(rows)], index=rows.index, name="_content_hash", dtype="object")
    return numbers.groupby([rows[name] for name in DAY_KEY], sort=False).agg(_hash_of).reset_index()


def _hash_of(numbers: pd.Series[str]) -> str:
    return hashlib.md5("\n".join(sorted(numbers)).encode(), usedforsecurity=False).hexdigest()


def _whole_days(known: pd.DataFrame) -> pd.DataFrame:
    """The days all of whose rows carry the same hash."""
    hashes = known.drop_duplicates()
    return hashes[~hashes.duplicated(DAY_KEY, keep=False)].dropna(subset="_content_hash")


def _without(rows: pd.DataFrame, left_out: pd.DataFrame) -> pd.DataFrame:
    days = pd.MultiIndex.from_frame(left_out[DAY_KEY])
    return rows[~pd.MultiIndex.from_frame(rows[DAY_KEY]).isin(days)]
