"""What every kind of test may use: bodies flattened, as Arrow tables."""

import gc
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import duckdb
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, settings

from transforms.contract import Contract
from transforms.drift import Drift
from transforms.flatten import Flattening

LONGEST = (
    "test_commands_work",
    "test_dbt_project",
    "test_prefect_runs_the_flows",
    "test_faults_lose_nothing",
    "test_whatever_happens_a_sweep_brings_in_step",
    "test_soak",
    "test_a_browser_left_open_never_shows_an_error",
    "test_sync_100_000_mentions",
    "test_no_personal_data_in_any_file",
    "test_replay_makes_the_same_tables",
    "test_who_is_erased_stays_erased",
    "test_postgres_follows_the_published_copy",
    "test_postgres_readers_never_see_half_a_publish",
    "test_reconcile_finds_what_no_list_shows",
    "test_a_warehouse_of_an_earlier_version_keeps_its_rows",
    "test_kill_at_any_point",
    "test_lists_the_api_refuses",
    "test_report_command",
    "test_sync_reads_everything",
    "test_versions_of_reference_data",
    "test_sync_goes_on_after_faults",
    "test_commands_fail_clearly",
    "test_flow",
    "test_reconcile_command",
    "test_every_table_equals_the_account",
    "test_backfill",
)
"""Files of tests that take longest; workers begin with these, so that none of them is left when all else is done."""

# On a busy machine, making the first example takes seconds: that says nothing about what is tested.
settings.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy")

LOADED_AT = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)

# The loader makes objects by the million and few cycles: as often as Python looks for those, it takes a tenth longer.
gc.set_threshold(50_000, 20, 20)


def pytest_collection_finish() -> None:
    """What was imported and collected stays to the end: the search for garbage need not look at it again."""
    gc.freeze()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Puts the longest files first, and leaves all else in its order."""
    items.sort(key=lambda item: LONGEST.index(item.path.stem) if item.path.stem in LONGEST else len(LONGEST))


@dataclass(frozen=True)
class _Flattened:
    """What some bodies became: a table per table of the contract."""

    tables: dict[str, pa.Table]
    quarantine: pa.Table
    drift: tuple[Drift, ...]
    are_new: bool


@pytest.fixture(scope="session")
def flatten() -> Callable[..., _Flattened]:
    """Flattens bodies of one account, and leaves out what is known.

    What is known has other rows in every table, but in those that `without_rows` names.
    """

    def run(
        contract: Contract,
        bodies: Sequence[str | bytes],
        *,
        records_path: str = "$.response.data",
        account_id: str = "1417",
        loaded_at: datetime = LOADED_AT,
        known: pa.Table | None = None,
        without_rows: Sequence[str] = (),
    ) -> _Flattened:
        with duckdb.connect(config={"threads": 1}) as con:
            con.execute("SET TimeZone = 'UTC'")
            flattening = Flattening(contract, con, loaded_at=loaded_at)
            given = dict.fromkeys(contract.given, "given")
            flattening.read(bodies, records_path=records_path, account_id=account_id, given=given)
            flattening.objects()
            if known is not None:
                flattening.leave_out(known)
            tables = {}
            for table in contract.tables:
                rows = flattening.rows(table)
                if not flattening.are_new and table.parent is not None:
                    held = con.execute(flattening.rewritten(table)).to_arrow_table()
                    rows = flattening.rows_with_removals(
                        table, held.slice(0, 0) if table.name in without_rows else held
                    )
                tables[table.name] = con.execute(rows).to_arrow_table()
            return _Flattened(
                tables,
                con.execute(flattening.quarantine()).to_arrow_table(),
                tuple(sorted(flattening.drift)),
                are_new=flattening.are_new,
            )

    return run
