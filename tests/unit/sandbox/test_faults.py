"""A fault strikes the chosen requests and spoils just what it says."""

from typing import Any

import pytest

from sandbox.faults import FOREIGN_HOST, FaultKind, Faults, spoil

Json = dict[str, Any]

URL = "http://127.0.0.1:9/1417/inbox/mentions?limit=2"


def page() -> Json:
    return {
        "count": 2,
        "data": [
            {"id": "1", "source": {"id": "a"}, "actions": [{"type": "reply"}], "timestamps": {"response_time": 4}},
            {"id": "2"},
        ],
        "paging": {"next_url": "http://127.0.0.1:9/next"},
    }


def spoilt(kind: FaultKind, **options: Any) -> Json:
    response = page()
    spoil(response, Faults().add(kind, **options), URL)
    return response


def test_a_fault_waits_for_its_path_and_its_turn_and_ends() -> None:
    faults = Faults()
    faults.add("status", path="inbox", after=1, times=2)
    paths = ["/me", "/1/inbox/mentions", "/1/inbox/mentions", "/me", "/1/inbox/mentions", "/1/inbox/mentions"]
    assert [len(faults.strike(path)) for path in paths] == [0, 0, 1, 0, 1, 0]
    assert faults.waiting == []


def test_a_lasting_fault_lasts_until_it_is_cleared() -> None:
    faults = Faults()
    faults.add("html", times=None)
    assert all(faults.strike("/me") for _ in range(5))
    faults.clear()
    assert faults.strike("/me") == []


def test_an_unknown_kind_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match="cut_json"):
        Faults().add("earthquake")  # type: ignore[arg-type]


def test_an_unknown_field_comes_at_every_level_or_where_asked() -> None:
    first, second = spoilt("unknown_field")["data"]
    assert "future_field" in first
    assert "future_field" in second
    assert first["source"] == {"id": "a", "future_field": "nested"}
    assert first["actions"] == [{"type": "reply", "future_field": "element"}]
    only_top = spoilt("unknown_field", where=("top",))["data"][0]
    assert only_top.pop("future_field")
    assert only_top == page()["data"][0]


def test_a_type_changes_where_the_parent_exists() -> None:
    first, second = spoilt("changed_type")["data"]
    assert first["timestamps"] == {"response_time": "n/a"}
    assert second == {"id": "2"}
    assert spoilt("changed_type", field="source", value="text")["data"][0]["source"] == "text"


@pytest.mark.parametrize("record", ["text", None, {"no": "id"}])
def test_an_unreadable_record_stands_among_the_others(record: Any) -> None:
    data = spoilt("unreadable_record", record=record)["data"]
    assert data == [page()["data"][0], record, page()["data"][1]]


def test_an_empty_page_still_has_a_next_one() -> None:
    assert spoilt("empty_page") == page() | {"data": []}


def test_next_urls_lead_elsewhere_or_in_circles() -> None:
    assert spoilt("foreign_next_url")["paging"] == {"next_url": f"{FOREIGN_HOST}/api/1417/inbox/mentions?limit=2"}
    assert spoilt("looping_next_url")["paging"] == {"next_url": URL}


def test_answers_that_are_no_lists_stay_as_they_are() -> None:
    answer = {"id": 1}
    for kind in ("unknown_field", "empty_page", "looping_next_url"):
        spoil(answer, Faults().add(kind), URL)
    assert answer == {"id": 1}
