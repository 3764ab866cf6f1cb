"""Key figures of the monitored profiles: how many fans each has, as a course over time."""

from sandbox.draws import Draw
from sandbox.history import DAY


def fan_count(profile_id: int, at: int) -> int:
    """The fans of a profile at an instant (unix seconds): some more every day, now and then some less."""
    profile = Draw(profile_id, 14)
    day, seconds = divmod(at, DAY)
    gained_today = Draw(profile_id, 15, day).below(90, "gained") - 25
    grown = profile.below(30, "pace") * (day - 16_000) + Draw(profile_id, 15, day - 1).below(40, "wobble")
    return 500 + profile.below(60_000, "fans") + grown + gained_today * seconds // DAY
