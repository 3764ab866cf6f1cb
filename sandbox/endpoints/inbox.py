"""The endpoints under inbox: mentions, cases, contacts, and what stands around a mention."""

from collections.abc import Callable
from typing import Any

import numpy as np
import orjson

from sandbox import query
from sandbox.account import State
from sandbox.contacts import REQUIRED_FIELDS, SERVICES_NOT_SHOWN, SERVICES_WITH_TOPICS, Contacts
from sandbox.conversations import CONTEXT_TYPES, case_conversation, context
from sandbox.endpoints.call import Call, Json, paged
from sandbox.errors import ApiError, invalid_parameter, no_permission, not_found
from sandbox.history import Flags

_WINDOW = ("date_from", "date_to", "limit")
_CONTACT_TAG = "contacttag:"
_CONTACT_SORTS = ("dateadd:asc", "dateadd:desc", "lastupdate:asc", "lastupdate:desc")


def chosen(call: Call, state: State) -> Flags:
    """Which mentions or cases the call's window, topics and filter select; what is deleted is never among them."""
    behaviour = call.sandbox.behaviour
    flags: Flags = call.within_dates(state.dates(behaviour.window_date)) & state.alive
    flags &= np.isin(state.topic_id, topic_ids(call))
    flags &= query.filtered(state, call.parameters.get("filter", ""), behaviour)
    return flags


def topic_ids(call: Call) -> list[int]:
    """The topics that the call names; without any, those of the user's inbox.

    Raises:
        ApiError: `invalid_parameter` when it names something else, `no_permission` when there is no such topic.
    """
    known = {str(topic["id"]): topic for topic in call.reference.records("topics").values()}
    asked = query.list_parameter(call.parameters, "topic_ids")
    if not asked:
        return [topic["id"] for topic in known.values() if topic["default_inbox"]]
    for topic_id in asked:
        if not (topic_id.isascii() and topic_id.isdigit()):
            raise invalid_parameter("topic_ids", topic_id, "ids of topics")
        if topic_id not in known:
            raise no_permission(f"see topic {topic_id}")
    return [int(topic_id) for topic_id in asked]


def mentions(call: Call) -> Any:
    """The mentions of a window, some topics and a filter."""
    state = call.account.state(call.now)
    rows = _sorted(call, state)
    return paged(call, rows, state.mention, default_limit=20, lowest_limit=0, highest_limit=100, repeated=_WINDOW)


def mention(call: Call) -> Any:
    """One mention."""
    state = call.account.state(call.now)
    return state.mention(_row(call, state, "Mention"))


def cases(call: Call) -> Any:
    """The cases of a window, some topics and a filter, each with its mentions."""
    rows = _sorted(call, call.account.cases.state(call.now))
    return paged(
        call, rows, _conversations(call), default_limit=20, lowest_limit=0, highest_limit=100, repeated=_WINDOW
    )


def case(call: Call) -> Any:
    """One case with its mentions."""
    return _conversations(call)(_row(call, call.account.cases.state(call.now), "Case"))


def context_of_mention(call: Call) -> Any:
    """What stands around a mention: the conversation and the notes."""
    wanted = call.parameters.get("context_type") or CONTEXT_TYPES[0]
    if wanted not in CONTEXT_TYPES:
        raise invalid_parameter("context_type", wanted, f"one of {', '.join(CONTEXT_TYPES)}")
    row = _row(call, call.account.state(call.now), "Mention")

    def within(instant: int) -> bool:
        return bool(call.within_dates(np.array([instant]))[0])

    def user_json(user_id: int) -> Json | None:
        return call.reference.one("users", user_id, call.now, with_email=call.sees_email)

    return context(call.account, row, call.now, wanted, within, user_json)


