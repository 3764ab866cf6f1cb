"""Keeps count of how many requests the API still allows, so that none is sent in vain. Pure: the clock is an argument.

The API allows a number of requests in a frame of time (350 an hour), counted per user, and tells the state of it with
each answer. A refused request costs an answer and brings nothing, so the budget foresees it. What it stands on:

* `x-ratelimit-remaining` is what the server had left when it answered. Requests on their way are deducted from it,
  and so are those whose answer told nothing: it may be too low by a few, and too high only by what another program
  that uses the same user has sent since.
* `x-ratelimit-reset` is unix time by the server's clock. It is read as a distance from the answer's own `Date`, so a
  wrong clock on either side does no harm; from our clock where there is no `Date`, or one by which the reset does not
  lie ahead within one frame. All are whole seconds, hence one more.
* A reset further ahead than one frame cannot be right and is taken as one frame; one in the past says nothing.
* Without a usable reset in any answer, a frame ends one frame's length (`x-ratelimit-time`, else one hour) after the
  first request that we know of in it. Whoever began the frame began it then or earlier, so it is over by then.
* A token refused again, in its first requests after such a wait, shows that the reset is not to be trusted: then it
  rests for one whole frame.
* While nothing has been told, requests are sent.
* A request that nobody has settled after five minutes was sent by a process that died: its answer told nothing.
* What is left to others grows less by a quarter with each quarter of the frame: nobody needs near its end what was kept
  for the whole of it. So one who waits uses nearly all of a frame, and others find their share until its end.

Several processes may share what is known of a token (`pipelines.api.sharing`): all of this holds for them together.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC
from email.utils import parsedate_to_datetime
from threading import Lock
from typing import Protocol

__all__ = [
    "Allowance",
    "Allowances",
    "Lease",
    "RateLimitHeaders",
    "Refusal",
    "RequestBudget",
    "read_rate_limit_headers",
    "server_time",
]

_DEFAULT_FRAME_SECONDS = 3600.0
_LONGEST_FRAME_SECONDS = 86_400.0
_CLOCK_GRAIN_SECONDS = 1.0
_SAME_RESET_SECONDS = 2.0
"""Two answers of one frame may tell a reset that differs by rounding, no more."""
_LONGEST_REQUEST_SECONDS = 300.0


@dataclass(frozen=True)
class RateLimitHeaders:
    """What one answer told about the rate limit; None where it told nothing usable.

    `reset_at` is unix seconds by our clock, and lay ahead when the answer came.
    """

    limit_count: int | None = None
    frame_seconds: float | None = None
    remaining_count: int | None = None
    reset_at: float | None = None


def read_rate_limit_headers(headers: Mapping[str, str], now: float) -> RateLimitHeaders:
    """Reads the `x-ratelimit-*` headers, each of which may be absent or nonsense.

    Args:
        headers: the answer's headers, found by lower-case name.
        now: unix seconds when the headers came.
    """
    limit, frame, remaining, reset = (
        _whole_number(headers.get(f"x-ratelimit-{name}")) for name in ("limit", "time", "remaining", "reset")
    )
    frame_seconds = frame if frame is not None and 0 < frame <= _LONGEST_FRAME_SECONDS else None
    seconds_to_reset = 0.0
    if reset is not None:
        told_at = server_time(headers)
        by_date, by_our_clock = reset - (now if told_at is None else told_at), reset - now
        is_plausible = 0 < by_date <= (frame_seconds or _DEFAULT_FRAME_SECONDS) + _CLOCK_GRAIN_SECONDS
        seconds_to_reset = by_date if is_plausible else by_our_clock
    return RateLimitHeaders(
        limit_count=limit if limit is not None and limit > 0 else None,
        frame_seconds=frame_seconds,
        remaining_count=None if remaining is None else max(remaining, 0),
        reset_at=now + seconds_to_reset + _CLOCK_GRAIN_SECONDS if seconds_to_reset > 0 else None,
    )


@dataclass(frozen=True)
class Lease:
    """The right to send one request with one token; to be given back with `settle`."""

    token_index: int
    number: int
    is_alone: bool


@dataclass(frozen=True)
class Refusal:
    """No request may be sent before `resume_at` (unix seconds); never again when it is None.

    Where all that is left is left to others, one of those may be sent from `released_at` on.
    """

    resume_at: float | None
    released_at: float | None = None


class Allowances(Protocol):
    """Where the allowances of the tokens are kept."""

    def opened(self) -> AbstractContextManager[Sequence["Allowance"]]:
        """The allowances in the order of the tokens, for the caller alone until the block ends; changes are kept."""


class RequestBudget:
    """The request allowance of all tokens, shared by all threads of a client.

    Args:
        token_count: how many tokens there are; of those that may be used, the one with most left is.
        clock: gives unix seconds.
        max_requests: the caller's own limit for the life of the budget.
        reserved_count: how many requests of each token's frame are left to others at its beginning, at most half of
            the frame's; a quarter of them in its last quarter.
        allowances: where the allowances are kept; in this object unless given.
    """

    def __init__(
        self,
        token_count: int,
        clock: Callable[[], float],
        max_requests: int | None = None,
        *,
        reserved_count: int = 0,
        allowances: Allowances | None = None,
    ) -> None:
        self._clock = clock
        self._max_requests = max_requests
        self._reserved_count = reserved_count
        self._allowances = allowances or _OwnAllowances(token_count)
        self._lock = Lock()
        self._request_count = 0
        self._refused_count = 0

    @property
    def request_count(self) -> int:
        """Requests sent so far, each attempt counted."""
        return self._request_count

    @property
    def refused_count(self) -> int:
        """Requests that the API refused because of its rate limit."""
        return self._refused_count

    @property
    def remaining_count(self) -> int | None:
        """Requests that may still be sent now; None while that is not known and the caller set no limit."""
        with self._opened() as (allowances, now):
            lefts = [allowance.left_count(now, self._reserved_count) for allowance in allowances]
            told = math.inf if None in lefts else sum(left for left in lefts if left is not None)
            own = math.inf if self._max_requests is None else self._max_requests - self._request_count
            least = min(told, own)
            return None if least == math.inf else int(least)

    @property
    def hourly_count(self) -> float | None:
        """Requests that may be sent in an hour, less those that are left to others; None while that is not known."""
        with self._opened() as (allowances, _):
            limits = [allowance.hourly_count(self._reserved_count) for allowance in allowances]
            return None if None in limits else sum(limit for limit in limits if limit is not None)

    @property
    def resume_at(self) -> float | None:
        """Unix seconds from which the API allows a request again; None when it allows one now."""
        with self._opened() as (allowances, now):
            return _earliest([allowance.closed_until(now, self._reserved_count) for allowance in allowances])

    def lease(self) -> Lease | Refusal:
        """The right to send one request now, or from when on there may be one."""
        with self._opened() as (allowances, now):
            if self._max_requests is not None and self._request_count >= self._max_requests:
                return Refusal(resume_at=None)
            ends = [allowance.closed_until(now, self._reserved_count) for allowance in allowances]
            open_indexes = [index for index, end in enumerate(ends) if end is None]
            if not open_indexes:
                releases = [allowance.released_at(now, self._reserved_count) for allowance in allowances]
                return Refusal(_earliest(ends), min((each for each in releases if each is not None), default=None))
            token_index = max(open_indexes, key=lambda index: allowances[index].preference(now))
            self._request_count += 1
            return allowances[token_index].begin(token_index, now)

    def settle(self, lease: Lease, told: RateLimitHeaders, *, is_refused: bool = False) -> None:
        """Ends a request with what its answer told (nothing, if there was none).

        Args:
            lease: what `lease` gave for this request.
            told: the rate limit headers of its answer.
            is_refused: whether the answer was that the rate limit is reached.
        """
        with self._opened() as (allowances, now):
            allowance = allowances[lease.token_index]
            if is_refused:
                self._refused_count += 1
                allowance.refuse(lease, told, now)
            else:
                allowance.accept(lease, told, now)

    @contextmanager
    def _opened(self) -> Iterator[tuple[Sequence["Allowance"], float]]:
        with self._lock, self._allowances.opened() as allowances:
            yield allowances, self._clock()


@dataclass
class Allowance:
    """What is known of one token's current frame, in plain values.

    Attributes:
        limit_count: requests that a frame has.
        frame_seconds: its length.
        remaining_count: requests left, before deducting those on their way.
        lease_count: requests ever begun.
        leased_at: when each request on its way was begun, by its number, unix seconds.
        began_at: when the first request that is known of in this frame was begun, unix seconds.
        reset_at: when the frame is over as far as told, unix seconds.
        is_refused: a request was refused in this frame.
        follows_refusal: one was in the last, and none has been accepted since.
    """

    limit_count: int | None = None
    frame_seconds: float = _DEFAULT_FRAME_SECONDS
    remaining_count: int | None = None
    lease_count: int = 0
    leased_at: dict[str, float] = field(default_factory=dict)
    began_at: float | None = None
    reset_at: float | None = None
    is_refused: bool = False
    follows_refusal: bool = False

    def left_count(self, now: float, reserved_count: int = 0) -> int | None:
        """Requests that may be sent now by one who leaves some to others; None while that is not known."""
        self._renew(now)
        if self.remaining_count is None:
            return None
        reserved = self._most_reserved(reserved_count) * self._quarters_left(now) / 4
        return max(self.remaining_count - len(self.leased_at) - math.ceil(reserved), 0)

    def closed_until(self, now: float, reserved_count: int = 0) -> float | None:
        """When there may be a request again for one who leaves some to others; None when there is one now."""
        return self._ends_at() if self.left_count(now, reserved_count) == 0 else None

    def released_at(self, now: float, reserved_count: int) -> float | None:
        """When one request more may be sent, of those that are left to others; None when nothing is left."""
        self._renew(now)
        ends_at, most_reserved = self._ends_at(), self._most_reserved(reserved_count)
        kept_count = 0 if self.remaining_count is None else self.remaining_count - len(self.leased_at)
        if ends_at is None or kept_count <= 0 or not most_reserved:
            return None
        quarters_left = 4 * (kept_count - 1) // most_reserved
        return ends_at - self.frame_seconds * quarters_left / 4

    def hourly_count(self, reserved_count: int = 0) -> float | None:
        """How many requests there are in an hour for one who leaves some of each frame to others."""
        if self.limit_count is None:
            return None
        return (self.limit_count - self._most_reserved(reserved_count)) * 3600 / self.frame_seconds

    def preference(self, now: float) -> tuple[float, int]:
        """The larger, the rather this one is used."""
        left = self.left_count(now)
        return (math.inf if left is None else left, -len(self.leased_at))

    def begin(self, token_index: int, now: float) -> Lease:
        """Begins a request."""
        is_alone = not self.leased_at
        self.lease_count += 1
        self.leased_at[str(self.lease_count)] = now
        if self.began_at is None:
            self.began_at = now
        return Lease(token_index, self.lease_count, is_alone=is_alone)

    def accept(self, lease: Lease, told: RateLimitHeaders, now: float) -> None:
        """Ends a request that was not refused."""
        reset_at = self._end(lease, told, now)
        if self.is_refused:
            return  # sent before the refusal came: that nothing is left is the later news
        self.follows_refusal = False
        known, told_count = self.remaining_count, told.remaining_count
        was_alone = lease.is_alone and lease.number == self.lease_count
        moved_seconds = reset_at - self.reset_at if reset_at and self.reset_at else 0.0
        # A request that ran alone leaves one less than there was, unless a new frame has begun.
        has_risen = was_alone and known is not None and told_count is not None and told_count >= known
        is_new_frame = has_risen or moved_seconds > _SAME_RESET_SECONDS
        is_overtaken = not was_alone and moved_seconds < -_SAME_RESET_SECONDS
        if is_new_frame:
            self.began_at = now
        if told_count is None or is_overtaken:
            self._deduct()
        elif known is None or is_new_frame:
            self.remaining_count = told_count
        else:
            # Answers overtake each other too, and within a frame each leaves less.
            self.remaining_count = min(known, told_count)
        if not is_overtaken:
            self.reset_at = reset_at or self.reset_at

    def refuse(self, lease: Lease, told: RateLimitHeaders, now: float) -> None:
        """Ends a request that was refused because of the rate limit."""
        reset_at = self._end(lease, told, now)
        self.remaining_count = 0
        self.is_refused = True
        if self.follows_refusal:
            self.reset_at = now + self.frame_seconds
        elif reset_at is not None:
            self.reset_at = reset_at
        elif self.reset_at is None:
            self.reset_at = (now if self.began_at is None else self.began_at) + self.frame_seconds

    def _most_reserved(self, reserved_count: int) -> int:
        return reserved_count if self.limit_count is None else min(reserved_count, self.limit_count // 2)

    def _quarters_left(self, now: float) -> int:
        """Of the frame, the one that is going on among them."""
        ends_at = self._ends_at()
        return 4 if ends_at is None else min(math.ceil(round(4 * (ends_at - now) / self.frame_seconds, 6)), 4)

    def _deduct(self) -> None:
        if self.remaining_count is not None:
            self.remaining_count = max(self.remaining_count - 1, 0)

    def _end(self, lease: Lease, told: RateLimitHeaders, now: float) -> float | None:
        """Ends one request, and gives when the frame of its answer is over, as far as told."""
        self._renew(now)
        self.leased_at.pop(str(lease.number), None)
        self.limit_count = told.limit_count or self.limit_count
        self.frame_seconds = told.frame_seconds or self.frame_seconds
        return None if told.reset_at is None else min(told.reset_at, now + self.frame_seconds + _CLOCK_GRAIN_SECONDS)

    def _ends_at(self) -> float | None:
        if self.reset_at is not None:
            return self.reset_at
        return None if self.began_at is None else self.began_at + self.frame_seconds

    def _renew(self, now: float) -> None:
        for number in [each for each, at in self.leased_at.items() if at + _LONGEST_REQUEST_SECONDS < now]:
            del self.leased_at[number]
            self._deduct()
        ends_at = self._ends_at()
        if ends_at is None or now < ends_at:
            return
        self.follows_refusal, self.is_refused = self.is_refused, False
        self.remaining_count = self.limit_count
        self.began_at = None
        self.reset_at = None


class _OwnAllowances:
    """Allowances that nobody else knows of."""

    def __init__(self, token_count: int) -> None:
        self._allowances = [Allowance() for _ in range(token_count)]

    @contextmanager
    def opened(self) -> Iterator[Sequence[Allowance]]:
        yield self._allowances


def _earliest(ends: Sequence[float | None]) -> float | None:
    """The earliest of some moments; None, now, where there is one."""
    return None if None in ends else min(end for end in ends if end is not None)


def _whole_number(text: str | None) -> int | None:
    try:
        number = float(text or "")
    except ValueError:
        return None
    return int(number) if math.isfinite(number) else None


def server_time(headers: Mapping[str, str]) -> float | None:
    """When the server sent an answer, unix seconds by its own clock; None where it does not say."""
    try:
        at = parsedate_to_datetime(headers.get("date") or "")
    except ValueError:
        return None
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
