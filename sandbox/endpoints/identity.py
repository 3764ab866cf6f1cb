"""The endpoints under /me: who asks, what they see and what the application may do."""

from typing import Any

from sandbox.account import Account
from sandbox.endpoints.call import Call, Json, paged


def me(call: Call) -> Any:
    """The authorising user."""
    first = next(iter(call.sandbox.references.values()))
    return first.me(call.user.id, call.now, with_email=call.sees_email)


def my_accounts(call: Call) -> Any:
    """The accounts that the user sees, down to the monitored profiles."""
    return paged(
        call,
        list(call.sandbox.accounts.values()),
        lambda account: _account(call, account),
        default_limit=10,
        highest_limit=100_000,
    )


def my_connected_profiles(call: Call) -> Any:
    """The profiles that the authorising user has connected, in whatever account."""
    profiles = call.sandbox.connected_profiles(call.token)
    return paged(call, profiles, lambda profile: profile, default_limit=10)


def my_permissions(call: Call) -> Any:
    """What the application may do."""
    return list(call.sandbox.scopes)


def _account(call: Call, account: Account) -> Json:
    organisation, reference = account.organisation, call.sandbox.references[account.id]
    return {
        "id": account.id,
        "name": organisation.name,
        "expires": organisation.expires_at,
        "plan": "enterprise_v5",
        "projects": reference.projects(call.now, with_email=call.sees_email),
        "users": reference.objects("users", call.now, with_email=call.sees_email),
    }
