"""Contacts: the people of the public, each with what colleagues have filled in about them.

Who writes through a channel gets a contact with the first message. It is updated with every further message, when
colleagues fill in the details some time later, and by what a test does to it. Instants are unix seconds, UTC.
"""

import re
from copy import deepcopy
from functools import cached_property
from typing import Any

import numpy as np

from sandbox import texts
from sandbox.account import Account, merged
from sandbox.channels import CHANNELS, Channel
from sandbox.draws import Draw, Draws, mix
from sandbox.history import DAY, HOUR, NEVER, Flags
from sandbox.hours import Instants
from sandbox.mentions import API, AUTHOR_TAGS, WEB, person_json, phone_of

Json = dict[str, Any]

REQUIRED_FIELDS = ("email", "name", "company", "phone")
SERVICES_WITH_TOPICS = frozenset({"wechat", "twilio", "web", "whatsapp", "viber"})
"""A contact of one of these is only shown to who names topics."""
SERVICES_NOT_SHOWN = frozenset({"instagram_business_profile"})
"""A contact of one of these is listed, but not shown by itself."""

# A contact's number is its author's and its channel's in one; its id hides the number and can be turned back into it.
_CHANNELS_AT_MOST = 64
_DIGITS = re.compile("[0-9]+")
_ID_BASE = 10**11
_ID_STEP = 61_803_398_873  # odd and no multiple of five, so that every number gets an id of its own
_ID_STEP_INVERSE = pow(_ID_STEP, -1, _ID_BASE)

_STYLES = np.array([channel.author for channel in CHANNELS])
_NAMED = np.array([channel.author in {"handle", "phone", "address", "visitor"} for channel in CHANNELS])
_KNOWN = np.array([not channel.crawled for channel in CHANNELS])
_WITH_EMAIL = np.array([channel.author == "address" for channel in CHANNELS])
_WITH_PHONE = np.array([channel.author == "phone" for channel in CHANNELS])

_COMPANIES = ("Bakkerij Peeters & Zn", "Müller GmbH", "Le Petit Café (SARL)", "O'Neill Ltd", "株式会社青空")
_TOWNS = (
    ("Gent", "Oost-Vlaanderen", "Belgium", "BE", "Europe/Brussels"),
    ("Liège", "Wallonie", "Belgium", "BE", "Europe/Brussels"),
    ("Orléans", "Centre-Val de Loire", "France", "FR", "Europe/Paris"),
    ("Köln", "Nordrhein-Westfalen", "Germany", "DE", "Europe/Berlin"),
    ("Buffalo", "New York", "United States", "US", "America/New_York"),
    ("Bengaluru", "Karnataka", "India", "IN", "Asia/Kolkata"),
)
_COMMENTS = ("Prefers to be called after 18:00", "Klant via partner\nOpgelet: twee contracten", "Très patient 🙂")
_BIO = 'Mama van 2 🐣 | "mening = eigen"\nfiets & koffie'
_SECOND_PROFILES = ("twitter", "facebook", "whatsapp_cloud_api")


