"""A warehouse that an earlier commit has written opens, is migrated, is built and synced, and keeps its rows."""

# ruff: noqa: S608 - names of tables and columns come from the catalogue

import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest

from pipelines.migrations import LAYOUT
from transforms.contract import contracts

pytestmark = pytest.mark.slow

STORED = ("warehouse_of_7c0537a",)
KEPT = ("raw", "social_connect", "history")
Held = dict[tuple[str, str], tuple[list[str], set[tuple[Any, ...]]]]


def held_in(file: Path) -> Held:
    """Every row that no build makes, by schema and table, with the names of the columns."""
    with duckdb.connect(file, read_only=True) as con:
        con.execute("SET TimeZone = 'UTC'")
        tables = con.execute(
            "SELECT schema_name, table_name FROM duckdb_tables()"
            " WHERE schema_name IN (SELECT unnest($1)) AND NOT starts_with(table_name, '_dlt')",
            [list(KEPT)],
        ).fetchall()
        held: Held = {}
        for schema, table in tables:
            found = con.execute(f'SELECT * FROM {schema}."{table}"')
            names = [column[0] for column in found.description or ()]
            held[schema, table] = names, set(found.fetchall())
        return held


@pytest.fixture(scope="module", params=STORED)
def upgraded(request: pytest.FixtureRequest, make_site: Callable[..., Any]) -> tuple[Any, Held, Held]:
    """A site with the stored warehouse transformed by today's program, what it held before, and what after."""
    site = make_site(mentions=40)
    with tarfile.open(Path(__file__).parent / "data" / f"{request.param}.tar.xz") as stored:
        stored.extractall(site.home, filter="data")
    file = site.home / "warehouse.duckdb"
    before = held_in(file)
    site.box.advance(hours=12)
    site.transform()
    return site, before, held_in(file)


def test_every_row_is_there_with_its_values(upgraded: tuple[Any, Held, Held]) -> None:
    _, before, after = upgraded
    assert sum(len(rows) for _, rows in before.values()) > 5000
    for table, (names, rows) in before.items():
        now_names, now_rows = after[table]
        places = [now_names.index(name) for name in names]
        assert {tuple(row[place] for place in places) for row in now_rows} >= rows, table


def test_what_has_got_a_meaning_since_says_it(upgraded: tuple[Any, Held, Held]) -> None:
    site, before, _ = upgraded
    assert len(before["history", "deletions"][1]) == 2
    assert site.rows("SELECT object, count(*) FROM history.deletions GROUP BY ALL") == [("mention", 2)]
    assert site.rows("SELECT DISTINCT object FROM history.days_read") == [("mention",)]
    assert site.rows("SELECT max(version) FROM history.layout") == [(LAYOUT,)]
    assert site.one("SELECT count(*) FROM marts.fct_mentions WHERE is_deleted") == 2


def test_models_that_are_no_more_have_left_nothing(upgraded: tuple[Any, Held, Held]) -> None:
    site, _, _ = upgraded
    models = {file.stem for file in (Path(__file__).parents[2] / "sql" / "models").rglob("*.sql")}
    found = site.rows(
        "SELECT table_name FROM information_schema.tables"
        " WHERE table_schema IN ('staging', 'intermediate', 'marts', 'rules') AND NOT starts_with(table_name, '_')"
    )
    assert {name for (name,) in found} == models


def test_the_next_sync_goes_on_and_takes_no_row_away(upgraded: tuple[Any, Held, Held]) -> None:
    """Rows that it reads again say so in `_loaded_at`; the others are as they were."""
    site, _, before = upgraded
    extraction = site.sync()
    assert extraction.load.stopped_by is None
    assert site.one("SELECT max(_loaded_at) FROM mentions") == site.box.now
    after = held_in(site.home / "warehouse.duckdb")
    keys = {each.root.name: each.root.object_key for each in contracts()}
    unchanged_count = 0
    for (schema, table), (names, rows) in before.items():
        if schema != "social_connect" or table not in keys:
            continue
        now_names, now_rows = after[schema, table]
        key = [names.index(name) for name in keys[table]]
        now_by_key = {tuple(row[now_names.index(names[place])] for place in key): row for row in now_rows}
        for row in rows:
            now = now_by_key[tuple(row[place] for place in key)]
            if now[now_names.index("_loaded_at")] == row[names.index("_loaded_at")]:
                assert tuple(now[now_names.index(name)] for name in names) == row, table
                unchanged_count += 1
    assert unchanged_count > 500
