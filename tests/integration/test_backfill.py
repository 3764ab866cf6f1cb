"""A backfill brings what was added in a span, whatever stops it, and gets into no sync's way."""

import functools
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pipelines import backfill as backfills
from pipelines import run
from pipelines.api import SocialConnect
from pipelines.load import read_cursors
from pipelines.run import choosing, opening
from pipelines.settings import SettingsInvalid
from pipelines.source.reading import Honoured
from pipelines.source.spool import Spool
from pipelines.stopping import Stop
from pipelines.warehouse import Warehouse, WarehouseBusy
from sandbox.requests import calls_per_frame

pytestmark = pytest.mark.slow

Make = Callable[..., Any]

KILLED_BACKFILL = Path(__file__).with_name("killed_backfill.py")
DAYS = 40
SYNCED_DAYS = 5
DEATHS = ("received:4", "copied:9", "committed:2")


@pytest.fixture
def make_inbox(make_site: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    """An account of 40 days, of which syncs read the last five. Only mentions are read, unless cases are wanted."""

    def make(*, has_cases: bool = False, options: dict[str, Any] | None = None, **sandbox: Any) -> Any:
        if not has_cases:
            monkeypatch.setattr(backfills, "INBOX", backfills.INBOX[:1])
        site = make_site(**({"mentions": 600, "days": DAYS} | sandbox), stream_names=["topics", "mentions"])
        start = (site.box.now - timedelta(days=SYNCED_DAYS)).isoformat()
        home = site.with_home(tmp_path / "home")
        home.options = {"social_connect_reserved_calls": 0, "social_connect_start_date": start} | (options or {})
        return home

    return make


def backfill(site: Any, *, start_days: float = DAYS + 1, end_days: float = 0, **options: Any) -> Any:
    """A backfill as of the sandbox's clock, from and to so many days before it."""
    start, end = (site.box.now - timedelta(days=days) for days in (start_days, end_days))
    return run.backfill(site.settings(), start=start, end=end, as_of=site.box.now, **options)


def cursors_of_syncs(home: Path) -> dict[str, str]:
    return {name: text for name, text in read_cursors(Warehouse(home)).items() if "backfilled" not in name}


def ids(site: Any) -> set[str]:
    return {unique_id for (unique_id,) in site.rows("SELECT unique_id FROM mentions")}


def without_loaders(site: Any) -> dict[str, list[tuple[Any, ...]]]:
    """Every table of mentions and cases whole, but for the loader's own columns."""
    with site.reading() as con:
        tables = con.execute(
            "SELECT table_name FROM duckdb_tables() WHERE schema_name = 'social_connect'"
            " AND (table_name LIKE 'mention%' OR table_name LIKE 'case%' OR table_name = 'quarantine')"
        ).fetchall()
        return {
            name: con.execute(f"SELECT COLUMNS(c -> NOT starts_with(c, '_dlt')) FROM {name} ORDER BY ALL").fetchall()  # noqa: S608 - from the catalogue
            for (name,) in sorted(tables)
        }


def test_it_brings_what_the_span_holds_and_later_syncs_keep_it_current(
    make_inbox: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From an API that gives no cases, and ends a list at 250 rows without a word."""
    inbox = make_inbox(has_cases=True)
    box = inbox.box
    box.behaviour = replace(
        box.behaviour,
        depth_cap_rows=250,
        count_stops_at_depth_cap=True,
        without_permission=frozenset({"inbox/cases"}),
    )
    monkeypatch.setattr(backfills, "LISTED_ROWS", 200)
    inbox.sync()
    before = cursors_of_syncs(inbox.home)
    report = backfill(inbox, start_days=36, end_days=10.5)
    start, end, synced = (box.now - timedelta(days=days) for days in (36, 10.5, SYNCED_DAYS))
    added = {
        mention["unique_id"]: datetime.fromtimestamp(mention["date"]["added"], UTC) for mention in inbox.mentions(1417)
    }
    expected = {name for name, time in added.items() if start <= time < end or time >= synced}
    assert len(expected) > 400
    assert ids(inbox) == expected
    assert {name: time for name, time in cursors_of_syncs(inbox.home).items() if "cases" not in name} == before
    assert report.estimate.row_counts["mentions"] == pytest.approx(report.outcome.record_counts["mentions"], abs=15)
    assert [notice for notice in report.outcome.notices if notice.startswith("cases of account 1417 skipped")]
    again = backfill(inbox, start_days=35, end_days=11, is_dry_run=True)
    assert again.estimate.row_counts["mentions"] == 0

    oldest = min(expected, key=lambda name: added[name])
    box.advance(hours=1)
    box.act(1417, oldest, kind="tag", tags_added=["after all these weeks"])
    box.advance(hours=1)
    inbox.sync()
    assert inbox.rows("SELECT tag FROM mention_tags WHERE unique_id = ? AND tag LIKE 'after all%'", oldest)


def test_a_sync_in_between_works_and_what_it_brings_stays(make_inbox: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody has synced before: the sync is the first, and yet has to see what changes while the backfill reads."""
    inbox = make_inbox(mentions=400)
    box = inbox.box
    box.behaviour = replace(box.behaviour, depth_cap_rows=300, beyond_depth_cap="refused")
    add, changed = Spool.add, []

    def and_sync(self: Any, window: Any, page: Any, **options: Any) -> Any:
        spooled = add(self, window, page, **options)
        if not changed:
            changed.append(page.records[0]["unique_id"])
            box.advance(minutes=1)
            box.act(1417, changed[0], kind="tag", tags_added=["meanwhile"])
            box.advance(minutes=1)
            inbox.sync()
            assert changed[0] in ids(inbox)
        return spooled

    monkeypatch.setattr(Spool, "add", and_sync)
    backfill(inbox)
    assert inbox.rows("SELECT tag FROM mention_tags WHERE unique_id = ? AND tag = 'meanwhile'", changed[0])
    inbox.assert_holds_the_truth("mention")


def test_it_leaves_calls_to_syncs_and_uses_the_rest(make_inbox: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    inbox = make_inbox(mentions=2_000, rate_limit_per_hour=20, options={"social_connect_reserved_calls": 8})
    box, as_of = inbox.box, inbox.box.now

    def clock() -> float:
        return float(box.now.timestamp())

    clocked = functools.partial(SocialConnect, clock=clock)
    monkeypatch.setattr(opening, "SocialConnect", clocked)
    monkeypatch.setattr(Stop, "wait", lambda _stop, seconds: box.advance(seconds=seconds))
    first = backfill(inbox)
    assert first.outcome.stopped_by is not None
    assert first.request_count == 12
    assert first.estimate.hour_count == pytest.approx(first.estimate.call_count / 12, abs=0.1)
    assert first.resume_at == pytest.approx(as_of + timedelta(hours=1), abs=timedelta(seconds=2))
    read = inbox.one("SELECT count(*) FROM mentions")
    assert read == first.outcome.record_counts["mentions"] > 700, "what was read is loaded"

    last = run.backfill(inbox.settings(), start=as_of - timedelta(days=DAYS + 1), end=as_of, as_of=as_of, waits=True)
    assert last.outcome.stopped_by is None
    assert {request.status for request in box.requests} == {200}, "no call was refused"
    assert [count for _, count in sorted(calls_per_frame(box.requests).items())][:-1] == [20 - 8 // 4]
    pages = first.outcome.page_counts["mentions"] + last.outcome.page_counts["mentions"]
    assert pages <= 2_000 / 100 + 2, "a stop costs a page that is not full"
    assert ids(inbox) == {
        mention["unique_id"] for mention in box.mentions(1417) if mention["date"]["added"] < as_of.timestamp()
    }


def test_its_tables_are_those_of_a_sync_and_nothing_unmasked_is_spooled(
    make_inbox: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With records that cannot be read, and fields that nobody knows; from an API without statistics or order."""
    spooled: list[str] = []
    clear = Spool.clear

    def and_look(self: Any) -> None:
        spooled.extend(file.read_text() for file in (inbox.home / "spool").glob("*"))
        clear(self)

    monkeypatch.setattr(Spool, "clear", and_look)
    hashed = {"social_warehouse_personal_data": "hash", "social_warehouse_personal_data_key": "k" * 20}
    inbox = make_inbox(mentions=150, has_cases=True, options=hashed)
    box = inbox.box
    box.behaviour = replace(box.behaviour, not_in_plan=frozenset({"insights/facets"}), sorts={"dateadd:asc": "ignored"})
    monkeypatch.setattr(choosing, "honoured", lambda _probes: Honoured(lists_in_order=False))
    box.faults.add("unreadable_record", path="inbox", times=None, record=["Leonie Quist", 42])
    box.faults.add("unknown_field", path="inbox", times=None, where=["top"])
    assert backfill(inbox, is_dry_run=True).estimate.row_counts["mentions"] == pytest.approx(150, abs=2)
    assert not (inbox.home / "warehouse.duckdb").exists()
    backfill(inbox)
    of_sync = inbox.with_home(inbox.home.with_name("synced"))
    of_sync.options = hashed | {"social_connect_start_date": (box.now - timedelta(days=DAYS + 1)).isoformat()}
    of_sync.sync(stream_names=["topics", "mentions", "cases"])
    ours = without_loaders(inbox)
    assert ours == without_loaders(of_sync)
    assert (len(ours["mentions"]), len(ours["quarantine"])) == (150, 2)
    changes = "SELECT * FROM history.schema_changes ORDER BY ALL"
    assert inbox.rows(changes) == of_sync.rows(changes) != []
    names = {mention["author"]["name"] for mention in inbox.mentions(1417) if mention["author"].get("name")}
    texts = "\n".join(spooled)
    assert len(names) > 50
    assert len(texts) > 100_000
    assert not [name for name in (*names, "Leonie") if json.dumps(name)[1:-1] in texts or name in texts]
    assert not (inbox.home / "spool").exists()


def test_one_backfill_at_a_time_and_none_of_nothing(make_inbox: Make) -> None:
    inbox = make_inbox(mentions=1)
    inbox.home.mkdir()
    with Warehouse(inbox.home).backfill_lock(), pytest.raises(WarehouseBusy, match="in use by a backfill"):
        backfill(inbox)
    with pytest.raises(SettingsInvalid, match=r"--from is .* It wants an earlier time"):
        backfill(inbox, start_days=-1, end_days=-2)


def test_killed_at_any_moment_it_goes_on_and_reads_no_page_twice(make_site: Make, tmp_path: Path) -> None:
    """Pages of 12 rows, windows of 120."""
    site = make_site(mentions=240, days=DAYS)
    whole, killed = (site.with_home(tmp_path / name) for name in ("whole", "killed"))
    whole_pages = backfilled(whole, "never:0")
    pages = backfilled(killed, *DEATHS, "never:0")
    assert without_loaders(killed) == without_loaders(whole)
    killed.assert_holds_the_truth("mention")

    seen: set[str] = set()
    read_again_count = 0
    for page in pages:
        read_again_count += sum(unique_id in seen for unique_id in page) > len(page) / 2
        seen |= set(page)
    assert 1 <= read_again_count <= len(DEATHS), "a kill costs the page that it lost, at most"
    assert len(whole_pages) <= 240 / 12 + 3
    assert len(pages) <= len(whole_pages) + 2 * len(DEATHS)


def backfilled(site: Any, *deaths: str) -> list[list[str]]:
    """Runs a backfill of the account that dies at some moments; the ids on each page that it got."""
    settings = site.settings()
    site.home.mkdir()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SOCIAL_")}
    ended = subprocess.run(
        [sys.executable, str(KILLED_BACKFILL), str(site.home), *deaths],
        env=environment
        | {
            "SOCIAL_CONNECT_BASE_URL": settings.social_connect_base_url,
            "SOCIAL_CONNECT_ACCESS_TOKEN": site.box.token,
            "AS_OF": site.box.now.isoformat(),
            "FROM": (site.box.now - timedelta(days=DAYS + 1)).isoformat(),
            "TO": site.box.now.isoformat(),
            "PAGE_ROWS": "12",
            "FULL_ROWS": "120",
        },
        cwd=site.home,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    return [json.loads(line) for line in site.home.with_suffix(".pages").read_text().splitlines()]
