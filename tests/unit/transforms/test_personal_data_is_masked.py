"""Personal values are hashed or dropped before they are stored, wherever they stand; all else stays as it is."""

import hmac
import json
from types import ModuleType
from typing import Any

import duckdb
import pytest

from transforms.contract import contract, read_contract
from transforms.flatten import Flattening
from transforms.selects import typed

KEY = b"sixteen letters, or more"  # of the policy HASH
LETTER = read_contract(
    """
    object: letter
    table: letters
    key: [id]
    description: One row per letter.
    fields:
      id: {type: text, description: The key.}
      text: {type: text, personal: true, description: T.}
      public: {type: text, description: T.}
      number: {type: integer, column: number_count, personal: true, description: T.}
      weight: {type: float, personal: true, description: T.}
      sent: {type: timestamp, column: sent_at, personal: true, description: T.}
      read: {type: boolean, column: is_read, personal: true, description: T.}
      stamp: {type: json, personal: true, description: T.}
      form: {type: json, description: T.}
      street: {type: text, also: [road], personal: true, description: T.}
      city: {type: text, also: [town], description: T.}
      span:
        items:
          - {type: integer, column: start_index, description: T.}
          - {type: integer, column: end_index, personal: true, description: T.}
      sender:
        fields:
          name: {type: text, personal: true, description: T.}
          role: {type: text, description: T.}
          secret: {left_out: Nobody asks.}
      readers:
        table: letter_readers
        description: One row per reader.
        of: {type: text, column: reader, personal: true, description: T.}
      stamps:
        table: letter_stamps
        description: One row per stamp.
        of: {type: text, column: stamp, description: T.}
      pages:
        table: letter_pages
        description: One row per page.
        of:
          fields:
            text: {type: text, personal: true, description: T.}
            number: {type: integer, column: page_index, description: T.}
            words:
              table: letter_page_words
              description: One row per word.
              of: {fields: {word: {type: text, personal: true, description: T.}, kind: {type: text, description: T.}}}
            marks:
              table: letter_page_marks
              keyed_by: {column: kind, description: T.}
              description: One row per mark.
              of:
                fields:
                  by: {type: text, personal: true, description: T.}
                  ink: {type: text, also: [colour], description: T.}
      labels:
        table: letter_labels
        keyed_by: {column: kind, description: T.}
        description: One row per label.
        of: {type: text, column: label, personal: true, description: T.}
      copy:
        whole: {type: json, personal: true, description: T.}
        fields:
          id: {type: text, description: T.}
          by: {type: text, personal: true, description: T.}
          at: {fields: {added: {type: timestamp, column: copy_added_at, description: T.}}}
          note: {type: json, personal: true, description: T.}
      label:
        whole: {type: json, description: T.}
      copies:
        table: letter_copies
        description: One row per copy.
        of:
          whole: {type: json, column: copied, personal: true, description: T.}
          fields:
            id: {type: text, column: copied_id, description: T.}
    """,
    file="letter.yml",
)
both = pytest.mark.parametrize("mode", ["hash", "drop"])


def hashed(text: str) -> str:
    return hmac.new(KEY, text.encode(), "sha256").hexdigest()[:32]


def policy(masking: ModuleType, mode: str) -> Any:
    return {"hash": masking.HASH, "drop": masking.DROP}[mode]


def land(masking: ModuleType, mode: str, **fields: Any) -> Any:
    """A letter's tables; what was kept of it must read the same again, without a doubt."""
    landed = masking.flatten(LETTER, [{"id": "1"} | fields], policy(masking, mode))
    again = masking.read_again(LETTER, landed)
    assert again.values() == landed.values()
    assert again.drift == set()
    return landed


def one(masking: ModuleType, mode: str, **fields: Any) -> dict[str, Any]:
    (row,) = land(masking, mode, **fields).tables["letters"]
    assert isinstance(row, dict)
    return row


