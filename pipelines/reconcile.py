"""Compares the warehouse with the API's own counts, and reads the days that differ again.

The API has no list of what was edited silently, deleted or erased. But it counts, and a call for the counts of many
days costs as much as a page. Days whose counts differ are read again; mentions of them that are gone are marked. What
no count shows is found by reading days that agree again in turn, the longest unread first, with the calls that are
given for it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa

from pipelines.keeping import (
    DATASET,
    HISTORY,
    days_read,
    has_table,
    keep_days_read,
    keep_deletions,
    keep_reconciliations,
    transaction,
)
from pipelines.load import LOCK_WAIT_SECONDS, load, make_pipeline, read_state
from pipelines.source import INBOX
from pipelines.source.days import DaysReader
from pipelines.source.statistics import StatisticsLoader, midnight
from pipelines.source.windows import Cursor
from transforms.checksums import CELL, Days, compared, days_of, definitions, measures_of, recount, tag_filters_of
from transforms.statistics import Asked
from transforms.tables import OVERALL, RECONCILIATIONS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pipelines.load import LoadReport
    from pipelines.source import AccountReading, Stream
    from pipelines.warehouse import Warehouse
    from transforms.personal_data import Policy

MENTIONS = next(stream for stream in INBOX if stream.name == "mentions")
HOLDER = "a reconciliation"
ONE_DAY, ONE_SECOND = timedelta(days=1), timedelta(seconds=1)
_DIFFERS, _KNOWN = "still differs", "known difference"


@dataclass(frozen=True)
class Comparison:
    """One account's days: the cells of `transforms.checksums.compared`, where days begin, and where the last ends.

    `tags`: the names of the tags that are counted.
    """

    cells: pd.DataFrame
    buckets: tuple[datetime, ...]
    end: datetime
    tags: tuple[str, ...]

    def is_counted(self, stream: Stream) -> bool:
        """Whether the API says how many of a stream's objects there are."""
        return bool((self.cells["measure"] == stream.name).any())

    def counted(self, stream: Stream, days: Days) -> int:
        """How many of a stream's objects the API counts in some days."""
        return self._counted(stream, days, "theirs")

    def is_empty(self, stream: Stream, days: Days) -> bool:
        """Whether both sides say that there are none of a stream's objects, which is counted, in some days."""
        return self.counted(stream, days) == self._counted(stream, days, "ours") == 0

    def _counted(self, stream: Stream, days: Days, side: str) -> int:
        cells = self.cells[self.cells["measure"] == stream.name]
        return int(cells[(cells["bucket_start_at"] >= days.start) & (cells["bucket_start_at"] < days.end)][side].sum())


@dataclass
class AccountReconciliation:
    """What a reconciliation found and did in one account.

    Days are those of the API, by stream. `unsettled_count`: days that were read again without becoming sure what is
    gone, since what was read was not as many as were counted; the next reconciliation looks at them again.
    """

    account_id: str
    day_count: int = 0
    compared_count: int = 0
    different_count: int = 0
    still_different_count: int = 0
    days_read_again: dict[str, list[datetime]] = field(default_factory=dict)
    days_swept: dict[str, list[datetime]] = field(default_factory=dict)
    unsettled_count: int = 0
    deleted_count: int = 0
    restored_count: int = 0
    notices: list[str] = field(default_factory=list)
    loads: list[LoadReport] = field(default_factory=list)

    @property
    def read_again_count(self) -> int:
        """How many days were read again, those of mentions and of cases each."""
        return sum(map(len, self.days_read_again.values()))

    @property
    def swept_count(self) -> int:
        """How many days were swept, those of mentions and of cases each."""
        return sum(map(len, self.days_swept.values()))

    def as_json(self) -> dict[str, Any]:
        """In plain values, for scripts."""
        plain = {name: value for name, value in vars(self).items() if name != "loads"}
        for name in ("days_read_again", "days_swept"):
            plain[name] = {of: [day.isoformat() for day in days] for of, days in plain[name].items()}
        return plain


