"""The link to the next page is followed as given, on the API's own host only, without a token, never in a circle."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from pipelines.api import ForeignNextUrl, PagingBroken, RepeatedPage, SocialConnect

Connect = Callable[..., SocialConnect]
Ok = Callable[..., httpx.Response]

FIRST = "/1/inbox/mentions"


def follow(connect: Connect, ok: Ok, next_url: Any, **options: Any) -> str:
    """The URL that is requested after a first page with this link."""
    urls: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        urls.append(str(request.url))
        return ok({"data": [1], "paging": {"next_url": next_url} if len(urls) == 1 else []})

    with connect(answer, **options) as api:
        assert len(list(api.pages(FIRST, {"limit": 100}))) == 2
    return urls[1]


@pytest.mark.parametrize(
    ("next_url", "requested"),
    [
        ("https://api.engagor.com/1/inbox/mentions?page_token=2", None),
        ("https://api.engagor.com/api/1/inbox/mentions?page_token=2", None),
        (
            "https://api.engagor.com/1/inbox/mentions?date_from=&topic_ids[0]=7&topic_ids[1]=8&page_token=YToy+/w%3D%3D",
            None,
        ),
        (
            "https://api.engagor.com/x?a=1&access_token=abc123&page_token=2",
            "https://api.engagor.com/x?a=1&page_token=2",
        ),
        ("https://api.engagor.com/x?access_token=abc123", "https://api.engagor.com/x"),
        (
            "https://api.engagor.com/x?access%5Ftoken=abc&p=2&Access_Token=d#f",
            "https://api.engagor.com/x?p=2",
        ),
        ("https://API.engagor.com:443/x?p=2", "https://api.engagor.com/x?p=2"),
        ("HTTPS://api.engagor.com:443/x?p=2", "https://api.engagor.com/x?p=2"),
        ("/1/inbox/mentions?p=2", "https://api.engagor.com/1/inbox/mentions?p=2"),
        ("?p=2", "https://api.engagor.com/1/inbox/mentions?p=2"),
    ],
)
def test_it_is_followed_as_given_but_for_the_token(
    connect: Connect, ok: Ok, next_url: str, requested: str | None
) -> None:
    assert follow(connect, ok, next_url) == (requested or next_url)


def test_the_base_url_may_have_a_port_and_a_path(connect: Connect, ok: Ok) -> None:
    given = "http://127.0.0.1:8123/1/inbox/mentions?p=2"
    assert follow(connect, ok, given, base_url="http://127.0.0.1:8123/api/") == given


@pytest.mark.parametrize(
    "next_url",
    [
        "https://evil.example/1/inbox/mentions?p=2",
        "https://api.engagor.com.evil.example/x",
        "https://api.engagor.com@evil.example/x",
        "https://api.engagor.com\\@evil.example/x",
        "https://user:word@api.engagor.com/x",
        "https://api.engagor.com:8443/x",
        "http://api.engagor.com/x",
        "//evil.example/x",
        "ftp://api.engagor.com/x",
        "javascript:alert(1)",
    ],
)
def test_it_is_not_followed_to_another_place(connect: Connect, ok: Ok, next_url: str) -> None:
    with connect([ok({"data": [1], "paging": {"next_url": next_url}})]) as api:
        pages = api.pages(FIRST)
        assert next(pages).records == [1], "what was read before is handed over"
        with pytest.raises(ForeignNextUrl, match="not the base URL's host") as caught:
            next(pages)
    assert "word" not in str(caught.value)
    assert api.budget.request_count == 1


@pytest.mark.parametrize("next_url", ["https://[::1", "https://api.engagor.com/\x00", "https://api.engagor.com:port/"])
def test_what_is_no_url_is_said_to_be_none(connect: Connect, ok: Ok, next_url: str) -> None:
    with (
        connect([ok({"data": [1], "paging": {"next_url": next_url}})]) as api,
        pytest.raises(PagingBroken, match="not a URL"),
    ):
        list(api.pages(FIRST))


@pytest.mark.parametrize("next_url", [7, {"href": "x"}, ["x"], True])
def test_what_is_no_text_is_not_taken_for_the_end(connect: Connect, ok: Ok, next_url: Any) -> None:
    with (
        connect([ok({"data": [1], "paging": {"next_url": next_url}})]) as api,
        pytest.raises(PagingBroken, match="not text"),
    ):
        list(api.pages(FIRST))


@pytest.mark.parametrize("circle", [["a", "a"], ["a", "b", "a"], ["a", "b", "c", "b"]])
def test_a_page_seen_before_ends_the_reading(connect: Connect, ok: Ok, circle: list[str]) -> None:
    """The token in the link changes each time, so it must not count in the comparison."""
    links = [
        f"https://api.engagor.com/x?access_token=secret{index}&page_token={name}" for index, name in enumerate(circle)
    ]
    with connect([ok({"data": [1], "paging": {"next_url": link}}) for link in links]) as api:
        pages = api.pages(FIRST)
        assert [next(pages).records for _ in circle] == [[1]] * len(circle)
        with pytest.raises(RepeatedPage, match=f"after {len(circle)} pages"):
            next(pages)
    assert api.budget.request_count == len(circle)


def test_a_first_page_that_leads_to_itself_ends_the_reading(connect: Connect, ok: Ok) -> None:
    answer = ok({"data": [1], "paging": {"next_url": "https://api.engagor.com/1/inbox/mentions?limit=0"}})
    with connect([answer]) as api, pytest.raises(RepeatedPage):
        list(api.pages(FIRST, {"limit": 0}))
