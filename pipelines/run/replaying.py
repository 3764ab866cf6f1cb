"""A replay: the normalised tables are made from the payloads that were kept."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pipelines.keeping import forget_set_aside, has_payloads, objects_set_aside
from pipelines.rebuild import RebuildReport, rebuild
from pipelines.run.choosing import chosen_streams
from pipelines.run.opening import LOCK_WAIT_SECONDS, agreed_policy, open_warehouse
from pipelines.run_history import recorded
from pipelines.source import SetAsideReader
from pipelines.source.streams import FACETS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipelines.load import LoadReport
    from pipelines.settings import Settings
    from pipelines.warehouse import Warehouse


class NothingToReplay(Exception):
    """The warehouse holds no raw payloads."""


@dataclass(frozen=True)
class ReplayReport:
    """What a replay did: with the payloads, and with the records that had been set aside and can be read now."""

    payloads: RebuildReport
    set_aside: LoadReport | None

    @property
    def read_from_quarantine_counts(self) -> dict[str, int]:
        """Records that had been set aside and have been read, by stream."""
        return self.set_aside.record_counts if self.set_aside else {}

    @property
    def row_counts(self) -> dict[str, int]:
        """Rows written, by table; rows found as they have to be are not written."""
        return dict(+(self.payloads.row_counts + Counter(self.set_aside.row_counts if self.set_aside else {})))

    @property
    def drift(self) -> tuple[str, ...]:
        """How what was read differs from the contracts."""
        of_payloads = map(str, sorted(self.payloads.drift))
        return tuple(dict.fromkeys((*of_payloads, *(self.set_aside.drift if self.set_aside else ()))))

    def as_json(self) -> dict[str, Any]:
        """The report in plain values, for scripts."""
        return {
            "record_counts": dict(self.payloads.record_counts),
            "read_from_quarantine_counts": self.read_from_quarantine_counts,
            "row_counts": self.row_counts,
            "quarantined_count": self.payloads.quarantined_count,
            "drift": list(self.drift),
        }


def replay(
    settings: Settings, *, as_of: datetime | None = None, stream_names: Sequence[str] | None = None
) -> ReplayReport:
    """Makes the normalised tables from the payloads that were kept, and tries again what could not be read.

    Rows that are as the payloads make them stay as they are. Where the tables were dropped, they are made anew, and the
    next sync goes on where the last one was; but statistics have no payloads, and are asked for anew. Payloads hold
    what the personal data policy has left.

    Args:
        settings: the options.
        as_of: the run's clock, UTC; now when not given.
        stream_names: which streams; all when not given.

    Raises:
        SettingsInvalid: an unknown stream, or another personal data policy than the warehouse was made with.
        NothingToReplay: no payloads were kept.
        pipelines.warehouse.WarehouseBusy: another run is going on, or something else writes for long.
        pipelines.warehouse.WarehouseUnreadable: there is no work file yet.
    """
    from pipelines.load import (  # noqa: PLC0415 - see there
        holds_cursors,
        load,
        make_pipeline,
        read_state,
        recover,
        save_cursors,
    )

    streams = [stream for stream in chosen_streams(stream_names) if stream.name != FACETS.name]
    as_of = (as_of or datetime.now(UTC)).astimezone(UTC).replace(microsecond=0)
    warehouse = open_warehouse(settings)
    with recorded(settings, "replay", as_of=as_of) as record, warehouse.run_lock("a replay"):
        with warehouse.connect() as con:
            if not has_payloads(con):
                raise NothingToReplay(_nothing_to_replay(warehouse, settings))
        policy = replace(agreed_policy(settings, warehouse), is_done=True)
        pipeline = make_pipeline(warehouse)
        has_cursors = holds_cursors(warehouse)
        with warehouse.writer_lock("the start of a replay", timeout_seconds=LOCK_WAIT_SECONDS):
            warehouse.bring_up_to_date()
            if has_cursors:
                recover(pipeline, warehouse)
        payloads = rebuild(warehouse, streams, loaded_at=as_of, policy=policy)
        record.add_counts(payloads.record_counts, payloads.row_counts, payloads.quarantined_count)
        if not has_cursors:  # written last: should the replay be stopped before, a sync reads all that is missing
            with warehouse.writer_lock("a replay", timeout_seconds=LOCK_WAIT_SECONDS):
                save_cursors(pipeline, warehouse, [stream.name for stream in streams])
        with warehouse.connect() as con:
            objects = objects_set_aside(con)
        state = read_state(pipeline)
        readers = [
            SetAsideReader(stream, warehouse.connect, state.get(stream.name, {}).get("cursors", {}))
            for stream in streams
            # What a record was asked with is not kept where it could not be read.
            if stream.object in objects and not stream.contract.given
        ]
        if not readers:
            return ReplayReport(payloads, None)
        keeps_payloads = settings.social_warehouse_raw_payloads
        set_aside = load(
            warehouse,
            readers,
            loaded_at=as_of,
            policy=policy,
            keeps_payloads=keeps_payloads,
            on_report=record.add_load,
        )
        with warehouse.writing("the end of a replay", timeout_seconds=LOCK_WAIT_SECONDS) as con:
            forget_set_aside(con, [each for reader in readers for each in reader.no_longer_set_aside])
        return ReplayReport(payloads, set_aside)


def _nothing_to_replay(warehouse: Warehouse, settings: Settings) -> str:
    reason = f"{warehouse.file} holds no raw payloads, so there is nothing to replay."
    if settings.social_warehouse_raw_payloads:
        return f"{reason} A sync keeps them: run 'social-warehouse sync'."
    return (
        f"{reason} SOCIAL_WAREHOUSE_RAW_PAYLOADS is false: with true, a sync keeps the payload of each object that it"
        " writes from then on."
    )
