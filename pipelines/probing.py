"""Finds out on the live account what is known of the API only second-hand, in about a dozen calls.

Each probe asks one question that a sync rests on, and says what came of it. What it found is stored beside the
warehouse; `pipelines.source.reading` chooses how changed rows are read from it.
"""

from __future__ import annotations

import base64
import json
import re
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import parse_qs, urlsplit

from pipelines.api import ApiError
from pipelines.source import STREAMS
from pipelines.source.reading import CHANGED_ROWS, NEW_ROWS, Honoured
from pipelines.source.windows import Window, added_at, last_action_at

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from pipelines.api import Page, SocialConnect
    from pipelines.source import AccountReading

MENTIONS = next(stream for stream in STREAMS if stream.name == "mentions")
LOOKED_AT = timedelta(days=28)
DEEP_ROWS = 10_000
"""Where lists are said to end: the default of the search engine that the API is built on."""
PAGE_TOKEN = re.compile(r"(a:2:\{i:0;i:)(\d+)(;i:1;a:0:\{\}\})")
"""An offset as PHP writes it, which is what a page token has been seen to hold in base 64."""


@dataclass(frozen=True)
class Probe:
    """What one question found.

    Attributes:
        question: what was asked, by name; scripts and the reading go by it.
        answer: `yes`, `no`, `unknown` where the account has too few mentions to tell, or `refused`.
        detail: what was seen.
    """

    question: str
    answer: str
    detail: str


@dataclass(frozen=True)
class Probes:
    """What was found on one account, and when, UTC."""

    account_id: str
    probed_at: datetime
    found: tuple[Probe, ...]

    def answer(self, question: str) -> str:
        """`yes`, `no`, `unknown` or `refused`; `unknown` for what was not asked."""
        return next((probe.answer for probe in self.found if probe.question == question), "unknown")


def probe(api: SocialConnect, account: AccountReading) -> Probes:
    """Asks everything of one account.

    Raises:
        pipelines.api.SocialConnectError: the API cannot be read. A refusal of what was asked is an answer.
    """
    probing = _Probing(api, account)
    return Probes(account.account_id, account.now, tuple(probing.run()))


def read_probes(file: Path) -> dict[str, Probes]:
    """What was stored, by account; nothing where there is no such file."""
    if not file.exists():
        return {}
    return {
        account_id: Probes(
            account_id,
            datetime.fromisoformat(stored["probed_at"]),
            tuple(Probe(**found) for found in stored["found"]),
        )
        for account_id, stored in json.loads(file.read_text(encoding="utf-8")).items()
    }


def write_probes(file: Path, probes: Sequence[Probes]) -> None:
    """Stores what was found; of accounts that are not among them, what there was stays."""
    every = read_probes(file) | {each.account_id: each for each in probes}
    stored = {
        account_id: {"probed_at": each.probed_at.isoformat(), "found": [asdict(found) for found in each.found]}
        for account_id, each in every.items()
    }
    part = file.with_suffix(".part")
    part.touch(mode=0o600)
    part.write_text(json.dumps(stored, indent=2), encoding="utf-8")
    part.replace(file)


