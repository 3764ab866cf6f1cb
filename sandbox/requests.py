"""The log of requests, without secrets."""

from dataclasses import dataclass
from datetime import datetime
from urllib.parse import parse_qsl, urlencode


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedRequest:
    """One request to the API. `at` is UTC by the sandbox's clock; `parameters` are those of URL and form, no token."""

    method: str
    path: str
    query: str
    parameters: dict[str, str]
    status: int
    at: datetime


def masked(query: str) -> str:
    """A query string whose access token is hidden."""
    pairs = parse_qsl(query, keep_blank_values=True)
    return urlencode([(name, "***" if name == "access_token" else value) for name, value in pairs])