def reconcile_account(
    warehouse: Warehouse,
    account: AccountReading,
    *,
    loaded_at: datetime,
    day_count: int,
    sweep_calls: int,
    policy: Policy,
    keeps_payloads: bool,
) -> AccountReconciliation:
    """Compares one account, reads again what differs, then sweeps.

    Args:
        warehouse: what is compared; its mentions and cases have just been brought up to date.
        account: what is read.
        loaded_at: start of the run, UTC.
        day_count: how many days back the comparison goes.
        sweep_calls: how many calls may go into days that agree.
        policy: what becomes of personal data.
        keeps_payloads: whether raw payloads are kept.

    Raises:
        pipelines.api.SocialConnectError: the API cannot be read. What was read is loaded.
        pipelines.warehouse.WarehouseBusy: another process holds the writer lock.
    """
    report = AccountReconciliation(account.account_id)
    state = read_state(make_pipeline(warehouse))
    cursors = {
        stream: Cursor.from_state(state.get(stream.name, {}).get("cursors", {}).get(account.account_id, {}))
        for stream in INBOX
    }
    end = max((cursor.added_through for cursor in cursors.values() if cursor.added_through), default=None)
    if end is None:
        report.notices.append(f"account {account.account_id} has no mentions yet: nothing to compare")
        return report
    before = compare(warehouse, account, end=end + ONE_SECOND, day_count=day_count, notices=report.notices)
    if before is None:
        report.notices.append(f"account {account.account_id}: the API gives no counts, so nothing was compared or read")
        return report
    known = _known_differences(warehouse, account.account_id, before.cells)
    streams = [stream for stream in INBOX if cursors[stream].refused_at != account.now and before.is_counted(stream)]
    report.day_count, report.compared_count = len(before.buckets), len(before.cells)
    report.different_count = int((~before.cells["equal"]).sum())

    def read(chosen: Mapping[Stream, Sequence[Days]]) -> dict[str, list[datetime]]:
        """Reads some days again, and says which it has read to their end."""
        readers = [DaysReader(stream, account, days) for stream, days in chosen.items()]
        report.loads.append(load(warehouse, readers, loaded_at=loaded_at, policy=policy, keeps_payloads=keeps_payloads))
        for reader in readers:
            _settle(warehouse, account.account_id, reader, before, report, at=loaded_at)
        return {
            reader.name: [start for days in reader.seen for start in _starts(days, before.buckets)]
            for reader in readers
            if reader.seen
        }

    different = before.cells[~before.cells["equal"] & ~before.cells.index.isin(known)]
    report.days_read_again = read(
        {
            stream: days_of(
                list(different[different["measure"].isin(measures_of(stream.name))]["bucket_start_at"]),
                before.buckets,
                before.end,
            )
            for stream in streams
        }
    )
    after = compared(_theirs(before.cells), _recounted(warehouse, account.account_id, before))
    rows = _outcome(account.account_id, before, after, known, report.days_read_again, at=loaded_at)
    report.still_different_count = int((rows["action"] == _DIFFERS).sum())
    with warehouse.writing(HOLDER, timeout_seconds=LOCK_WAIT_SECONDS) as con, transaction(con):
        for stream in streams:
            keep_days_read(con, stream.contract, account.account_id, before.buckets, at=None)
        keep_reconciliations(con, pa.Table.from_pandas(rows, preserve_index=False))
    if report.loads[-1].stopped_by is None and sweep_calls:
        report.days_swept = read(
            _least_lately_read(warehouse, account.account_id, streams, before, report, sweep_calls, at=loaded_at)
        )
    return report


