"""What the client is made with is checked before anything is sent, and the message names what was expected."""

from collections.abc import Callable

import httpx
import pytest

from pipelines.api import SocialConnect

Connect = Callable[..., SocialConnect]
Ok = Callable[..., httpx.Response]


@pytest.mark.parametrize(
    ("base_url", "requested"),
    [
        ("https://api.engagor.com", "https://api.engagor.com/me/accounts"),
        ("https://api-us.engagor.com/", "https://api-us.engagor.com/me/accounts"),
        (" https://api.engagor.com/api// ", "https://api.engagor.com/api/me/accounts"),
        ("http://localhost:8080", "http://localhost:8080/me/accounts"),
        ("http://127.0.0.2:8080", "http://127.0.0.2:8080/me/accounts"),
        ("http://[::1]:8080", "http://[::1]:8080/me/accounts"),
    ],
)
@pytest.mark.parametrize("path", ["/me/accounts", "me/accounts"])
def test_paths_lie_under_the_base_url(connect: Connect, ok: Ok, base_url: str, requested: str, path: str) -> None:
    urls: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        urls.append(str(request.url))
        return ok([])

    with connect(answer, base_url=base_url) as api:
        api.get(path)
        api.get(path, {"limit": 99999, "filter": "a&b=c d", "topic_ids": ""})
    assert urls == [requested, f"{requested}?limit=99999&filter=a%26b%3Dc+d&topic_ids="]


@pytest.mark.parametrize(
    ("base_url", "complaint"),
    [
        ("", "no http or https scheme"),
        ("api.engagor.com", "no http or https scheme"),
        ("ftp://api.engagor.com", "no http or https scheme"),
        ("https://", "no http or https scheme"),
        ("https://[::1", "is not a URL"),
        ("http://api.engagor.com", "over plain http"),
        ("http://0.0.0.0:80", "over plain http"),
        ("http://localhost.evil.example", "over plain http"),
        ("https://hidden:word@api.engagor.com", "holds a user, query or fragment"),
        ("https://api.engagor.com/?access_token=hidden", "holds a user, query or fragment"),
        ("https://api.engagor.com?", "holds a user, query or fragment"),
        ("https://api.engagor.com/#hidden", "holds a user, query or fragment"),
    ],
)
def test_a_base_url_that_cannot_be_right_is_refused(connect: Connect, base_url: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint) as caught:
        connect([], base_url=base_url)
    assert "hidden" not in str(caught.value)


@pytest.mark.parametrize("token", ["", " ", "hidden word", "hidden\n", "hidden\x00", "hidden\u00e9"])
def test_a_token_that_fits_into_no_header_is_refused_by_its_number(connect: Connect, token: str) -> None:
    with pytest.raises(ValueError, match="number 2") as caught:
        connect([], tokens=("good-token", token))
    assert "hidden" not in str(caught.value)


def test_no_token_is_said_to_be_missing(connect: Connect) -> None:
    with pytest.raises(ValueError, match="No access token"):
        connect([], tokens=())
