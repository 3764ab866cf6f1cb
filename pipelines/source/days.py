"""Reads the inbox's rows of some days again, whenever they were read before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipelines.api import SocialConnectError
from pipelines.source.reading import BATCH_PAGES, Batch, Reader, ReadingFailed, Step, with_page
from pipelines.source.windows import Cursor, Window, added_at, identifier

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from pipelines.source.reading import AccountReading
    from pipelines.source.streams import Stream
    from transforms.checksums import Days


class DaysReader(Reader):
    """One account's rows of some days; the cursors stay what they are.

    `seen` has, for each span of days that was read to its end, every row's `unique_id` and when it was added, UTC.

    Args:
        stream: the inbox's list.
        account: what is read.
        days: spans of `date.added`; asked for one by one, as they are read.
    """

    def __init__(self, stream: Stream, account: AccountReading, days: Iterable[Days]) -> None:
        super().__init__(stream)
        self.seen: dict[Days, dict[str, datetime]] = {}
        self._account = account
        self._days = days

    def _read(self, state: dict[str, Any]) -> Iterator[Batch]:
        account_id = self._account.account_id
        cursor = Cursor.from_state(state.get(account_id, {}))
        for days in self._days:
            rows: dict[str, datetime] = {}
            is_known = True
            batch: Batch | None = None
            try:
                for page in self._account.added_in(self.stream, Window(days.start, days.end)):
                    for record in page.records:
                        added = added_at(record, self.stream.mention_path)
                        unique_id = identifier(record, self.stream.mention_path)
                        if added is None or unique_id is None:
                            is_known = False  # one that may be any of those that seem to be gone
                        else:
                            rows[unique_id] = added
                    batch = with_page(batch, account_id, Step(page, cursor))
                    if batch.is_full(BATCH_PAGES):
                        yield batch
                        batch = None
            except (SocialConnectError, ReadingFailed) as stop:
                self.stopped_by = stop
                is_known = False
            if batch:
                yield batch
            if self.stopped_by:
                return
            if is_known:
                self.seen[days] = rows
