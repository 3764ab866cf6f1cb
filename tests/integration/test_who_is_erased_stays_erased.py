"""Of a person, or a mention, that was erased nothing is left in any file, and nothing comes back; all else stays.

What is a person's is said here by what the sandbox shows, without a look at contracts or at what the command found.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from pipelines import run
from pipelines.erasure import ErasuresUnreadable, Subject
from pipelines.warehouse import WarehouseBusy, WarehouseUnreadable
from transforms.personal_data import Policy

pytestmark = pytest.mark.slow

Json = Any
Make = Callable[..., Any]

ACCOUNT = 1417
KEY = "a key of some length"
PERSONAL = {
    "author": ("id", "name", "fullname", "url", "img"),
    "original_author": ("id", "name", "fullname", "url", "img"),
    "message": ("title", "content", "stripped_content"),
    "source": ("id", "url"),
}
OF_A_CONTACT = ("name", "email", "phone", "comments")
OF_A_PROFILE = ("service_id", "username", "displayname", "avatar", "url")


class Person:
    """Somebody of the sandbox who has written, has a contact, and has a case."""

    def __init__(self, box: Any) -> None:
        contacts = box.contacts(ACCOUNT)
        mentions, cases = box.mentions(ACCOUNT), box.cases(ACCOUNT)
        profiles = {str(each["service_id"]): contact for contact in contacts for each in contact["socialprofiles"]}
        in_cases = {str(each["author"].get("id")) for case in cases for each in case["linked_mentions"]}
        writes = Counter(str(each["author"].get("id")) for each in mentions if not each["author"].get("managed"))
        self.author_id = next(each for each, _ in writes.most_common() if each in profiles and each in in_cases)
        self.contact = profiles[self.author_id]
        self.ids = {self.author_id, *(str(each["service_id"]) for each in self.contact["socialprofiles"])}
        self.mentions = [each for each in mentions if self._is_named(each)]
        own = {each["unique_id"] for each in self.mentions}
        self.cases = [
            case
            for case in cases
            if self._is_named(case["case"])
            or (case.get("contact") or {}).get("id") == self.contact["id"]
            or any(each["unique_id"] in own or self._is_named(each) for each in case["linked_mentions"])
        ]
        posts = [
            each for each in box.publisher_posts(ACCOUNT) if (each.get("in_reply_to") or {}).get("unique_id") in own
        ]
        self.object_ids = {
            *own,
            *(case["case"]["unique_id"] for case in self.cases),
            str(self.contact["id"]),
            *(str(post["id"]) for post in posts),
        }
        others = [each for each in mentions if each["unique_id"] not in own]
        others += [case for case in cases if case["case"]["unique_id"] not in self.object_ids]
        others += [contact for contact in contacts if contact["id"] != self.contact["id"]]
        others += [post for post in box.publisher_posts(ACCOUNT) if str(post["id"]) not in self.object_ids]
        written = json.dumps(others, ensure_ascii=False)
        ids_that_stay = json.dumps([case["case"]["unique_id"] for case in self.cases])
        self.texts = {
            text
            for text in self._texts()
            if len(text) >= 6
            and json.dumps(text, ensure_ascii=False)[1:-1] not in written
            and text not in ids_that_stay
        }

    def _is_named(self, mention: Json) -> bool:
        return any(str((mention.get(each) or {}).get("id")) in self.ids for each in ("author", "original_author"))

    def _texts(self) -> Iterator[str]:
        for mention in self.mentions:
            for part, names in PERSONAL.items():
                yield from (str(value) for name in names if (value := (mention.get(part) or {}).get(name)))
        yield from (str(value) for name in OF_A_CONTACT if (value := self.contact.get(name)))
        for profile in self.contact["socialprofiles"]:
            yield from (str(value) for name in OF_A_PROFILE if (value := profile.get(name)))


def texts_found(home: Path, texts: set[str]) -> dict[str, set[str]]:
    """Where the texts are, by a plain look at every row of every table and every byte of every file."""
    ways = {
        way: text
        for text in texts
        for way in (text, json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1])
    }
    ways |= {way.replace("/", r"\/"): text for way, text in ways.items()}
    found: dict[str, set[str]] = {}
    for file in (each for each in home.rglob("*") if each.is_file()):
        content = file.read_bytes()
        found[str(file.relative_to(home))] = {text for way, text in ways.items() if way.encode() in content}
        if file.suffix == ".duckdb":
            with duckdb.connect(file, read_only=True) as con:
                for schema, table in con.execute("SELECT schema_name, table_name FROM duckdb_tables()").fetchall():
                    rows = con.execute(f'FROM "{schema}"."{table}"').fetchall()
                    held = "\x1f".join(str(value) for row in rows for value in row)
                    found[f"{file.name}: {schema}.{table}"] = {text for way, text in ways.items() if way in held}
    return {place: inside for place, inside in found.items() if inside}


def rows_of_others(snapshot: dict[str, list[tuple[Any, ...]]], object_ids: set[str]) -> dict[str, Counter[Any]]:
    """All rows but those that carry the key of an erased object; the loader's own columns are equal, too."""
    return {
        table: Counter(row for row in rows if not object_ids & {value for value in row[:3] if isinstance(value, str)})
        for table, rows in snapshot.items()
    }


def counts(site: Any) -> dict[str, int]:
    return {table: len(rows) for table, rows in site.snapshot().items()}


def erase(site: Any, subject: Subject, **options: Any) -> run.ErasureReport:
    return run.erase(site.settings(), subject, as_of=site.box.now, **options)


def stored(mode: str, texts: set[str]) -> set[str]:
    return {Policy("hash", KEY).masked_text(text) for text in texts} if mode == "hash" else texts


