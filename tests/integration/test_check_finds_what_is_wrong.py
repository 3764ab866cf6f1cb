"""`check` where all is well, and for each thing that goes wrong: what fails is named, and the rest is told as well."""

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, get_args

import pytest

from pipelines.api import reach
from pipelines.doctor import Finding, check
from pipelines.doctor.finding import Name
from pipelines.migrations import LAYOUT
from pipelines.publishing import publish
from pipelines.warehouse import Warehouse

pytestmark = pytest.mark.slow

Make = Callable[..., Any]
LOCAL = {"packages", "home folder", "permissions", "file system", "disk", "locks", "work file", "published copy"}
"""PostgreSQL is looked at where it is set: `test_postgres_follows_the_published_copy.py`."""
OF_THE_API = {"API", "clock", "token", "token scope", "token expiry", "account", "probe", "budget"}


@pytest.fixture(scope="module")
def well(make_site: Make) -> Any:
    """A warehouse that was synced, tested and published a moment ago; the sandbox's clock is this machine's."""
    site = make_site(
        mentions=40, real_time=True, now=datetime.now(UTC).replace(microsecond=0), stream_names=["topics", "mentions"]
    )
    site.sync()
    warehouse = Warehouse(site.home)
    warehouse.mark_tested()
    publish(warehouse, now=datetime.now(UTC), keep_count=3)
    site.home.chmod(0o700)
    return site


