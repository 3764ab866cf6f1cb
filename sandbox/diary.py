"""A diary: what happens of its own accord, day by day, as far as the clock has come. Instants are unix seconds, UTC."""

from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from sandbox.history import DAY


class Entry(Protocol):
    """Something that happens at an instant."""

    @property
    def at(self) -> int:
        """When, in unix seconds."""


AnEntry = TypeVar("AnEntry", bound=Entry)


class Diary(Generic[AnEntry]):
    """The entries of days, each drawn once; days are counted from `first_at` on.

    Args:
        first_at: when the first day begins.
        draw: the entries of a day, given its number and when it begins, in any order.
    """

    def __init__(self, first_at: int, draw: Callable[[int, int], list[AnEntry]]) -> None:
        self._first_at = first_at
        self._draw = draw
        self._entries: list[AnEntry] = []
        self._day_count = 0

    def until(self, now: int) -> list[AnEntry]:
        """What has happened up to an instant, oldest first."""
        while (begins_at := self._first_at + self._day_count * DAY) <= now:
            self._entries += sorted(self._draw(self._day_count, begins_at), key=lambda entry: entry.at)
            self._day_count += 1
        return [entry for entry in self._entries if entry.at <= now]
