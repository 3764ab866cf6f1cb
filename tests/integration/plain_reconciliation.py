"""Which numbers of the API are ours too, worked out in plain Python from what it sent, and why the others are not."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from itertools import pairwise
from statistics import fmean
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from plain_rows import local, status_differs
from published_site import ZONE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from plain_rows import Json, Lengths, PlainRows

READ_AGAIN = "mentions were read again after the number was asked for"
NOT_TOLD = "the API reckons from publication times that it does not pass on"
NEGATIVE_IN_MEAN = "an action before publication is 0 here, and left out or negative there"
ONLY_THEIRS = "publication is not passed on, so only the API can tell"
NEGATIVE = "an action before publication is 0 here, and negative there"
CONTRADICTED = "a status changed without an action"
WITHOUT_SCHEDULE = "a part is in the hours of somebody without a schedule, which the API leaves out"
OTHER_SCHEDULE = (
    "the schedule is not the same: holidays that the API does not tell, rules of your own, or hours before the first"
    " reading"
)
NOT_KNOWN = "not known"


@dataclass(frozen=True)
class Comparison:
    """Numbers of one measure and day: how many were compared, how many are equal, and why the rest is not.

    Attributes:
        day: UTC date of the instant at which the day began.
    """

    account_id: str
    compared_with: str
    measure: str
    day: date
    compared_count: int
    equal_count: int
    reason: str | None


def comparisons(rows: PlainRows) -> list[Comparison]:
    """All numbers that the API has too."""
    return [*_of_statistics(rows), *_of_times(rows)]


# --- Its counts and means ---


def _kept_by_api(item: Json, measure: str) -> float | None:
    """A length, or what the API says of an item whose publication it does not pass on."""
    name = {"first_response": "response_time_seconds", "resolve": "resolve_time_seconds"}[measure]
    calendar, _ = item[measure]
    value: float | None = item["raw"][name] if calendar is None else calendar
    return value


SEGMENTS: dict[str, Callable[[Json], str | None]] = {
    "": lambda _item: "all",
    "status": lambda item: "sent" if item["is_own"] else item["status"],
    "sentiment": lambda item: item["raw"]["message_sentiment"],
    "topic": lambda item: item["topic_id"],
    "source_category": lambda item: item["raw"]["source_category"],
}
VALUES: dict[str, Callable[[Json], float | None]] = {
    "response_time": lambda item: _kept_by_api(item, "first_response"),
    "resolve_time": lambda item: _kept_by_api(item, "resolve"),
    "assign_time": lambda item: item["first_assignment"][0],
    "first_action_time": lambda item: item["first_action"][0],
}


def _of_statistics(rows: PlainRows) -> list[Comparison]:
    found: list[Comparison] = []
    asked = [row for row in rows.table("social_connect.statistics") if row["grouping"] == "day"]
    for account_id in {row["account_id"] for row in asked}:
        of_account = [row for row in asked if row["account_id"] == account_id]
        starts = sorted({row["bucket_start_at"] for row in of_account})
        ends = dict(pairwise(starts))
        for start in starts:
            of_day = [row for row in of_account if row["bucket_start_at"] == start]
            asked_to = max(row["asked_to_at"] for row in of_day)
            end = min(ends.get(start, asked_to), asked_to)
            for definition in {row["definition"] for row in of_account}:
                items = [
                    item
                    for item in (rows.all_cases if definition == "cases" else rows.all_mentions)
                    if item["account_id"] == account_id
                    and not item["is_deleted"]
                    and start <= item["raw"]["added_at"] < end
                ]
                told = {row["segment"]: row for row in of_day if row["definition"] == definition}
                found += _of_segments(definition, account_id, start, items, told)
    return found


def _of_segments(
    definition: str, account_id: str, start: datetime, items: Iterable[Json], told: dict[str, Json]
) -> Iterable[Comparison]:
    measure, _, segment = definition.partition("_by_")
    groups: dict[str, list[Json]] = defaultdict(list)
    for item in items:
        name = SEGMENTS[segment](item)
        if name is not None:
            groups[name].append(item)
    for name in groups.keys() | told.keys():
        group, row = groups.get(name, []), told.get(name)
        theirs = row["value"] if row else None
        ours: float | None
        if measure in {"mentions", "cases"}:
            ours = len(group) if group or row else None
        else:
            values = [value for value in map(VALUES[measure], group) if value is not None]
            ours = fmean(values) if values else None
        if theirs is None and ours is None:
            continue
        is_equal = theirs is not None and ours is not None and abs(theirs - ours) < 0.01
        reason = None if is_equal else _why_not(measure, group, row)
        yield Comparison(account_id, "statistics", definition, start.astimezone(UTC).date(), 1, int(is_equal), reason)


def _why_not(measure: str, group: Sequence[Json], row: Json | None) -> str:
    is_mean = measure in VALUES
    read_at = max((item["raw"]["_loaded_at"] for item in group), default=None)
    if row and read_at and read_at > row["_loaded_at"]:
        return READ_AGAIN
    if measure in {"assign_time", "first_action_time"} and any(
        item["published"] is None and item["actions"] for item in group
    ):
        return NOT_TOLD
    if is_mean and any(map(_is_negative, group)):
        return NEGATIVE_IN_MEAN
    return NOT_KNOWN


def _is_negative(item: Json) -> bool:
    actions = item["actions"]
    return bool(actions and item["published"] and actions[0]["added_at"] < item["published"])


# --- Its times of each mention and case ---


def _of_times(rows: PlainRows) -> list[Comparison]:
    found: list[Comparison] = []
    for kind, items in (("mention", rows.all_mentions), ("case", rows.all_cases)):
        days: dict[tuple[str, date], list[Json]] = defaultdict(list)
        for item in items:
            if not item["is_deleted"]:
                days[item["account_id"], local(item["raw"]["added_at"]).date()].append(item)
        lengths: dict[str, Callable[[Json], Lengths]] = {
            "response_time": lambda item: item["first_response"],
            "resolve_time": lambda item: item["resolve"],
        }
        if kind == "case":
            lengths |= {
                "unresolved_time": lambda item: rows.time_in(item, "new"),
                "pending_time": lambda item: rows.time_in(item, "pending"),
            }
        for name, both in lengths.items():
            for suffix, place in (("", 0), ("_business_hours", 1)):
                if name + suffix == "pending_time_business_hours":  # the API has none
                    continue
                for (account_id, day), of_day in days.items():
                    pairs = [
                        (item, both(item)[place], item["raw"][f"{name}{suffix}_seconds"])
                        for item in of_day
                        if item["raw"][f"{name}{suffix}_seconds"] is not None
                    ]
                    if pairs:
                        midnight = datetime.combine(day, time.min, ZoneInfo(ZONE))
                        found.append(
                            Comparison(
                                account_id,
                                "timestamps",
                                f"{kind}_{name}{suffix}",
                                midnight.astimezone(UTC).date(),
                                len(pairs),
                                sum(ours == theirs for _, ours, theirs in pairs),
                                _why_not_of_times(pairs, is_within_hours=bool(place)),
                            )
                        )
    return found


def _why_not_of_times(pairs: Sequence[tuple[Json, Any, Any]], *, is_within_hours: bool) -> str | None:
    """One reason for all of a day; none of them is known where it does not explain all."""
    unequal = [(item, ours) for item, ours, theirs in pairs if ours != theirs]
    different = [item for item, ours in unequal if ours is not None]
    only_theirs = [item for item, ours in unequal if ours is None]
    if not unequal:
        return None
    if sum(item["published"] is None for item, _, _ in pairs) == len(unequal):
        return ONLY_THEIRS
    if different and not any(item["published"] for item in only_theirs):
        if all(map(_is_negative, different)):
            return NEGATIVE
        if all(map(status_differs, different)):
            return CONTRADICTED
    if is_within_hours:
        return OTHER_SCHEDULE if different else WITHOUT_SCHEDULE
    return NOT_KNOWN
