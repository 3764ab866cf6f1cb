"""Names and texts are data: none of them is read as SQL, as a JSON path, or as a piece of JSON."""

import json
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

Land = Callable[..., Any]

NAMES = [
    " ",
    "'",
    "''",
    '"',
    '""',
    "`",
    ";",
    "'; DROP TABLE typed; --",
    "x' IS NOT NULL) OR ('1'='1",
    "$",
    "$account_id",
    "?",
    "{}",
    "{0}",
    "%s",
    "/",
    "//",
    "a/b",
    "~",
    "~0",
    "~1",
    "a~/b",
    "*",
    "**",
    "[0]",
    "#-1",
    "0",
    "-",
    "\\",
    "\\\\",
    "a\\",
    "\\u0000",
    "a\nb",
    "\u2028",
    "é",
    "e\u0301",
    "🇧🇪",
    "position",
    "sequence",
    "e",
    "j",
    "unnest",
    "_extra",
    "NULL",
    "select",
]


@pytest.mark.parametrize("where", ["a mention", "an object", "an action", "an assignee", "an entity"])
def test_an_unknown_field_can_have_any_name(land: Land, where: str) -> None:
    new = dict.fromkeys(NAMES, 1)
    entity = {"string": "#a"}
    places: dict[str, tuple[Any, str, str]] = {
        "a mention": (new, "mentions", ""),
        "an object": ({"author": new}, "mentions", "author."),
        "an action": ({"actions": [new]}, "mention_actions", ""),
        "an assignee": ({"actions": [{"metadata": {"assignees": [new]}}]}, "mention_action_assignees", ""),
        "an entity": ({"message": {"entities": {"urls": [entity | new]}}}, "mention_entities", ""),
    }
    sent, table, prefix = places[where]
    landed = land({"unique_id": "1", **sent})
    assert landed.kept() == {table: [{f"{prefix}{name}": 1 for name in NAMES}]}


def test_an_unknown_field_s_name_can_be_empty(land: Land) -> None:
    landed = land({"unique_id": "1", "": 1, "$": 2, "actions": [{"": 3}]})
    assert landed.kept() == {"mentions": [{"": 1, "$": 2}], "mention_actions": [{"": 3}]}


@pytest.mark.parametrize("name", ["\u0000", "a\u0000b"])
def test_an_unknown_field_s_name_can_hold_a_null_character(land: Land, name: str) -> None:
    assert land({"unique_id": "1", name: 1}).kept() == {"mentions": [{name: 1}]}


def test_a_name_with_a_dot_hides_no_path(land: Land) -> None:
    landed = land({"unique_id": "1", "author.new": "flat", "author": {"new": "nested"}})
    (kept,) = landed.extras()
    assert sorted(kept.values()) == ["flat", "nested"]


@pytest.mark.parametrize("example_count", [10, pytest.param(40, marks=pytest.mark.slow)])
def test_any_name_and_any_value(land: Land, payloads: ModuleType, example_count: int) -> None:
    @settings(max_examples=example_count, deadline=None)
    @given(data=st.data())
    def check(data: st.DataObject) -> None:
        names = payloads.texts.filter(lambda name: name and "\u0000" not in name and "." not in name)
        scalars = st.one_of(payloads.texts, st.integers(-(2**70), 2**70), st.booleans(), st.none())
        values = st.recursive(
            scalars, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(names, inner, max_size=2)
        )
        known = set(payloads.full())
        new = data.draw(st.dictionaries(names.filter(lambda name: name not in known), values, min_size=1, max_size=3))
        landed = land(bodies=data.draw(payloads.bodies_of([{"unique_id": "1", **new}, {"unique_id": "2"}])))
        assert landed.extras() == [new, None]

    check()


def test_texts_come_through_as_they_are(land: Land, payloads: ModuleType) -> None:
    texts = [*payloads.HOSTILE_TEXTS, *NAMES]
    landed = land(
        *(
            {
                "unique_id": f"{place:03}",
                "status": text,
                "author": {"name": text, "tags": [text, text]},
                "message": {"content": text, "entities": {"urls": [{"url": text}]}},
                "actions": [{"details": text, "metadata": {"assignees": [{"display_name": text}]}}],
            }
            for place, text in enumerate(texts)
        )
    )
    assert landed.drift == ()
    assert landed.column("mentions", "status") == texts
    assert landed.column("mentions", "author_name") == texts
    assert landed.column("mentions", "message_content") == texts
    assert landed.column("mention_author_tags", "tag") == [text for text in texts for _ in range(2)]
    assert landed.column("mention_entities", "url") == texts
    assert landed.column("mention_actions", "details") == texts
    assert landed.column("mention_action_assignees", "display_name") == texts


def test_texts_come_through_where_a_shape_has_to_be_looked_at(land: Land, payloads: ModuleType) -> None:
    texts = [*payloads.HOSTILE_TEXTS, *NAMES]
    landed = land(
        *(
            {
                "unique_id": f"{place:03}",
                "status": text,
                "new": text,
                "tags": [text],
                "author": {"name": text, "new": []},
            }
            for place, text in enumerate(texts)
        )
    )
    assert landed.column("mentions", "status") == texts
    assert landed.column("mentions", "author_name") == texts
    assert landed.column("mention_tags", "tag") == texts
    assert landed.extras() == [{"new": text, "author.new": []} for text in texts]


def test_a_key_is_taken_as_it_is(land: Land) -> None:
    landed = land(*({"unique_id": key, "tags": [key]} for key in NAMES))
    assert sorted(landed.column("mentions", "unique_id")) == sorted(NAMES)
    assert all(row["unique_id"] == row["tag"] for row in landed.tables["mention_tags"])


@pytest.mark.parametrize("text", ['":[]', '":{}', '\\":[]', 'a":[],"b":{}', '\\\\":[]', '"," x":[]'])
def test_a_text_that_looks_like_an_empty_field_stays_a_text(land: Land, text: str) -> None:
    """Empty objects are taken out of the texts before shapes are compared; what only looks like one is not."""
    landed = land({"unique_id": "1", "message": {"content": text}, "new": text, text: text, "tags": [text]})
    assert landed.one()["message_content"] == text
    assert landed.column("mention_tags", "tag") == [text]
    assert landed.extras() == [{"new": text, text: text}]


@pytest.mark.parametrize("separators", [(",", ":"), (", ", ": "), (" ,\r\n\t", "\n:\t")])
@pytest.mark.parametrize("is_ascii", [True, False])
def test_the_way_it_is_written_makes_no_difference(
    land: Land, payloads: ModuleType, separators: tuple[str, str], is_ascii: bool
) -> None:
    mention = payloads.changed(("new",), {"é": [1, "🇧🇪"]})
    mention["message"]["entities"]["users"]["indices"] = ["x"]
    mention["message"]["content"] = "é 🇧🇪 \u0000"
    mention["location"] = []
    text = json.dumps({"response": {"data": [mention]}}, separators=separators, ensure_ascii=is_ascii)
    landed, expected = land(bodies=[text]), land(mention)
    for name, rows in landed.tables.items():
        for row, other in zip(rows, expected.tables[name], strict=True):
            hidden = {"_extra", "_content_hash"}
            assert {key: row[key] for key in row if key not in hidden} == {
                key: other[key] for key in other if key not in hidden
            }
    assert landed.kept() == expected.kept()
