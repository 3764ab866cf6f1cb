"""The security audit of an account: who signs in and out, from where, with what. Instants are unix seconds, UTC."""

from dataclasses import dataclass
from typing import Any

from sandbox.diary import Diary
from sandbox.draws import Draw
from sandbox.history import DAY, HOUR
from sandbox.organisation import Organisation

Json = dict[str, Any]

_PAST_DAYS = 120
_FIRST_ID, _EVENTS_PER_DAY = 7_000_000, 1_000

EVENTS = (
    *("password_change", "login_success", "login_failure", "logout", "account_locked", "account_unlocked"),
    *("settings_edited", "password_reset", "admin_logged_in_as_user", "admin_logged_out_as_user", "user_registered"),
    *("password_changed_by_password_reset", "user_confirmed_email", "user_adds_user", "user_removes_user"),
    *("user_blocked_device", "user_blocked_location", "user_blocked_session", "user_added_by_casemanagement_sync"),
    *("login_success_cxstudiosso", "device_added", "location_added", "location_removed"),
)
_DAILY = {"login_success", "login_failure", "logout", "login_success_cxstudiosso"}
_RARE = tuple(event for event in EVENTS if event not in _DAILY)
_NEW_PASSWORD = {"password_change", "password_reset", "password_changed_by_password_reset"}
_BY_NOBODY = {"account_unlocked", "user_added_by_casemanagement_sync"}

_LOCATIONS: tuple[Json, ...] = (
    {"country": "Belgium", "city": "Gent", "latitude": 51.0543, "longitude": 3.7174, "continent": "EU"},
    {"country": "Belgium", "city": "Liège", "latitude": 50.6326, "longitude": 5.5797, "continent": "EU"},
    {"country": "United States", "city": "Buffalo", "latitude": 42.8864, "longitude": -78.8784, "continent": "NA"},
    {"country": "India", "city": "Bengaluru", "latitude": 12.9716, "longitude": 77.5946, "continent": "AS"},
    {"country": "Ghana", "latitude": 5.6698, "longitude": 0.0, "continent": "AF"},
)
_DEVICES: tuple[Json, ...] = (
    {"platform": "Windows", "browser": "Chrome", "browser_version": "121.0.0.0"},
    {"platform": "macOS", "browser": "Safari", "browser_version": "17.3"},
    {"platform": "Android", "browser": "Chrome Mobile", "browser_version": "120.0"},
    {"platform": "Linux", "browser": "Firefox"},
)


@dataclass(frozen=True, slots=True)
class SecurityEvent:
    """Something that a user did, or that happened to one; `position` is the user's in the organisation."""

    id: int
    at: int
    type: str
    position: int
    draw: Draw


class SecurityAudit:
    """The security events of one account."""

    def __init__(self, organisation: Organisation, seed: int, now: int) -> None:
        self.organisation = organisation
        self._identity = (seed, organisation.account_id, 12)
        self._diary = Diary(now - _PAST_DAYS * DAY, self._day)

    def until(self, now: int) -> list[SecurityEvent]:
        """The events up to an instant, oldest first."""
        return self._diary.until(now)

    def user_id(self, event: SecurityEvent) -> int | None:
        """Who did it; None when that is not known."""
        unknown = event.type == "login_failure" and event.draw.chance(0.2, "unknown user")
        return None if unknown or event.type in _BY_NOBODY else self.organisation.users[event.position].id

    def _day(self, day: int, begins_at: int) -> list[SecurityEvent]:
        happened: list[tuple[int, str, int]] = []
        for position in range(len(self.organisation.users)):
            draw = Draw(*self._identity, day, position)
            if draw.chance(0.25, "away"):
                continue
            at = begins_at + draw.below(DAY - 10 * HOUR, "at")
            if draw.chance(0.15, "failure"):
                happened.append((at, "login_failure", position))
                at += 7 + draw.below(50, "again")
            happened.append((at, "login_success_cxstudiosso" if draw.chance(0.2, "sso") else "login_success", position))
            if draw.chance(0.5, "logout"):
                happened.append((at + HOUR + draw.below(8 * HOUR, "stay"), "logout", position))
        for number in range(Draw(*self._identity, day).below(5, "rare")):
            draw = Draw(*self._identity, day, 100 + number)
            position = draw.below(len(self.organisation.users), "user")
            happened.append((begins_at + draw.below(DAY, "at"), draw.pick(_RARE, "event"), position))
        return [
            SecurityEvent(day * _EVENTS_PER_DAY + number, at, type_, position, Draw(*self._identity, day, number, 1))
            for number, (at, type_, position) in enumerate(happened)
        ]

    def item(self, event: SecurityEvent, *, with_email: bool) -> Json:
        """Object audit_log_item."""
        draw, user = event.draw, self.organisation.users[event.position]
        shown: Json = {
            "id": _FIRST_ID + event.id,
            "description": f"{event.type.replace('_', ' ').capitalize()}: {user.name}",
            "type": event.type,
        }
        if self.user_id(event) is not None:
            shown["user"] = {"id": user.id, "name": user.name}
            if with_email:
                shown["user"]["email"] = f"agent{user.id}@aurelle.example"
        elif draw.chance(0.6, "empty user"):
            shown["user"] = []  # nothing, as PHP writes it
        if event.type in _NEW_PASSWORD:
            shown["password_strength"] = draw.pick(("weak", "medium", "strong"), "strength")
        shown["location"] = dict(draw.pick(_LOCATIONS, "location")) if draw.chance(0.8, "located") else []
        shown["device"] = dict(draw.pick(_DEVICES, "device")) if draw.chance(0.85, "recognised") else []
        shown["dateadd"] = event.at
        return shown
