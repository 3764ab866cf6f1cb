"""Shows how a run goes on: bars on a terminal, plain lines in a log."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from pipelines.run import Silent

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console

    from pipelines import run
    from pipelines.api import Page

logger = logging.getLogger(__name__)

LINE_EVERY_PAGES = 20


@contextmanager
def progress_on(console: Console, *, is_quiet: bool) -> Iterator[run.Progress]:
    """Progress on a console: bars when it is a terminal, log lines when not, nothing when quiet."""
    if is_quiet:
        yield Silent()
    elif not console.is_terminal:
        yield _Lines()
    else:
        columns = (
            TextColumn("{task.description:24}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[note]}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=console, transient=True) as bars:
            yield _Bars(bars)


class _Bars:
    def __init__(self, bars: Progress) -> None:
        self._bars = bars
        self._streams: dict[str, TaskID] = {}
        self._pages: dict[str, int] = {}

    def step(self, name: str) -> None:
        self._bars.add_task(name, total=None, note="")

    def expect(self, row_counts: dict[str, int]) -> None:
        for stream, row_count in row_counts.items():
            self._bar(stream, row_count)

    def page(self, stream: str, page: Page, remaining_count: int | None) -> None:
        self._pages[stream] = self._pages.get(stream, 0) + 1
        left = "" if remaining_count is None else f", {remaining_count:,} requests left"
        note = f"{self._pages[stream]:,} calls{left}"
        self._bars.update(self._bar(stream, page.count), advance=len(page.records), note=note)

    def _bar(self, stream: str, row_count: int | None) -> TaskID:
        if stream not in self._streams:
            self._streams[stream] = self._bars.add_task(f"  {stream}", total=row_count, note="")
        return self._streams[stream]


class _Lines:
    def __init__(self) -> None:
        self._pages: dict[str, int] = {}
        self._rows: dict[str, int] = {}
        self._expected: dict[str, int] = {}

    def step(self, name: str) -> None:
        logger.info("%s", name)

    def expect(self, row_counts: dict[str, int]) -> None:
        self._expected = row_counts

    def page(self, stream: str, page: Page, remaining_count: int | None) -> None:
        self._pages[stream] = self._pages.get(stream, 0) + 1
        self._rows[stream] = self._rows.get(stream, 0) + len(page.records)
        if page.is_last or self._pages[stream] % LINE_EVERY_PAGES == 0:
            about = f" of about {self._expected[stream]}" if stream in self._expected else ""
            left = "unknown" if remaining_count is None else f"{remaining_count}"
            logger.info(
                "%s: %d%s rows in %d pages, requests left: %s",
                stream,
                self._rows[stream],
                about,
                self._pages[stream],
                left,
            )