def contacts(call: Call) -> Any:
    """The contacts that were updated since an instant, have a tag, and have some fields."""
    book = _contacts(call)
    people = book.state(call.now)
    flags = people.alive.copy()
    if call.parameters.get("updated_since", "").strip():
        zone = call.sandbox.behaviour.zoneless_dates
        flags &= people.updated_at >= query.date_parameter(call.parameters, "updated_since", 0, zone)
    for field in _required_fields(call):
        flags &= people.has(field)
    tag = _contact_tag(call)
    if tag is not None:
        flags &= people.tagged(tag)
    sort = query.sort_parameter(call.parameters, _CONTACT_SORTS, _CONTACT_SORTS[0], call.sandbox.behaviour)
    name, _, direction = sort.partition(":")
    dates = people.added_at if name == "dateadd" else people.updated_at
    order = np.lexsort((people.ids, dates if direction == "asc" else -dates))
    attributes = call.objects("customattributes")
    return paged(
        call,
        order[flags[order]].tolist(),
        lambda position: people.contact(position, attributes),
        default_limit=20,
        lowest_limit=0,
        highest_limit=50,
    )


def contact(call: Call) -> Any:
    """One contact, by its id."""
    identifier = call.path_parameters["contact_id"]
    return _contact(call, _contacts(call).number_with_id(identifier), f"Contact {identifier}")


def contact_of_profile(call: Call) -> Any:
    """One contact, by one of its social profiles."""
    service, service_id = call.path_parameters["service"], call.path_parameters["service_id"]
    number = _contacts(call).number_with_profile(service, service_id, call.now)
    return _contact(call, number, f"The contact of {service} {service_id}")


def _sorted(call: Call, state: State) -> list[int]:
    flags = chosen(call, state)
    sort = query.sort_parameter(call.parameters, query.SORTS, "dateadd:desc", call.sandbox.behaviour)
    order = query.ordered(state, sort)
    rows: list[int] = order[flags[order]].tolist()
    return rows


def _row(call: Call, state: State, what: str) -> int:
    unique_id = f"{call.path_parameters['topic_id']}_{call.path_parameters['id']}"
    row = state.row(unique_id)
    if row is None or not state.alive[row]:
        raise not_found(f"{what} {unique_id}")
    return row


def _conversations(call: Call) -> Callable[[int], Json]:
    book, attributes = _contacts(call), call.objects("customattributes")
    return lambda row: case_conversation(call.account, book, row, call.now, attributes)


def _contacts(call: Call) -> Contacts:
    return call.sandbox.address_books[call.account.id]


def _contact(call: Call, number: int | None, what: str) -> Json:
    people = _contacts(call).state(call.now)
    position = None if number is None else people.position(number)
    if position is None or number is None or not people.alive[position]:
        raise not_found(what)
    service = _contacts(call).person(number)[0].service
    if service in SERVICES_NOT_SHOWN:
        raise ApiError(400, "unsupported_type", f"Contacts of {service} cannot be requested.")
    if service in SERVICES_WITH_TOPICS and not query.list_parameter(call.parameters, "topic_ids"):
        raise invalid_parameter("topic_ids", "", f"ids of topics, for a contact of {service}")
    topic_ids(call)
    return people.contact(position, call.objects("customattributes"))


def _required_fields(call: Call) -> list[str]:
    text = call.parameters.get("required_fields", "").strip()
    if not text:
        return []
    try:
        fields = orjson.loads(text)
    except orjson.JSONDecodeError:
        fields = None
    if not isinstance(fields, list) or not all(field in REQUIRED_FIELDS for field in fields):
        raise invalid_parameter("required_fields", text, f"a JSON array of {', '.join(REQUIRED_FIELDS)}")
    return fields


def _contact_tag(call: Call) -> str | None:
    text = call.parameters.get("filter", "").strip()
    if not text:
        return None
    tag = text.removeprefix(_CONTACT_TAG)
    quoted = len(tag) > 1 and tag[0] == tag[-1] == '"'
    if not text.startswith(_CONTACT_TAG) or not tag or (not quoted and any(sign in tag for sign in ' ()"')):
        raise invalid_parameter("filter", text, "contacttag:<tag> and nothing else, a tag with spaces in quotes")
    return tag[1:-1] if quoted else tag
