"""Repeatable draws: a drawn value is a function of a key and a name, never of the order in which it was asked for."""

from collections.abc import Sequence
from typing import TypeVar
from zlib import crc32

_MASK = 2**64 - 1

Option = TypeVar("Option")


def mix(*parts: int) -> int:
    """Fold whole numbers into one evenly spread 64-bit number (the splitmix64 finaliser, public domain)."""
    value = 0x9E3779B97F4A7C15
    for part in parts:
        value = (value ^ part) * 0xBF58476D1CE4E5B9 & _MASK
        value = (value ^ value >> 27) * 0x94D049BB133111EB & _MASK
        value ^= value >> 31
    return value


class Draw:
    """Draws for one thing (a message, an author, a life), identified by numbers.

    Two processes that ask the same thing the same question get the same answer, whatever else they asked before.
    """

    __slots__ = ("key",)

    def __init__(self, *identity: int) -> None:
        self.key = mix(*identity)

    def number(self, name: str) -> int:
        """A 64-bit number."""
        value = (self.key ^ crc32(name.encode())) * 0xBF58476D1CE4E5B9 & _MASK
        value = (value ^ value >> 27) * 0x94D049BB133111EB & _MASK
        return value ^ value >> 31

    def below(self, bound: int, name: str) -> int:
        """A whole number from 0 up to, not including, `bound`."""
        return self.number(name) % bound

    def chance(self, share: float, name: str) -> bool:
        """True for about this share (0 to 1) of all things."""
        return self.number(name) < share * _MASK

    def pick(self, options: Sequence[Option], name: str) -> Option:
        """One of the options, each equally likely."""
        return options[self.number(name) % len(options)]

    def digits(self, count: int, name: str) -> str:
        """Text of `count` decimal digits that does not start with a zero (up to 19)."""
        lowest: int = 10 ** (count - 1)
        return str(lowest + self.number(name) % (9 * lowest))
