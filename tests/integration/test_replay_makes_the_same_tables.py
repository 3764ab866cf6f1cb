"""A replay makes of the kept payloads the tables that the syncs made of the API's answers, and asks the API nothing."""

# ruff: noqa: S608 - names of tables and columns come from the contract or the catalogue

import functools
import json
import os
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml

from pipelines import rebuild
from pipelines.load import make_pipeline, read_cursors, read_state
from pipelines.run import NothingToReplay, ReplayReport, replay
from pipelines.settings import SettingsInvalid
from pipelines.warehouse import Warehouse
from transforms.contract import FOLDER, Contract, contract, contracts, read_contract
from transforms.flatten import Flattening

pytestmark = pytest.mark.slow

Json = dict[str, Any]
Make = Callable[..., Any]
Synced = Callable[[str], Any]
Rows = dict[str, list[tuple[Any, ...]]]

KILLED_REPLAY = Path(__file__).with_name("killed_replay.py")
KEY = "a key of the tests' own"
MODES: dict[str, Json] = {
    "keep": {},
    "hash": {"social_warehouse_personal_data": "hash", "social_warehouse_personal_data_key": KEY},
    "drop": {"social_warehouse_personal_data": "drop"},
}
IN_EVERY_MODE = pytest.mark.parametrize("mode", ["keep", "hash", "drop"])
DROPPED = "DROP SCHEMA social_connect CASCADE"
# A null version is that of an object that has to be written again whatever it holds.
DISTRUSTED = "; ".join(f"UPDATE social_connect.{one.root.name} SET _content_hash = NULL" for one in contracts())


@pytest.fixture(scope="module")
def synced(make_site: Make) -> Synced:
    """A site by mode: two accounts, two syncs with a day between, every stream, notes too."""

    @functools.cache
    def make(mode: str) -> Any:
        options = {"social_connect_context_calls": 1_000, "social_connect_start_date": "2026-02-01"} | MODES[mode]
        site = make_site(accounts=(1417, 1418), mentions=60, options=options)
        for hours in (0, 30):
            site.box.advance(hours=hours)
            site.sync()
        return site

    return make


def copy_of(site: Any, home: Path) -> Any:
    """The same sandbox with a copy of the warehouse."""
    copied = site.with_home(home)
    shutil.copytree(site.home, copied.home)
    return copied


def replayed(site: Any, **options: Any) -> ReplayReport:
    return replay(site.settings(), as_of=site.box.now, **options)


def execute(site: Any, statement: str, *values: Any) -> None:
    with duckdb.connect(site.home / "warehouse.duckdb") as con:
        con.execute("SET TimeZone = 'UTC'")
        con.execute(statement, values or None)


def rows_of(site: Any, schema: str, *left_out: str) -> Rows:
    """Every table of a schema but the loader's own, whole, but for some columns."""
    columns = f"COLUMNS(c -> c NOT IN {(*left_out, '')})"
    with site.reading() as con:
        tables = con.execute(
            "SELECT table_name FROM duckdb_tables() WHERE schema_name = $1 AND NOT starts_with(table_name, '_dlt')",
            [schema],
        ).fetchall()
        return {
            name: con.execute(f'SELECT {columns} FROM {schema}."{name}" ORDER BY ALL').fetchall() for (name,) in tables
        }


def made(site: Any) -> Rows:
    """What the contracts' tables hold, but for the columns in which a replay differs by right."""
    return {
        name: rows
        for name, rows in rows_of(site, "social_connect", "_loaded_at", "_dlt_load_id").items()
        if name != "statistics"
    }


def kept(site: Any) -> dict[str, Rows]:
    return {schema: rows_of(site, schema) for schema in ("raw", "history")}


def cursors(site: Any) -> dict[str, str]:
    every = read_cursors(Warehouse(site.home))
    return {name: text for name, text in every.items() if not name.startswith("statistics ")}


def asked_by_sync(site: Any) -> Counter[tuple[str, str]]:
    """What a sync asks the API, but for statistics."""
    before = len(site.box.requests)
    site.sync()
    asked = [(request.path, request.query) for request in site.box.requests[before:]]
    return Counter(each for each in asked if "/insights/facets" not in each[0])


def test_the_warehouse_to_replay_has_rows_of_every_object(synced: Synced) -> None:
    site = synced("keep")
    raw = rows_of(site, "raw")
    assert set(raw) == {one.root.name for one in contracts()}
    for one in contracts():
        assert len(raw[one.root.name]) == site.one(f"SELECT count(*) FROM {one.root.name}") > 0


