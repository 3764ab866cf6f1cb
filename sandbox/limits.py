"""The rate limit: so many calls an hour for each user behind a token."""

from collections import defaultdict, deque
from dataclasses import dataclass
from typing import Literal

FRAME_SECONDS = 3_600

RateWindow = Literal["fixed", "sliding", "clock_hour"]


@dataclass(frozen=True, slots=True)
class Allowance:
    """Whether a call may be made, and what is left after it.

    `reset_at` and `frame_started_at` are unix timestamps; an hour that slides has no frame.
    """

    allowed: bool
    limit: int
    remaining: int
    reset_at: int
    frame_started_at: int | None

    def headers(self, *, with_reset: bool) -> dict[str, str]:
        """The response headers, all text."""
        headers = {
            "x-ratelimit-limit": str(self.limit),
            "x-ratelimit-time": str(FRAME_SECONDS),
            "x-ratelimit-remaining": str(self.remaining),
        }
        return headers | ({"x-ratelimit-reset": str(self.reset_at)} if with_reset else {})


class RateLimit:
    """Counts calls. Instants are unix seconds of the sandbox's clock."""

    def __init__(self, per_hour: int) -> None:
        self.per_hour = per_hour
        self._calls: defaultdict[int, deque[int]] = defaultdict(deque)

    def spend(self, user_id: int, now: int, window: RateWindow) -> Allowance:
        """Count a call, unless the user has none left."""
        calls = self._calls[user_id]
        frame_started_at = None if window == "sliding" else now // FRAME_SECONDS * FRAME_SECONDS
        if window == "fixed":
            frame_started_at = calls[0] if calls and now < calls[0] + FRAME_SECONDS else now
        oldest_at = now - FRAME_SECONDS + 1 if frame_started_at is None else frame_started_at
        while calls and calls[0] < oldest_at:
            calls.popleft()
        allowed = len(calls) < self.per_hour
        if allowed:
            calls.append(now)
        resets_from = frame_started_at if frame_started_at is not None else calls[0] if calls else now
        remaining = max(self.per_hour - len(calls), 0)
        return Allowance(allowed, self.per_hour, remaining, resets_from + FRAME_SECONDS, frame_started_at)

    def refund(self, user_id: int) -> None:
        """Take the last counted call back."""
        if self._calls[user_id]:
            self._calls[user_id].pop()
