"""An API made of Python lists: it sorts, pages, caps and cuts as the real one does, without a network."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from pipelines.api import ApiError, BudgetUsedUp, NotFound, Page, SocialConnect
from pipelines.source import STREAMS, AccountReading, ReadingFailed, Stream, StreamReader
from pipelines.source.reading import Batch
from pipelines.source.windows import Cursor

Json = dict[str, Any]
ACCOUNT = "1417"


def at(second: float) -> datetime:
    """So many seconds after the tests' first moment."""
    return datetime.fromtimestamp(1_767_225_600 + second, UTC)


@dataclass(frozen=True)
class _Mention:
    """A mention over time: added once, acted on at some seconds after the tests' first moment."""

    name: str
    added: int
    acted: tuple[int, ...] = ()

    def as_of(self, now: datetime) -> Json | None:
        if at(self.added) > now:
            return None
        seen = sorted((second for second in self.acted if at(second) <= now), reverse=True)
        return {
            "unique_id": self.name,
            "date": {"added": int(at(self.added).timestamp())},
            "actions": [{"type": "note", "date": {"added": int(at(second).timestamp())}} for second in seen],
        }


@dataclass(kw_only=True)
class _FakeApi:
    """Answers `pages` from lists.

    `depth_cap` is how many rows of a list can be reached; with `refuses_depth`, there is a link to the next page all
    the same, and asking it is an error. `dishonoured_sort` is an order it gives the wrong way round,
    `allowed` is how many requests there are before the budget is used up.
    """

    now: datetime
    topics: Sequence[Json] = ({"id": 7}, {"id": 8})
    depth_cap: int = 10_000
    refuses_depth: bool = False
    dishonoured_sort: str | None = None
    allowed: int | None = None
    asked: list[dict[str, str]] = field(default_factory=list)
    before_page: Callable[[Any], None] = lambda _api: None

    def pages(self, path: str, params: Mapping[str, str | int]) -> Iterator[Page]:
        size, offset, received = int(params.get("limit", 20)), 0, 0
        while True:
            if self.allowed is not None and len(self.asked) >= self.allowed:
                raise BudgetUsedUp(None, path, len(self.asked))
            if offset >= self.depth_cap:
                raise ApiError(400, "limit_exceeded", "no more of this list", path)
            self.before_page(self)
            self.asked.append({"path": path, **{name: str(value) for name, value in params.items()}})
            rows = list(self.topics) if path.endswith("/settings/topics") else self.listed(path, params)
            shown = rows[offset : min(offset + size, self.depth_cap)]
            offset, received = offset + size, received + len(shown)
            is_last = offset >= len(rows) or (offset >= self.depth_cap and not self.refuses_depth)
            yield Page(
                body=json.dumps({"response": {"data": shown}}),
                records_path="$.response.data",
                records=shown,
                count=len(rows),
                is_last=is_last,
                is_truncated=is_last and received < len(rows),
                received_at=0.0,
            )
            if is_last:
                return

    def listed(self, path: str, params: Mapping[str, str | int]) -> list[Json]:
        """The rows of a list, all pages together, as they are now."""
        raise NotImplementedError


@dataclass
class _ListApi(_FakeApi):
    """An inbox."""

    mentions: Sequence[_Mention]

    def mention_requests(self, sort: str = "") -> list[dict[str, str]]:
        """The requests for mentions, of one order or of all."""
        return [request for request in self.asked if "mentions" in request["path"] and sort in request["sort"]]

    def listed(self, path: str, params: Mapping[str, str | int]) -> list[Json]:
        assert path == f"/{ACCOUNT}/inbox/mentions"
        start, end = (datetime.fromisoformat(str(params[name])).timestamp() for name in ("date_from", "date_to"))
        found = [row for row in (mention.as_of(self.now) for mention in self.mentions) if row is not None]
        rows = [row for row in found if start <= row["date"]["added"] <= end]
        if params["sort"] == "dateadd:asc":
            rows.sort(key=lambda row: row["date"]["added"])
        else:
            assert params["sort"] == "timestamps.action_last_date:desc"
            rows.sort(key=lambda row: -max((action["date"]["added"] for action in row["actions"]), default=-1))
        return rows[::-1] if params["sort"] == self.dishonoured_sort else rows


