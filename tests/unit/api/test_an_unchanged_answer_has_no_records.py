"""With an etag, what has not changed comes back as just that."""

from collections.abc import Callable

import httpx
import pytest

from pipelines.api import SocialConnect

Connect = Callable[..., SocialConnect]
Ok = Callable[..., httpx.Response]


@pytest.mark.parametrize(("etag", "header"), [(None, None), ("", '""'), ('W/"x"', 'W/"x"')])
def test_an_empty_etag_asks_for_the_first(connect: Connect, ok: Ok, etag: str | None, header: str | None) -> None:
    sent: list[str | None] = []

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(request.headers.get("if-none-match"))
        return ok([], etag="from-meta")

    with connect(answer) as api:
        assert api.get("/x", etag=etag).etag == "from-meta"
    assert sent == [header]


def test_not_modified_is_an_empty_answer(connect: Connect) -> None:
    with connect([httpx.Response(304)]) as api:
        response = api.get("/1/settings/users", etag='"e1"')
    assert (response.is_not_modified, response.data, response.body, response.etag) == (True, None, "", '"e1"')


def test_what_was_modified_is_not_said_to_be_unchanged(connect: Connect, ok: Ok) -> None:
    with connect([ok([1])]) as api:
        response = api.get("/x", etag='"e1"')
    assert (response.is_not_modified, response.data) == (False, [1])
