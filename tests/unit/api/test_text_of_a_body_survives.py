"""A body reaches the reader as it was sent, byte for byte, except for access tokens in it."""

from collections.abc import Callable

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from pipelines.api import SocialConnect
from pipelines.api.scrub import PLACEHOLDER, Scrubber

Connect = Callable[..., SocialConnect]

SENT = """ {"meta" : {"code":200},\r
"response": {"count":1,"data":[ {"id":12345678901234567, "big": 12345678901234567890, "bigger":99999999999999999999,
 "latitude":1.10,"tiny":1E-7,"zero":-0.0,
 "emoji":"\U0001f468\u200d\U0001f469 \u00e9", "escaped":"\\ud83d\\ude00 \\u00e9 \\/ \\t \\u0000",
 "null":null,"empty":[],"object":{}, "twice":1,"twice":2, "text":"next_url access_token=abc Bearer xyz",
 "url":"https:\\/\\/graph.example\\/?access_token=theirs", "markup":"<b>&amp;</b>"} ],"paging":[]}} \n"""


@pytest.mark.parametrize("content_type", ["application/json", "text/html; charset=iso-8859-1", ""])
def test_numbers_letters_escapes_and_blanks_are_untouched(connect: Connect, content_type: str) -> None:
    for read in ("get", "pages"):
        answer = httpx.Response(200, content=SENT.encode(), headers={"content-type": content_type})
        with connect([answer]) as api:
            got = api.get("/x") if read == "get" else next(api.pages("/x"))
        assert got.body == SENT


def test_a_byte_order_mark_is_no_part_of_the_text(connect: Connect) -> None:
    with connect([httpx.Response(200, content=b"\xef\xbb\xbf" + SENT.encode())]) as api:
        assert api.get("/x").body == SENT


def test_a_body_that_comes_in_pieces_inside_a_letter_is_joined(connect: Connect) -> None:
    pieces = [bytes([byte]) for byte in SENT.encode()]
    with connect([httpx.Response(200, content=iter(pieces))]) as api:
        assert api.get("/x").body == SENT


@given(st.text())
def test_a_text_without_a_token_is_not_changed(text: str) -> None:
    assert Scrubber([SecretStr("kR7-x/q+Z=9" * 4)]).scrub(text) == text


@given(before=st.text(), after=st.text())
def test_only_the_token_is_taken_out(before: str, after: str) -> None:
    token = "kR7-x/q+Z=9" * 4
    assert Scrubber([SecretStr(token)]).scrub(f"{before}{token}{after}") == f"{before}{PLACEHOLDER}{after}"


def test_a_token_that_is_an_ordinary_word_is_taken_out_of_links_only() -> None:
    text = (
        '{"content":"a test of testing","next_url":"https:\\/\\/h\\/?access_token=test&p=1"} Bearer test, Bearer tests'
    )
    scrubbed = text.replace("access_token=test", f"access_token={PLACEHOLDER}").replace(
        "Bearer test,", f"Bearer {PLACEHOLDER},"
    )
    assert Scrubber([SecretStr("test")]).scrub(text) == scrubbed
