"""statistics.yml: what it asks for, and how a definition that cannot be asked is refused."""

import json
from pathlib import Path

import pytest

from pipelines.source.statistics import DefinitionsInvalid, definitions, read_definitions

PAGE = Path(__file__).parents[3] / "docs" / "statistics.md"

GOOD = "mentions: {counts: Mentions., unit: mentions}\n"


def test_a_definition_is_sent_in_the_words_of_the_api() -> None:
    text = """
    all: {counts: Mentions., unit: mentions}
    by_topic:
      counts: Time.
      unit: seconds
      value: response_time
      grouping: hour
      type: cases
      filter: language:nl
      segmentation: {field: topic.id, size: 20}
    by_status:
      counts: Mentions.
      unit: mentions
      segmentation: {filters: {new: "status:new", "said \\"no\\"": 'content:"no"'}}
    """
    overall, by_topic, by_status = read_definitions(text, file="statistics.yml")
    day = {"field": "date.added", "grouping": "day"}
    assert json.loads(overall.request) == {"key": day, "value": None, "segmentation": None, "type": "mentions"}
    assert json.loads(by_topic.request) == {
        "key": {"field": "date.added", "grouping": "hour"},
        "value": {"field": "response_time"},
        "segmentation": {"field": "topic.id", "size": 20},
        "type": "cases",
    }
    assert by_topic.filter == "language:nl"
    assert json.loads(by_status.request)["segmentation"] == {
        "field": "custom",
        "field_values": {"new": "status:new", 'said "no"': 'content:"no"'},
        "size": 2,
    }


def test_the_fingerprint_follows_what_is_asked_and_not_how_it_is_explained() -> None:
    (before,) = read_definitions(GOOD, file="f")
    for change, is_other in (
        ("mentions: {counts: Other words., unit: mentions}", False),
        ("mentions: {counts: Mentions., unit: mentions, grouping: day}", False),
        ("mentions: {counts: Mentions., unit: mentions, grouping: hour}", True),
        ("mentions: {counts: Mentions., unit: mentions, filter: 'status:new'}", True),
        ("mentions: {counts: Mentions., unit: posts}", True),
    ):
        (after,) = read_definitions(change, file="f")
        assert (after.fingerprint != before.fingerprint) == is_other, change


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "f.yml: got None; wants definitions by name"),
        ("- a", "f.yml: got ['a']; wants definitions by name"),
        ("a: {", "f.yml: is no YAML: "),
        ("a: 7", "f.yml: a: got 7; wants counts, unit, value, grouping, segmentation, type, filter, profile_ids"),
        ("a: {unit: mentions}", "f.yml: a.counts: got nothing; wants a text"),
        ("a: {counts: M., unit: mentions, grouping: week}", "f.yml: a.grouping: got 'week'; wants 'day' or 'hour'"),
        ("a: {counts: M., unit: mentions, value: clicks}", "f.yml: a.value: got 'clicks'; wants 'mentions', 'rating'"),
        ("a: {counts: M., unit: mentions, type: insights}", "f.yml: a.type: got 'insights'; wants 'mentions', 'cases'"),
        ("a: {counts: M., unit: mentions, colour: red}", "f.yml: a.colour: got a word that is not known; wants counts"),
        (
            "a: {counts: M., unit: mentions, segmentation: {fields: topic.id}}",
            "f.yml: a.segmentation.fields: got a word that is not known; wants field, size, filters",
        ),
        (
            "a: {counts: M., unit: mentions, segmentation: {field: user.id, size: 3}}",
            "f.yml: a.segmentation.field: got 'user.id'; wants 'message.language'",
        ),
        (
            "a: {counts: M., unit: mentions, segmentation: {field: topic.id}}",
            "f.yml: a.segmentation: got field; wants field and size, or filters by label",
        ),
        (
            "a: {counts: M., unit: mentions, segmentation: {filters: {}}}",
            "f.yml: a.segmentation: got filters; wants field and size, or filters by label",
        ),
        (
            "a: {counts: M., unit: mentions, segmentation: {field: topic.id, size: 0}}",
            "f.yml: a.segmentation.size: got 0; ",
        ),
        ("a: {counts: M., unit: m, name: b}", "f.yml: a.name: got a word that is not known; wants counts, unit"),
        ("Two words: {counts: M., unit: mentions}", "f.yml: Two words.name: got 'Two words'; "),
        (
            "a: {counts: M., unit: fans, profile_ids: ['3']}",
            "f.yml: a: got profile_ids ['3'] with type 'mentions'; wants",
        ),
        ("a: {counts: M., unit: fans, type: monitored profile kpis}", "f.yml: a: got profile_ids [] with type "),
    ],
)
def test_a_definition_that_cannot_be_asked_is_refused_in_one_line(text: str, complaint: str) -> None:
    with pytest.raises(DefinitionsInvalid) as refused:
        read_definitions(GOOD + text if text.startswith(("a:", "Two")) and text != "a: {" else text, file="f.yml")
    first, *others = str(refused.value).split("\n")
    assert first.startswith(complaint)
    assert not others or "no YAML" in complaint


def test_every_wrong_place_has_its_line() -> None:
    with pytest.raises(DefinitionsInvalid) as refused:
        read_definitions("a: {unit: 1}\nb: {counts: M., unit: m, grouping: year}", file="f.yml")
    places = [line.split(": ")[1] for line in str(refused.value).split("\n")]
    assert places == ["a.counts", "a.unit", "b.grouping"]


def test_the_definitions_that_come_with_the_warehouse_can_be_asked_together() -> None:
    asked = definitions()
    assert len({definition.name for definition in asked}) == len(asked)
    assert {definition.type for definition in asked} == {"mentions", "cases"}
    assert all(definition.unit == "seconds" for definition in asked if (definition.value or "").endswith("_time"))


def test_the_page_explains_every_definition() -> None:
    page = PAGE.read_text(encoding="utf-8")
    for definition in definitions():
        assert f"| `{definition.name}` | {definition.counts} | {definition.unit} |" in page
