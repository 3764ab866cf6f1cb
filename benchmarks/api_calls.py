"""How many calls it takes to stay in step with an account, and what is missed: this project beside two usual ways.

An account lives for some days: new mentions, actions on mentions of any age, silent edits, deletions, late arrivals.
Every quarter of an hour each way may look. At the end every mention of the account is compared with what each way has.

python benchmarks/api_calls.py
python benchmarks/api_calls.py --hours 6 --new-a-day 500
"""

from __future__ import annotations

import argparse
import json
import logging
import math
import sys
import tempfile
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
from pydantic import SecretStr

from pipelines.api import SocialConnect
from pipelines.run import extract_and_load, reconcile
from pipelines.settings import read_settings
from sandbox import DailyChanges, Sandbox, Server

ACCOUNT = 1417
PAGE_SIZE = 100
TRAIL = timedelta(days=28)
OVERLAP = timedelta(minutes=15)
STREAMS = ("topics", "tags", "mentions", "cases")
HISTORY_DAYS = 60

Json = dict[str, Any]


def main() -> None:
    """Lets the days pass and prints."""
    options = _options()
    logging.disable(logging.WARNING)
    box = Sandbox(
        mentions=options.new_a_day * HISTORY_DAYS,
        days=HISTORY_DAYS,
        accounts=(ACCOUNT,),
        rate_limit_per_hour=1_000_000,
        daily=DailyChanges(
            acts=options.acts_a_day,
            edits=20,
            swaps=5,
            deletions=5,
            restorations=1,
            erasures=1,
            late_arrivals=5,
            moves=1,
        ),
    )
    with tempfile.TemporaryDirectory(prefix="api-calls-") as home, box.serve() as server:
        ways = [ThisProject(server, Path(home)), TrailingReread(server), DateAdded(server)]
        for way in ways:
            _say(f"{way.name}: the first reading, which is not counted")
            way.begin()
        started = box.now
        for step in range(1, options.hours * 4 + 1):
            box.advance(minutes=15)
            for way in ways:
                way.look()
            if step % 16 == 0:
                _say(f"{step // 4} of {options.hours} hours: " + ", ".join(f"{w.name} {w.call_count:,}" for w in ways))
        changed_count = sum(
            any(action["date"]["added"] > started.timestamp() for action in mention["actions"])
            for mention in box.mentions(ACCOUNT)
        )
        outcomes = [way.outcome(box.mentions(ACCOUNT)) for way in ways]
        swept = ways[0].sweep()
        outcomes.insert(1, swept)
    print(_as_text(outcomes, options, changed_count))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hours", type=int, default=48, help="how long the account lives (default 48)")
    parser.add_argument("--new-a-day", type=int, default=2_000, help="mentions that come in a day (default 2,000)")
    parser.add_argument(
        "--acts-a-day", type=int, default=500, help="actions on older mentions, beside those on new ones (default 500)"
    )
    return parser.parse_args()


@dataclass(frozen=True)
class Outcome:
    """What a way spent, and what it has wrong at the end, in mentions of the whole history.

    `missed`: not there. `wrongly_alive`: gone at the source, and not known to be. `stale`: not as the account has them.
    """

    name: str
    call_count: int
    missed: int
    wrongly_alive: int
    stale: int


@dataclass
class Way(ABC):
    """A way to stay in step."""

    server: Server
    name: str = field(init=False, default="")
    call_count: int = field(init=False, default=0)

    @property
    def box(self) -> Sandbox:
        """The account."""
        return self.server.sandbox

    @abstractmethod
    def begin(self) -> None:
        """Reads everything once."""

    @abstractmethod
    def look(self) -> None:
        """Brings itself up to date."""

    @abstractmethod
    def held(self) -> dict[str, str]:
        """Every mention that it takes to be there, by `unique_id`, as JSON."""

    def outcome(self, truth: list[Json]) -> Outcome:
        """Compares with what the account has."""
        there = {mention["unique_id"]: _text(mention) for mention in truth}
        held = self.held()
        return Outcome(
            self.name,
            self.call_count,
            missed=len(there.keys() - held.keys()),
            wrongly_alive=len(held.keys() - there.keys()),
            stale=sum(held[key] != text for key, text in there.items() if key in held),
        )