@both
@pytest.mark.parametrize("text", ["Lotte", "é\u0000\n'\"", "株式会社", "7", " "])
def test_a_text(masking: ModuleType, mode: str, text: str) -> None:
    row = one(masking, mode, text=text, public=text)
    assert row["text"] == (hashed(text) if mode == "hash" else None)
    assert row["public"] == text
    assert row["id"] == "1"


def test_a_number_is_hashed_as_the_text_that_it_is_stored_as(masking: ModuleType) -> None:
    assert one(masking, "hash", text=3310000000)["text"] == hashed("3310000000")
    assert one(masking, "hash", text=True)["text"] == hashed("true")


@both
def test_nothing_and_null_stay_what_they_are(masking: ModuleType, mode: str) -> None:
    for fields in ({}, {"text": None, "stamp": None, "sender": None, "copy": None}, {"sender": [], "copy": []}):
        row = one(masking, mode, **fields)
        assert {row[name] for name in ("text", "stamp", "sender_name", "copy", "copy_by")} == {None}


def test_an_empty_text_stays_empty_where_it_is_hashed(masking: ModuleType) -> None:
    assert one(masking, "hash", text="", sender={"name": ""})["text"] == ""
    assert one(masking, "drop", text="")["text"] is None


@both
def test_what_is_no_text_becomes_null(masking: ModuleType, mode: str) -> None:
    row = one(masking, mode, number=41, weight=1.5, sent=1_772_000_000, read=True)
    assert [row[name] for name in ("number_count", "weight", "sent_at", "is_read")] == [None] * 4


def test_json_becomes_the_hash_of_its_text_or_null(masking: ModuleType) -> None:
    value = {"by": "Lotte", "list": [1]}
    row = one(masking, "hash", stamp=value, form=value)
    assert json.loads(row["stamp"]) == hashed('{"by":"Lotte","list":[1]}')
    assert json.loads(row["form"]) == value
    row = one(masking, "drop", stamp=value, form=value)
    assert row["stamp"] is None
    assert json.loads(row["form"]) == value


@both
def test_a_field_of_either_spelling(masking: ModuleType, mode: str) -> None:
    for spelling in ("street", "road"):
        row = one(masking, mode, **{spelling: "Veldstraat 1"})
        assert row["street"] == (hashed("Veldstraat 1") if mode == "hash" else None)
    for spelling in ("city", "town"):
        assert one(masking, mode, **{spelling: "Gent"})["city"] == "Gent"


@both
def test_a_place_of_a_short_list(masking: ModuleType, mode: str) -> None:
    row = one(masking, mode, span=[9, 13])
    assert (row["start_index"], row["end_index"]) == (9, None)
    row = one(masking, mode, span=[])
    assert (row["start_index"], row["end_index"]) == (None, None)


@both
def test_lists_and_lists_in_lists(masking: ModuleType, mode: str) -> None:
    words = [{"word": "dear", "kind": "a"}, {"kind": "b"}]
    landed = land(
        masking,
        mode,
        readers=["Lotte", None, "", "Bo"],
        stamps=["red", None],
        pages=[{"text": "Dear", "number": 1, "words": words}, None, {"words": []}],
    )

    def mask(text: str) -> str | None:
        return hashed(text) if mode == "hash" else None

    empty = "" if mode == "hash" else None
    assert [row["reader"] for row in landed.tables["letter_readers"]] == [mask("Lotte"), None, empty, mask("Bo")]
    assert [row["stamp"] for row in landed.tables["letter_stamps"]] == ["red", None]
    pages = [(row["position"], row["text"], row["page_index"]) for row in landed.tables["letter_pages"]]
    assert pages == [(0, mask("Dear"), 1), (1, None, None), (2, None, None)]
    found = landed.tables["letter_page_words"]
    assert [(row["position"], row["word"], row["kind"]) for row in found] == [(0, mask("dear"), "a"), (1, None, "b")]