class Contacts:
    """The contacts of an account, with what a test did to them."""

    def __init__(self, account: Account) -> None:
        self.account = account
        self.edits: dict[int, list[tuple[int, Json]]] = {}
        self.deleted: set[int] = set()
        self.revision = 0
        self._identity = (account.seed, account.id)
        self._offset = mix(*self._identity, 3) % _ID_BASE
        self._state: ContactState | None = None

    def state(self, now: int) -> "ContactState":
        """The contacts at a second."""
        if self._state is None or (self._state.now, self._state.revision) != (now, self.revision):
            self._state = ContactState(self, now)
        return self._state

    def number_of(self, channel: int, author: int) -> int:
        """The number of somebody who writes through a channel."""
        return author * _CHANNELS_AT_MOST + channel

    def ids_of(self, numbers: Instants) -> Instants:
        """The `id`s of contacts, as numbers."""
        return _ID_BASE + (numbers * _ID_STEP + self._offset) % _ID_BASE

    def number_with_id(self, identifier: str) -> int | None:
        """The number behind an `id`, whether or not there is such a contact."""
        if not (identifier.isascii() and identifier.isdigit()) or not _ID_BASE <= int(identifier) < 2 * _ID_BASE:
            return None
        return (int(identifier) - _ID_BASE - self._offset) * _ID_STEP_INVERSE % _ID_BASE

    def number_with_profile(self, service: str, service_id: str, now: int) -> int | None:
        """The number of the contact with a social profile; of several, the lowest."""
        numbers = self.state(now).numbers
        channel, draws = numbers % _CHANNELS_AT_MOST, self.draws(numbers)
        digits = int("".join(_DIGITS.findall(service_id))[:18] or 0)
        id_digits = draws.digits(15, "id")
        styles = {
            "number": draws.digits(10, "id"),
            "handle": id_digits,
            "visitor": id_digits // 10**9,
            "address": id_digits // 10**12,
            "phone": 32 * 10**9 + draws.digits(9, "phone"),
        }
        of_service = np.array([each.service == service for each in CHANNELS])[channel]
        may_be = of_service & np.logical_or.reduce(
            [(_STYLES[channel] == style) & (drawn == digits) for style, drawn in styles.items()]
        )
        if service in _SECOND_PROFILES:
            is_second = draws.below(len(_SECOND_PROFILES), "second service") == _SECOND_PROFILES.index(service)
            may_be |= is_second & (draws.digits(14, "second id") == digits)
        for number in numbers[may_be].tolist():
            for profile in _profiles(*self.person(number)):
                if (profile["type"], profile["service_id"]) == (service, service_id):
                    return int(number)
        return None

    def person(self, number: int) -> tuple[Channel, Draw]:
        """Whom a number stands for."""
        author, channel = divmod(number, _CHANNELS_AT_MOST)
        return CHANNELS[channel], Draw(*self._identity, channel, author)

    def draws(self, numbers: Instants) -> Draws:
        """The draws of the people with these numbers."""
        return Draws(*self._identity, numbers % _CHANNELS_AT_MOST, numbers // _CHANNELS_AT_MOST)


class ContactState:
    """What can be asked about the contacts at one second, as columns with one entry a contact, by number."""

    def __init__(self, contacts: Contacts, now: int) -> None:
        self.contacts = contacts
        self.now = now
        self.revision = contacts.revision
        planned = contacts.account.state(now).planned  # plans the history as far as it is looked at here
        history = contacts.account.history
        channel, arrives_at = history.channel[:planned], history.arrives_at[:planned]
        rows = np.flatnonzero(_KNOWN[channel] & ~history.brand[:planned] & (arrives_at <= now))
        numbers, group = np.unique(
            contacts.number_of(1, 0) * channel[rows] + contacts.number_of(0, 1) * history.author[rows],
            return_inverse=True,
        )
        self.numbers: Instants = numbers
        self.added_at: Instants = np.full(len(numbers), NEVER, dtype=np.int64)
        self.written_at: Instants = np.zeros(len(numbers), dtype=np.int64)
        np.minimum.at(self.added_at, group, arrives_at[rows])
        np.maximum.at(self.written_at, group, arrives_at[rows])

    @cached_property
    def filled_in_at(self) -> Instants:
        """When colleagues filled in the details, or NEVER."""
        draws = self.contacts.draws(self.numbers)
        named = _NAMED[self.numbers % _CHANNELS_AT_MOST]
        at = self.added_at + HOUR + draws.below(20 * DAY, "filled in")
        return np.where(named & draws.chance(0.4, "is filled in") & (at <= self.now), at, NEVER)

    @cached_property
    def updated_at(self) -> Instants:
        """`date.updated`."""
        filled_in_at = np.where(self.filled_in_at == NEVER, 0, self.filled_in_at)
        updated: Instants = np.maximum(self.written_at, filled_in_at)
        for number, edits in self.contacts.edits.items():
            position = self.position(number)
            if position is not None:
                updated[position] = max(updated[position], *(at for at, _ in edits if at <= self.now))
        return updated

    @cached_property
    def alive(self) -> Flags:
        """Contacts that nobody has deleted."""
        alive: Flags = ~np.isin(self.numbers, list(self.contacts.deleted))
        return alive

    @cached_property
    def ids(self) -> Instants:
        """The ids as numbers, for a fixed order of contacts with the same date."""
        return self.contacts.ids_of(self.numbers)

    def position(self, number: int) -> int | None:
        """Where a contact stands, deleted or not; None when there is no such contact yet."""
        position = int(np.searchsorted(self.numbers, number))
        return position if position < len(self.numbers) and self.numbers[position] == number else None

    def has(self, field: str) -> Flags:
        """Which contacts have one of REQUIRED_FIELDS."""
        has: Flags = _has(field, self.contacts.draws(self.numbers), self.numbers, self.filled_in_at != NEVER)
        return self._as_edited(has, lambda contact: bool(contact.get(field)))

    def tagged(self, tag: str) -> Flags:
        """Which contacts have a tag."""
        draws = self.contacts.draws(self.numbers)
        named = _NAMED[self.numbers % _CHANNELS_AT_MOST] & draws.chance(0.15, "tags")
        tagged = np.zeros(len(self.numbers), dtype=np.bool_)
        if tag in AUTHOR_TAGS:
            tagged = named & (draws.below(2, "tag count") >= AUTHOR_TAGS.index(tag))
        return self._as_edited(tagged, lambda contact: tag in contact.get("tags", []))

    def contact(self, position: int, attributes: list[Json]) -> Json:
        """Object contact; `attributes` are the definitions of the account's custom attributes."""
        contacts = self.contacts
        number = int(self.numbers[position])
        channel, person = contacts.person(number)
        account_id, identifier = contacts.account.id, str(self.ids[position])
        filled_in = bool(self.filled_in_at[position] != NEVER)
        author = person_json(channel, person)
        shown: Json = {"id": identifier}
        if channel.author != "number":
            shown |= _details(channel, person, author, filled_in=filled_in)
        shown["permalink"] = f"{WEB}/contacts/{account_id}/{identifier}/"
        if filled_in:
            shown |= _place(person)
        elif person.chance(0.5, "empty address"):
            shown["address"] = []  # nothing, as PHP writes it
        shown["socialprofiles"] = _profiles(channel, person)
        if "tags" in author:
            shown["tags"] = author["tags"]
        if filled_in:
            shown["customattributes"] = _attribute_values(person, attributes)
        shown["date"] = {"added": int(self.added_at[position]), "updated": int(self.updated_at[position])}
        if person.chance(0.7, "links"):
            link = f"{API}/{account_id}/inbox/contact/{identifier}"
            shown["action_links"] = [
                {"key": "edit", "type": "web", "name": "Edit", "link": shown["permalink"], "http_method": "GET"},
                {"key": "edit", "type": "api", "link": link, "http_method": "POST"},
            ]
        for at, changes in contacts.edits.get(number, []):
            if at <= self.now:
                shown = merged(shown, changes)
        return shown

    def _as_edited(self, flags: Flags, holds: Any) -> Flags:
        for number in self.contacts.edits:
            position = self.position(number)
            if position is not None:
                flags[position] = holds(self.contact(position, []))
        return flags


def _has(field: str, draws: Any, number: Any, filled_in: Any) -> Any:
    """Whether a contact has a field: for one (with a Draw) or for many (with Draws)."""
    channel = number % _CHANNELS_AT_MOST
    if field == "name":
        return _NAMED[channel] & draws.chance(0.75, "has name")
    if field == "email":
        return _WITH_EMAIL[channel] | (filled_in & draws.chance(0.6, "has email"))
    if field == "phone":
        return _WITH_PHONE[channel] | (filled_in & draws.chance(0.5, "has phone"))
    return filled_in & draws.chance(0.3, "has company")


def _details(channel: Channel, person: Draw, author: Json, *, filled_in: bool) -> Json:
    number = CHANNELS.index(channel)
    name = author["fullname"]
    values = {
        "name": name,
        "company": person.pick(_COMPANIES, "company"),
        "email": author["id"] if channel.author == "address" else f"contact.{person.digits(6, 'email')}@example.org",
        "phone": author["id"] if channel.author == "phone" else phone_of(person),
    }
    return {field: value for field, value in values.items() if _has(field, person, number, filled_in)}


def _place(person: Draw) -> Json:
    city, region, country, code, zone = person.pick(_TOWNS, "town")
    address: Json = {"city": {"name": city}, "country": {"name": country, "code": code}}
    address["region"] = {"name": region} if person.chance(0.6, "region") else []
    shown: Json = {"address": address}
    if person.chance(0.8, "language"):
        shown["language"] = {"BE": "nl", "FR": "fr", "DE": "de"}.get(code, "en")
    if person.chance(0.5, "timezone"):
        shown["timezone"] = zone
    if person.chance(0.3, "comments"):
        shown["comments"] = person.pick(_COMMENTS, "comment")
    return shown


def _profiles(channel: Channel, person: Draw) -> list[Json]:
    author = person_json(channel, person)
    first: Json = {"type": channel.service, "service_id": str(author["id"])}
    if channel.author == "number":
        return [first]
    first |= {"username": author["name"], "displayname": author["fullname"]}
    first |= {name: author[key] for name, key in (("avatar", "img"), ("url", "url")) if key in author}
    if channel.author == "handle":
        if person.chance(0.4, "bio"):
            first |= {"location": person.pick(_TOWNS, "town")[0], "bio": _BIO}
        counts = [
            {"description": "Followers", "value": person.below(9_000, "followers")},
            {"description": "Posts", "value": person.below(2_000, "posts")},
        ]
        first["counts"] = counts[: person.below(3, "counts")]
    if not person.chance(0.15, "second profile"):
        return [first]
    second = {
        "type": person.pick(_SECOND_PROFILES, "second service"),
        "service_id": person.digits(14, "second id"),
        "displayname": texts.person(person),
        "action_links": [],
    }
    return [first, second]


def _attribute_values(person: Draw, attributes: list[Json]) -> list[Json]:
    shown = []
    for attribute in attributes:
        name = f"attribute {attribute['id']}"
        values: Json = {
            "string": person.digits(7, name),
            "numeric": person.below(90_000, name) / 100,
            "boolean": person.chance(0.5, name),
            "enum": person.pick((attribute.get("allowed_values") or [""])[:2], name),
        }
        if person.chance(0.5, f"has {name}"):
            held = {key: attribute[key] for key in ("id", "name", "type")}
            shown.append(held | {"value": deepcopy(values[attribute["type"]])})
    return shown
