"""Numbers as people read them, wherever they are shown: in a box of a page, in a report, in a message."""

from __future__ import annotations

from math import isnan

NOT_KNOWN = "not known"


def count(value: float | None) -> str:
    """A whole number for people."""
    return NOT_KNOWN if is_missing(value) else f"{value:,.0f}"


def share(value: float | None) -> str:
    """A share, 0 to 1, as a percentage."""
    return NOT_KNOWN if is_missing(value) else f"{value:.0%}"


def length(seconds: float | None) -> str:
    """A length in its two largest units, such as 1d 2h; cut off, not rounded."""
    if seconds is None or isnan(seconds):
        return NOT_KNOWN
    minutes = int(seconds) // 60
    days, hours, rest = minutes // 1440, minutes // 60 % 24, minutes % 60
    if days:
        return f"{days}d {hours}h"
    if hours:
        return f"{hours}h {rest}m"
    return f"{rest}m {int(seconds) % 60}s"


def is_missing(value: float | None) -> bool:
    """Whether it is null: there is nothing it could be taken of."""
    return value is None or isnan(value)