@IN_EVERY_MODE
def test_a_warehouse_that_is_as_it_has_to_be_is_left_as_it_is(synced: Synced, tmp_path: Path, mode: str) -> None:
    site = copy_of(synced(mode), tmp_path / "home")
    before, beside, place = site.snapshot(), kept(site), cursors(site)
    report = replayed(site)
    assert sum(report.payloads.record_counts.values()) == sum(map(len, beside["raw"].values()))
    assert report.row_counts == {}
    assert (site.snapshot(), kept(site), cursors(site)) == (before, beside, place)


def test_where_memory_does_not_suffice_fewer_objects_are_written_at_once(
    synced: Synced, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Memory for 20 mentions at a time, and no more."""
    whole, site = synced("keep"), copy_of(synced("keep"), tmp_path / "home")
    write, sizes = rebuild._write, []

    def write_few(con: duckdb.DuckDBPyConnection, flattening: Flattening) -> dict[str, int]:
        written = write(con, flattening)
        if flattening.contract.object == "mention":
            sizes.append(flattening.object_count)
            if sizes[-1] > 20:
                raise duckdb.OutOfMemoryException("too much")
        return written

    monkeypatch.setattr(rebuild, "_write", write_few)
    monkeypatch.setattr(rebuild, "OBJECTS_AT_ONCE", 200)
    execute(site, DROPPED)
    report = replayed(site, stream_names=["mentions"])
    assert sizes[0] > 100
    assert max(sizes[2:]) <= 20
    count = whole.one("SELECT count(*) FROM mentions")
    assert report.payloads.record_counts["mentions"] == count
    assert made(site)["mention_actions"] == made(whole)["mention_actions"]
    monkeypatch.setattr(rebuild, "MOST_PARTS", 4)
    monkeypatch.setattr(rebuild, "_write", lambda *_: (_ for _ in ()).throw(duckdb.OutOfMemoryException("too much")))
    with pytest.raises(duckdb.OutOfMemoryException):
        replayed(site, stream_names=["mentions"])


@IN_EVERY_MODE
def test_tables_that_were_dropped_are_made_anew_without_a_request(synced: Synced, tmp_path: Path, mode: str) -> None:
    whole, site = copy_of(synced(mode), tmp_path / "whole"), copy_of(synced(mode), tmp_path / "home")
    before, beside, place = made(site), kept(site), cursors(site)
    execute(site, DROPPED)
    request_count = len(site.box.requests)
    replayed(site)
    assert len(site.box.requests) == request_count
    assert made(site) == before
    assert kept(site) == beside
    assert cursors(site) == place

    asked = asked_by_sync(site)
    assert asked == asked_by_sync(whole)
    assert made(site) == made(whole)
    statistics = "SELECT COLUMNS(c -> NOT regexp_matches(c, '^(_|asked_)')) FROM statistics ORDER BY ALL"
    assert site.rows(statistics) == whole.rows(statistics)
    assert site.sync().load.row_counts.keys() <= {"mention_context_items"}, "nothing has changed"


def test_without_a_table_the_loaders_place_is_the_replays_to_keep(synced: Synced, tmp_path: Path) -> None:
    """A sync alone begins anew, as it has to: the rows are gone."""
    site = copy_of(synced("keep"), tmp_path / "home")
    execute(site, DROPPED)
    site.sync()
    site.assert_holds_the_truth()


# --- a change of contract ---


def changed_contract(name: str, change: Callable[[Json], None]) -> Contract:
    declared = yaml.safe_load((FOLDER / f"{name}.yml").read_text(encoding="utf-8"))
    change(declared["fields"])
    return read_contract(yaml.safe_dump(declared, sort_keys=False), file=f"{name}.yml")


def use(monkeypatch: pytest.MonkeyPatch, changed: Contract) -> None:
    monkeypatch.setattr(
        "pipelines.source.streams.contract", lambda name: changed if name == changed.object else contract(name)
    )


def learn(fields: Json) -> None:
    """The field that the API sends and nobody knows gets columns; another one's column gets another name."""
    fields["future_field"] = {
        "fields": {
            "level": {"type": "text", "description": "Level."},
            "numbers": {"type": "json", "description": "Numbers."},
        }
    }
    fields["permalink"] = {"type": "text", "column": "address", "description": "Address."}


def test_a_changed_contract_is_filled_for_all_history(make_site: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    site = make_site(mentions=90, stream_names=["topics", "mentions"])
    site.box.faults.add("unknown_field", path="inbox/mentions", times=None, where=("top",))
    site.sync()
    truth = {mention["unique_id"]: mention["permalink"] for mention in site.mentions(1417)}
    extra = {"future_field": {"level": "top", "numbers": [1, 2]}}
    assert [json.loads(text) for (text,) in site.rows("SELECT _extra FROM mentions")] == [extra] * len(truth)
    beside = kept(site)

    use(monkeypatch, changed_contract("mention", learn))
    request_count = len(site.box.requests)
    assert replayed(site).row_counts["mentions"] == len(truth)
    query = "SELECT unique_id, address, future_field_level, future_field_numbers, _extra FROM mentions"
    expected = [(key, permalink, "top", "[1,2]", None) for key, permalink in sorted(truth.items())]
    assert sorted(site.rows(query)) == expected
    assert len(site.box.requests) == request_count
    assert kept(site) == beside
    assert replayed(site).row_counts == {}
    assert "mentions" not in site.sync().load.row_counts, "what the API sends is what the replay has read"


# --- the quarantine ---


def test_what_a_better_contract_can_read_leaves_the_quarantine(
    make_site: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And has a payload from then on, so that it comes again like any."""

    def misread(fields: Json) -> None:
        fields["id"]["column"] = "identifier"
        fields["ident"] = {"type": "text", "column": "id", "description": "Identifier."}

    site = make_site(mentions=20, stream_names=["topics", "tags", "mentions"])
    site.box.faults.add("unreadable_record", path="settings/tags")
    declared = yaml.safe_load((FOLDER / "tag.yml").read_text(encoding="utf-8"))
    misread(declared["fields"])
    with monkeypatch.context() as patched:
        use(patched, read_contract(yaml.safe_dump(declared | {"key": ["ident"]}), file="tag.yml"))
        site.sync()
    tags = site.box.objects(1417, "tags")
    assert site.one("SELECT count(*) FROM tags") == 0
    assert site.one("SELECT count(*) FROM quarantine WHERE object = 'tag'") == len(tags) + 1
    still = site.rows("FROM quarantine WHERE raw_text = '\"not a record\"'")
    assert len(still) == 1

    report = replayed(site)
    assert report.read_from_quarantine_counts["tags"] == len(tags)
    query = "SELECT id, tag FROM tags ORDER BY id"
    truth = sorted((str(tag["id"]), tag["tag"]) for tag in tags)
    assert site.rows(query) == truth
    assert site.rows("FROM quarantine") == still
    replayed(site)
    assert site.rows("FROM quarantine") == still
    execute(site, DROPPED)
    replayed(site)
    assert site.rows(query) == truth


def test_a_record_set_aside_never_replaces_a_later_one(make_site: Make) -> None:
    """One that was mended by hand counts while its object has not been read since; it leaves in any case."""
    site = make_site(mentions=20, stream_names=["topics", "tags"])
    tags = site.box.objects(1417, "tags")
    record = {name: value for name, value in tags[0].items() if name != "id"} | {"tag": "set aside"}
    site.box.faults.add("unreadable_record", path="settings/tags", record=record)
    site.sync()
    mend = "UPDATE social_connect.quarantine SET raw_text = $1, _loaded_at = _loaded_at + $2::INTERVAL"
    mended = json.dumps(record | {"id": tags[0]["id"]})
    name = "SELECT tag FROM tags WHERE id = $1"
    for lateness, expected in (("-1 hour", tags[0]["tag"]), ("2 hours", "set aside")):
        earlier = copy_of(site, site.home.with_name(f"{site.home.name}{lateness[:2]}"))
        execute(earlier, mend, mended, lateness)
        replayed(earlier)
        assert earlier.one(name, str(tags[0]["id"])) == expected
        assert earlier.rows("FROM quarantine") == []


def test_the_shape_of_a_record_stays_where_personal_data_is_not_kept(make_site: Make) -> None:
    site = make_site(mentions=20, options=MODES["drop"], stream_names=["topics", "tags", "teams", "users"])
    records = {"tags": {"name": "Lotte", "since": 2019}, "teams": [True], "users": {"note": "null"}}
    for name, record in records.items():
        site.box.faults.add("unreadable_record", path=f"settings/{name}", record=record)
    site.sync()
    before = site.rows("FROM quarantine ORDER BY ALL")
    assert [text for (text,) in site.rows("SELECT raw_text FROM quarantine ORDER BY 1")] == [
        "[xxxx]",
        '{"xxxx":"xxxx"}',
        '{"xxxx":"xxxxx","xxxxx":0000}',
    ]
    replayed(site)
    assert site.rows("FROM quarantine ORDER BY ALL") == before


# --- some streams, a kill, payloads ---


def test_only_the_streams_that_were_asked_for_are_made(synced: Synced, tmp_path: Path) -> None:
    site = copy_of(synced("keep"), tmp_path / "home")
    before = made(site)
    execute(site, DISTRUSTED)
    assert set(replayed(site, stream_names=["tags", "mentions"]).payloads.record_counts) == {"tags", "mentions"}
    after = made(site)
    mentions = {table.name for name in ("tag", "mention") for table in contract(name).tables}
    assert {name for name in before if after[name] != before[name]} == {
        one.root.name for one in contracts() if one.root.name not in mentions
    }
    with pytest.raises(SettingsInvalid, match="--streams: mention unknown"):
        replayed(site, stream_names=["mention"])


def test_streams_that_were_dropped_and_not_replayed_are_read_again(synced: Synced, tmp_path: Path) -> None:
    """Their rows are gone, so their cursors would hide a gap."""
    site = copy_of(synced("keep"), tmp_path / "home")
    execute(site, DROPPED)
    replayed(site, stream_names=["mentions", "topics"])
    state = read_state(make_pipeline(Warehouse(site.home)))
    assert {name for name, of_stream in state.items() if of_stream.get("cursors")} == {"mentions", "topics"}
    site.sync()
    whole = copy_of(synced("keep"), tmp_path / "whole")
    whole.sync()
    rows, expected = made(site), made(whole)
    del rows["mention_context_items"], expected["mention_context_items"]
    assert rows == expected
    notes = "SELECT account_id, unique_id, id FROM mention_context_items"  # their authors' status is of the moment
    assert set(site.rows(notes)) >= set(whole.rows(notes))


KILLS = [
    (DROPPED, "before_objects", 30),
    (DROPPED, "between_tables", 2),
    (DROPPED, "before_cursors", 0),
    (DROPPED, "before_normalize", 0),
    (DROPPED, "before_commit", 0),
    (DISTRUSTED, "between_tables", 2),
]


def kill(site: Any, tmp_path: Path, point: str, skipped: int) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SOCIAL_")}
    killed = subprocess.run(
        [sys.executable, str(KILLED_REPLAY), point, str(skipped)],
        env=environment | {"SOCIAL_WAREHOUSE_HOME": str(site.home)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr or f"the replay has not come by {point}"


@pytest.mark.parametrize(("done_before", "point", "skipped"), KILLS)
def test_a_killed_replay_is_made_good_by_the_next(
    synced: Synced, tmp_path: Path, done_before: str, point: str, skipped: int
) -> None:
    site = copy_of(synced("keep"), tmp_path / "home")
    before, beside, place = made(site), kept(site), cursors(site)
    execute(site, done_before)
    kill(site, tmp_path, point, skipped)
    replayed(site)
    assert (made(site), kept(site), cursors(site)) == (before, beside, place)


def test_a_sync_after_a_killed_replay_reads_what_is_missing(synced: Synced, tmp_path: Path) -> None:
    site = copy_of(synced("keep"), tmp_path / "home")
    execute(site, DROPPED)
    kill(site, tmp_path, "between_tables", 2)
    site.sync()
    site.assert_holds_the_truth()


def test_a_payload_is_the_current_version_and_no_other(make_site: Make) -> None:
    site = make_site(mentions=60, stream_names=["topics", "mentions", "contacts"])
    site.sync()
    contact = next(each for each in site.box.contacts(1417) if each.get("name"))
    mention = site.mentions(1417)[0]["unique_id"]
    known = contact["name"]
    assert known in site.one("SELECT payload FROM raw.contacts WHERE id = $1", contact["id"])
    site.box.advance(hours=1)
    site.box.edit_contact(1417, contact["id"], {"name": "Erased"})
    site.box.act(1417, mention, kind="note", text="seen again")
    site.sync()
    for one in contracts():
        if one.root.name in rows_of(site, "raw"):
            key = ", ".join(one.root.object_key)
            assert not site.rows(f"SELECT {key} FROM raw.{one.root.name} GROUP BY ALL HAVING count(*) > 1")
    (payload,) = site.rows("SELECT payload FROM raw.contacts WHERE id = $1", contact["id"])
    held = next(each for each in site.box.contacts(1417) if each["id"] == contact["id"])
    assert json.loads(payload[0]) == held
    assert held["name"] == "Erased"
    assert json.loads(site.one("SELECT payload FROM raw.mentions WHERE unique_id = $1", mention)) == site.box.mention(
        1417, mention
    )


def test_payloads_that_are_not_to_be_kept_are_not_there(make_site: Make) -> None:
    """Not even old ones: a replay of them would take rows back to what they were."""
    site = make_site(mentions=30, stream_names=["topics", "mentions"], options={"social_warehouse_raw_payloads": False})
    site.sync()
    schemas = "SELECT schema_name FROM duckdb_schemas() WHERE database_name = 'warehouse'"
    assert ("raw",) not in site.rows(schemas)
    with pytest.raises(NothingToReplay, match=r"no raw payloads.* SOCIAL_WAREHOUSE_RAW_PAYLOADS is false"):
        replayed(site)
    site.options = {}
    with pytest.raises(NothingToReplay, match="run 'social-warehouse sync'"):
        replayed(site)

    site.box.advance(hours=20)
    site.sync()
    assert site.one("SELECT count(*) FROM raw.mentions") > 0
    before = made(site)
    assert replayed(site).row_counts == {}
    assert made(site) == before
    site.sync(settings=site.settings(social_warehouse_raw_payloads=False))
    assert ("raw",) not in site.rows(schemas)
