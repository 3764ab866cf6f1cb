"""A list ends where the API says so, in whichever of its ways it says it."""

from collections.abc import Callable
from typing import Any

import httpx
import orjson
import pytest

from pipelines.api import ResponseUnreadable, SocialConnect

Connect = Callable[..., SocialConnect]
Ok = Callable[..., httpx.Response]

NEXT = "https://api.engagor.com/1/inbox/mentions?page_token=2"

ENDS: dict[str, dict[str, Any]] = {
    "no paging": {},
    "paging is an empty PHP object": {"paging": []},
    "paging is an empty object": {"paging": {}},
    "paging is null": {"paging": None},
    "next_url is null": {"paging": {"next_url": None}},
    "next_url is empty": {"paging": {"next_url": ""}},
    "next_url is false": {"paging": {"next_url": False}},
    "only a previous page": {"paging": {"previous_url": NEXT}},
    "next is null": {"next": None},
    "next is an empty PHP object": {"next": []},
    "next is an empty object": {"next": {}},
    "next url is null": {"next": {"url": None, "count": 0}},
    "next url is empty": {"next": {"url": ""}},
}
LINKS: dict[str, dict[str, Any]] = {
    "paged_list": {"paging": {"next_url": NEXT}},
    "cursored_list": {"next": {"url": NEXT, "count": 1}},
}


@pytest.mark.parametrize("link", LINKS.values(), ids=LINKS.keys())
@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS.keys())
def test_the_second_page_is_the_last(connect: Connect, ok: Ok, end: dict[str, Any], link: dict[str, Any]) -> None:
    answers = [ok({"count": 3, "data": [{"id": 1}, {"id": 2}], **link}), ok({"count": 3, "data": [{"id": 3}], **end})]
    with connect(answers) as api:
        first, second = api.pages("/1/inbox/mentions")
    assert [first.is_last, second.is_last] == [False, True]
    assert first.records + second.records == [{"id": 1}, {"id": 2}, {"id": 3}]
    assert (second.count, second.is_truncated) == (3, False)


@pytest.mark.parametrize("records", [[], [{"name": "a"}], ["accounts_read", "identify"]])
def test_a_plain_array_is_one_page(connect: Connect, ok: Ok, records: list[Any]) -> None:
    with connect([ok(records)]) as api:
        (page,) = api.pages("/me/permissions")
    assert (page.records, page.records_path, page.count, page.is_last) == (records, "$.response", None, True)
    assert not page.is_truncated


def test_an_empty_page_with_a_next_page_is_not_the_end(connect: Connect, ok: Ok) -> None:
    answers = [ok({"count": 1, "data": [], **LINKS["paged_list"]}), ok({"count": 1, "data": [{"id": 1}]})]
    with connect(answers) as api:
        assert [page.records for page in api.pages("/1/inbox/mentions")] == [[], [{"id": 1}]]


@pytest.mark.parametrize(
    ("count", "told", "is_truncated"),
    [
        (3, 3, True),
        ("3", 3, True),
        (2, 2, False),
        (1, 1, False),  # rows that came in between the pages
        (None, None, False),
        ("many", None, False),
        (-1, None, False),
        (True, None, False),
        (2.5, None, False),
    ],
)
def test_a_list_that_ends_before_its_count_is_truncated(
    connect: Connect, ok: Ok, count: Any, told: int | None, *, is_truncated: bool
) -> None:
    answers = [ok({"count": count, "data": [1], **LINKS["paged_list"]}), ok({"count": count, "data": [2]})]
    with connect(answers) as api:
        first, last = api.pages("/1/inbox/mentions")
    assert (first.is_truncated, last.is_truncated, last.count) == (False, is_truncated, told)


@pytest.mark.parametrize("data", [{"data": [7, 8]}, [7, 8]])
def test_the_records_path_leads_to_the_records_in_the_body(connect: Connect, ok: Ok, data: Any) -> None:
    with connect([ok(data)]) as api:
        (page,) = api.pages("/x")
    found = orjson.loads(page.body)
    for key in page.records_path.removeprefix("$.").split("."):
        found = found[key]
    assert found == page.records == [7, 8]


def test_no_records_written_as_null_are_no_records(connect: Connect, ok: Ok) -> None:
    with connect([ok({"count": 0, "data": None})]) as api:
        (page,) = api.pages("/x")
    assert page.records == []


@pytest.mark.parametrize("data", [{"id": 1}, {"data": {"3": {}}}, {"data": "x"}, "x", 7, None, True])
def test_what_is_no_list_is_not_taken_for_an_empty_one(connect: Connect, ok: Ok, data: Any) -> None:
    with connect([ok(data)]) as api, pytest.raises(ResponseUnreadable, match="neither a list nor"):
        list(api.pages("/1/settings/user/5"))


def test_a_page_is_asked_for_only_when_it_is_wanted(connect: Connect, ok: Ok) -> None:
    with connect([ok({"data": [1], **LINKS["paged_list"]})]) as api:
        assert next(api.pages("/1/inbox/mentions")).records == [1]
        assert api.budget.request_count == 1