def compare(
    warehouse: Warehouse, account: AccountReading, *, end: datetime, day_count: int, notices: list[str]
) -> Comparison | None:
    """Asks the API for the counts of the last days and counts what the warehouse has into the same days.

    Gives None where the API gives no counts.

    Args:
        warehouse: what is compared.
        account: whose counts are asked for.
        end: mentions added then or later are not counted, UTC.
        day_count: how many days back.
        notices: is told what the API does not count.
    """
    with warehouse.connect() as con:
        tags = dict(con.execute(tag_filters_of(DATASET), {"account_id": account.account_id}).fetchall())
    asked_for = definitions(tags)
    last_day = midnight(end - ONE_SECOND)
    asked = Asked(
        account.account_id,
        tuple(account.topic_ids()),
        last_day - (day_count - 1) * ONE_DAY,
        last_day + ONE_DAY,
        end - ONE_SECOND,
    )
    statistics = StatisticsLoader([account], loaded_at=account.now, asked=asked_for)
    theirs = statistics.numbers(account, asked).rename(columns={"definition": "measure"})
    notices += statistics.notices
    if theirs.empty:
        return None
    buckets = sorted({start.to_pydatetime() for start in theirs["bucket_start_at"]})
    tag_names = next(
        (
            tuple(each.segmentation.filters)
            for each in asked_for
            if each.name == "mentions_by_tag" and each.segmentation
        ),
        (),
    )
    nothing = Comparison(pd.DataFrame({"measure": theirs["measure"].unique()}), tuple(buckets), end, tag_names)
    ours = _recounted(warehouse, account.account_id, nothing)
    return Comparison(compared(theirs[[*CELL, "value"]], ours), tuple(buckets), end, tag_names)


def _recounted(warehouse: Warehouse, account_id: str, comparison: Comparison) -> pd.DataFrame:
    with warehouse.connect() as con:
        starts = pa.table({"bucket_start_at": pa.array(comparison.buckets, pa.timestamp("us", tz="UTC"))})
        con.register("buckets", starts)
        measures = list(comparison.cells["measure"].unique())
        values = {"account_id": account_id, "end": comparison.end, "tags": list(comparison.tags)}
        rows: pd.DataFrame = con.execute(recount(DATASET, measures), values).to_arrow_table().to_pandas()
        return rows


def _theirs(cells: pd.DataFrame) -> pd.DataFrame:
    return cells[[*CELL, "theirs"]].rename(columns={"theirs": "value"})


def _known_differences(warehouse: Warehouse, account_id: str, cells: pd.DataFrame) -> pd.Index[Any]:
    """The cells that differed before, by the same numbers, after they had been read again: that would not help now."""
    with warehouse.connect() as con:
        if not has_table(con, HISTORY, "reconciliations"):
            return cells.index[:0]
        last = (
            con.execute(
                "SELECT day_start_at AS bucket_start_at, measure, segment, theirs AS theirs_then, ours_after"
                f" FROM {HISTORY}.reconciliations WHERE account_id = $1 AND action IN ('{_DIFFERS}', '{_KNOWN}')"
                " QUALIFY row_number() OVER"
                " (PARTITION BY day_start_at, measure, segment ORDER BY reconciled_at DESC) = 1",
                [account_id],
            )
            .to_arrow_table()
            .to_pandas()
        )
    different = cells[~cells["equal"]]
    both = different.reset_index().merge(last, on=CELL)
    same = both[
        (both["theirs"].fillna(math.inf) == both["theirs_then"].fillna(math.inf))
        & (both["ours"].fillna(math.inf) == both["ours_after"].fillna(math.inf))
    ]
    index: pd.Index[Any] = pd.Index(same["index"])
    return index


