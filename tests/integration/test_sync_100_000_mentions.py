"""A hundred thousand mentions: a first sync, one with nothing new, and one after some hours."""

# ruff: noqa: S608 - names of tables and columns come from the contract or the catalogue

import gc
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from hashlib import blake2b
from typing import Any

import orjson
import pytest

from pipelines.run import Extraction, Silent

Make = Callable[..., Any]
Json = dict[str, Any]
Rows = dict[str, list[tuple[Any, ...]]]

pytestmark = pytest.mark.slow

MENTIONS = 100_000


class _Served(Silent):
    """Notes a digest of every mention that the API sends, by unique_id."""

    def __init__(self) -> None:
        self.digests: dict[str, bytes] = {}

    def page(self, stream: str, page: Any, remaining_count: int | None) -> None:  # noqa: ARG002 - the protocol's shape
        if stream == "mentions":
            self.digests.update(digests(page.records))


@dataclass(frozen=True)
class _History:
    """Three syncs; the tables after each, and what the account held at the first and at the last, by mention."""

    site: Any
    first: Extraction
    nothing_new: Extraction
    some_hours_later: Extraction
    fingerprints: tuple[str, str, str]
    versions: tuple[dict[str, str], dict[str, str]]
    held: tuple[dict[str, bytes], dict[str, bytes]]


@pytest.fixture(scope="module", autouse=True)
def no_search_for_garbage() -> Iterator[None]:
    """Python would look through the millions of values of a hundred thousand mentions again and again."""
    gc.disable()
    yield
    gc.enable()


@pytest.fixture(scope="module")
def make_site(make_site: Make) -> Make:
    """Sites that read what mentions need, and no more: every other stream and raw payloads cost each sync time."""
    options = {"social_warehouse_raw_payloads": "false"}
    return partial(make_site, stream_names=["topics", "users", "mentions"], options=options)


@pytest.fixture(scope="module")
def history(make_site: Make) -> _History:
    """What the account held at the first is what the API has sent then; that this is all there was has a test."""
    site = make_site(mentions=MENTIONS)
    served = _Served()
    first = site.sync(progress=served)
    fingerprints = [fingerprint(site)]
    versions = [versions_now(site)]
    nothing_new = site.sync()
    fingerprints.append(fingerprint(site))
    site.box.advance(hours=2)
    later = site.sync()
    fingerprints.append(fingerprint(site))
    versions.append(versions_now(site))
    held = (served.digests, digests(site.mentions(1417)))
    return _History(site, first, nothing_new, later, tuple(fingerprints), tuple(versions), held)  # type: ignore[arg-type] # lists of known length


def digests(mentions: list[Json]) -> dict[str, bytes]:
    """A digest of each mention, by unique_id."""
    return {mention["unique_id"]: blake2b(orjson.dumps(mention), digest_size=16).digest() for mention in mentions}


def versions_now(site: Any) -> dict[str, str]:
    """A hash of all columns of every mention's row, the loader's included."""
    return dict(site.rows("SELECT unique_id, hash(m) FROM mentions m"))


def fingerprint(site: Any) -> str:
    """A hash of every row of every table, the loader's columns included."""
    tables = site.rows(
        "SELECT table_name FROM duckdb_tables()"
        " WHERE schema_name = 'social_connect' AND NOT starts_with(table_name, '_dlt')"
    )
    return str({name: site.rows(f"SELECT count(*), bit_xor(hash(t)) FROM {name} t") for (name,) in sorted(tables)})


def test_every_row_of_every_table_is_what_the_account_holds(history: _History) -> None:
    assert history.first.load.record_counts["mentions"] >= MENTIONS
    history.site.assert_holds_the_truth()


def test_the_first_sync_reads_every_mention(history: _History) -> None:
    """None of those that were there then is first seen by a later one."""
    first_run = history.site.box.now - timedelta(hours=2)
    there = {m["unique_id"] for m in history.site.mentions(1417) if m["date"]["added"] <= first_run.timestamp()}
    assert history.held[0].keys() == there
    assert history.versions[0].keys() == there


def test_reading_costs_a_request_per_page_and_few_more(history: _History) -> None:
    assert history.first.request_count <= MENTIONS / 100 + 25


def test_nothing_new_costs_ten_requests_and_changes_nothing(history: _History) -> None:
    assert history.nothing_new.request_count <= 10
    assert history.nothing_new.load.row_counts == {}
    assert history.fingerprints[1] == history.fingerprints[0]


def test_exactly_what_was_added_or_acted_on_is_written(history: _History) -> None:
    held_before, held_after = history.held
    before, after = history.versions
    differs = {key for key, digest in held_after.items() if held_before.get(key) != digest}
    written = {key for key, version in after.items() if before.get(key) != version}
    assert written == differs
    assert len(held_after) > len(held_before)
    assert history.fingerprints[2] != history.fingerprints[1]


def test_hours_later_only_pages_with_news_are_read(history: _History) -> None:
    changed_count = history.some_hours_later.load.row_counts["mentions"]
    assert history.some_hours_later.request_count <= changed_count / 50 + 20
