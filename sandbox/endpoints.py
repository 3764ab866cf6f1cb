"""The endpoints: what each path answers. A new one is a function from a call to a payload, and a line in ENDPOINTS."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode
from zlib import crc32

import numpy as np

from sandbox import query
from sandbox.account import Account
from sandbox.behaviour import EndOfList
from sandbox.errors import ApiError, invalid_parameter, no_permission, not_found
from sandbox.organisation import User, account_json, schedule_json, topic_json, user_json

if TYPE_CHECKING:
    from sandbox.sandbox import Sandbox

Json = dict[str, Any]

FOUR_WEEKS_SECONDS = 28 * 86_400

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
    def sees_email(self) -> bool:
        """Whether users are shown with their email."""
        return "email" in self.sandbox.scopes


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
    limit = query.limit_parameter(call.parameters, default_limit, lowest_limit, highest_limit)
    offset = query.read_page_token(call.parameters)
    cap = call.sandbox.behaviour.depth_cap_rows
    if offset >= cap:
        raise ApiError(400, "limit_exceeded", f"Only the first {cap} results can be requested.")
    stop = min(offset + limit, cap)
    shown = {"count": len(rows), "data": [show(row) for row in rows[offset:stop]]}
    given = dict.fromkeys(repeated, "") | call.parameters | {"limit": str(limit)}
    paging: Json = {}
    if offset > 0 and limit > 0:
        paging["previous_url"] = _page_url(call, given, max(offset - limit, 0))
    if limit > 0 and stop < len(rows) and stop < cap:
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
    return f"{call.base_url}{prefix}{call.path}?{urlencode(pairs)}"


def _end_of_list(call: Call, paging: Json) -> Json:
    tail = call.path.strip("/").split("/", 1)[-1]
    form = call.sandbox.behaviour.end_of_list or _KNOWN_ENDS.get(tail) or _ENDS[crc32(tail.encode()) % len(_ENDS)]
    ends: dict[EndOfList, Json] = {
        "missing_paging": {},
        "empty_paging": {"paging": []},
        "missing_key": {"paging": paging or []},
        "null": {"paging": {"next_url": None} | paging},
        "empty_text": {"paging": {"next_url": ""} | paging},
    }
    return ends[form]


def me(call: Call) -> Any:
    """The authorising user."""
    return user_json(call.user, call.now, with_email=call.sees_email, in_account=False)


def my_accounts(call: Call) -> Any:
    """The accounts that the user sees, down to the monitored profiles."""
    accounts = list(call.sandbox.accounts.values())

    def show(account: Account) -> Json:
        return account_json(account.organisation, call.now, with_email=call.sees_email)

    return paged(call, accounts, show, default_limit=10, highest_limit=100_000)


def my_permissions(call: Call) -> Any:
    """What the application may do."""
    return list(call.sandbox.scopes)


def users(call: Call) -> Any:
    """The users of the account."""

    def show(user: User) -> Json:
        return user_json(user, call.now, with_email=call.sees_email)

    return paged(call, call.account.organisation.users, show, default_limit=20)


def user(call: Call) -> Any:
    """One user."""
    found = call.account.user(call.path_parameters["id"])
    if found is None:
        raise not_found(f"User {call.path_parameters['id']}")
    return user_json(found, call.now, with_email=call.sees_email)


def topics(call: Call) -> Any:
    """The topics of the account."""
    return paged(call, call.account.organisation.topics, topic_json, default_limit=20)


def business_hours_schedules(call: Call) -> Any:
    """The business hours schedules of the account."""
    organisation = call.account.organisation

    def show(schedule: Any) -> Json:
        return schedule_json(organisation, schedule, call.now)

    return paged(call, organisation.schedules, show, default_limit=20, highest_limit=50)


def mentions(call: Call) -> Any:
    """The mentions of a window, some topics and a filter."""
    parameters, behaviour = call.parameters, call.sandbox.behaviour
    state = call.account.state(call.now)
    zone = behaviour.zoneless_dates
    date_from = query.date_parameter(parameters, "date_from", call.now - FOUR_WEEKS_SECONDS, zone)
    date_to = query.date_parameter(parameters, "date_to", call.now, zone)
    before_end = state.added_at <= date_to if behaviour.inclusive_dates else state.added_at < date_to
    chosen = (state.added_at >= date_from) & before_end & state.alive
    chosen &= np.isin(state.topic_id, _topic_ids(call))
    chosen &= query.filtered(state, parameters.get("filter", ""))
    order = query.ordered(state, parameters.get("sort") or "dateadd:desc")
    return paged(
        call,
        order[chosen[order]].tolist(),
        state.mention,
        default_limit=20,
        lowest_limit=0,
        highest_limit=100,
        repeated=("date_from", "date_to", "limit"),
    )


def mention(call: Call) -> Any:
    """One mention."""
    unique_id = f"{call.path_parameters['topic_id']}_{call.path_parameters['id']}"
    state = call.account.state(call.now)
    row = state.row(unique_id)
    if row is None or not state.alive[row]:
        raise not_found(f"Mention {unique_id}")
    return state.mention(row)


def _topic_ids(call: Call) -> list[int]:
    known = {str(topic.id): topic for topic in call.account.organisation.topics}
    asked = query.list_parameter(call.parameters, "topic_ids")
    if not asked:
        return [topic.id for topic in known.values() if topic.default_inbox]
    for topic_id in asked:
        if not (topic_id.isascii() and topic_id.isdigit()):
            raise invalid_parameter("topic_ids", topic_id, "ids of topics")
        if topic_id not in known:
            raise no_permission(f"see topic {topic_id}")
    return [int(topic_id) for topic_id in asked]


ENDPOINTS: tuple[tuple[str, Callable[[Call], Any]], ...] = (
    ("/me", me),
    ("/me/accounts", my_accounts),
    ("/me/permissions", my_permissions),
    ("/{account:int}/settings/users", users),
    ("/{account:int}/settings/user/{id:int}", user),
    ("/{account:int}/settings/topics", topics),
    ("/{account:int}/settings/businesshoursschedules", business_hours_schedules),
    ("/{account:int}/inbox/mentions", mentions),
    ("/{account:int}/inbox/mention/{topic_id:int}/{id:str}", mention),
)
