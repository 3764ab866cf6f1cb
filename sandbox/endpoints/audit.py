"""The endpoints that tell what people have done to the account: its changes, and its security audit."""

from typing import Any

import numpy as np

from sandbox import query
from sandbox.endpoints.call import Call, paged
from sandbox.endpoints.inbox import topic_ids
from sandbox.errors import invalid_parameter
from sandbox.security_audit import EVENTS

_WINDOW = ("date_from", "date_to", "limit")


def history(call: Call) -> Any:
    """The changes of a window, of some types and topics, and of one user."""
    log = call.sandbox.change_logs[call.account.id]
    types, user_id = query.list_parameter(call.parameters, "types"), _user_id(call)
    about = set(topic_ids(call)) if query.list_parameter(call.parameters, "topic_ids") else None
    changes = [
        change
        for change in _within(call, log.until(call.now))
        if (not types or change.type in types)
        and (about is None or change.topic_id in about)
        and (user_id is None or change.user_id == user_id)
    ]
    email, names = call.sees_email, call.sandbox.behaviour.history_names_mention
    return paged(
        call,
        changes,
        lambda change: log.item(change, with_email=email, names_mention=names),
        default_limit=20,
        repeated=_WINDOW,
    )


def security(call: Call) -> Any:
    """The security events of a window, of some types, and of one user."""
    audit = call.sandbox.security_audits[call.account.id]
    wanted, user_id = query.list_parameter(call.parameters, "events"), _user_id(call)
    for event_type in wanted:
        if event_type not in EVENTS:
            raise invalid_parameter("events", event_type, f"some of {', '.join(EVENTS)}")
    events = [
        event
        for event in _within(call, audit.until(call.now))
        if (not wanted or event.type in wanted) and (user_id is None or audit.user_id(event) == user_id)
    ]
    email = call.sees_email
    return paged(call, events, lambda event: audit.item(event, with_email=email), default_limit=20, repeated=_WINDOW)


def _within(call: Call, entries: list[Any]) -> list[Any]:
    flags = call.within_dates(np.array([entry.at for entry in entries], dtype=np.int64))
    chosen = [entry for entry, inside in zip(entries, flags.tolist(), strict=True) if inside]
    return chosen[::-1] if call.sandbox.behaviour.newest_change_first else chosen


def _user_id(call: Call) -> int | None:
    text = call.parameters.get("user_id", "").strip()
    if not text:
        return None
    if not text.isascii() or not text.isdigit():
        raise invalid_parameter("user_id", text, "the id of a user")
    return int(text)
