"""What a viewer has chosen, and the web address that says so: a view is shared by sharing its address."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import TYPE_CHECKING, Self
from zoneinfo import available_timezones

if TYPE_CHECKING:
    from collections.abc import Mapping

LISTS = ("account", "project", "topic", "channel", "team", "tag")
"""Filters that hold several values, as they are named in the address."""
ZONE = "zone"
"""The filter by the zone that days are of, as it is named in the address."""
ZONES = ("UTC", *sorted(name for name in available_timezones() if "/" in name and not name.startswith("Etc/")))
"""IANA names that can be chosen."""
DEFAULT_DAY_COUNT = 28
_FROM, _TO = "from", "to"


@dataclass(frozen=True)
class Filters:
    """Chosen dates and values. An empty tuple is no choice: everything.

    Attributes:
        first_date: the first date that counts, in the chosen zone.
        last_date: the last one, itself included.
        account: identifiers of accounts.
        project: identifiers of projects, each of which stands for its topics.
        topic: identifiers of topics.
        channel: names of channels.
        team: identifiers of teams.
        tag: tags.
        zone: the zone that days are of, one of ZONES; None for the reporting time zone.
    """

    first_date: date
    last_date: date
    account: tuple[str, ...] = ()
    project: tuple[str, ...] = ()
    topic: tuple[str, ...] = ()
    channel: tuple[str, ...] = ()
    team: tuple[str, ...] = ()
    tag: tuple[str, ...] = ()
    zone: str | None = None

    @classmethod
    def usual(cls, today: date) -> Self:
        """What is shown before anything is chosen: 28 days, of which today is the last."""
        return cls(today - timedelta(days=DEFAULT_DAY_COUNT - 1), today)

    @classmethod
    def from_address(cls, address: Mapping[str, list[str]], *, today: date) -> Self:
        """The choice that an address says. What it does not say, or says in a way nobody can read, is as usual.

        Args:
            address: the values of each name in the query of the address.
            today: the last date with data, in the zone that the address says.
        """
        usual = cls.usual(today)
        last = _date(address.get(_TO)) or usual.last_date
        first = _date(address.get(_FROM)) or min(usual.first_date, last)
        first, last = min(first, last), max(first, last)
        chosen = {name: tuple(dict.fromkeys(value for value in address.get(name, ()) if value)) for name in LISTS}
        return cls(first, last, **chosen, zone=cls.zone_in(address))

    @staticmethod
    def zone_in(address: Mapping[str, list[str]]) -> str | None:
        """The zone that an address says; None where it says none, or one that cannot be chosen."""
        return next((value for value in address.get(ZONE, ())[-1:] if value in ZONES), None)

    def to_address(self, *, today: date) -> dict[str, list[str]]:
        """What an address has to say for this choice: nothing of what is as usual, so that it moves on with the days.

        Args:
            today: the last date with data, in the chosen zone.
        """
        address = {name: list(values) for name in LISTS if (values := self.values(name))}
        if self.zone is not None:
            address[ZONE] = [self.zone]
        usual = self.usual(today)
        if (self.first_date, self.last_date) != (usual.first_date, usual.last_date):
            address |= {_FROM: [self.first_date.isoformat()], _TO: [self.last_date.isoformat()]}
        return address

    def values(self, name: str) -> tuple[str, ...]:
        """The values of one of LISTS."""
        chosen: tuple[str, ...] = getattr(self, name)
        return chosen

    @property
    def day_count(self) -> int:
        """How many dates are chosen."""
        return (self.last_date - self.first_date).days + 1

    def before(self) -> Self:
        """The same choice over as many days just before."""
        length = timedelta(days=self.day_count)
        return replace(self, first_date=self.first_date - length, last_date=self.last_date - length)

    def moved_on(self, before: date, today: date) -> Self:
        """The same choice on a later day: what was the usual dates is so again, other dates stay.

        Args:
            before: the last date with data when this was chosen, in the zone that was chosen then.
            today: that date now, in the zone that is chosen now.
        """
        if (self.first_date, self.last_date) != (self.usual(before).first_date, before):
            return self
        return replace(self, first_date=self.usual(today).first_date, last_date=today)


def _date(values: list[str] | None) -> date | None:
    try:
        return date.fromisoformat(values[-1]) if values else None
    except ValueError:
        return None
