"""The access tokens in use, and how those that have expired are renewed.

A refresh token may be good for one use only, and a renewed access token end the life of the one before. So one process
renews at a time, stores what it was given before anything else, and whoever comes too late takes what is stored.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any

import httpx
from pydantic import BaseModel, SecretStr, ValidationError

from pipelines.api.sharing import SharedFile, fingerprint

__all__ = ["AccessTokens", "Grant", "Renewal", "read_grant", "renewal_address"]

logger = logging.getLogger(__name__)

_RENEWAL_PATH = "/oauth/access_token/"
_RENEWAL_HOSTS = {"api.engagor.com": "app.engagor.com", "api-us.engagor.com": "us.engagor.com"}
"""By the API's host, the one that gives tokens; any other gives them itself."""


@dataclass(frozen=True)
class Renewal:
    """What it takes to renew access tokens: the application, and a refresh token for each access token, in order."""

    client_id: str
    client_secret: SecretStr
    refresh_tokens: tuple[SecretStr, ...]


class Grant(BaseModel):
    """An access token, and the refresh token that renews it; None where the one before stays good."""

    access_token: SecretStr
    refresh_token: SecretStr | None = None
    expires_at: float | None = None
    """Unix seconds; None where the endpoint has not said."""


class _Answer(BaseModel):
    """What the token endpoint gives. `expires_in` is seconds; anything else there keeps no grant from being read."""

    access_token: SecretStr
    refresh_token: SecretStr | None = None
    expires_in: Any = None


def read_grant(body: bytes, now: float) -> Grant | None:
    """The grant in an answer of the token endpoint, or None when there is none.

    Args:
        body: the answer's.
        now: unix seconds when it came.
    """
    try:
        answer = _Answer.model_validate_json(body)
    except ValidationError:
        return None
    if not answer.access_token.get_secret_value():
        return None
    lives = answer.expires_in if isinstance(answer.expires_in, int | float) else None
    return Grant(
        access_token=answer.access_token,
        refresh_token=answer.refresh_token,
        expires_at=None if lives is None else now + lives,
    )


def renewal_address(base: httpx.URL) -> httpx.URL:
    """Where tokens are renewed, for the API's base URL."""
    if base.host in _RENEWAL_HOSTS:
        return base.copy_with(host=_RENEWAL_HOSTS[base.host], path=_RENEWAL_PATH)
    return base.copy_with(path=f"{base.path.rstrip('/')}{_RENEWAL_PATH}")


class AccessTokens:
    """The access tokens in use, in the order in which they were given.

    Args:
        given: the access tokens, as their owner has set them.
        renewal: how they are renewed; without it they are not.
        file: where renewed tokens are stored, for other processes and for later; needed for a renewal.

    Raises:
        ValueError: there is not one refresh token for each access token, or no file.
    """

    def __init__(self, given: Sequence[SecretStr], renewal: Renewal | None, file: Path | None) -> None:
        self.renewal = renewal
        self._grants = [Grant(access_token=token) for token in given]
        self._lock = Lock()
        if renewal is None:
            return
        if len(renewal.refresh_tokens) != len(given):
            raise ValueError(f"{len(given)} access tokens, but {len(renewal.refresh_tokens)} refresh tokens are given")
        if file is None:
            raise ValueError("renewed tokens have to be stored, but no folder is given")
        self._stored = SharedFile(file, lasts=True)
        pairs = list(zip(given, renewal.refresh_tokens, strict=True))
        self._grants = [Grant(access_token=access, refresh_token=refresh) for access, refresh in pairs]
        # By what the owner has set: tokens that were set anew have nothing to do with what is stored for the old ones.
        self._names = [fingerprint(*pair) for pair in pairs]
        with self._stored.lock:
            self._take_stored()

    def __getitem__(self, index: int) -> SecretStr:
        """The access token in use."""
        return self._grants[index].access_token

    def __len__(self) -> int:
        return len(self._grants)

    def expires_at(self, index: int) -> float | None:
        """When the access token in use expires, unix seconds; None while nothing has said so."""
        return self._grants[index].expires_at

    @property
    def secrets(self) -> list[SecretStr]:
        """Everything that must not be shown."""
        renewal = self.renewal
        own = [] if renewal is None else [renewal.client_secret, *renewal.refresh_tokens]
        refresh_tokens = [grant.refresh_token for grant in self._grants if grant.refresh_token]
        return [*(grant.access_token for grant in self._grants), *refresh_tokens, *own]

    def renew(self, index: int, refused: SecretStr, ask: Callable[[SecretStr], Grant]) -> None:
        """Puts another access token in the place of one that the API has refused.

        Args:
            index: which.
            refused: the access token that was refused.
            ask: gives the grant for a refresh token.

        Raises:
            Whatever `ask` raises; then everything is as before.
        """
        with self._lock, self._stored.lock:
            self._take_stored()
            old = self._grants[index]
            if old.access_token != refused or old.refresh_token is None:
                return
            new = ask(old.refresh_token)
            new = new.model_copy(update={"refresh_token": new.refresh_token or old.refresh_token})
            self._stored.write(self._stored.read() | {self._names[index]: dict(new)})
            self._grants[index] = new

    def _take_stored(self) -> None:
        """The caller holds the file's lock."""
        self._grants = [self._of_store(name) or grant for name, grant in zip(self._names, self._grants, strict=True)]

    def _of_store(self, name: str) -> Grant | None:
        try:
            return Grant.model_validate(self._stored.read()[name])
        except KeyError:
            return None
        except ValidationError:  # whose text would show the tokens
            logger.warning("a renewed access token cannot be read from its file: the one that was set is used")
            return None
