"""SIGKILL at any point of a sync: the next one ends with the warehouse of a run that nobody has stopped."""

# ruff: noqa: S608 - names of tables and columns come from the contract or the catalogue

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from pipelines import run
from pipelines.load import end_stopped_load, read_cursors
from pipelines.run_history import runs_in_files
from pipelines.source.windows import Cursor, changes_end_at, new_rows_window
from pipelines.warehouse import Warehouse

Make = Callable[..., Any]

KILLED_SYNC = Path(__file__).with_name("killed_sync.py")


@dataclass(frozen=True)
class _Case:
    """A sync to be killed: where it begins, the site of one that was not, and the tables which that has."""

    begin: Path
    whole: Any
    tables: dict[str, list[tuple[Any, ...]]]


@pytest.fixture(scope="module")
def make_site(make_site: Make) -> Make:
    """Sites that read what mentions need, and no more: every other stream costs each sync time."""
    return partial(make_site, stream_names=["topics", "users", "mentions"])


@pytest.fixture(scope="module")
def cases(make_site: Make, tmp_path_factory: pytest.TempPathFactory) -> dict[str, _Case]:
    """`first`: nothing is there yet, and rows are appended. `merge`: rows of a day before are, and many change."""
    early, late = make_site(seed=5, mentions=120), make_site(seed=5, mentions=120)
    folder = tmp_path_factory.mktemp("begin")
    late.box.advance(hours=30)
    mentions = late.box.mentions(1417)
    tagged = next(mention for mention in mentions if mention.get("tags"))
    late.box.act(1417, tagged["unique_id"], kind="tag", tags_removed=tagged["tags"])
    late.box.act(1417, mentions[0]["unique_id"], kind="note", text="late")

    nothing = folder / "nothing"
    nothing.mkdir()
    early.sync()
    rows = folder / "rows"
    shutil.copytree(early.home, rows)
    merged = late.with_home(folder / "merged")
    shutil.copytree(rows, merged.home)
    merged.sync()
    merged.assert_holds_the_truth()
    return {
        "first": _Case(nothing, early, without_loaders(early)),
        "merge": _Case(rows, merged, without_loaders(merged)),
    }


@pytest.mark.parametrize(
    ("begin", "point", "table"),
    [
        pytest.param("first", "in_extract", "", marks=pytest.mark.slow),
        pytest.param("first", "after_extract", "", marks=pytest.mark.slow),
        pytest.param("first", "after_copy", "mentions", marks=pytest.mark.slow),
        pytest.param("first", "after_commit", "", marks=pytest.mark.slow),
        pytest.param("merge", "after_normalize", "", marks=pytest.mark.slow),
        pytest.param("merge", "after_copy", "mention_tags", marks=pytest.mark.slow),
        pytest.param("merge", "before_merge", "mentions", marks=pytest.mark.slow),
        pytest.param("merge", "after_merge", "mentions", marks=pytest.mark.slow),
        pytest.param("merge", "after_merge", "mention_actions", marks=pytest.mark.slow),
        pytest.param("merge", "before_commit", "", marks=pytest.mark.slow),
    ],
)
def test_a_killed_sync_is_made_good_by_the_next(
    cases: dict[str, _Case], tmp_path: Path, begin: str, point: str, table: str
) -> None:
    case = cases[begin]
    site = killed(case, tmp_path, point, table)
    *_, last = runs_in_files(Warehouse(site.home))
    assert (last["kind"], last["outcome"]) == ("sync", "killed")
    site.sync()
    assert without_loaders(site) == case.tables
    assert places(site) == places(case.whole)


@pytest.mark.parametrize(
    ("begin", "point", "table"),
    [
        ("first", "after_copy", "mentions"),
        pytest.param("first", "before_commit", "", marks=pytest.mark.slow),
        pytest.param("first", "after_commit", "", marks=pytest.mark.slow),
        pytest.param("merge", "after_copy", "mention_tags", marks=pytest.mark.slow),
        ("merge", "after_merge", "mentions"),
        pytest.param("merge", "after_merge", "mention_actions", marks=pytest.mark.slow),
        pytest.param("merge", "before_commit", "", marks=pytest.mark.slow),
        pytest.param("merge", "after_commit", "", marks=pytest.mark.slow),
    ],
)
def test_what_a_killed_load_has_begun_is_ended_without_a_call(
    cases: dict[str, _Case], tmp_path: Path, begin: str, point: str, table: str
) -> None:
    """As each transform does before it builds: half an object is in no mart."""
    case = cases[begin]
    site = killed(case, tmp_path, point, table)
    warehouse = Warehouse(site.home)
    call_count = len(site.box.requests)
    with warehouse.writer_lock("a test"):
        end_stopped_load(warehouse)
    assert len(site.box.requests) == call_count
    assert without_loaders(site) == case.tables
    assert read_cursors(warehouse) == read_cursors(Warehouse(case.whole.home))
    with site.reading() as con:
        assert con.execute("SELECT count(*) = count(DISTINCT load_id) FROM _dlt_loads").fetchone() == (True,)