MODES = ["keep", "hash", "drop"]


@pytest.mark.filterwarnings("ignore")  # what dbt's imports raise is not ours to mend
@pytest.mark.parametrize("mode", MODES)
def test_a_person_is_nowhere_and_does_not_come_back(make_site: Make, mode: str) -> None:
    options = {} if mode == "keep" else {"social_warehouse_personal_data": mode}
    if mode == "hash":
        options["social_warehouse_personal_data_key"] = KEY
    site = make_site(is_synced=True, **({"options": options} if options else {}))
    person = Person(site.box)
    texts = stored(mode, person.texts)
    before = site.snapshot()
    if mode != "drop":
        assert len(texts) > 8
        assert len(texts_found(site.home, texts)) > 3, "else a search that finds nothing would say nothing"

    planned = erase(site, Subject(author_id=person.author_id), is_dry_run=True)
    assert site.snapshot() == before
    if mode != "drop":
        assert planned.object_counts["mentions"] == len(person.mentions)
        assert planned.object_counts["contacts"] == 1

    report = erase(site, Subject(author_id=person.author_id), reason="she asked for it")
    assert [str(trace) for trace in report.traces] == []
    assert report.text_count > 0
    assert texts_found(site.home, texts) == {}
    assert texts_found(site.home, person.texts) == {}
    after = site.snapshot()
    assert {table: len(rows) for table, rows in after.items()} == {table: len(rows) for table, rows in before.items()}
    assert rows_of_others(after, person.object_ids) == rows_of_others(before, person.object_ids)
    if mode != "drop":
        (reasons,) = site.rows("SELECT list(DISTINCT reason) FROM history.erasures")
        assert reasons == (["she asked for it"],)
        hashes = site.rows("SELECT kind, id_hash FROM history.erasures")
        assert {kind for kind, _ in hashes} >= {"author", "mention", "contact"}

    mention = person.mentions[0]["unique_id"]
    site.box.act(ACCOUNT, mention, kind="note", text="Xylophone Zwaluwstaart called again", user_id=None)
    site.box.edit_contact(ACCOUNT, str(person.contact["id"]), {"company": "Quokka & Sons"})
    site.box.advance(hours=3)
    site.sync()
    new = {"Xylophone Zwaluwstaart called again", "Quokka & Sons"}
    assert site.one("SELECT count(*) FROM mention_actions WHERE unique_id = ? AND type = 'note'", mention) > 0
    assert texts_found(site.home, texts | person.texts | stored(mode, new) | new) == {}

    run.replay(site.settings(), as_of=site.box.now)
    assert texts_found(site.home, texts | person.texts | stored(mode, new) | new) == {}
    assert site.one("SELECT count(*) FROM mentions WHERE unique_id = ? AND message_content IS NOT NULL", mention) == 0


@pytest.mark.filterwarnings("ignore")
def test_a_mention_is_nowhere_and_its_author_s_others_stay(make_site: Make) -> None:
    site = make_site(is_synced=True)
    held = Counter(each["author"].get("id") for each in site.box.mentions(ACCOUNT))
    linked = {each["unique_id"] for case in site.box.cases(ACCOUNT) for each in case["linked_mentions"]}
    mention = next(
        each
        for each in site.box.mentions(ACCOUNT)
        if held[each["author"].get("id")] > 1
        and each["unique_id"] not in linked
        and (each["message"].get("content") or "").isascii()
    )
    unique_id = mention["unique_id"]
    # A text of its own: those of the sandbox are used again.
    site.box.edit_mention(
        ACCOUNT,
        unique_id,
        {"message": {"content": 'Wombat wonders "why" / where', "stripped_content": "Wombat wonders"}},
    )
    site.box.act(ACCOUNT, unique_id, kind="status", status="done")
    site.box.advance(hours=1)
    site.sync()
    texts = {"Wombat wonders"}
    assert len(texts_found(site.home, texts)) > 1
    before = site.snapshot()
    report = erase(site, Subject(mention_id=unique_id, account_id=str(ACCOUNT)))
    assert report.object_counts["mentions"] == 1
    assert [str(trace) for trace in report.traces] == []
    assert texts_found(site.home, texts) == {}
    after = site.snapshot()
    posts = {row[1] for row in before["publisher_posts"] if any(unique_id in str(value) for value in row)}
    gone = {unique_id, *posts}
    assert rows_of_others(after, gone) == rows_of_others(before, gone)
    kept = "SELECT status, author_id, message_content FROM mentions WHERE unique_id = ?"
    assert site.rows(kept, unique_id) == [("done", None, None)]
    assert site.one("SELECT count(*) FROM mentions WHERE author_id = ?", str(mention["author"]["id"])) > 0


def test_nothing_is_erased_where_nothing_is_or_something_runs(make_site: Make, tmp_path: Path) -> None:
    site = make_site(is_synced=True)
    with pytest.raises(WarehouseUnreadable, match="does not exist"):
        erase(site.with_home(tmp_path / "new"), Subject(author_id="x"))
    before = site.snapshot()
    with run.open_warehouse(site.settings()).backfill_lock(), pytest.raises(WarehouseBusy):
        erase(site, Subject(author_id="x"))
    report = erase(site, Subject(author_id="nobody there"), is_dry_run=True)
    assert report.object_counts == {}
    assert site.snapshot() == before


def test_nothing_is_loaded_where_the_list_of_the_erased_is_lost(make_site: Make, tmp_path: Path) -> None:
    site = make_site(is_synced=True).with_home(tmp_path)
    (tmp_path / "erasure-key").write_text(KEY, encoding="ascii")
    with pytest.raises(ErasuresUnreadable, match="no list of them"):
        site.sync()
    assert not (tmp_path / "warehouse.duckdb").exists()
