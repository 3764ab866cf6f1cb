"""Access tokens: whose they are, how long they live, and how a refresh token makes new ones.

Instants are unix seconds of the sandbox's clock.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sandbox.behaviour import Behaviour
from sandbox.draws import mix
from sandbox.errors import ApiError

Json = dict[str, Any]

PATH = "/oauth/access_token"


@dataclass(slots=True, kw_only=True, eq=False)
class Grant:
    """An access token and the refresh token that came with it.

    `number` counts the tokens in the order of issue, from 0; `user_number` is whose it is, in the list of users.
    """

    number: int
    user_number: int
    access_token: str
    refresh_token: str
    issued_at: int
    is_void: bool = False
    is_refreshable: bool = True


class Tokens:
    """All tokens that were ever issued.

    Args:
        seed: chooses the new tokens.
        client: id and secret of the one application that may refresh.
        tokens: access tokens at the start, each of another user, or with the number of its user.
        expired: those of them, or others, that were valid once; they leave no gap in the numbers of users.
        scopes: what the tokens may see.
        lifetime_seconds: how long an access token lives.
        refresh_lifetime_seconds: how long a refresh token lives; None for ever.
        now: when the tokens of the start are issued.
    """

    def __init__(
        self,
        *,
        seed: int,
        client: tuple[str, str],
        tokens: Sequence[str] | Mapping[str, int],
        expired: Collection[str],
        scopes: Sequence[str],
        lifetime_seconds: int,
        refresh_lifetime_seconds: int | None,
        now: int,
    ) -> None:
        self._seed = seed
        self._client = client
        self._scopes = scopes
        self._lifetime_seconds = lifetime_seconds
        self._refresh_lifetime_seconds = refresh_lifetime_seconds
        self._grants: list[Grant] = []
        valid = [token for token in tokens if token not in expired]
        for position, token in enumerate(valid):
            self._issue(tokens[token] if isinstance(tokens, Mapping) else position, now, access_token=token)

    def valid(self, now: int) -> tuple[str, ...]:
        """The access tokens that are valid at an instant, in the order of issue."""
        return tuple(grant.access_token for grant in self._grants if self._is_valid(grant, now))

    def grant(self, access_token: str, now: int) -> Grant | None:
        """The grant of an access token that is valid at an instant."""
        found = self._of(access_token)
        return found if found is not None and self._is_valid(found, now) else None

    def refresh_token(self, access_token: str) -> str:
        """The refresh token that came with an access token, valid or not.

        Raises:
            KeyError: when there is no such access token.
        """
        found = self._of(access_token)
        if found is None:
            raise KeyError("there is no such access token")
        return found.refresh_token

    def expire(self, access_token: str) -> None:
        """End the life of an access token; its refresh token stays good.

        Raises:
            KeyError: when there is no such access token.
        """
        found = self._of(access_token)
        if found is None:
            raise KeyError("there is no such access token")
        found.is_void = True

    def refresh(self, parameters: Mapping[str, str], now: int, behaviour: Behaviour) -> Json:
        """The flat answer of the token endpoint to a refresh.

        Raises:
            ApiError: `invalid_request`, `unsupported_grant_type`, `invalid_client` or `invalid_grant`.
        """
        status = behaviour.token_error_status
        needed = ("client_id", "client_secret", "grant_type")
        missing = next((name for name in needed if not parameters.get(name)), None)
        if missing is not None:
            raise ApiError(status, "invalid_request", f"The parameter {missing} is missing.")
        if (parameters["client_id"], parameters["client_secret"]) != self._client:
            raise ApiError(status, "invalid_client", "The client is unknown, or its secret is wrong.")
        if parameters["grant_type"] != "refresh_token":
            raise ApiError(status, "unsupported_grant_type", "Only refresh_token is served here.")
        old = self._of_refresh(parameters.get("refresh_token", ""))
        if old is None or not self._may_refresh(old, now):
            raise ApiError(status, "invalid_grant", "The refresh token is unknown, used or expired.")
        rotates = behaviour.refresh_tokens_rotate
        new = self._issue(old.user_number, now, refresh_token=None if rotates else old.refresh_token)
        old.is_refreshable = False
        old.is_void |= behaviour.refresh_voids_access_token
        return {
            "access_token": new.access_token,
            "expires_in": self._lifetime_seconds,
            "scope": " ".join(self._scopes),
            "refresh_token": new.refresh_token,
        }

    def _issue(
        self, user_number: int, now: int, *, access_token: str | None = None, refresh_token: str | None = None
    ) -> Grant:
        number = len(self._grants)
        grant = Grant(
            number=number,
            user_number=user_number,
            access_token=access_token or f"access-{mix(self._seed, 31, number):016x}",
            refresh_token=refresh_token or f"refresh-{mix(self._seed, 32, number):016x}",
            issued_at=now,
        )
        self._grants.append(grant)
        return grant

    def _of(self, access_token: str) -> Grant | None:
        return next((each for each in self._grants if each.access_token == access_token), None)

    def _of_refresh(self, refresh_token: str) -> Grant | None:
        """The newest grant with a refresh token: one that does not rotate is that of several."""
        return next((each for each in reversed(self._grants) if each.refresh_token == refresh_token), None)

    def _is_valid(self, grant: Grant, now: int) -> bool:
        return not grant.is_void and now < grant.issued_at + self._lifetime_seconds

    def _may_refresh(self, grant: Grant, now: int) -> bool:
        lifetime = self._refresh_lifetime_seconds
        return grant.is_refreshable and (lifetime is None or now < grant.issued_at + lifetime)
