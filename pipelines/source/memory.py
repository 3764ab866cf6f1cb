"""What earlier runs have left in the loader's state: what is due, and what need not be asked again. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from pipelines.source.rhythm import lists_to_read
from pipelines.source.streams import FACETS, STREAMS
from pipelines.source.windows import Cursor

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Memory:
    """The loader's state, by stream; empty where nothing was ever read."""

    state: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def account_ids(self) -> tuple[str, ...] | None:
        """The accounts that the token sees, as last listed.

        None where they have to be listed: they never were, or one has been refused since and may be gone.
        """
        listed = self._last_listed_accounts()
        return None if listed is None or self._has_refused_inbox_since(listed) else listed.ids

    def topic_ids(self, account_id: str) -> tuple[str, ...] | None:
        """The topics of an account, as last listed, for themselves or for the inbox; None where they never were."""
        cursors = [Cursor.from_state(self._kept(name).get(account_id, {})) for name in ("topics", "mentions")]
        listed = [cursor for cursor in cursors if cursor.ids is not None]
        last = max(listed, key=lambda cursor: cursor.read_at or _NEVER, default=None)
        return None if last is None or last.ids is None else (*last.ids, *last.joining_ids)

    def lists_to_read(self, account_id: str, *, now: datetime) -> frozenset[str]:
        """The names of the streams that a sync reads of an account, the statistics among them."""
        asked_at = {
            stream.name: max(times)
            for stream in (*STREAMS, FACETS)
            if (times := self._times(stream.name, account_id, "read_at", "refused_at", "cut_short_at"))
        }
        if (listed := self._last_listed_accounts()) is not None and self._has_refused_inbox_since(listed):
            asked_at.pop("accounts", None)
        last_sync_at = max(self._times("mentions", account_id, "read_at"), default=None)
        call_counts = {
            stream.name: int(count)
            for stream in (*STREAMS, FACETS)
            if (count := self._kept(stream.name).get(account_id, {}).get("call_count"))
        }
        return lists_to_read(asked_at, call_counts, last_sync_at=last_sync_at, now=now)

    def _last_listed_accounts(self) -> Cursor | None:
        cursors = map(Cursor.from_state, self._kept("accounts").values())
        listed = [cursor for cursor in cursors if cursor.ids is not None]
        return max(listed, key=lambda cursor: cursor.read_at or _NEVER, default=None)

    def _has_refused_inbox_since(self, listed: Cursor) -> bool:
        inboxes = map(Cursor.from_state, self._kept("mentions").values())
        return any((inbox.refused_at or _NEVER) > (listed.read_at or _NEVER) for inbox in inboxes)

    def _kept(self, stream_name: str) -> Mapping[str, dict[str, str]]:
        kept: Mapping[str, dict[str, str]] = self.state.get(stream_name, {}).get("cursors", {})
        return kept

    def _times(self, stream_name: str, account_id: str, *names: str) -> list[datetime]:
        kept = self._kept(stream_name).get(account_id, {})
        return [datetime.fromisoformat(kept[name]) for name in names if name in kept]


_NEVER = datetime.fromisoformat("0001-01-01T00:00:00+00:00")
NOTHING_KNOWN = Memory()
"""For a run that reads everything anew."""
