"""The streams: which list of the API feeds which tables, and how it is read.

Adding one is an entry here and a contract file.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from transforms.contract import Contract, contract


class Reading(Enum):
    """How a list is read."""

    SNAPSHOT = "the whole list each time"
    INBOX = "new rows by date added, then rows changed by last action"


@dataclass(frozen=True)
class Stream:
    """One list of the API.

    `path` is the endpoint below the API's root; `page_size` the most rows it gives per call (api-behaviour.md says how
    sure that is).
    """

    name: str
    object: str
    path: str
    page_size: int
    reading: Reading

    @property
    def contract(self) -> Contract:
        """What the list's objects are declared to hold."""
        return contract(self.object)


STREAMS = (
    Stream("topics", object="topic", path="{account_id}/settings/topics", page_size=50, reading=Reading.SNAPSHOT),
    Stream("users", object="user", path="{account_id}/settings/users", page_size=50, reading=Reading.SNAPSHOT),
    Stream("mentions", object="mention", path="{account_id}/inbox/mentions", page_size=100, reading=Reading.INBOX),
)
