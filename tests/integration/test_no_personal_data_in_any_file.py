"""Where personal data is not kept, a whole run leaves none of it: in no file, at no time, whatever goes wrong.

What is personal is what tests/unit/transforms/test_no_personal_data_is_left.py says. Packed files are unpacked before
they are looked through.
"""

# ruff: noqa: S608 - names of tables come from the catalogue

import base64
import gzip
import importlib.util
import json
import logging
import re
import zlib
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterator
from itertools import accumulate
from pathlib import Path
from types import ModuleType
from typing import Any

import dlt
import duckdb
import pytest

from pipelines.api import SocialConnectError
from pipelines.logs import log_to
from pipelines.run import extract_and_load, replay, sync
from transforms.contract import contracts

Json = Any
Make = Callable[..., Any]

ACCOUNT_IDS = (1417, 1418)
SECRETS = {"Leonie Vandersmissen-Quist", "leonie@vandersmissen-quist.example", "+32 470 99 88 77"}
UNREADABLE = dict(zip(("name", "email", "phone"), sorted(SECRETS), strict=True))
KNOWN_TO_DBT = {"New York"}  # its own macros name the town, and its manifest has them
PACKED_STATE = re.compile(r"eJ[\w+/]+=*")  # how base64 of a deflated text begins
NUMBER = re.compile(r"-?[\d.]+")
HASH = re.compile("[0-9a-f]{32,64}")
BETWEEN = "\0"  # stands in no text


