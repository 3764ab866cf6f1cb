"""Mentions of a hundred kilobytes, such as e-mails with what they answer, need more memory than others and get it."""

from collections.abc import Callable
from typing import Any

import duckdb
import pytest

from pipelines.run import replay

Make = Callable[..., Any]

CHARACTERS = 100_000


@pytest.mark.slow
def test_large_mentions_are_loaded_and_replayed(make_site: Make) -> None:
    site = make_site(mentions=500, stream_names=["topics", "mentions"])
    for number, mention in enumerate(site.mentions(1417)):
        line = f"{mention['unique_id']} wrote on day {number}: "
        text = (line * (CHARACTERS // len(line) + 1))[:CHARACTERS]
        site.box.edit_mention(1417, mention["unique_id"], {"message": {"content": text}})
    site.sync()
    held = "SELECT count(*), min(length(message_content)), max(length(message_content)) FROM mentions"
    assert site.rows(held) == [(len(site.mentions(1417)), CHARACTERS, CHARACTERS)]
    site.assert_holds_the_truth("mention")
    with duckdb.connect(site.home / "warehouse.duckdb") as con:
        con.execute("DROP SCHEMA social_connect CASCADE")
    replay(site.settings(), as_of=site.box.now)
    site.assert_holds_the_truth("mention")
