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

from pipelines.load import read_cursors
from pipelines.run_history import runs_in_files
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
        ("first", "after_extract", ""),
        pytest.param("first", "after_copy", "mentions", marks=pytest.mark.slow),
        pytest.param("first", "after_commit", "", marks=pytest.mark.slow),
        pytest.param("merge", "after_normalize", "", marks=pytest.mark.slow),
        pytest.param("merge", "after_copy", "mention_tags", marks=pytest.mark.slow),
        pytest.param("merge", "before_merge", "mentions", marks=pytest.mark.slow),
        pytest.param("merge", "after_merge", "mentions", marks=pytest.mark.slow),
        pytest.param("merge", "after_merge", "mention_actions", marks=pytest.mark.slow),
        ("merge", "before_commit", ""),
    ],
)
def test_a_killed_sync_is_made_good_by_the_next(
    cases: dict[str, _Case], tmp_path: Path, begin: str, point: str, table: str
) -> None:
    case = cases[begin]
    site = case.whole.with_home(tmp_path / "home")
    shutil.copytree(case.begin, site.home)
    kill(site, point, table)
    *_, killed = runs_in_files(Warehouse(site.home))
    assert (killed["kind"], killed["outcome"]) == ("sync", "killed")
    site.sync()
    assert without_loaders(site) == case.tables
    assert read_cursors(Warehouse(site.home)) == read_cursors(Warehouse(case.whole.home))


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
