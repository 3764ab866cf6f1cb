"""Which lists a sync reads beside the inbox, so that it stays cheap however many lists there are. Pure: no clock.

Lists that are due share a few calls, and what is oldest for its rhythm comes first. So no sync reads them all at once,
and each is read about as often as its rhythm says, only somewhat later. A list that was never read is read at once, and
one that takes more calls than there are is read alone, to its end.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from pipelines.source.streams import EVERY_RUN, FACETS, HOURLY, STREAMS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

QUARTER = timedelta(minutes=15)
CALLS_PER_QUARTER = 2
"""For each quarter of an hour since the last sync, and for each sync at least."""


def late_after(rhythm: timedelta) -> timedelta:
    """The age from which on a list is late: lists that are due wait for one another, and a sync may fail once."""
    return max(2 * rhythm, HOURLY)


def lists_to_read(
    asked_at: Mapping[str, datetime],
    call_counts: Mapping[str, int],
    *,
    last_sync_at: datetime | None,
    now: datetime,
) -> frozenset[str]:
    """The names of the streams, the statistics among them, that a sync reads of an account.

    Args:
        asked_at: when each was last read whole, cut short or refused, UTC; without those that never were.
        call_counts: how many calls each took when it was last read.
        last_sync_at: when the last sync began, UTC.
        now: when this one does.
    """
    streams = (*STREAMS, FACETS)
    at_once = {stream.name for stream in streams if stream.rhythm == EVERY_RUN or stream.name not in asked_at}
    age = {each.name: (now - asked_at[each.name]) / each.rhythm for each in streams if each.name not in at_once}
    due = sorted((name for name, rhythm_count in age.items() if rhythm_count >= 1), key=age.__getitem__, reverse=True)
    quarter_count = 1 if last_sync_at is None else max(1, round((now - last_sync_at) / QUARTER))
    call_count = CALLS_PER_QUARTER * quarter_count
    chosen: set[str] = set()
    for name in due:
        cost = call_counts.get(name, 1)
        if cost <= call_count or not chosen:
            call_count -= cost
            chosen.add(name)
    return frozenset(at_once | chosen)