@dataclass
class _RowsApi(_FakeApi):
    """The lists beside the inbox, of rows of which each has an `id` and a `date`: `added`, `updated`, `visible`.

    `visible` is when the list begins to show the row, `added` unless given. `order` is what a list without a sort is
    in. Rows may be changed at any time, as may `notes`, by mention; a mention that is not in them is gone.
    """

    rows: list[Json] = field(default_factory=list)
    order: Callable[[Json], Any] = lambda row: row["date"]["added"]
    includes_end: bool = True
    notes: dict[str, list[Json]] = field(default_factory=dict)

    def listed(self, path: str, params: Mapping[str, str | int]) -> list[Json]:
        _, account, area, name, *rest = path.split("/")
        assert account == ACCOUNT
        if name == "context":
            unique_id = "_".join(rest)
            if unique_id not in self.notes:
                raise NotFound(404, "not_found", "no such mention", path)
            return self.notes[unique_id]
        shown = [row for row in self.rows if row["date"].get("visible", row["date"]["added"]) <= self.now.timestamp()]
        if (area, name) == ("settings", "users"):
            return shown
        if (area, name) == ("inbox", "contacts"):
            assert params["sort"] == "lastupdate:asc"
            since = datetime.fromisoformat(str(params["updated_since"])).timestamp()
            updated = [row for row in shown if row["date"]["updated"] >= since]
            is_turned = params["sort"] == self.dishonoured_sort
            return sorted(updated, key=lambda row: row["date"]["updated"], reverse=is_turned)
        start, end = (datetime.fromisoformat(str(params[name])).timestamp() for name in ("date_from", "date_to"))
        if not self.includes_end:
            end -= 0.5
        return sorted((row for row in shown if start <= row["date"]["added"] <= end), key=self.order)


class _Reading:
    """Reads a list of an account run after run, and keeps what a warehouse would: cursors and latest rows."""

    def __init__(self, api: _FakeApi, stream_name: str, *, page_size: int, batch_pages: int) -> None:
        stream = next(stream for stream in STREAMS if stream.name == stream_name)
        self.api = api
        self.stream: Stream = replace(stream, page_size=page_size)
        self.batch_pages = batch_pages
        self.state: dict[str, Any] = {}
        self.rows: dict[str, Json] = {}
        self.given: list[dict[str, str]] = []
        self.noted: Callable[..., Any] = lambda _account_id, _after: ()

    def run(self, *, start: datetime, take: int | None = None) -> StreamReader:
        """One run as of the API's clock; with `take`, it dies after so many batches are in the warehouse."""
        account = AccountReading(
            cast("SocialConnect", self.api),
            ACCOUNT,
            start,
            self.api.now,
            noted_mentions=self.noted,
        )
        reader = StreamReader(self.stream, [account], batch_pages=self.batch_pages)
        while (take is None or take > 0) and (batch := reader.next_batch(self.state)):
            self._keep(batch)
            take = None if take is None else take - 1
        if isinstance(reader.stopped_by, ReadingFailed):
            raise reader.stopped_by
        return reader

    @property
    def cursor(self) -> Cursor:
        """What the runs so far have earned."""
        return Cursor.from_state(self.state.get(ACCOUNT, {}))

    def _keep(self, batch: Batch) -> None:
        for body in batch.bodies:
            rows = json.loads(body)["response"]["data"]
            self.rows |= {row["unique_id"] if "unique_id" in row else row["id"]: row for row in rows}
        self.given.append(dict(batch.given))
        self.state[batch.account_id] = batch.cursor.to_state()


@pytest.fixture
def mention() -> type[_Mention]:
    return _Mention


@pytest.fixture
def list_api() -> type[_ListApi]:
    return _ListApi


@pytest.fixture
def rows_api() -> type[_RowsApi]:
    return _RowsApi


@pytest.fixture
def reading() -> Callable[..., _Reading]:
    def make(api: _FakeApi, stream_name: str, *, page_size: int = 3, batch_pages: int = 2) -> _Reading:
        return _Reading(api, stream_name, page_size=page_size, batch_pages=batch_pages)

    return make


@pytest.fixture
def inbox(reading: Callable[..., _Reading]) -> Callable[..., _Reading]:
    def make(api: _FakeApi, **sizes: int) -> _Reading:
        return reading(api, "mentions", **sizes)

    return make