def _outcome(
    account_id: str,
    before: Comparison,
    after: pd.DataFrame,
    known: pd.Index[Any],
    days_again: Mapping[str, Sequence[datetime]],
    *,
    at: datetime,
) -> pd.DataFrame:
    """The rows of `history.reconciliations`: every cell that differed before or after, and the whole numbers."""
    both = before.cells.assign(is_known=before.cells.index.isin(known)).merge(
        after[[*CELL, "ours", "equal"]], how="outer", on=CELL, suffixes=("", "_after")
    )
    both = both[~(both["equal"].fillna(True).astype(bool) & both["equal_after"].fillna(True).astype(bool))]
    was_read = pd.Series(False, index=both.index)
    for name, days in days_again.items():
        was_read |= both["measure"].isin(measures_of(name)) & both["bucket_start_at"].isin(days)
    action = pd.Series("not read", index=both.index)
    action[both["is_known"].fillna(False).astype(bool)] = _KNOWN
    action[was_read] = "read again"
    action[was_read & ~both["equal_after"].fillna(False).astype(bool)] = _DIFFERS
    rows = pd.DataFrame(
        {
            "day_start_at": both["bucket_start_at"],
            "measure": both["measure"],
            "segment": both["segment"],
            "theirs": both["theirs"],
            "ours_before": both["ours"],
            "ours_after": both["ours_after"].where(was_read | (action == _KNOWN)),
            "action": action,
        }
    )
    totals = [
        pd.DataFrame(
            {
                "day_start_at": pd.Series([pd.NaT], dtype="datetime64[us, UTC]"),
                "measure": stream.name,
                "segment": OVERALL,
                **{
                    name: counts[counts["measure"] == stream.name][side].sum()
                    for name, counts, side in (
                        ("theirs", before.cells, "theirs"),
                        ("ours_before", before.cells, "ours"),
                        ("ours_after", after, "ours"),
                    )
                },
                "action": "read again" if days_again.get(stream.name) else "none",
            }
        )
        for stream in INBOX
        if before.is_counted(stream)
    ]
    rows = pd.concat([rows, *totals], ignore_index=True)
    is_of_topic = rows["measure"].str.endswith("_by_topic")
    rows = rows.assign(reconciled_at=at, account_id=account_id, topic_id=rows["segment"].where(is_of_topic))
    return rows[[column.name for column in RECONCILIATIONS]]


def _settle(
    warehouse: Warehouse,
    account_id: str,
    reader: DaysReader,
    before: Comparison,
    report: AccountReconciliation,
    *,
    at: datetime,
) -> None:
    """Marks what is gone from the days that were read to their end, where as many were read as the API counts."""
    stream = reader.stream
    with warehouse.writing(HOLDER, timeout_seconds=LOCK_WAIT_SECONDS) as con, transaction(con):
        for days, added_at in reader.seen.items():
            within = [unique_id for unique_id, added in added_at.items() if days.start <= added < days.end]
            starts = _starts(days, before.buckets)
            if len(within) != before.counted(stream, days):
                report.unsettled_count += len(starts)
                continue
            seen = pa.table({"unique_id": pa.array(within, pa.string())})
            gone, back = keep_deletions(con, stream.contract, account_id, seen, start=days.start, end=days.end, at=at)
            report.deleted_count += gone
            report.restored_count += back
            keep_days_read(con, stream.contract, account_id, starts, at=at)


def _least_lately_read(
    warehouse: Warehouse,
    account_id: str,
    streams: Sequence[Stream],
    before: Comparison,
    report: AccountReconciliation,
    most_calls: int,
    *,
    at: datetime,
) -> dict[Stream, list[Days]]:
    """By stream, the days whose reading fits into some calls, the longest unread first; but those just read.

    A day of which neither side has anything counts as read: there is nothing to find.
    """
    never = datetime.min.replace(tzinfo=UTC)
    candidates: list[tuple[datetime, float, Stream, Days]] = []
    with warehouse.writing(HOLDER, timeout_seconds=LOCK_WAIT_SECONDS) as con:
        for stream in streams:
            read_at = days_read(con, stream.contract, account_id)
            each_day = [day for start in before.buckets for day in days_of([start], before.buckets, before.end)]
            empty = [day.start for day in each_day if before.is_empty(stream, day)]
            keep_days_read(con, stream.contract, account_id, empty, at=at)
            done = {*empty, *report.days_read_again.get(stream.name, ())}
            candidates += [
                (read_at.get(day.start, never), -day.start.timestamp(), stream, day)
                for day in each_day
                if day.start not in done
            ]
    chosen: dict[Stream, list[Days]] = {stream: [] for stream in streams}
    for _, _, stream, day in sorted(candidates, key=lambda candidate: candidate[:2]):
        most_calls -= max(1, math.ceil(before.counted(stream, day) / (stream.page_size or 1)))
        if most_calls < 0:
            break
        chosen[stream].append(day)
    return chosen


def _starts(days: Days, buckets: Sequence[datetime]) -> list[datetime]:
    return [start for start in buckets if days.start <= start < days.end]
