"""Cuts what a backfill has to read into windows, by the API's own counts. Pure: no network, no clock.

A window has rows for some dozens of full pages: few enough to keep well away from the depth at which the API ends its
lists, many enough that the last page, which is seldom full, counts little.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

from pipelines.source.windows import Window

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

FULL_ROWS = 4_000
"""Rows with which a window is full."""
PART_ROWS = 1_000
"""Rows that are not divided any more: a window has fewer than both numbers together, as far as the counts are right."""


@dataclass(frozen=True)
class Counted:
    """How many rows the API counts in a window."""

    window: Window
    row_count: int

    def call_count(self, page_size: int) -> int:
        """How many pages its list has; an empty one has one."""
        return max(1, math.ceil(self.row_count / page_size))

    def parts(self) -> list[Counted]:
        """The window in equal parts of no more rows than `PART_ROWS` each, were they spread evenly; oldest first."""
        seconds = int((self.window.end - self.window.start).total_seconds())
        count = max(1, min(math.ceil(self.row_count / PART_ROWS), seconds))
        borders = [self.window.start + timedelta(seconds=seconds * part // count) for part in range(count)]
        borders.append(self.window.end)
        return [
            Counted(
                Window(borders[part], borders[part + 1]),
                self.row_count * (part + 1) // count - self.row_count * part // count,
            )
            for part in range(count)
        ]


def joined(spans: Iterable[Window]) -> tuple[Window, ...]:
    """The same time in as few spans as possible, oldest first; empty ones are left out."""
    found: list[Window] = []
    for span in sorted((span for span in spans if span.start < span.end), key=lambda span: span.start):
        if found and span.start <= found[-1].end:
            found[-1] = Window(found[-1].start, max(found[-1].end, span.end))
        else:
            found.append(span)
    return tuple(found)


def missing(wanted: Window, spans: Iterable[Window]) -> list[Window]:
    """What of a window is in none of the spans, oldest first."""
    found = []
    start = wanted.start
    for span in joined(spans):
        if start < min(span.start, wanted.end):
            found.append(Window(start, min(span.start, wanted.end)))
        start = max(start, span.end)
    if start < wanted.end:
        found.append(Window(start, wanted.end))
    return found


def counted(wanted: Window, counts: Mapping[datetime, int]) -> list[Counted]:
    """A window in the API's buckets, oldest first, without a hole whatever the buckets are.

    Args:
        wanted: the window.
        counts: by the beginning of a bucket, how many rows are in it. Of a bucket in which the window begins, as much
            is counted as the window has of its time.
    """
    borders = [*sorted(start for start in counts if start < wanted.end), wanted.end]
    found = []
    covered_to = wanted.start
    for start, end in pairwise(borders):
        if end <= covered_to:
            continue
        if covered_to < start:
            found.append(Counted(Window(covered_to, start), 0))
            covered_to = start
        row_count = math.ceil(counts[start] * ((end - covered_to) / (end - start)))
        found.append(Counted(Window(covered_to, end), row_count))
        covered_to = end
    return found or [Counted(wanted, 0)]


def planned(counts: Sequence[Counted]) -> list[Counted]:
    """Windows to be read one by one, newest first.

    Args:
        counts: what they are made of, oldest first, each beginning where the one before ends.
    """
    parts = [part for each in counts for part in each.parts()]
    windows = []
    end: datetime | None = None
    row_count = 0
    for part in reversed(parts):
        end = end or part.window.end
        row_count += part.row_count
        if row_count >= FULL_ROWS or part is parts[0]:
            windows.append(Counted(Window(part.window.start, end), row_count))
            end, row_count = None, 0
    return windows
