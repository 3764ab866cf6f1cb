"""A call to an endpoint, and the pages of a list that answer it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode
from zlib import crc32

from sandbox import query
from sandbox.account import Account
from sandbox.behaviour import EndOfList
from sandbox.errors import ApiError, feature_limit_reached, no_permission
from sandbox.history import Flags
from sandbox.hours import Instants
from sandbox.organisation import User
from sandbox.reference import Reference

if TYPE_CHECKING:
    from sandbox.sandbox import Sandbox

FOUR_WEEKS_SECONDS = 28 * 86_400

Endpoint = Callable[["Call"], Any]

Json = dict[str, Any]

# The inbox is the one list whose end was seen by clients: the key is there, with nothing in it.
_KNOWN_ENDS: dict[str, EndOfList] = {"inbox/mentions": "null"}
_ENDS: tuple[EndOfList, ...] = ("missing_paging", "empty_paging", "missing_key", "null", "empty_text")


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """An authorised request, with GET and POST parameters together."""

    sandbox: "Sandbox"
    now: int
    user: User
    path: str
    path_parameters: dict[str, Any]
    parameters: dict[str, str]
    base_url: str
    token: str
    token_in_query: bool
    shift_count: int = 0
    """How many rows too late a page begins that is not the first."""

    @property
    def account(self) -> Account:
        """The account that the path names.

        Raises:
            ApiError: `no_permission` when the token does not see it.
        """
        account = self.sandbox.accounts.get(self.path_parameters["account"])
        if account is None:
            raise no_permission(f"see account {self.path_parameters['account']}")
        return account

    @property
    def reference(self) -> Reference:
        """The reference lists of the account that the path names.

        Raises:
            ApiError: `no_permission` when the token does not see it.
        """
        return self.sandbox.references[self.account.id]

    def objects(self, list_name: str) -> list[Json]:
        """The objects of a reference list as this token sees them."""
        return self.reference.objects(list_name, self.now, with_email=self.sees_email)

    def within_dates(self, instants: Instants) -> Flags:
        """Which instants lie between `date_from` (28 days ago unless given) and `date_to` (now).

        Raises:
            ApiError: `invalid_parameter` when a date cannot be read.
        """
        behaviour = self.sandbox.behaviour
        zone = behaviour.zoneless_dates
        date_from = query.date_parameter(self.parameters, "date_from", self.now - FOUR_WEEKS_SECONDS, zone)
        date_to = query.date_parameter(self.parameters, "date_to", self.now, zone)
        before_end = instants <= date_to if behaviour.inclusive_dates else instants < date_to
        within: Flags = (instants >= date_from) & before_end
        return within

    @property
    def sees_email(self) -> bool:
        """Whether users are shown with their email."""
        return "email" in self.sandbox.scopes


def listed(list_name: str, *, lowest_limit: int = 1, highest_limit: int = 200) -> Endpoint:
    """An endpoint that pages through a reference list."""

    def endpoint(call: Call) -> Any:
        return paged(
            call,
            call.objects(list_name),
            lambda shown: shown,
            default_limit=20,
            lowest_limit=lowest_limit,
            highest_limit=highest_limit,
        )

    return endpoint


def guarded(endpoint: Endpoint) -> Endpoint:
    """The endpoint, refused when the token lacks the permission for it or the plan does not have it."""

    def checked(call: Call) -> Any:
        behaviour, tail = call.sandbox.behaviour, _tail(call)
        if tail in behaviour.without_permission:
            raise no_permission(f"read {tail}")
        if tail in behaviour.not_in_plan:
            raise feature_limit_reached(tail)
        return endpoint(call)

    return checked


def paged(
    call: Call,
    rows: Sequence[Any],
    show: Callable[[Any], Json],
    *,
    default_limit: int,
    lowest_limit: int = 1,
    highest_limit: int = 200,
    repeated: tuple[str, ...] = (),
) -> Json:
    """A paged_list of the rows. `repeated` are parameters that next_url names even when the request did not."""
    behaviour = call.sandbox.behaviour
    limit = query.limit_parameter(call.parameters, default_limit, lowest_limit, highest_limit, behaviour)
    offset = query.read_page_token(call.parameters)
    if offset > 0:
        offset = max(offset + call.shift_count, 0)
    cap = behaviour.depth_cap_rows
    if offset >= cap:
        raise ApiError(400, "limit_exceeded", f"Only the first {cap} results can be requested.")
    stop = min(offset + limit, cap)
    count = min(len(rows), cap) if behaviour.count_stops_at_depth_cap else len(rows)
    shown = {"count": count, "data": [show(row) for row in rows[offset:stop]]}
    given = dict.fromkeys(repeated, "") | call.parameters | {"limit": str(limit)}
    paging: Json = {}
    if offset > 0 and limit > 0:
        paging["previous_url"] = _page_url(call, given, max(offset - limit, 0))
    if limit > 0 and stop < len(rows) and (stop < cap or behaviour.beyond_depth_cap == "refused"):
        return shown | {"paging": {"next_url": _page_url(call, given, stop)} | paging}
    if stop < len(rows) and limit > 0:
        return shown | {"paging": {"next_url": ""} | paging}
    return shown | _end_of_list(call, paging)


def _page_url(call: Call, given: dict[str, str], offset: int) -> str:
    dropped = {"page_token", "access_token"}
    pairs = [(name, value) for name, value in given.items() if name not in dropped and not name.startswith("topic_ids")]
    topic_ids = query.list_parameter(given, "topic_ids")
    pairs += [(f"topic_ids[{index}]", topic_id) for index, topic_id in enumerate(topic_ids)]
    pairs.append(("page_token", query.write_page_token(offset)))
    behaviour = call.sandbox.behaviour
    if call.token_in_query or behaviour.token_in_next_url:
        pairs.append(("access_token", call.token))
    prefix = "/api" if behaviour.api_prefix_in_next_url else ""
    host = call.base_url if behaviour.next_url_form == "absolute" else ""
    return f"{host}{prefix}{call.path}?{urlencode(pairs)}"


def _tail(call: Call) -> str:
    """The path without the account."""
    return call.path.strip("/").removeprefix(f"{call.path_parameters.get('account')}/")


def _end_of_list(call: Call, paging: Json) -> Json:
    tail = _tail(call)
    form = call.sandbox.behaviour.end_of_list or _KNOWN_ENDS.get(tail) or _ENDS[crc32(tail.encode()) % len(_ENDS)]
    ends: dict[EndOfList, Json] = {
        "missing_paging": {},
        "empty_paging": {"paging": []},
        "missing_key": {"paging": paging or []},
        "null": {"paging": {"next_url": None} | paging},
        "empty_text": {"paging": {"next_url": ""} | paging},
    }
    return ends[form]
