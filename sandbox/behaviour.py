"""What the documentation leaves open about the API, as switches; each default is the harder reading."""

from dataclasses import dataclass
from typing import Literal

EndOfList = Literal["missing_paging", "empty_paging", "missing_key", "null", "empty_text"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """Switches of a sandbox; swap the whole object to change one (`dataclasses.replace`)."""

    inclusive_dates: bool = True
    """Whether a row at exactly `date_to` belongs to the window. `date_from` always belongs."""

    zoneless_dates: str = "Europe/Brussels"
    """IANA zone in which a date without an offset is read."""

    token_in_next_url: bool = True
    """Whether `paging.next_url` carries the access token in clear, also when it came in a header."""

    api_prefix_in_next_url: bool = True
    """Whether `paging.next_url` has the extra `/api` at the front of its path."""

    end_of_list: EndOfList | None = None
    """How a list says that it has no next page; by default each path has a form of its own."""

    depth_cap_rows: int = 10_000
    """Rows of one list that can be reached by paging; beyond them `next_url` is empty although `count` is larger."""

    rate_window: Literal["fixed", "sliding"] = "fixed"
    """Whether the hour of the rate limit starts with the first call or slides along with the clock."""

    reset_header_when_throttled: bool = True
    """Whether an answer `rate_limit_reached` carries `x-ratelimit-reset`."""

    not_modified_costs_a_call: bool = True
    """Whether an answer 304 counts towards the rate limit."""

    escaped_slashes: bool = True
    r"""Whether JSON writes `/` as `\/`, as PHP does unless told otherwise."""

    without_permission: frozenset[str] = frozenset()
    """Paths, without the account (`settings/teams`), that the token's user may not read: 403 `no_permission`."""

    not_in_plan: frozenset[str] = frozenset()
    """Paths, without the account (`crisis/plans`), that the account's plan lacks: 403 `feature_limit_reached`."""

    publisher_window: Literal["added", "published"] = "added"
    """Which date of a post the window of publisher/mentions applies to; a post without a publication has the other."""

    newest_change_first: bool = True
    """Whether settings/history and security/audit begin with the newest entry."""

    statistics_zone: str = "Europe/Brussels"
    """IANA zone in which the hours, days, weeks and months of insights/facets begin."""

    statistics_of_times: Literal["mean", "median"] = "mean"
    """What insights/facets gives for the times, in seconds, and the ratings of several mentions."""

    statistics_without_values: Literal["null", "zero"] = "null"
    """What insights/facets gives for the times and ratings of mentions of which none has one. Counts are 0."""
