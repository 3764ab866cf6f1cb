"""Writes mentions of the sandbox to files, as the ways to load want them. Run by `flatten_load.py`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator

ACCOUNT_ID = 1417
PAGE_SIZE = 100
CHANGED_EVERY = 10
_HISTORY_MENTIONS = 25_000  # at once, so that half a million need no more memory than that


def main() -> None:
    """Writes `pages.jsonl`, `changed.jsonl` (the same with every tenth mention changed) and `mentions.ndjson`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--mentions", type=int, required=True)
    options = parser.parse_args()
    with (
        (options.folder / "pages.jsonl").open("wb") as pages,
        (options.folder / "changed.jsonl").open("wb") as changed,
        (options.folder / "mentions.ndjson").open("wb") as lines,
    ):
        for page in _pages(options.mentions):
            pages.write(_body(page, options.mentions))
            lines.writelines(orjson.dumps(mention) + b"\n" for mention in page)
            acted_on = [mention if place % CHANGED_EVERY else _acted_on(mention) for place, mention in enumerate(page)]
            changed.write(_body(acted_on, options.mentions))


def _pages(mention_count: int) -> Iterator[list[dict[str, Any]]]:
    """Pages of mentions, all different: one history after the other, each from its own seed."""
    for seed, start in enumerate(range(0, mention_count, _HISTORY_MENTIONS)):
        history = Sandbox(
            accounts=(ACCOUNT_ID,), seed=seed + 1, mentions=min(_HISTORY_MENTIONS, mention_count - start)
        ).mentions(ACCOUNT_ID)
        for place in range(0, len(history), PAGE_SIZE):
            yield history[place : place + PAGE_SIZE]


def _body(page: list[dict[str, Any]], mention_count: int) -> bytes:
    response = {"count": mention_count, "data": page, "paging": []}
    return orjson.dumps({"meta": {"code": 200}, "response": response}) + b"\n"


def _acted_on(mention: dict[str, Any]) -> dict[str, Any]:
    """The mention after one more note, the newest first as the API lists them."""
    note = {
        "user": {"id": "21059", "name": "María José Núñez"},
        "type": "note",
        "description": "Note added",
        "details": "Opgevolgd",
        "date": {"added": mention["date"]["added"] + 86_400},
    }
    return mention | {"actions": [note, *mention["actions"]]}


if __name__ == "__main__":
    main()
