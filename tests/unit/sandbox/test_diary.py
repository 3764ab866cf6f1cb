"""A diary tells each day once, in order, and only what has happened."""

from dataclasses import dataclass

from sandbox.diary import Diary
from sandbox.history import DAY

FIRST_AT = 1_772_442_000


@dataclass(frozen=True)
class Entry:
    """Something that happens."""

    at: int


def test_entries_appear_when_the_clock_reaches_them() -> None:
    drawn: list[int] = []

    def draw(day: int, begins_at: int) -> list[Entry]:
        drawn.append(day)
        return [Entry(begins_at + 500), Entry(begins_at + 100)]

    diary = Diary(FIRST_AT, draw)
    assert diary.until(FIRST_AT - 1) == []
    assert [entry.at - FIRST_AT for entry in diary.until(FIRST_AT + 100)] == [100]
    assert [entry.at - FIRST_AT for entry in diary.until(FIRST_AT + DAY + 200)] == [100, 500, DAY + 100]
    assert diary.until(FIRST_AT + 100) == [Entry(FIRST_AT + 100)]
    assert drawn == [0, 1]
