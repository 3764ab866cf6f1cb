"""Repeatable draws: a drawn value is a function of a key and a name, never of the order in which it was asked for."""

from collections.abc import Sequence
from typing import TypeVar
from zlib import crc32

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.int64]

_MASK = 2**64 - 1
_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)

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


class Draws:
    """The draws of many things at once: each gets what `Draw` gives it by itself.

    The parts of an identity are whole numbers, or arrays of them with one entry a thing.
    """

    __slots__ = ("keys",)

    def __init__(self, *identity: int | Numbers) -> None:
        size = max(np.size(part) for part in identity if isinstance(part, np.ndarray))
        keys = np.full(size, 0x9E3779B97F4A7C15, dtype=np.uint64)
        for part in identity:
            keys = _stirred((keys ^ np.asarray(part).astype(np.uint64)) * _FIRST)
        self.keys = keys

    def numbers(self, name: str) -> npt.NDArray[np.uint64]:
        """A 64-bit number each."""
        return _stirred((self.keys ^ np.uint64(crc32(name.encode()))) * _FIRST)

    def below(self, bound: int, name: str) -> Numbers:
        """A whole number each from 0 up to, not including, `bound`."""
        return (self.numbers(name) % np.uint64(bound)).astype(np.int64)

    def chance(self, share: float, name: str) -> npt.NDArray[np.bool_]:
        """True for about this share (0 to 1, not included) of the things."""
        return self.numbers(name) < np.uint64(int(share * _MASK))

    def digits(self, count: int, name: str) -> Numbers:
        """A number each of `count` decimal digits (up to 18)."""
        lowest: int = 10 ** (count - 1)
        return lowest + self.below(9 * lowest, name)


def _stirred(values: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    values = (values ^ values >> np.uint64(27)) * _SECOND
    return values ^ values >> np.uint64(31)
