"""What the documentation leaves open about the API, as switches; each default is the harder reading."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Sorting = Literal["honoured", "ignored", "refused"]
"""What becomes of a sort: `ignored` without a word, the list has its usual order."""

FilterWord = Literal["honoured", "everything", "nothing", "refused"]
"""What a word of a filter selects: what it should, or without a word every row or none."""

EndOfList = Literal["missing_paging", "empty_paging", "missing_key", "null", "empty_text"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """Switches of a sandbox; swap the whole object to change one (`dataclasses.replace`)."""

    inclusive_dates: bool = True
    """Whether a row at exactly `date_to` belongs to the window. `date_from` always belongs."""

    window_date: Literal["added", "published"] = "added"
    """Which date of mentions and cases windows and the keys of statistics are about."""

    zoneless_dates: str = "Europe/Brussels"
    """IANA zone in which a date without an offset is read."""

    token_in_next_url: bool = True
    """Whether `paging.next_url` carries the access token in clear, also when it came in a header."""

    api_prefix_in_next_url: bool = True
    """Whether `paging.next_url` has the extra `/api` at the front of its path."""

    next_url_form: Literal["absolute", "relative"] = "absolute"
    """Whether `paging.next_url` names the host."""

    end_of_list: EndOfList | None = None
    """How a list says that it has no next page; by default each path has a form of its own."""

    depth_cap_rows: int = 10_000
    """Rows of one list that can be reached by paging; beyond them `next_url` is empty although `count` is larger."""

    beyond_depth_cap: Literal["no_next_url", "refused"] = "no_next_url"
    """How a list ends at the depth cap; `refused`: there is a `next_url`, and asking it is 400 `limit_exceeded`."""

    count_stops_at_depth_cap: bool = False
    """Whether `count` is never larger than the depth cap."""

    too_large_limit: Literal["refused", "clamped"] = "refused"
    """What becomes of a `limit` above the largest of its list."""

    zero_limit: Literal["count", "default", "refused"] = "count"
    """What `limit=0` gives where it is documented: only the count, a page of the usual size, or an error."""

    sorts: Mapping[str, Sorting] = field(default_factory=dict)
    """What becomes of some sorts; other documented ones are honoured."""

    unknown_sorts: Literal["ignored", "refused"] = "refused"
    """What becomes of a sort that is not documented."""

    filter_words: Mapping[str, FilterWord] = field(default_factory=dict)
    """What some words of the inbox's filter select, by the name before the colon; other known ones are honoured."""

    unknown_filter_words: Literal["everything", "nothing", "refused"] = "refused"
    """What a word with an unknown name selects."""

    rate_window: Literal["fixed", "sliding", "clock_hour"] = "fixed"
    """Whether the hour of the rate limit starts with the first call, slides along, or is that of the clock (UTC)."""

    reset_header_when_throttled: bool = True
    """Whether an answer `rate_limit_reached` carries `x-ratelimit-reset`."""

    not_modified_costs_a_call: bool = True
    """Whether an answer 304 counts towards the rate limit."""

    honours_etag: bool = True
    """Whether answers carry an `Etag` when asked for, and the same answer again is a 304."""

    expired_token_error: tuple[int, str] = (401, "invalid_token")
    """HTTP status and error id of a missing, unknown or expired access token."""

    token_error_status: int = 400
    """HTTP status of the errors of the token endpoint."""

    refresh_tokens_rotate: bool = True
    """Whether a refresh gives another refresh token and the used one is void at once."""

    refresh_voids_access_token: bool = True
    """Whether a refresh ends the life of the access token that it replaces."""

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

    history_names_mention: bool = False
    """Whether the description of a deletion or a restoration in settings/history has the `unique_id` of the mention."""

    unsupported_facets: frozenset[str] = frozenset()
    """Fields of segmentation, values and groupings that insights/facets refuses: 400 `unsupported_type`."""

    statistics_zone: str = "Europe/Brussels"
    """IANA zone in which the hours, days, weeks and months of insights/facets begin."""

    statistics_of_times: Literal["mean", "median"] = "mean"
    """What insights/facets gives for the times, in seconds, and the ratings of several mentions."""

    statistics_without_values: Literal["null", "zero"] = "null"
    """What insights/facets gives for the times and ratings of mentions of which none has one. Counts are 0."""