@both
@pytest.mark.parametrize(
    ("marks", "expected"),
    [
        ([{"by": "Bo", "ink": "red"}, None], [(None, "Bo", "red"), (None, None, None)]),
        ({"seal": {"by": "Bo", "colour": "red"}}, [("seal", "Bo", "red")]),
        ({"seal": [{"by": "Bo"}, None, {"ink": "red"}], "note": {"by": "An"}, "gone": None, "none": []},
         [("seal", "Bo", None), ("seal", None, None), ("seal", None, "red"), ("note", "An", None)]),
        ({"": {"by": "Bo"}, "a/b~'\"\u0000": [{"ink": "x"}]}, [("", "Bo", None), ("a/b~'\"\u0000", None, "x")]),
        ({}, []), ([], []), (None, []),
    ],
)  # fmt: skip
def test_lists_by_kind_in_every_form(
    masking: ModuleType, mode: str, marks: Any, expected: list[tuple[str | None, str | None, str | None]]
) -> None:
    landed = land(masking, mode, pages=[{}, {"marks": marks}])
    found = sorted(landed.tables["letter_page_marks"], key=lambda row: row["position"])
    assert [row["position"] for row in found] == [*range(len(expected))]
    assert {row["page_position"] for row in found} <= {1}
    assert [(row["kind"], row["by"], row["ink"]) for row in found] == [
        (kind, hashed(by) if by and mode == "hash" else None, ink) for kind, by, ink in expected
    ]


@both
def test_plain_values_by_kind(masking: ModuleType, mode: str) -> None:
    found = land(masking, mode, labels={"b": ["Lotte", ""], "a": "Bo"}).tables["letter_labels"]
    assert [(row["kind"], row["label"]) for row in sorted(found, key=lambda row: row["position"])] == [
        (kind, hashed(label) if label and mode == "hash" else "" if mode == "hash" else None)
        for kind, label in (("b", "Lotte"), ("b", ""), ("a", "Bo"))
    ]


@both
def test_of_what_is_kept_whole_only_the_declared_is_left(masking: ModuleType, mode: str) -> None:
    copy = {"id": 7, "by": "Bo", "at": {"added": 1_772_000_000, "place": "Gent"}, "note": "hm", "to": {"name": "Lotte"}}
    landed = land(masking, mode, copy=copy, label=copy, copies=[copy, {}, None, {"id": {"name": "Lotte"}}])
    (row,) = landed.tables["letters"]
    by = hashed("Bo") if mode == "hash" else None
    note = hashed('"hm"') if mode == "hash" else None
    assert json.loads(row["copy"]) == {"id": "7", "by": by, "at": {"added": 1_772_000_000}, "note": note}
    assert (row["copy_id"], row["copy_by"], row["copy_added_at"].timestamp()) == ("7", by, 1_772_000_000)
    assert (None if row["copy_note"] is None else json.loads(row["copy_note"])) == note
    assert json.loads(row["label"]) == copy, "it is declared as not personal, whole as it is"
    copies = landed.tables["letter_copies"]
    assert [row["copied_id"] for row in copies] == ["7", None, None, None]
    assert [row["copied"] and json.loads(row["copied"]) for row in copies] == [
        {"id": "7"}, {"id": None}, None, {"id": None},
    ]  # fmt: skip


def test_where_all_is_kept_a_text_in_json_s_place_is_json_too(masking: ModuleType) -> None:
    copies = [{"id": "1", "copy": {"note": "hm"}}, {"id": "2", "copy": {"note": None}}]
    rows = masking.flatten(LETTER, copies, masking.KEEP).tables["letters"]
    assert {row["id"]: row["copy_note"] for row in rows} == {"1": '"hm"', "2": None}


