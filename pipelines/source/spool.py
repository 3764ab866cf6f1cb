"""Keeps each page of a backfill in a file from the moment it has come until it is in the warehouse.

A load costs a second, so it is worth making for some dozens of pages, not for one; and a call is too dear to be made
twice because the run was killed in between. What is written has been flattened: personal data is masked as the policy
says, and the texts are those that are kept as raw payloads, which give the same rows when they are read again.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from datetime import datetime  # noqa: TC003 - msgspec reads the annotations
from typing import TYPE_CHECKING, Any

import msgspec
import pyarrow as pa

from pipelines.keeping import DATASET, has_table
from pipelines.source.backfill_plan import joined
from pipelines.source.reading import Batch, Reader
from pipelines.source.streams import STREAMS, Stream
from pipelines.source.windows import Cursor, Window, added_at
from transforms.drift import Drift  # noqa: TC001 - as above
from transforms.flatten import Flattening
from transforms.selects import moment, quoted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    import duckdb

    from pipelines.api import Page
    from transforms.personal_data import Policy


class SpooledWindow(msgspec.Struct, frozen=True):
    """What the spooled pages are of: a stream's rows of one account, added from `start` up to, not with, `end`, UTC.

    `loaded_at`: start of the run that read them, UTC. They may be loaded by a later one.
    """

    stream_name: str
    account_id: str
    start: datetime
    end: datetime
    loaded_at: datetime

    @property
    def stream(self) -> Stream:
        """The stream."""
        return next(stream for stream in STREAMS if stream.name == self.stream_name)


class SpooledPage(msgspec.Struct, frozen=True):
    """One page.

    Attributes:
        read_through: every row of the window that was added before then is on this page or on one before it, UTC.
        keys: of each object, the columns of its key.
        payloads: of each object, the text.
        unreadable: records that could not be read: text, and reason.
        drift: how the records differ from the contract.
    """

    read_through: datetime
    keys: list[tuple[str, ...]]
    payloads: list[str]
    unreadable: list[tuple[str, str]]
    drift: list[Drift]


class Spool:
    """The pages of one window, in a folder that only the owner can read.

    Args:
        folder: is made when there is something to keep.
        connect: opens a connection to an in-process database, in which a page is flattened.
        policy: what becomes of personal data.
    """

    def __init__(self, folder: Path, connect: Callable[[], duckdb.DuckDBPyConnection], policy: Policy) -> None:
        self._folder = folder
        self._connect = connect
        self._policy = policy
        self._window_file = folder / "window.json"

    @property
    def window(self) -> SpooledWindow | None:
        """What the pages are of; None when there are none."""
        if not self._window_file.exists():
            return None
        return msgspec.json.decode(self._window_file.read_bytes(), type=SpooledWindow)

    def pages(self) -> list[SpooledPage]:
        """The pages, in the order in which they came."""
        files = sorted(self._folder.glob("page-*.json"))
        return [msgspec.json.decode(file.read_bytes(), type=SpooledPage) for file in files]

    def begin(self, window: SpooledWindow) -> None:
        """Makes place for the pages of a window."""
        self.clear()
        self._folder.mkdir(mode=0o700)
        _write(self._window_file, window)

    def add(self, window: SpooledWindow, page: Page, *, is_in_order: bool) -> SpooledPage:
        """Keeps a page. Unless pages come oldest first, none tells how far the window has been read."""
        stream = window.stream
        contract = stream.contract
        with self._connect() as con:
            flattening = Flattening(contract, con, loaded_at=window.loaded_at, policy=self._policy, keeps_payload=True)
            flattening.read([page.body.encode()], records_path=page.records_path, account_id=window.account_id)
            keys = ", ".join(map(quoted, contract.root.object_key))
            objects = con.execute(f"SELECT payload, {keys} FROM ({flattening.payloads()})").fetchall()
            unreadable = con.execute(f"SELECT raw_text, reason FROM ({flattening.quarantine()})").fetchall()
        records = page.records if is_in_order else []
        times = [time for record in records if (time := added_at(record, stream.mention_path)) is not None]
        spooled = SpooledPage(
            read_through=min(max([window.start, *times]), window.end),
            keys=[tuple(key) for _, *key in objects],
            payloads=[payload for payload, *_ in objects],
            unreadable=unreadable,
            drift=sorted(flattening.drift),
        )
        count = sum(1 for _ in self._folder.glob("page-*.json"))
        _write(self._folder / f"page-{count + 1:06}.json", spooled)
        return spooled

    def clear(self) -> None:
        """Removes the pages."""
        # First that which says what they are of: pages without it are nobody's.
        self._window_file.unlink(missing_ok=True)
        shutil.rmtree(self._folder, ignore_errors=True)


def _write(file: Path, content: SpooledWindow | SpooledPage) -> None:
    """Writes a file that is there whole or not at all."""
    part = file.with_suffix(".part")
    part.touch(mode=0o600)
    with part.open("wb") as opened:
        opened.write(msgspec.json.encode(content))
        opened.flush()
        os.fsync(opened.fileno())
    part.replace(file)


class SpoolReader(Reader):
    """Gives the spooled pages to be loaded; the last of them earns the window's place among the spans backfilled.

    An object that the warehouse has from a run that began later than the one that read the page is left as it is there:
    that reading is the later one.

    Args:
        window: what the pages are of.
        pages: the pages.
        connect: opens the work file for reading; None when there is none yet.
        is_whole: whether they are all of the window; otherwise only the part before the last second read is told as
            backfilled.
    """

    def __init__(
        self,
        window: SpooledWindow,
        pages: list[SpooledPage],
        connect: Callable[[], AbstractContextManager[duckdb.DuckDBPyConnection]] | None,
        *,
        is_whole: bool,
    ) -> None:
        super().__init__(window.stream)
        self._window = window
        self._pages = pages
        self._connect = connect
        self._is_whole = is_whole

    def _read(self, state: dict[str, Any]) -> Iterator[Batch]:
        window = self._window
        before = Cursor.from_state(state.get(window.account_id, {}))
        read_through = window.end if self._is_whole else max(page.read_through for page in self._pages)
        span = Window(window.start, read_through)
        earned = replace(before, backfilled=joined([*before.backfilled, span]))
        later = self._read_later()
        for page in self._pages:
            texts = [text for key, text in zip(page.keys, page.payloads, strict=True) if tuple(key) not in later]
            yield Batch(
                window.account_id,
                (f'{{"response":[{",".join(texts)}]}}'.encode(),),
                "$.response",
                len(page.payloads) + len(page.unreadable),
                earned if page is self._pages[-1] else before,
                unreadable=tuple(page.unreadable),
                drift=frozenset(page.drift),
            )

    def _read_later(self) -> set[tuple[str, ...]]:
        """The keys of the objects that the warehouse has from a later run."""
        root = self.stream.contract.root
        keys = [key for page in self._pages for key in page.keys]
        if self._connect is None or not keys:
            return set()
        with self._connect() as con:
            if not has_table(con, DATASET, root.name):
                return set()
            columns = zip(root.object_key, zip(*keys, strict=True), strict=True)
            con.register("spooled", pa.table({name: pa.array(values, pa.string()) for name, values in columns}))
            names = ", ".join(map(quoted, root.object_key))
            # A row without a version was not loaded to its end.
            return set(
                con.execute(
                    f"SELECT {names} FROM {DATASET}.{quoted(root.name)} SEMI JOIN spooled USING ({names})"
                    f" WHERE _loaded_at >= {moment(self._window.loaded_at)} AND _content_hash IS NOT NULL"
                ).fetchall()
            )