class _Probing:
    def __init__(self, api: SocialConnect, account: AccountReading) -> None:
        self._api = api
        self._path = f"/{MENTIONS.path.format(account_id=account.account_id)}"
        self._facets = f"/{account.account_id}/insights/facets"
        self._topics = {"topic_ids": ",".join(account.topic_ids())}
        self._now = account.now.astimezone(UTC).replace(microsecond=0)
        self._window = Window(self._now - LOOKED_AT, self._now)

    def run(self) -> list[Probe]:
        questions: dict[str, Callable[[], tuple[str, str]]] = {
            "count_without_rows": self._count_without_rows,
            "full_pages": self._full_pages,
            "sort_by_date_added": self._sort_by_date_added,
            "sort_by_last_action": self._sort_by_last_action,
            "filter_by_action_age": self._filter_by_action_age,
            "window_is_of_date_added": self._window_is_of_date_added,
            "end_of_window_is_inside": self._end_of_window_is_inside,
            "lists_go_deep": self._lists_go_deep,
            "etag": self._etag,
            "counts_agree_with_lists": self._counts_agree_with_lists,
            **{f"counts_by_{each}": self._counts_by(each) for each in ("topic", "status", "sentiment")},
        }
        found = []
        for question, ask in questions.items():
            try:
                answer, detail = ask()
            except ApiError as refusal:
                answer, detail = "refused", refusal.error_id or str(refusal.status)
            found.append(Probe(question, answer, detail))
        return found

    def _page(self, window: Window | None = None, **parameters: Any) -> Page:
        return next(self._api.pages(self._path, self._topics | (window or self._window).as_parameters() | parameters))

    def _count_without_rows(self) -> tuple[str, str]:
        page = self._page(limit=0)
        if page.records or page.count is None:
            return "no", f"limit=0 gives {len(page.records)} rows and the count {page.count}"
        return "yes", f"{page.count:,} mentions in {LOOKED_AT.days} days"

    def _full_pages(self) -> tuple[str, str]:
        page = self._page(limit=MENTIONS.page_size)
        wanted = min(MENTIONS.page_size or 0, page.count or 0)
        return ("yes" if len(page.records) >= wanted else "no"), f"{len(page.records)} rows on a page"

    def _sort_by_date_added(self) -> tuple[str, str]:
        return self._sorted(NEW_ROWS, added_at, reverse=False)

    def _sort_by_last_action(self) -> tuple[str, str]:
        return self._sorted(CHANGED_ROWS, last_action_at, reverse=True)

    def _sorted(self, sort: str, time_of: Callable[[Any], datetime | None], *, reverse: bool) -> tuple[str, str]:
        records = self._page(limit=MENTIONS.page_size, sort=sort).records
        times = [time for record in records if (time := time_of(record)) is not None]
        if len(set(times)) < 2:  # noqa: PLR2004 - one time is in every order
            return "unknown", f"{len(times)} rows tell a time"
        return ("yes" if times == sorted(times, reverse=reverse) else "no"), f"{len(times)} rows looked at"

    def _filter_by_action_age(self) -> tuple[str, str]:
        minutes = 24 * 60
        page = self._page(limit=MENTIONS.page_size, filter=f"action_date_age:[0 TO {minutes}]")
        since = self._now - timedelta(minutes=minutes + 1)
        times = [last_action_at(record) for record in page.records]
        if any(time is None or time < since for time in times):
            return "no", "it gives mentions without such an action"
        return ("yes" if times else "unknown"), f"{page.count} mentions with an action in the last day"

    def _window_is_of_date_added(self) -> tuple[str, str]:
        middle = self._now - LOOKED_AT / 2
        records = self._page(Window(middle - timedelta(days=1), middle), limit=MENTIONS.page_size).records
        times = [added_at(record) for record in records]
        outside = [time for time in times if time is None or not middle - timedelta(days=1) <= time <= middle]
        if not times:
            return "unknown", "no mentions on the day that was looked at"
        return ("no" if outside else "yes"), f"{len(outside)} of {len(times)} rows were added outside the window"

    def _end_of_window_is_inside(self) -> tuple[str, str]:
        newest = self._page(limit=1, sort="dateadd:desc").records
        added = added_at(newest[0]) if newest else None
        if added is None:
            return "unknown", "no mentions"
        records = self._page(Window(added - timedelta(hours=1), added), limit=MENTIONS.page_size).records
        is_inside = any(added_at(record) == added for record in records)
        return ("yes" if is_inside else "no"), f"the newest was added at {added.isoformat()}"

    def _lists_go_deep(self) -> tuple[str, str]:
        ever = Window(datetime.fromtimestamp(0, UTC), self._now)
        query = self._topics | ever.as_parameters() | {"limit": 1}
        listed = self._api.get(self._path, query).data
        count = listed.get("count") if isinstance(listed, dict) else None
        if not isinstance(count, int) or count <= DEEP_ROWS:
            return "unknown", f"{count} mentions in all, and it would show in a list of more than {DEEP_ROWS:,}"
        next_url = str((listed.get("paging") or {}).get("next_url") or "")
        (token,) = parse_qs(urlsplit(next_url).query).get("page_token") or [""]
        deep_token = _moved(token, DEEP_ROWS)
        if deep_token is None:
            return "unknown", "page tokens hold no offset that could be moved"
        records = next(self._api.pages(self._path, query | {"page_token": deep_token})).records
        return ("yes" if records else "no"), f"{len(records)} rows after the first {DEEP_ROWS:,} of {count:,}"

    def _etag(self) -> tuple[str, str]:
        path = f"/{self._path.split('/')[1]}/settings/tags"
        first = self._api.get(path, {"limit": 1}, etag="")
        if first.etag is None:
            return "no", "no answer carries one"
        before = self._api.budget.remaining_count
        again = self._api.get(path, {"limit": 1}, etag=first.etag)
        after = self._api.budget.remaining_count
        if not again.is_not_modified:
            return "no", "the same answer comes again whole"
        cost = "unknown" if before is None or after is None else str(before - after)
        return "yes", f"calls that an answer without change costs: {cost}"

    def _counts_agree_with_lists(self) -> tuple[str, str]:
        facet = {"key": {"field": "date.added", "grouping": "day"}, "value": None, "segmentation": None}
        told = self._facet(json.dumps([facet | {"type": "mentions"}]))
        listed = self._page(limit=0).count
        return ("yes" if told == listed else "no"), f"{told:,.0f} counted, {listed} listed"

    def _counts_by(self, what: str) -> Callable[[], tuple[str, str]]:
        def ask() -> tuple[str, str]:
            from transforms.checksums import definitions  # noqa: PLC0415 - pandas takes long to import, and a sync only wants what was found

            definition = next(each for each in definitions({}) if each.name == f"mentions_by_{what}")
            return "yes", f"{self._facet(f'[{definition.request}]'):,.0f} counted"

        return ask

    def _facet(self, definitions_asked: str) -> float:
        query = self._topics | self._window.as_parameters() | {"facetdefinitions": definitions_asked}
        (facet,) = next(self._api.pages(self._facets, query)).records
        return float(sum(cell or 0 for row in facet.get("data", []) for cell in row))