@both
def test_what_is_not_declared_is_not_kept(masking: ModuleType, mode: str) -> None:
    hidden = {"name": "Lotte"}
    landed = land(
        masking,
        mode,
        new=hidden,
        public=hidden,
        sent="Lotte",
        span=[1, 2, 987654321],
        sender={"new": hidden, "role": [hidden], "secret": "Lotte"},
        stamps=[hidden, "red"],
        pages=["Lotte", {"new": "Lotte", "words": [{"new": "Lotte"}], "marks": {"seal": "Lotte"}}],
        readers="Lotte",
    )
    everything = json.dumps([landed.tables, landed.payloads, landed.typed], default=str)
    assert "Lotte" not in everything
    assert "987654321" not in everything
    assert {row["_extra"] for rows in landed.tables.values() for row in rows} == {None}
    assert [row["stamp"] for row in landed.tables["letter_stamps"]] == [None, "red"]
    # That it came is told, by the names of the fields.
    paths = {(found.table, ".".join(found.path)) for found in landed.drift}
    assert {("letters", "new"), ("letters", "sender.new"), ("letter_pages", "new")} < paths
    notices = [*map(str, landed.drift)]
    assert "unknown field letters.new (an object), not kept, as it may be personal" in notices
    assert "Lotte" not in "".join(notices)


@both
def test_nothing_personal_lies_in_the_temporary_table(masking: ModuleType, mode: str) -> None:
    landed = land(
        masking, mode, text="Lotte", copy={"by": "Lotte", "x": "Lotte"}, labels={"a": "Lotte"}, stamp=["Lotte"]
    )
    assert "Lotte" not in json.dumps([landed.typed, landed.payloads], default=str)


# --- keys ---

PARCEL = read_contract(
    """
    object: parcel
    table: parcels
    key: [owner, address]
    description: One row per parcel.
    given:
      owner: {type: text, personal: true, description: Who has it.}
    fields:
      address: {type: text, personal: true, description: Where it goes.}
      size: {type: text, description: T.}
      stops: {table: parcel_stops, description: One row per stop., of: {type: text, column: stop, description: T.}}
    """,
    file="parcel.yml",
)


def test_a_personal_key_is_hashed_and_tells_objects_apart(masking: ModuleType) -> None:
    parcels = [{"address": place, "size": size, "stops": ["x"]} for place, size in (("A", "1"), ("B", "2"), ("A", "3"))]
    landed = masking.flatten(PARCEL, parcels, masking.HASH, given={"owner": "Lotte"})
    expected = {(hashed("Lotte"), hashed("B"), "2"), (hashed("Lotte"), hashed("A"), "3")}
    assert {(row["owner"], row["address"], row["size"]) for row in landed.tables["parcels"]} == expected
    assert {(row["owner"], row["address"]) for row in landed.tables["parcel_stops"]} == {row[:2] for row in expected}
    assert {(row["owner"], row["address"]) for row in landed.payloads} == {row[:2] for row in expected}


def test_where_a_personal_key_is_to_go_the_object_goes(masking: ModuleType) -> None:
    landed = masking.flatten(PARCEL, [{"address": "A", "size": "1"}], masking.DROP, given={"owner": "Lotte"})
    assert landed.values() == {"parcels": [], "parcel_stops": []}
    assert landed.payloads == []


def test_equal_values_meet_across_tables(masking: ModuleType) -> None:
    mention = {"unique_id": "1_1", "author": {"id": 331, "name": "lotte"}}
    contact = {"id": "5", "socialprofiles": [{"service_id": "331", "username": "lotte"}]}
    (author,) = masking.flatten(contract("mention"), [mention], masking.HASH).tables["mentions"]
    (profile,) = masking.flatten(contract("contact"), [contact], masking.HASH).tables["contact_social_profiles"]
    assert author["author_id"] == profile["service_id"] == hashed("331")
    assert author["author_name"] == profile["username"] == hashed("lotte")


# --- hashes of content ---


def test_another_policy_writes_an_object_anew(masking: ModuleType) -> None:
    other_key = type(masking.HASH)("hash", "another secret altogether")
    marks = {
        masking.flatten(LETTER, [{"id": "1", "public": "x"}], policy).tables["letters"][0]["_content_hash"]
        for policy in (masking.KEEP, masking.HASH, masking.DROP, other_key)
    }
    assert len(marks) == 4


