"""A warehouse is made with one policy for personal data and one key; another is refused before anything is asked."""

import errno
import os
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from pipelines.api import SocialConnectError
from pipelines.doctor.holdings import look_at
from pipelines.run import replay
from pipelines.run.opening import agreed_policy
from pipelines.settings import SettingsInvalid
from pipelines.warehouse import Warehouse, WarehouseUnreadable

pytestmark = pytest.mark.slow

Make = Callable[..., Any]

KEY, OTHER_KEY = "a key of the tests' own", "another key of the tests'"


@pytest.fixture(scope="module")
def make_site(make_site: Make) -> Make:
    """Sites that read what mentions need, and no more: every other stream costs each sync time."""
    return partial(make_site, stream_names=["topics", "users", "mentions"])


def policy(mode: str, key: str | None = None) -> dict[str, Any]:
    return {"social_warehouse_personal_data": mode, "social_warehouse_personal_data_key": key}


@pytest.mark.parametrize(
    ("made_with", "then", "complaint"),
    [
        (policy("keep"), policy("drop"), "SOCIAL_WAREHOUSE_PERSONAL_DATA is drop, but .* was made with keep"),
        (policy("drop"), policy("hash", KEY), "SOCIAL_WAREHOUSE_PERSONAL_DATA is hash, but .* was made with drop"),
        (policy("hash", KEY), policy("keep"), "SOCIAL_WAREHOUSE_PERSONAL_DATA is keep, but .* was made with hash"),
        (policy("hash", KEY), policy("hash", OTHER_KEY), "SOCIAL_WAREHOUSE_PERSONAL_DATA_KEY is not the key"),
    ],
)
def test_another_policy_is_refused(
    make_site: Make, made_with: dict[str, Any], then: dict[str, Any], complaint: str
) -> None:
    site = make_site(mentions=10, options=made_with)
    site.sync()
    before, request_count = site.snapshot(), len(site.box.requests)
    site.options = then
    for run in (site.sync, lambda: replay(site.settings())):
        with pytest.raises(SettingsInvalid, match=f"{complaint}.* Set it back, or set SOCIAL_WAREHOUSE_HOME") as raised:
            run()
        assert KEY not in str(raised.value)
        assert OTHER_KEY not in str(raised.value)
    assert len(site.box.requests) == request_count
    assert site.snapshot() == before
    assert KEY not in Warehouse(site.home).policy_file.read_text(encoding="utf-8")

    site.options = made_with
    assert site.sync().load.row_counts == {}


def test_a_key_that_is_not_used_makes_no_difference(make_site: Make) -> None:
    site = make_site(mentions=10, options=policy("keep", KEY))
    site.sync()
    site.options = policy("keep", OTHER_KEY)
    site.sync()


@pytest.mark.parametrize("content", [b"", b"kee", b"\xff\xfe", None], ids=["empty", "cut", "no text", "unreadable"])
def test_a_damaged_note_of_it_lets_no_other_in(make_site: Make, content: bytes | None) -> None:
    site = make_site(mentions=10, options=policy("drop"), is_synced=True)
    site.options = policy("keep")
    note = Warehouse(site.home).policy_file
    note.unlink()
    if content is None:
        note.mkdir()
    else:
        note.write_bytes(content)
    before = site.snapshot()
    for run in (site.sync, lambda: replay(site.settings())):
        with pytest.raises(WarehouseUnreadable, match=r"personal-data-policy is damaged .* then delete the file"):
            run()
    assert site.snapshot() == before
    (finding,) = [
        each
        for each in look_at(Warehouse(site.home), site.settings(), now=site.box.now)
        if each.name == "personal data"
    ]
    assert finding.severity == "FAIL"
    assert not site.box.requests


def test_a_full_disk_takes_no_note_of_it_away(make_site: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    site = make_site(mentions=10, is_synced=True)
    warehouse = Warehouse(site.home)

    def full(file: Path, *_: Any, **__: Any) -> int:
        file.touch()
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_text", full)
    inode = warehouse.policy_file.stat().st_ino
    agreed_policy(site.settings(), warehouse)
    assert warehouse.policy_file.stat().st_ino == inode, "what it says already is not written again"
    warehouse.policy_file.write_bytes(b"drop")
    for file in (warehouse.file, *warehouse.dlt_folder.iterdir()):  # nothing is made yet: the policy is free
        shutil.rmtree(file) if file.is_dir() else file.unlink()
    with pytest.raises(OSError, match="No space left"):
        agreed_policy(site.settings(), warehouse)
    assert warehouse.policy_file.read_bytes() == b"drop"


def test_until_something_is_made_the_policy_is_free(make_site: Make, tmp_path: Path) -> None:
    site = make_site(mentions=10).with_home(tmp_path)
    site.options = policy("keep") | {"social_connect_access_token": "wrong"}
    with pytest.raises(SocialConnectError):
        site.sync()
    site.options = policy("drop")
    site.sync()
    assert site.one("SELECT count(author_name) FROM mentions") == 0
