"""Shows how a run goes on: bars on a terminal, plain lines in a log."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

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
        )
        with Progress(*columns, console=console, transient=True) as bars:
            yield _Bars(bars)


class _Bars:
    def __init__(self, bars: Progress) -> None:
        self._bars = bars
        self._streams: dict[str, TaskID] = {}

    def step(self, name: str) -> None:
        self._bars.add_task(name, total=None, note="")

    def page(self, stream: str, page: Page, remaining_count: int | None) -> None:
        if stream not in self._streams:
            self._streams[stream] = self._bars.add_task(f"  {stream}", total=page.count, note="")
        left = "" if remaining_count is None else f"{remaining_count:,} requests left"
        self._bars.update(self._streams[stream], advance=len(page.records), note=left)


class _Lines:
    def __init__(self) -> None:
        self._pages: dict[str, int] = {}
        self._rows: dict[str, int] = {}

    def step(self, name: str) -> None:
        logger.info("%s", name)

    def page(self, stream: str, page: Page, remaining_count: int | None) -> None:
        self._pages[stream] = self._pages.get(stream, 0) + 1
        self._rows[stream] = self._rows.get(stream, 0) + len(page.records)
        if page.is_last or self._pages[stream] % LINE_EVERY_PAGES == 0:
            left = "unknown" if remaining_count is None else f"{remaining_count}"
            logger.info(
                "%s: %d rows in %d pages, requests left: %s", stream, self._rows[stream], self._pages[stream], left
            )