def _moved(page_token: str, offset: int) -> str | None:
    """A page token that stands at another offset; None where it does not hold one."""
    try:
        held = PAGE_TOKEN.fullmatch(base64.b64decode(page_token, validate=True).decode("ascii"))
    except ValueError:
        return None
    return held and base64.b64encode(f"{held[1]}{offset}{held[3]}".encode()).decode()


def honoured(probes: Probes | None) -> Honoured:
    """How the inbox of an account is to be read. What is not known to be otherwise is taken to be as documented."""
    if probes is None:
        return Honoured()
    missing = {"no", "refused"}
    finds_changes: Literal["by_order", "by_filter", "by_reading_again"] = "by_order"
    if probes.answer("sort_by_last_action") in missing:
        finds_changes = "by_filter" if probes.answer("filter_by_action_age") == "yes" else "by_reading_again"
    return Honoured(probes.answer("sort_by_date_added") not in missing, finds_changes)


def complaints(probes: Probes) -> list[str]:
    """What of it keeps a sync from working as it is meant to, in words."""
    wrong = {
        "sort_by_date_added": "new mentions cannot be read in order: every window is read whole",
        "sort_by_last_action": "changed mentions are not listed by their last action: they are found another way",
        "window_is_of_date_added": "windows are not of date.added: mentions may be missed",
        "counts_agree_with_lists": "the API counts other mentions than it lists: reconcile compares what is not alike",
        "full_pages": "pages are smaller than asked for: a sync takes more calls",
    }
    return [words for question, words in wrong.items() if probes.answer(question) in {"no", "refused"}]
