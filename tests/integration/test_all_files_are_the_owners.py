"""Whatever the process's mask, nothing that a run leaves can be read or written by others."""

import os
import stat
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from pipelines import doctor, health, run
from pipelines.erasure import Subject
from pipelines.logs import log_to

Make = Callable[..., Any]

pytestmark = pytest.mark.skipif(os.name != "posix", reason="other systems have no such modes")


@pytest.fixture(autouse=True)
def _open_to_all() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


def open_to_others(home: Path) -> list[str]:
    paths = [home, *home.rglob("*")]
    assert len(paths) > 10
    return [f"{path} {path.stat().st_mode:o}" for path in paths if stat.S_IMODE(path.stat().st_mode) & 0o077]


def test_a_sync_leaves_nothing_that_others_can_read(make_site: Make, tmp_path: Path) -> None:
    site = make_site(mentions=40, stream_names=["topics", "mentions"]).with_home(tmp_path / "made" / "anew")
    with log_to(site.settings()):
        site.sync()
        run.replay(site.settings(), as_of=site.box.now)
    assert open_to_others(site.home) == []


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # what dbt's imports raise is not ours to mend
def test_nor_does_anything_else(make_site: Make, tmp_path: Path) -> None:
    site = make_site(mentions=150).with_home(tmp_path / "home")
    settings, now = site.settings(), site.box.now
    with log_to(settings):
        doctor.check(settings, as_of=now)
        run.sync(settings, as_of=now)
        run.backfill(settings, start=now - timedelta(days=60), end=now - timedelta(days=30), as_of=now)
        run.reconcile(settings, as_of=now)
        run.replay(settings, as_of=now)
        mention = site.one("SELECT min(unique_id) FROM mentions")
        run.erase(settings, Subject(mention_id=mention), as_of=now)
        health.status(settings)
    assert open_to_others(site.home) == []
