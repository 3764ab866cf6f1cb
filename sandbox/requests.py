"""The log of requests, without secrets, and how many calls it has in an hour."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import parse_qsl, urlencode

SECRETS = frozenset({"access_token", "client_secret", "refresh_token"})


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedRequest:
    """One request to the API. `at` is UTC by the sandbox's clock; `parameters` are those of URL and form, no secrets.

    `user_id` and `token_number` (in the order of issue, from 0) are None without a valid token. `is_counted` tells
    whether it cost a call of the user's allowance, in the frame that began at `frame_started_at` (None: it slides).
    """

    method: str
    path: str
    query: str
    parameters: dict[str, str]
    status: int
    at: datetime
    user_id: int | None = None
    token_number: int | None = None
    is_counted: bool = False
    frame_started_at: datetime | None = None


def calls_per_frame(requests: Iterable[LoggedRequest]) -> Counter[tuple[int, datetime]]:
    """How many calls each user has spent in each frame of the rate limit, by user id and begin of the frame."""
    counted = [each for each in requests if each.is_counted]
    return Counter(
        (each.user_id, each.frame_started_at)
        for each in counted
        if each.user_id is not None and each.frame_started_at is not None
    )


def most_calls_in_an_hour(requests: Iterable[LoggedRequest]) -> dict[int, int]:
    """The largest number of calls that each user has spent in any 3,600 seconds, by user id."""
    by_user: defaultdict[int, list[datetime]] = defaultdict(list)
    for each in requests:
        if each.is_counted and each.user_id is not None:
            by_user[each.user_id].append(each.at)
    most: dict[int, int] = {}
    for user_id, unordered in by_user.items():
        instants = sorted(unordered)
        first = most[user_id] = 0
        for last, at in enumerate(instants):
            while instants[first] <= at - timedelta(hours=1):
                first += 1
            most[user_id] = max(most[user_id], last - first + 1)
    return most


def masked(query: str) -> str:
    """A query string whose secrets are hidden."""
    pairs = parse_qsl(query, keep_blank_values=True)
    return urlencode([(name, "***" if name in SECRETS else value) for name, value in pairs])
