"""Reporting dates, looked up as the models do, against Python's zones: also of a date without a midnight."""

from __future__ import annotations

import json
import random
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import duckdb
import pytest
from dbt_commands import dbt, make_source_tables

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow

FIRST, AS_OF = datetime(1969, 5, 6, 7, 8, 9, tzinfo=UTC), datetime(2026, 3, 1, tzinfo=UTC)
DATES = """
select {{ reporting_date('given.instant', 'day') }}, day.utc_date is not null
from given
{{ reporting_day('day', 'given.instant') }}
order by given.number
"""


@pytest.mark.parametrize(
    "zone",
    [
        "Europe/Brussels",
        "America/Sao_Paulo",  # clocks went forward at midnight: a date began at one o'clock
        "America/St_Johns",  # clocks went back a minute after midnight: a date began, ended and began again
        "Pacific/Apia",  # 30 December 2011 never was
    ],
)
def test_a_reporting_date_is_what_the_zone_says(zone: str, tmp_path: Path) -> None:
    random.seed(7)
    starts = [datetime(1969, 1, 1, tzinfo=UTC) + timedelta(days=day) for day in range(0, 22_000, 2)]
    near = [start + timedelta(hours=random.randrange(24), minutes=random.choice([0, 1, 30])) for start in starts]
    midnights = [
        datetime.combine(start.date(), datetime.min.time(), ZoneInfo(zone)).astimezone(UTC) for start in starts
    ]
    around = [each + timedelta(microseconds=off) for each in (*midnights, *near) for off in (-1, 0, 1, 60_000_000)]
    apart = [FIRST + timedelta(seconds=random.randrange(-(10**8), 2 * 10**9)) for _ in range(20_000)]
    instants = [*around, *apart]

    shown = reporting_dates(tmp_path, zone, instants)

    assert [found for found, _ in shown] == [each.astimezone(ZoneInfo(zone)).date() for each in instants]
    looked_up = sum(is_looked_up for _, is_looked_up in shown)
    assert 0.5 * len(instants) < looked_up < len(instants), "both ways to a date are tried"


def reporting_dates(folder: Path, zone: str, instants: list[datetime]) -> list[tuple[date, bool]]:
    """The dates, and whether they were looked up."""
    file = folder / "warehouse.duckdb"
    with duckdb.connect(file) as con:
        con.execute("SET TimeZone = 'UTC'")
        make_source_tables(con, "social_connect", "mentions")
        con.execute("INSERT INTO social_connect.mentions BY NAME SELECT $1 AS added_at", [FIRST])
    variables = ("--vars", json.dumps({"reporting_time_zone": zone}))
    without_tests = ("--exclude-resource-type", "test", "--exclude-resource-type", "unit_test")
    (query,) = dbt(
        file,
        ["build", "--select", "+int_reporting_days", *without_tests, *variables],
        ["compile", "--inline", DATES, *variables],
        as_of=AS_OF.isoformat(),
    )
    with duckdb.connect(file, read_only=True) as con:
        con.execute("SET TimeZone = 'UTC'")
        con.execute(
            "CREATE TEMP TABLE given AS SELECT unnest($1::timestamptz[]) AS instant, unnest(range(len($1))) AS number",
            [instants],
        )
        return con.execute(query).fetchall()
