"""The data dictionary and the published copy's comments tell of every table and column of a real warehouse."""

# ruff: noqa: S608 - names of tables and columns come from the dictionary and the contracts

import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import pytest

from pipelines.run import reconcile
from pipelines.source import STREAMS
from pipelines.warehouse import Warehouse
from transforms.contract import contracts

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
PUBLISHED = {"marts", "social_connect", "history"}
THE_LOADERS = "social_connect_staging"
"""A schema that no one but the loader looks at."""
AS_TEXT = {
    "text": ("value", "value"),
    "integer": ("value::BIGINT", "value"),
    "float": ("value::DOUBLE", "value"),
    "boolean": ("value::BOOLEAN", "value"),
    "timestamp": ("value::BIGINT", "epoch(value)::BIGINT"),
}
"""How a value in JSON, and one in a column of each type, are to be compared."""
PEOPLE = (
    "SELECT name FROM social_connect.users",
    "SELECT email FROM social_connect.users",
    "SELECT unnest([author_id, author_name, author_fullname]) FROM social_connect.mentions WHERE NOT author_managed",
    "SELECT unnest([name, email, phone]) FROM social_connect.contacts",
)


@dataclass
class _Described:
    """A table of the dictionary: the type and path of each column, and which may hold personal data."""

    types: dict[str, str] = field(default_factory=dict)
    paths: dict[str, str] = field(default_factory=dict)
    personal: set[str] = field(default_factory=set)


@pytest.fixture(scope="module")
def dictionary() -> dict[tuple[str, str], _Described]:
    found: dict[tuple[str, str], _Described] = {}
    schema, table = "", _Described()
    for line in (ROOT / "docs" / "data-dictionary.md").read_text(encoding="utf-8").splitlines():
        if heading := re.fullmatch(r"## (\w+)", line):
            schema = heading[1]
        elif heading := re.fullmatch(r"### (\w+)\.(\w+)", line):
            assert heading[1] == schema
            assert (schema, heading[2]) not in found
            table = found[schema, heading[2]] = _Described()
        elif line.startswith("| ") and schema not in {"", "Index"}:
            cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
            if cells[0] not in {"column", "---"}:
                assert cells[2], f"{schema}: {cells[0]} has no meaning"
                table.types[cells[0]] = cells[1]
                if cells[3].startswith("`$"):
                    table.paths[cells[0]] = cells[3].strip("`")
                if cells[-1] == "personal":
                    table.personal.add(cells[0])
    return found


@pytest.fixture(scope="module")
def home(make_site: Callable[..., Any]) -> Path:
    """The folder of a warehouse that was synced, reconciled, and synced again and published by the command."""
    site = make_site(mentions=120, options={"social_connect_context_calls": 3})
    site.sync()
    site.box.delete_mention(1417, site.mentions(1417)[50]["unique_id"])
    reconcile(site.settings(social_warehouse_sweep_calls=0), as_of=site.box.now)
    site.box.advance(hours=30)
    environment = os.environ | {
        "SOCIAL_CONNECT_BASE_URL": site.server.base_url,
        "SOCIAL_CONNECT_ACCESS_TOKEN": site.box.token,
        "SOCIAL_CONNECT_CONTEXT_CALLS": "3",
        "SOCIAL_WAREHOUSE_HOME": str(site.home),
    }
    command = [Path(sys.executable).with_name("social-warehouse"), "sync", "--as-of", site.box.now.isoformat()]
    # In a process of its own: dbt keeps global state, and its imports raise warnings that are not ours to mend.
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=180)
    assert done.returncode == 0, done.stderr
    return Path(site.home)


def columns_of(file: Path) -> dict[tuple[str, str], dict[str, tuple[str, str | None]]]:
    """The type and comment of each column, by table, but those of tables that are the loader's own, or the builds'."""
    found: dict[tuple[str, str], dict[str, tuple[str, str | None]]] = {}
    with duckdb.connect(file, read_only=True) as con:
        rows = con.execute(
            "SELECT schema_name, table_name, column_name, lower(data_type), comment FROM duckdb_columns()"
            " WHERE NOT internal AND NOT starts_with(table_name, '_')"
        ).fetchall()
    for schema, table, column, kind, comment in rows:
        if schema != THE_LOADERS:
            found.setdefault((schema, table), {})[column] = (kind, comment)
    return found


def plain(kind: str) -> str:
    return kind.replace("timestamp with time zone", "timestamptz")


def test_the_dictionary_has_every_column_of_the_work_file_with_its_type(
    home: Path, dictionary: dict[tuple[str, str], _Described]
) -> None:
    found = columns_of(home / "warehouse.duckdb")
    assert {schema for schema, _ in found} == {schema for schema, _ in dictionary}
    for table, columns in found.items():
        assert table in dictionary, f"{table} is missing in docs/data-dictionary.md"
        told = {name: plain(kind) for name, kind in dictionary[table].types.items()}
        types = {name: plain(kind) for name, (kind, _) in columns.items()}
        assert types == told, f"{table}: the warehouse and docs/data-dictionary.md differ"


def test_the_dictionary_tells_of_no_table_that_is_not_there(
    home: Path, dictionary: dict[tuple[str, str], _Described]
) -> None:
    assert dictionary.keys() == columns_of(home / "warehouse.duckdb").keys()