def unit_test_of_objects() -> ModuleType:
    file = Path(__file__).parents[1] / "unit" / "transforms" / "test_no_personal_data_is_left.py"
    spec = importlib.util.spec_from_file_location("personal_data_of_objects", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


OBJECTS = unit_test_of_objects()


def objects_of(box: Any, account_id: int) -> dict[str, list[Json]]:
    """Every object of an account that a sync reads, by the name of its contract."""
    reference, mentions = box.references[account_id], box.mentions(account_id)
    return {
        **{name: box.objects(account_id, list_name) for list_name, name in OBJECTS.LISTS.items()},
        "account": [{"projects": reference.projects(box.now_seconds, with_email=True)}],
        "filter_suggestion": reference.suggestions(box.now_seconds),
        "mention": mentions,
        "case": box.cases(account_id),
        "contact": box.contacts(account_id),
        "publisher_post": box.publisher_posts(account_id),
        "account_change": box.account_changes(account_id),
        "security_event": box.security_events(account_id),
        "context_item": [
            item for mention in mentions for item in box.context(account_id, mention["unique_id"], "notes")
        ],
    }


class Needles:
    """What the sandbox has said of people, and what its accounts call their own things."""

    def __init__(self) -> None:
        self.personal: set[str] = set(SECRETS)
        self.own_names: set[str] = set()

    def learn_from(self, box: Any) -> None:
        """Adds what the sandbox says now."""
        for account_id in box.account_ids:
            objects = objects_of(box, account_id)
            assert set(objects) == {one.object for one in contracts()}
            for name, several in objects.items():
                for one in several:
                    self.personal |= set(OBJECTS.about_people(one, name))
            for name, words in OBJECTS.OWN_NAMES.items():
                for word in words:
                    self.own_names |= {leaf for one in objects[name] for leaf in OBJECTS.leaves(one.get(word))}
            self.own_names |= {tag for one in objects["mention"] for tag in one["author"].get("tags", [])}

    def searched(self) -> set[str]:
        """What is searched for: not what is so short that it is found anywhere."""
        cleaned = set(map(self._without_own_names, self.personal))
        return {text for text in cleaned if len(text) > (8 if NUMBER.fullmatch(text) else 4)} - KNOWN_TO_DBT

    def found_in(self, texts: dict[str, set[str]]) -> dict[str, set[str]]:
        """Those that are in some texts, each with the places of the texts.

        A text that is in many places, as most are, is looked through once.
        """
        places: dict[str, set[str]] = defaultdict(set)
        for place, several in texts.items():
            for text in several:
                places[text].add(place)
        in_order = list(places.values())
        together = self._without_own_names(BETWEEN.join(places))
        ends = list(accumulate(len(text) + len(BETWEEN) for text in together.split(BETWEEN)))
        assert len(ends) == len(in_order)
        found: dict[str, set[str]] = defaultdict(set)
        for needle in self.searched():
            at = together.find(needle)
            while at >= 0:
                number = bisect_right(ends, at)
                found[needle] |= in_order[number]
                at = together.find(needle, ends[number])
        return found

    def _without_own_names(self, text: str) -> str:
        for name in sorted(self.own_names, key=lambda name: (-len(name), name)):
            text = text.replace(name, "")
        return text


def texts_of(folder: Path) -> dict[str, set[str]]:
    """What is in the files of a folder, readable, by place: each table's cells, each packed text unpacked."""
    texts: dict[str, set[str]] = {}
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        name = str(file.relative_to(folder))
        content = file.read_bytes()
        if file.suffix == ".parquet":
            with duckdb.connect() as con:
                texts[name] = texts_in(con, f"FROM '{file}'")
        elif file.suffix == ".duckdb":
            with duckdb.connect(file, read_only=True) as con:
                tables = con.execute("SELECT schema_name, table_name FROM duckdb_tables()").fetchall()
                for schema, table in tables:
                    texts[f"{name}: {schema}.{table}"] = texts_in(con, f'FROM {schema}."{table}"')
        else:
            content = gzip.decompress(content) if content.startswith(b"\x1f\x8b") else content
            texts[name] = set(unpacked(content.decode(errors="replace")).split(BETWEEN))
    return texts


def texts_in(con: duckdb.DuckDBPyConnection, rows: str) -> set[str]:
    """Every different value of some rows, JSON taken apart; without hashes, which could look like anything."""
    con.execute("SET TimeZone = 'UTC'")
    cells = con.execute(
        f"SELECT DISTINCT unnest(list_value(*COLUMNS(*))) AS cell FROM (SELECT COLUMNS(*)::VARCHAR {rows})"
    ).fetchall()
    return {leaf for (cell,) in cells if cell for leaf in leaves_of(cell) if not HASH.fullmatch(leaf)}


def leaves_of(cell: str) -> Iterator[str]:
    try:
        value = json.loads(cell)
    except ValueError:
        value = cell
    yield from map(str, OBJECTS.leaves(value)) if isinstance(value, dict | list) else (unpacked(cell),)


def unpacked(text: str) -> str:
    """The text, and in clear what is deflated in it, as the loader keeps its state."""
    clear = [text]
    for packed in PACKED_STATE.findall(text):
        try:
            clear.append(zlib.decompress(base64.b64decode(packed)).decode())
        except (ValueError, zlib.error):
            continue
    return "\n".join(clear)


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["keep", "hash", "drop"])
def test_a_whole_run(
    make_site: Make,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    mode: str,
) -> None:
    caplog.set_level(logging.DEBUG)
    site = make_site(
        accounts=ACCOUNT_IDS,
        mentions=50,
        options={
            "social_connect_start_date": "2025-01-01",
            "social_connect_context_calls": 1_000,
            "social_warehouse_personal_data": mode,
            "social_warehouse_personal_data_key": "a key of the tests' own",
        },
    )
    needles = Needles()
    needles.learn_from(site.box)
    texts: dict[str, set[str]] = {}
    load = dlt.Pipeline.load

    def look_before_loading(pipeline: dlt.Pipeline, *arguments: Any, **options: Any) -> Any:
        """The load package goes when it is loaded. The work file is open elsewhere until then."""
        for folder in (site.home / "dlt", site.home / "scratch"):
            texts.update({f"before loading: {place}": found for place, found in texts_of(folder).items()})
        return load(pipeline, *arguments, **options)

    monkeypatch.setattr(dlt.Pipeline, "load", look_before_loading)
    said = run_with_faults(site)
    needles.learn_from(site.box)
    assert site.one("SELECT count(*) FROM quarantine") > 0
    assert site.one("SELECT count(*) FROM history.schema_changes") > 0
    assert site.one("SELECT count(*) FROM statistics") > 0
    if mode != "drop":  # a note is found by its text
        assert site.one("SELECT count(*) FROM mention_context_items") > 0
    replay(site.settings())
    texts |= texts_of(site.home)
    captured = capfd.readouterr()
    texts["said"] = {*said, caplog.text, captured.out, captured.err}

    places = {"before loading: .*parquet", "before loading: .*json", r"warehouse.duckdb: social_connect\."}
    places |= {r"warehouse.duckdb: raw\.", r"warehouse.duckdb: history\.", r"published/warehouse.duckdb: marts\."}
    places |= {"logs/.*log", "dbt/"}
    assert [place for place in places if not any(re.match(place, name) for name in texts)] == []
    found = needles.found_in(texts)
    if mode == "keep":  # else a search that finds nothing would say nothing
        # A few have changed between two readings.
        assert len(found) > 0.99 * len(needles.searched()) > 1_000
        assert any(name.startswith("before loading: ") for names in found.values() for name in names)
        assert any(name.startswith("published/") for names in found.values() for name in names)
    else:
        assert found == {}


def run_with_faults(site: Any) -> list[str]:
    """Runs, each with something wrong, the last one transformed and published; what they said."""
    faults = site.box.faults
    said = []
    with log_to(site.settings()):
        faults.add("changed_type", path="inbox/mentions", field="author", value=UNREADABLE["name"])
        faults.add("changed_type", path="inbox/contacts", field="socialprofiles", value=UNREADABLE)
        faults.add("unreadable_record", path="settings/tags", record=UNREADABLE)
        faults.add("unknown_field", path="inbox/cases")
        faults.add("cut_json", path="inbox/contacts", after=1)
        faults.add("html", path="settings/users", status=502)
        said.append(str(extract_and_load(site.settings(), as_of=site.box.now)))
        faults.clear()
        site.box.advance(hours=20)
        faults.add("looping_next_url", path="inbox/contacts", times=None)
        try:
            extract_and_load(site.settings(), as_of=site.box.now)
        except SocialConnectError as error:
            said += [str(error), repr(error)]
        assert len(said) > 1
        faults.clear()
        report = sync(site.settings(), as_of=site.box.now)
        said += [str(report.as_json()), report.as_markdown()]
    return said
