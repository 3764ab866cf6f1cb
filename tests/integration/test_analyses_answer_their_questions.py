"""The ready analyses compile and run on a built warehouse, and find something there."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import duckdb
import pytest
from dbt_commands import PROJECT, dbt

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ANALYSES = sorted(file.stem for file in (PROJECT / "analyses").glob("*.sql"))
STREAMS = ["topics", "mentions", "cases", "users", "teams", "tags", "business_hours_schedules"]


def compiled(warehouse: Path) -> Path:
    """The folder of the analyses as plain SQL."""
    return warehouse.parent / "target" / "compiled" / "social_connect_warehouse" / "analyses"


@pytest.fixture(scope="module")
def built(make_site: Callable[..., Any]) -> Path:
    site = make_site(mentions=250, stream_names=STREAMS)
    site.sync()
    file: Path = site.home / "warehouse.duckdb"
    dbt(file, ["run"], ["compile"], as_of=(site.box.now + timedelta(hours=1)).isoformat())
    return file


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("empty") / "warehouse.duckdb"
    dbt(file, ["build", "--exclude-resource-type", "unit_test"], ["compile"])
    return file


def rows(warehouse: Path, name: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(warehouse, read_only=True) as con:
        con.execute("SET TimeZone = 'UTC'")
        return con.execute((compiled(warehouse) / f"{name}.sql").read_text(encoding="utf-8")).fetchall()


def test_each_begins_with_its_question() -> None:
    assert len(ANALYSES) >= 6
    for name in ANALYSES:
        first, *_ = (PROJECT / "analyses" / f"{name}.sql").read_text(encoding="utf-8").splitlines()
        assert first.startswith("-- "), name
        assert first.endswith("?"), name


@pytest.mark.slow
@pytest.mark.parametrize("name", ANALYSES)
def test_each_finds_something(built: Path, name: str) -> None:
    found = rows(built, name)
    assert found
    assert len(found) == len(set(found)), "the same row twice"


@pytest.mark.slow
@pytest.mark.parametrize("name", ANALYSES)
def test_each_finds_nothing_where_nothing_is(empty: Path, name: str) -> None:
    assert rows(empty, name) == []
