"""What names somebody erased is read as under `drop`, again and again; all else is read as if nobody were."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import duckdb
import pytest

from transforms.contract import contract, contracts
from transforms.erasure import SUBJECTS, Erasures, Kind, subject_hash
from transforms.flatten import Flattening
from transforms.personal_data import DROP, KEEP, Policy

Json = Any

KEY = "k" * 64
LOADED_AT = datetime(2026, 3, 2, tzinfo=UTC)
SHE, HE = "2873645510", "555"
PERSONAL = r"name of|about \d|a text|is unknown"


def erasures(*named: tuple[str, Kind, str]) -> Erasures:
    return Erasures(KEY, frozenset((account_id, subject_hash(KEY, kind, each)) for account_id, kind, each in named))


OF_HER = erasures(("", "author", SHE), ("1417", "mention", "t_9"), ("1417", "contact", "77"))


def mention(unique_id: str, author_id: Json, text: str = "a text", **other: Json) -> Json:
    return {
        "unique_id": unique_id,
        "status": "new",
        "author": {"id": author_id, "name": f"name of {author_id}"},
        "message": {"content": text},
        "tags": ["a tag"],
        "actions": [{"type": "note", "details": f"about {author_id}", "date": {"added": 1_770_000_000}}],
        **other,
    }


def read(name: str, records: list[Json], policy: Policy, account_id: str = "1417") -> dict[str, list[Json]]:
    """Every table, and the payloads."""
    declared = contract(name)
    with duckdb.connect() as con:
        con.execute("SET TimeZone = 'UTC'")
        flattening = Flattening(declared, con, loaded_at=LOADED_AT, policy=policy, keeps_payload=True)
        given = dict.fromkeys(declared.given, "t_1")
        body = json.dumps({"data": records}, ensure_ascii=False)
        flattening.read([body], records_path="$.data", account_id=account_id, given=given)
        tables = {
            table.name: con.execute(flattening.rows(table)).to_arrow_table().to_pylist() for table in declared.tables
        }
        payloads = con.execute(flattening.payloads()).to_arrow_table().to_pylist()
        quarantine = con.execute(flattening.quarantine()).to_arrow_table().to_pylist()
        return {**tables, "payloads": payloads, "quarantine": quarantine}


def of_keys(rows: dict[str, list[Json]], keys: set[str], *, without_hash: bool = False) -> Json:
    left_out = {"_content_hash"} if without_hash else set()
    return {
        table: sorted(
            json.dumps({name: value for name, value in row.items() if name not in left_out}, default=str)
            for row in these
            if row.get("unique_id") in keys
        )
        for table, these in rows.items()
    }


MENTIONS = [
    mention("t_1", SHE),
    mention("t_2", int(SHE)),
    mention("t_3", HE, original_author={"id": SHE, "fullname": "she"}),
    mention("t_9", "another", new={"field": "is unknown"}),
    mention("t_4", HE),
    mention("t_5", f"{SHE}0"),
    mention("t_6", None),
    mention("t_7", HE, text=f"a text that names {SHE}"),
    mention("t_8", HE, new=1, location=[]),
]
HERS, OTHERS = {"t_1", "t_2", "t_3", "t_9"}, {"t_4", "t_5", "t_6", "t_7", "t_8"}


def test_hers_are_as_dropped_and_others_as_kept() -> None:
    erased = read("mention", MENTIONS, Policy(erasures=OF_HER))
    assert of_keys(erased, HERS, without_hash=True) == of_keys(read("mention", MENTIONS, DROP), HERS, without_hash=True)
    assert of_keys(erased, OTHERS) == of_keys(read("mention", MENTIONS, KEEP), OTHERS)
    assert re.search(PERSONAL, json.dumps(of_keys(erased, HERS))) is None
    assert len(erased["mentions"]) == len(MENTIONS)


def test_a_masked_payload_is_read_into_the_same_rows_again() -> None:
    policy = Policy(erasures=OF_HER)
    once = read("mention", MENTIONS, policy)
    payloads = [json.loads(row["payload"]) for row in once["payloads"]]
    again = read("mention", payloads, policy)
    for rows in (again, once):
        rows["payloads"] = [row | {"payload": str(json.loads(row["payload"]))} for row in rows["payloads"]]
    assert of_keys(again, HERS, without_hash=True) == of_keys(once, HERS, without_hash=True)


def test_an_erasure_in_one_account_is_none_in_another() -> None:
    policy = Policy(erasures=erasures(("1417", "author", SHE)))
    kept = read("mention", MENTIONS, KEEP, account_id="1418")
    assert read("mention", MENTIONS, policy, account_id="1418") == kept
    assert read("mention", MENTIONS, policy) != read("mention", MENTIONS, KEEP)


def test_hashed_identifiers_are_known_too() -> None:
    hashing = Policy("hash", "a key of some length")
    stored = hashing.stored_text(SHE)
    policy = Policy("hash", "a key of some length", erasures=erasures(("", "author", stored)))
    rows = {row["unique_id"]: row for row in read("mention", MENTIONS, policy)["mentions"]}
    assert {key for key, row in rows.items() if row["author_name"] is None} >= {"t_1", "t_2", "t_3"}
    assert rows["t_4"]["author_name"] == hashing.masked_text(f"name of {HE}")


@pytest.mark.parametrize(
    ("name", "records"),
    [
        ("case", [{"case": mention("c_1", SHE)}]),
        ("case", [{"case": mention("c_1", HE), "linked_mentions": [mention("t_0", HE), mention("t_2", int(SHE))]}]),
        ("case", [{"case": mention("c_1", HE), "linked_mentions": [mention("t_9", HE)]}]),
        ("case", [{"case": mention("c_1", HE), "contact": {"id": 77, "name": "name of her"}}]),
        ("contact", [{"id": "1", "name": "name of her", "socialprofiles": [{"service_id": "x"}, {"service_id": SHE}]}]),
        ("contact", [{"id": 77, "name": "name of her"}]),
        ("context_item", [{"id": "i", "type": "mention", "object": mention("t_0", SHE)}]),
        ("context_item", [{"id": "i", "type": "mention", "object": mention("t_9", HE)}]),
        ("publisher_post", [{"id": "p", "message": {"content": "a text"}, "in_reply_to": mention("t_0", SHE)}]),
        ("publisher_post", [{"id": "p", "message": {"content": "a text"}, "in_reply_to": mention("t_9", HE)}]),
    ],
)
def test_whatever_names_her_is_masked_whole(name: str, records: list[Json]) -> None:
    erased, kept = (json.dumps(read(name, records, policy), default=str) for policy in (Policy(erasures=OF_HER), KEEP))
    assert re.search(PERSONAL, kept)
    assert re.search(PERSONAL, erased) is None
    for other in (Policy(erasures=erasures(("", "author", "nobody"))), Policy(erasures=Erasures(KEY, frozenset()))):
        assert json.dumps(read(name, records, other), default=str) == kept


def test_of_what_cannot_be_read_only_the_shape_is_kept() -> None:
    record = {"unique_id": ["no text"], "author": {"id": SHE, "name": "name of her"}}
    (kept,) = read("mention", [record], KEEP)["quarantine"]
    assert SHE in kept["raw_text"]
    (erased,) = read("mention", [record], Policy(erasures=OF_HER))["quarantine"]
    assert re.search("[a-wyz1-9]", erased["raw_text"]) is None


def columns_of_people() -> Iterator[tuple[str, tuple[str, ...]]]:
    """Every column that holds somebody's identifier on a service."""
    for declared in contracts():
        for table in declared.tables:
            for column in table.columns:
                if column.personal and column.name in {"author_id", "original_author_id", "service_id"}:
                    yield declared.object, (table.name, column.name)


def test_every_object_that_names_people_of_the_public_can_be_erased() -> None:
    assert {name for name, _ in columns_of_people()} <= SUBJECTS.keys()
    assert len(list(columns_of_people())) >= 6
    assert {name for name, paths in SUBJECTS.items() if "author" in paths} == SUBJECTS.keys()