def test_the_content_s_hash_is_of_what_is_kept(masking: ModuleType) -> None:
    """Else a telephone number could be found by trying them all."""

    def mark(policy: Any, text: str) -> str:
        (row,) = masking.flatten(LETTER, [{"id": "1", "text": text}], policy).tables["letters"]
        return str(row["_content_hash"])

    assert mark(masking.DROP, "a") == mark(masking.DROP, "b")
    assert mark(masking.HASH, "a") != mark(masking.HASH, "b")
    assert mark(masking.HASH, "a") == mark(masking.HASH, "a")
    assert mark(masking.KEEP, "a") != mark(masking.KEEP, "b")


# --- quarantine ---


@both
def test_of_an_unreadable_record_the_shape_is_left(masking: ModuleType, mode: str) -> None:
    texts = ['{"name": "Lotte", "phone": "+32 2 555"}', '"Lotte"', '{"name": "Bojan", "phone": "+41 3 777"}']
    landed = masking.flatten_texts(LETTER, texts, policy(masking, mode))
    assert sorted(row["raw_text"] for row in landed.quarantine) == [
        '"xxxxx"',
        '{"xxxx": "xxxxx", "xxxxx": "+00 0 000"}',
    ]
    assert {row["reason"] for row in landed.quarantine} == {"no value for the key id", "not an object but text"}
    kept = masking.flatten_texts(LETTER, texts, masking.KEEP)
    assert sorted(row["raw_text"] for row in kept.quarantine) == sorted(texts)
    # The text's own hash could be compared with the hashes of all that it may be.
    marks = [{row["content_hash"] for row in found.quarantine} for found in (landed, kept)]
    assert marks[0].isdisjoint(marks[1])


# --- the key ---


def test_no_statement_and_no_error_shows_the_key(masking: ModuleType) -> None:
    with duckdb.connect() as con:
        con.execute("SET TimeZone = 'UTC'")
        con.execute("CALL enable_logging(level = 'trace')")
        flattening = Flattening(LETTER, con, loaded_at=masking.LOADED_AT, policy=masking.HASH)
        flattening.read(['{"data": [{"id": "1", "text": "x"}]}'], records_path="$.data", account_id="1417")
        logged = str(con.execute("SELECT message FROM duckdb_logs()").fetchall())
        assert "inner_key" in logged, "the statements are there"
        con.execute("DROP TABLE typed")
        with pytest.raises(duckdb.Error) as error:
            flattening.read(['{"data": [{"id": "1"}]}'], records_path="$.data", account_id="1417")
    shown = [KEY.decode(), *(value.hex() for value in masking.HASH.parameters.values())]
    shown += [repr(value)[2:20] for value in masking.HASH.parameters.values()]
    for text in shown:
        assert text not in logged + str(error.value) + repr(error.value)


def test_to_keep_everything_is_no_work(masking: ModuleType) -> None:
    for one_of_ours in (LETTER, contract("mention")):
        statement = typed(one_of_ours, masking.KEEP, keeps_payload=False)
        assert statement.count("json_transform") == 1
        assert statement.rstrip().endswith("FROM records")
        assert "to_json" not in statement


def test_where_all_is_kept_the_payload_is_the_text_as_sent(masking: ModuleType) -> None:
    texts = ['{"id":"1" , "text":"Lotte",\n"new": 1.50}', '{"public":{"b":2}, "id": 2}']
    landed = masking.flatten_texts(LETTER, texts, masking.KEEP)
    assert sorted((row["id"], row["payload"]) for row in landed.payloads) == [("1", texts[0]), ("2", texts[1])]
    assert {tuple(row) for row in landed.payloads} == {("account_id", "id", "_content_hash", "payload", "_loaded_at")}
    assert {row["_loaded_at"] for row in landed.payloads} == {masking.LOADED_AT}
    marks = {row["id"]: row["_content_hash"] for row in landed.tables["letters"]}
    assert {row["id"]: row["_content_hash"] for row in landed.payloads} == marks
