"""The endpoints under settings that give one object; lists are pages of the reference lists."""

from typing import Any

from sandbox.endpoints.call import Call
from sandbox.errors import not_found


def user(call: Call) -> Any:
    """One user."""
    return _one(call, "users", "User")


def team(call: Call) -> Any:
    """One team."""
    return _one(call, "teams", "Team")


def _one(call: Call, list_name: str, what: str) -> Any:
    identifier = call.path_parameters["id"]
    found = call.reference.one(list_name, identifier, call.now, with_email=call.sees_email)
    if found is None:
        raise not_found(f"{what} {identifier}")
    return found
