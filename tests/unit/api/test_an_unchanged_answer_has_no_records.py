"""With an etag, what has not changed comes back as just that."""

from collections.abc import Callable

import httpx
import pytest

from pipelines.api import SocialConnect

Connect = Callable[..., SocialConnect]
Ok = Callable[..., httpx.Response]


def test_the_etag_is_sent_with_the_first_page_only(connect: Connect, ok: Ok) -> None:
    sent: list[str | None] = []

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(request.headers.get("if-none-match"))
        return ok({"data": [1], "paging": {"next_url": "/x?p=2"} if len(sent) == 1 else []}, headers={"etag": '"e1"'})

    with connect(answer) as api:
        pages = list(api.pages("/x", etag='"e0"'))
    assert sent == ['"e0"', None]
    assert pages[0].etag == '"e1"'


@pytest.mark.parametrize(("etag", "header"), [(None, None), ("", '""'), ('W/"x"', 'W/"x"')])
def test_an_empty_etag_asks_for_the_first(connect: Connect, ok: Ok, etag: str | None, header: str | None) -> None:
    sent: list[str | None] = []

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(request.headers.get("if-none-match"))
        return ok([], etag="from-meta")

    with connect(answer) as api:
        assert api.get("/x", etag=etag).etag == "from-meta"
    assert sent == [header]


def test_not_modified_is_one_empty_last_page(connect: Connect) -> None:
    with connect([httpx.Response(304, headers={"etag": '"e1"'}), httpx.Response(304)]) as api:
        (page,) = api.pages("/1/settings/users", etag='"e1"')
        response = api.get("/1/settings/users", etag='"e1"')
    assert (page.is_not_modified, page.records, page.body, page.is_last, page.is_truncated) == (
        True,
        [],
        "",
        True,
        False,
    )
    assert (response.is_not_modified, response.data, response.body, response.etag) == (True, None, "", '"e1"')


def test_what_was_modified_is_not_said_to_be_unchanged(connect: Connect, ok: Ok) -> None:
    with connect([ok([1])]) as api:
        (page,) = api.pages("/x", etag='"e1"')
    assert (page.is_not_modified, page.records) == (False, [1])
