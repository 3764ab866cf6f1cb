"""What docs/operate.md says of back-up and restore: which part of the folder is enough, and what is lost with each."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Make = Callable[..., Any]
STREAMS = ["topics", "users", "mentions"]


@pytest.fixture(scope="module")
def make_copied(make_site: Make) -> Callable[[Path], Any]:
    """Makes a site whose folder is a copy of one after a sync, in another place, some hours later."""
    options = {"social_connect_start_date": "2020-01-01"}
    site = make_site(mentions=400, stream_names=STREAMS, options=options, is_synced=True)
    site.box.advance(hours=6)

    def copied(home: Path) -> Any:
        shutil.copytree(site.home, home)
        return site.with_home(home)

    return copied


def reads_of_mentions(site: Any) -> int:
    """How many rows of mentions the next sync reads; then the warehouse holds what the account holds."""
    extraction = site.sync()
    site.assert_holds_the_truth("mention", "user")
    return int(extraction.load.record_counts["mentions"])


def test_a_copy_in_another_place_goes_on_where_it_was(
    make_copied: Callable[[Path], Any], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    site = make_copied(tmp_path / "elsewhere")
    assert 0 < reads_of_mentions(site) < len(site.mentions(1417))
    assert "read again" not in caplog.text, "nothing is amiss with its loader's place"


@pytest.mark.slow
def test_without_the_loaders_folder_it_goes_on_where_it_was(make_copied: Callable[[Path], Any], tmp_path: Path) -> None:
    """The cursors are in the work file too."""
    site = make_copied(tmp_path / "home")
    shutil.rmtree(site.home / "dlt")
    assert 0 < reads_of_mentions(site) < len(site.mentions(1417))


def test_without_the_work_file_everything_is_read_again(make_copied: Callable[[Path], Any], tmp_path: Path) -> None:
    """The loader's folder alone has no rows, so its cursors must not count."""
    site = make_copied(tmp_path / "home")
    (site.home / "warehouse.duckdb").unlink()
    assert reads_of_mentions(site) >= len(site.mentions(1417))


def test_the_work_file_alone_is_enough(make_copied: Callable[[Path], Any], tmp_path: Path) -> None:
    site = make_copied(tmp_path / "home")
    for place in site.home.iterdir():
        if place.name != "warehouse.duckdb":
            shutil.rmtree(place) if place.is_dir() else place.unlink()
    assert 0 < reads_of_mentions(site) < len(site.mentions(1417))


def test_an_older_work_file_beside_a_newer_loaders_folder_loses_nothing(
    make_copied: Callable[[Path], Any], tmp_path: Path
) -> None:
    site = make_copied(tmp_path / "home")
    older = tmp_path / "older.duckdb"
    shutil.copy(site.home / "warehouse.duckdb", older)
    site.sync()
    shutil.copy(older, site.home / "warehouse.duckdb")
    site.box.advance(hours=1)
    assert 0 < reads_of_mentions(site) < len(site.mentions(1417))