@pytest.fixture
def site(well: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A copy of it, to be spoiled."""
    monkeypatch.chdir(tmp_path)
    home = tmp_path / "home"
    shutil.copytree(well.home, home)
    shutil.copystat(well.home, home)
    return well.with_home(home)


def amiss(findings: list[Finding]) -> dict[str, Finding]:
    """What does not pass; each says the next step, and nothing tells a token."""
    for finding in findings:
        assert (finding.next_step is None) == (finding.severity == "ok")
        assert "sandbox-token" not in str(finding)
    return {finding.title: finding for finding in findings if finding.severity != "ok"}


def names(findings: list[Finding]) -> set[str]:
    return {finding.name for finding in findings}


def test_all_is_well(site: Any) -> None:
    findings = check(site.settings())
    assert amiss(findings) == {}
    assert names(findings) == set(get_args(Name)) - {"PostgreSQL"}
    order = [get_args(Name).index(finding.name) for finding in findings]
    assert order == sorted(order), "in the order in which they are needed"


def test_the_api_is_left_out_offline(site: Any) -> None:
    request_count = len(site.box.requests)
    findings = check(site.settings(social_connect_access_token=""), is_offline=True)
    assert amiss(findings) == {}
    assert names(findings) == set(get_args(Name)) - OF_THE_API - {"PostgreSQL"}
    assert len(site.box.requests) == request_count


@pytest.mark.parametrize(
    ("options", "title", "step"),
    [
        ({"social_connect_access_token": "wrong"}, "token", "SOCIAL_CONNECT_ACCESS_TOKEN"),
        ({"social_connect_access_token": ""}, "token", "social-warehouse.toml"),
        ({"social_connect_base_url": "https://nowhere.invalid"}, "API", "SOCIAL_CONNECT_BASE_URL"),
        ({"social_connect_refresh_token": "one"}, "API", "docs/settings.md"),
        ({"social_connect_account_ids": "1417,999"}, "account 999", "SOCIAL_CONNECT_ACCOUNT_IDS"),
    ],
)
def test_what_is_wrong_with_the_api_hides_nothing_here(
    site: Any, options: dict[str, str], title: str, step: str
) -> None:
    findings = check(site.settings(**options))
    assert set(wrong := amiss(findings)) - {"account"} == {title}
    assert wrong[title].severity == "FAIL"
    assert step in str(wrong[title].next_step)
    assert names(findings) > LOCAL


def test_each_of_several_tokens_is_told_of(site: Any) -> None:
    wrong = amiss(check(site.settings(social_connect_access_token=f"{site.box.token},wrong")))
    assert "Access token number 2" in wrong["token 2"].message
    assert "token" not in wrong


def test_an_unavailable_api_is_told_apart_from_one_that_cannot_be_reached(site: Any) -> None:
    site.box.faults.add("status", path="/me", status=503, times=None)
    findings = check(site.settings())
    site.box.faults.clear()
    assert next(finding for finding in findings if finding.name == "API").severity == "ok"
    assert "answered 503" in amiss(findings)["token"].message


def test_a_used_up_allowance_is_a_warning_with_a_time(site: Any) -> None:
    site.box.faults.add("throttle", path="/me", times=None)
    wrong = amiss(check(site.settings()))
    site.box.faults.clear()
    assert {each.severity for each in wrong.values()} == {"warn"}
    assert "UTC" in wrong["budget"].message


def test_the_end_of_a_renewed_token_is_told(make_site: Make, tmp_path: Path) -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    site = make_site(mentions=0, real_time=True, now=now).with_home(tmp_path / "home")
    client_id, client_secret = site.box.client
    settings = site.settings(
        social_connect_refresh_token=site.box.refresh_token(site.box.token),
        social_connect_client_id=client_id,
        social_connect_client_secret=client_secret,
    )
    site.box.expire_token(site.box.token)
    told = {finding.name: finding.message for finding in check(settings)}
    assert f"{now + timedelta(days=90):%Y-%m-%d}; it is renewed by itself" in told["token expiry"]


def test_a_moved_clock_is_seen_by_the_apis(make_site: Make, tmp_path: Path) -> None:
    site = make_site(mentions=0).with_home(tmp_path / "home")  # whose clock stands still in the past
    finding = amiss(check(site.settings(), as_of=site.box.now))["clock"]
    assert finding.severity == "warn"
    assert "ahead of the API's" in finding.message


@pytest.fixture
def foreign_run(site: Any) -> Iterator[int]:
    """Another process that holds the locks of a run, the writer's among them; its number."""
    code = (
        "import pathlib, sys; from pipelines.warehouse import Warehouse\n"
        "warehouse = Warehouse(pathlib.Path(sys.argv[1]))\n"
        "with warehouse.run_lock('a sync'), warehouse.writer_lock('a sync that loads'):\n"
        "    print('held', flush=True)\n"
        "    input()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(site.home)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        yield process.pid
        process.communicate(b"\n")


def test_a_foreign_holder_is_named_and_not_disturbed(site: Any, foreign_run: int) -> None:
    told = {finding.name: finding for finding in check(site.settings(), is_offline=True)}
    assert all(finding.severity == "ok" for finding in told.values())
    assert f"run lock: a sync (process {foreign_run}, since" in told["locks"].message
    assert f"writer lock: a sync that loads (process {foreign_run}" in told["locks"].message
    assert "not opened" in told["work file"].message
    assert "a run is at work" in told["schedule"].message
    tomorrow = check(site.settings(), is_offline=True, clock=lambda: datetime.now(UTC) + timedelta(days=1))
    assert f"process {foreign_run}" in str(amiss(tomorrow)["locks"].next_step)


def test_a_holder_that_died_is_none(site: Any) -> None:
    (site.home / "writer.json").write_text('{"holder": "a sync", "pid": 1, "since": "2026-01-01T00:00:00+00:00"}')
    assert amiss(check(site.settings(), is_offline=True)) == {}


def test_a_damaged_work_file_is_found_and_readers_keep_theirs(site: Any) -> None:
    (site.home / "warehouse.duckdb").write_bytes(b"no database" * 1000)
    findings = check(site.settings(), is_offline=True)
    wrong = amiss(findings)
    assert wrong["work file"].severity == "FAIL"
    assert "docs/operate.md, restore" in str(wrong["work file"].next_step)
    assert wrong["published copy"].severity == "warn", "it is as it was, and not of this work file"


def test_a_copy_that_is_gone_or_damaged_is_found(site: Any) -> None:
    published = Warehouse(site.home).published_file
    published.write_bytes(b"no database" * 1000)
    assert "cannot be opened" in amiss(check(site.settings(), is_offline=True))["published copy"].message
    published.unlink()
    assert "readers have nothing" in amiss(check(site.settings(), is_offline=True))["published copy"].message


def test_another_type_of_a_column_is_found(site: Any) -> None:
    with Warehouse(site.home).connect(read_only=False) as con:
        con.execute("ALTER TABLE social_connect.mentions ALTER added_at TYPE DATE")
    assert "mentions.added_at is DATE" in amiss(check(site.settings(), is_offline=True))["schema"].message


def test_another_personal_data_policy_is_found(site: Any) -> None:
    wrong = amiss(check(site.settings(social_warehouse_personal_data="drop"), is_offline=True))
    assert set(wrong) == {"personal data"}
    assert "is drop, but" in wrong["personal data"].message


def test_a_work_file_of_another_layout_is_told(site: Any) -> None:
    with Warehouse(site.home).connect(read_only=False) as con:
        con.execute("DELETE FROM history.layout")
    findings = {each.name: each for each in check(site.settings(), is_offline=True)}
    assert findings["work file"].severity == "ok"
    assert f"brings it from layout 0 to {LAYOUT}" in findings["work file"].message
    with Warehouse(site.home).connect(read_only=False) as con:
        con.execute("INSERT INTO history.layout VALUES (?, '99.1', now())", [LAYOUT + 1])
    assert "99.1" in amiss(check(site.settings(), is_offline=True))["work file"].message


def test_a_schedule_that_died_is_found(site: Any) -> None:
    later = check(site.settings(), is_offline=True, clock=lambda: datetime.now(UTC) + timedelta(hours=2))
    assert set(wrong := amiss(later)) == {"schedule"}
    assert wrong["schedule"].severity == "FAIL"


def test_a_full_disk_is_found(site: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipelines.doctor.machine.shutil.disk_usage", lambda _path: SimpleNamespace(free=10_000_000))
    assert amiss(check(site.settings(), is_offline=True))["disk"].severity == "FAIL"


def test_a_home_that_others_can_read_is_a_warning(site: Any) -> None:
    site.home.chmod(0o750)
    findings = check(site.settings(), is_offline=True)
    assert {title: each.severity for title, each in amiss(findings).items()} == {"permissions": "warn"}


def test_a_home_that_cannot_be_written_does_not_hide_the_api(site: Any, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    findings = check(site.settings(social_warehouse_home=tmp_path / "file" / "home"))
    assert set(wrong := amiss(findings)) == {"home folder"}
    assert wrong["home folder"].severity == "FAIL"
    assert names(findings) >= OF_THE_API


def test_the_step_that_fails_is_told_apart(site: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        closed = unused.getsockname()[1]
    base_url = site.server.base_url
    assert reach("https://nowhere.invalid").failed_at == "DNS"
    assert reach(f"https://127.0.0.1:{closed}").failed_at == "TCP"
    assert reach(base_url.replace("http:", "https:")).failed_at == "TLS"
    assert reach(base_url).failed_at is None
    monkeypatch.setenv("HTTPS_PROXY", "http://user:secret@proxy.example:3128")
    assert reach("https://nowhere.invalid").detail == "through the proxy proxy.example"