def test_every_table_and_column_of_the_published_copy_has_a_comment(home: Path) -> None:
    file = home / "published" / "warehouse.duckdb"
    found = columns_of(file)
    assert {schema for schema, _ in found} == PUBLISHED
    silent = [f"{table}.{name}" for table, columns in found.items() for name, (_, text) in columns.items() if not text]
    assert not silent
    with duckdb.connect(file, read_only=True) as con:
        relations = con.execute(
            "SELECT schema_name, table_name, comment FROM duckdb_tables() UNION ALL"
            " SELECT schema_name, view_name, comment FROM duckdb_views() WHERE NOT internal"
        ).fetchall()
    assert {(schema, name) for schema, name, _ in relations} == found.keys()
    assert not [name for _, name, comment in relations if not comment]


def queries() -> list[str]:
    """The queries that the pages show: those of commands, and blocks of SQL."""
    shown = []
    for page in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))):
        text = page.read_text(encoding="utf-8")
        shown += re.findall(r'^social-warehouse sql "([^"]+)"', text, re.MULTILINE)
        shown += re.findall(r"^```sql\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    return shown


@pytest.mark.parametrize("query", queries())
def test_a_query_that_a_page_shows_runs_on_the_published_copy(home: Path, query: str) -> None:
    with Warehouse(home).connect_published() as con:
        rows = con.execute(query).fetchall()
    assert rows or "quarantine" in query or "schema_changes" in query, "nothing found: say what the query is for"


def test_the_pages_show_queries() -> None:
    assert len(queries()) >= 8


def test_versions_are_there_for_the_streams_that_keep_them(
    home: Path, dictionary: dict[tuple[str, str], _Described]
) -> None:
    kept = {table.name for stream in STREAMS if stream.keeps_versions for table in stream.contract.tables}
    found_out = {"schema_changes", "reconciliations", "deletions", "days_read", "lateness", "layout", "erasures"}
    was_run = {"runs", "run_streams", "run_requests"}
    assert {name for schema, name in dictionary if schema == "history"} == kept | found_out | was_run
    assert {name for schema, name in columns_of(home / "warehouse.duckdb") if schema == "raw"} == {
        stream.contract.root.name for stream in STREAMS
    }


def test_a_path_leads_to_the_value_in_the_apis_object(
    home: Path, dictionary: dict[tuple[str, str], _Described]
) -> None:
    """Follows each path through the payloads: what it finds is what the column holds."""
    followed_count = 0
    with duckdb.connect(home / "warehouse.duckdb", read_only=True) as con:
        for declared in contracts():
            # Under a key or in a list: no one path leads to the elements of such a list.
            for table in (table for table in declared.tables if not table.keyed_by):
                kinds = {column.name: column.type for column in table.columns}
                for name, path in dictionary["social_connect", table.name].paths.items():
                    if kinds.get(name, "json") == "json":
                        continue
                    read, shown = AS_TEXT[kinds[name]]
                    values = f"json_extract_string(payload, '{path}')"
                    values = f"unnest({values})" if "[*]" in path else values
                    there = f"SELECT {read} FROM (SELECT {values} AS value FROM raw.{declared.root.name})"
                    here = f'SELECT {shown} FROM (SELECT "{name}" AS value FROM social_connect.{table.name})'
                    there, here = (f"{query} WHERE value IS NOT NULL" for query in (there, here))
                    for query in (f"{here} EXCEPT ALL {there}", f"{there} EXCEPT ALL {here}"):
                        found = con.execute(f"{query} LIMIT 3").fetchall()
                        assert not found, f"{table.name}.{name} at {path}: {found}"
                    followed_count += 1
    assert followed_count > 300


def test_staging_columns_are_as_personal_as_those_they_are_made_of(
    dictionary: dict[tuple[str, str], _Described],
) -> None:
    tables = {table.name: table for declared in contracts() for table in declared.tables}
    for (schema, name), described in dictionary.items():
        if schema == "staging":
            sql = (ROOT / "sql" / "models" / "staging" / f"{name}.sql").read_text(encoding="utf-8")
            source = re.search(r"source\('\w+', '(\w+)'\)", sql)
            assert source, name
            declared = tables[source[1]].all_columns if source[1] in tables else ()
            personal = {column.name for column in declared if column.personal}
            assert described.personal == personal & described.types.keys()
            renamed = {match[1] for match in re.finditer(r"(\w+) as \w+", sql)}
            assert not renamed & personal, f"{name}: a personal column under another name"


WITHOUT_ROWS_IN_A_FULL_BUILD = {"int_replies_of_authors": "int_actions", "int_touched_items": "int_items"}
"""Such models, whose rows cannot be looked at here, and what theirs are rows of."""


def test_models_mark_every_column_that_holds_what_is_personal(
    home: Path, dictionary: dict[tuple[str, str], _Described]
) -> None:
    with duckdb.connect(home / "warehouse.duckdb", read_only=True) as con:
        con.execute(f"CREATE TEMP TABLE people (person) AS {' UNION '.join(PEOPLE)}")
        (count,) = con.execute("SELECT count(*) FROM people WHERE length(person) >= 4").fetchone() or (0,)
        assert count > 50
        for (schema, name), described in dictionary.items():
            if schema not in {"marts", "intermediate"}:
                continue
            if name in WITHOUT_ROWS_IN_A_FULL_BUILD:
                made_of = dictionary[schema, WITHOUT_ROWS_IN_A_FULL_BUILD[name]]
                assert described.personal == made_of.personal & described.types.keys()
                continue
            for column, kind in described.types.items():
                if kind == "varchar":
                    found = con.execute(
                        f'SELECT DISTINCT "{column}" FROM {schema}.{name}'
                        f' SEMI JOIN people ON length(person) >= 4 AND person = "{column}"::VARCHAR LIMIT 3'
                    ).fetchall()
                    assert bool(found) == (column in described.personal), f"{schema}.{name}.{column} holds {found}"