@pytest.mark.slow
def test_a_transform_builds_on_whole_objects_only(cases: dict[str, _Case], tmp_path: Path) -> None:
    case = cases["first"]
    site = killed(case, tmp_path, "after_copy", "mention_actions")
    run.transform(site.settings(), as_of=site.box.now)
    with site.reading() as con:
        (fact_count,) = con.execute("SELECT count(*) FROM marts.fct_mentions").fetchone()
    assert fact_count == len(case.tables["mentions"]) > 0
    tables = without_loaders(site)  # a transform makes those that were not loaded
    assert {name: tables[name] for name in case.tables} == case.tables


@pytest.mark.slow
@pytest.mark.parametrize("table", ["mentions", "mention_actions", "mention_tags"])
def test_where_the_loaders_folder_is_lost_too_the_objects_are_read_again(
    cases: dict[str, _Case], tmp_path: Path, table: str
) -> None:
    case = cases["merge"]
    site = killed(case, tmp_path, "after_merge", table)
    shutil.rmtree(Warehouse(site.home).dlt_folder)
    site.sync()
    assert without_loaders(site) == case.tables


@pytest.mark.slow
@pytest.mark.parametrize("point", ["after_normalize", "after_copy"])
def test_what_cannot_be_loaded_is_read_again(cases: dict[str, _Case], tmp_path: Path, point: str) -> None:
    """A file that the system had not written to its end when the power went."""
    case = cases["merge"]
    site = killed(case, tmp_path, point, "mention_actions")
    (damaged,) = Warehouse(site.home).dlt_folder.glob("*/load/normalized/*/*_jobs/mention_tags.*.parquet")
    damaged.write_bytes(b"")
    site.sync()
    assert without_loaders(site) == case.tables


def killed(case: _Case, folder: Path, point: str, table: str) -> Any:
    """A site that begins as the case does, and whose sync has died at a point."""
    site = case.whole.with_home(folder / "home")
    shutil.copytree(case.begin, site.home)
    kill(site, point, table)
    return site


def kill(site: Any, point: str, table: str) -> None:
    """Runs a sync that dies at a point, and sees that it did."""
    settings = site.settings()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SOCIAL_")}
    killed = subprocess.run(
        [sys.executable, str(KILLED_SYNC), point, table],
        env=environment
        | {
            "SOCIAL_CONNECT_BASE_URL": settings.social_connect_base_url,
            "SOCIAL_CONNECT_ACCESS_TOKEN": site.box.token,
            "SOCIAL_WAREHOUSE_HOME": str(site.home),
            "AS_OF": site.box.now.isoformat(),
            "STREAMS": ",".join(site.stream_names),
        },
        cwd=site.home,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr or f"the sync has not come by {point} {table}"


def places(site: Any) -> dict[str, str]:
    """How far each stream has been read, and where the next sync begins.

    Not in how many calls: what was read before the kill is not read again. Nor since when few rows came, which a
    reading counts from its own beginning: what matters is where the next one begins.
    """
    cursors = read_cursors(Warehouse(site.home))
    inbox = Cursor.from_state(
        {name.split(", ")[1]: text for name, text in cursors.items() if name.startswith("mentions of account 1417, ")}
    )
    begins = {
        "new mentions": new_rows_window(inbox, start_date=site.box.now, now=site.box.now).start.isoformat(),
        "changed mentions": str(changes_end_at(inbox)),
    }
    left_out = (", call_count", ", added_recent_from", ", acted_recent_from")
    return begins | {name: text for name, text in cursors.items() if not name.endswith(left_out)}


def without_loaders(site: Any) -> dict[str, list[tuple[Any, ...]]]:
    """Every table whole, but for the loader's own columns, in which the runs differ by right."""
    with site.reading() as con:
        tables = con.execute(
            "SELECT table_name FROM duckdb_tables()"
            " WHERE schema_name = 'social_connect' AND NOT starts_with(table_name, '_dlt')"
        ).fetchall()
        return {
            name: con.execute(f"SELECT COLUMNS(c -> NOT starts_with(c, '_dlt')) FROM {name} ORDER BY ALL").fetchall()
            for (name,) in sorted(tables)
        }