@dataclass
class ThisProject(Way):
    """A sync each time, and a reconciliation once an hour."""

    home: Path

    def __post_init__(self) -> None:
        self.name = "this-project"
        self._look_count = 0

    def begin(self) -> None:
        """See `Way`."""
        extract_and_load(self._settings(), as_of=self.box.now, stream_names=STREAMS)

    def look(self) -> None:
        """See `Way`."""
        before = len(self.box.requests)
        self._look_count += 1
        if self._look_count % 4 == 0:
            reconcile(self._settings(), as_of=self.box.now)
        else:
            extract_and_load(self._settings(), as_of=self.box.now, stream_names=STREAMS)
        self.call_count += len(self.box.requests) - before

    def sweep(self) -> Outcome:
        """The same after every day has been read again once."""
        before = len(self.box.requests)
        reconcile(self._settings(social_warehouse_sweep_calls=1_000_000), as_of=self.box.now)
        self.call_count += len(self.box.requests) - before
        self.name = "this-project, and one full sweep"
        return self.outcome(self.box.mentions(ACCOUNT))

    def held(self) -> dict[str, str]:
        """See `Way`."""
        with duckdb.connect(self.home / "warehouse.duckdb", read_only=True) as con:
            found = con.execute(
                "SELECT unique_id, payload FROM raw.mentions JOIN social_connect.mentions USING (account_id, unique_id)"
                " WHERE deleted_at IS NULL"
            ).fetchall()
        return {unique_id: _text(json.loads(payload)) for unique_id, payload in found}

    def _settings(self, **options: Any) -> Any:
        return read_settings(
            **{
                "social_connect_base_url": self.server.base_url,
                "social_connect_access_token": self.box.token,
                "social_connect_account_ids": str(ACCOUNT),
                "social_connect_start_date": "2025-12-01",
                "social_warehouse_home": self.home,
                "social_warehouse_reconcile_days": HISTORY_DAYS + 5,
                **options,
            }
        )


@dataclass
class TrailingReread(Way):
    """Reads the last 28 days again each time, as most connectors do.

    Between the first reading and the last its calls are counted, not sent: they follow from how many mentions there
    are.
    """

    def __post_init__(self) -> None:
        self.name = "28-day-trailing-reread"
        self._rows: dict[str, Json] = {}

    def begin(self) -> None:
        """See `Way`."""
        self._rows = {mention["unique_id"]: mention for mention in self.box.mentions(ACCOUNT)}

    def look(self) -> None:
        """See `Way`."""
        since = (self.box.now - TRAIL).timestamp()
        state = self.box.accounts[ACCOUNT].state(self.box.now_seconds)
        row_count = int((state.alive & (state.added_at >= since)).sum())
        self.call_count += max(1, math.ceil(row_count / PAGE_SIZE))

    def held(self) -> dict[str, str]:
        """See `Way`."""
        since = (self.box.now - TRAIL).timestamp()
        fresh = {each["unique_id"]: each for each in self.box.mentions(ACCOUNT) if each["date"]["added"] >= since}
        return {key: _text(mention) for key, mention in (self._rows | fresh).items()}


@dataclass
class DateAdded(Way):
    """Follows `date.added` only, with a quarter of an hour of overlap."""

    def __post_init__(self) -> None:
        self.name = "date-added-only"
        self._rows: dict[str, Json] = {}
        self._since = self.box.now

    def begin(self) -> None:
        """See `Way`."""
        self._rows = {mention["unique_id"]: mention for mention in self.box.mentions(ACCOUNT)}
        self._since = self.box.now

    def look(self) -> None:
        """See `Way`."""
        window = {
            "date_from": (self._since - OVERLAP).isoformat(),
            "date_to": self.box.now.isoformat(),
            "sort": "dateadd:asc",
            "limit": PAGE_SIZE,
            "topic_ids": ",".join(str(topic["id"]) for topic in self.box.topics(ACCOUNT)),
        }
        with SocialConnect(self.server.base_url, [SecretStr(self.box.token)]) as api:
            for page in api.pages(f"/{ACCOUNT}/inbox/mentions", window):
                self._rows |= {record["unique_id"]: record for record in page.records}
            self.call_count += api.budget.request_count
        self._since = self.box.now

    def held(self) -> dict[str, str]:
        """See `Way`."""
        return {key: _text(mention) for key, mention in self._rows.items()}


def _text(mention: Json) -> str:
    return json.dumps(mention, sort_keys=True)


def _as_text(outcomes: list[Outcome], options: argparse.Namespace, changed_count: int) -> str:
    ours = outcomes[0].call_count
    what = (
        f"{options.hours} hours, a look every 15 minutes; {options.new_a_day:,} new mentions a day after"
        f" {HISTORY_DAYS} days; {changed_count:,} mentions were acted on"
    )
    lines = [
        what,
        "",
        "| way | calls | times this project's | missed | gone, not known | stale |",
        "|---|---:|---:|---:|---:|---:|",
        *(
            f"| {each.name} | {each.call_count:,} | {each.call_count / ours:.1f} | {each.missed} | {each.wrongly_alive}"
            f" | {each.stale} |"
            for each in outcomes
        ),
    ]
    return "\n".join(lines)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
