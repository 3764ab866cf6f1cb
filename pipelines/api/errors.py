"""Everything that can go wrong between us and the API.

* SocialConnectError
  + TransportFailed          no answer: unreachable, connection lost, too slow
  + ResponseUnreadable       an answer, but cut, not JSON, or without the API's envelope
  + ApiError                 the API said no
    - AuthenticationFailed   the token is unknown, expired or withdrawn
      . RenewalRefused       it has expired, and cannot be renewed
    - PermissionDenied       the user behind the token may not read this
    - NotFound
    - InvalidParameter
    - ServerFailed           the API's own fault
  + NotSent                  no request is to be sent now, and none was
    - BudgetUsedUp           it would be one too many
      . RateLimitReached     the API refused a request because of its rate limit
    - StopRequested          the run has been asked to stop
  + PagingBroken             the link to the next page cannot be followed
    - RepeatedPage           it leads back to a page already read
    - ForeignNextUrl         it leads to another host

Each message says what happened, where (method and path, never the query), and what to do next. The fields from which it
is made are attributes, and are also `args`, so that an error survives pickling. No field ever holds a token: what the
server sent is scrubbed before it gets here.
"""

from datetime import UTC, datetime

__all__ = [
    "ApiError",
    "AuthenticationFailed",
    "BudgetUsedUp",
    "ForeignNextUrl",
    "InvalidParameter",
    "NotFound",
    "NotSent",
    "PagingBroken",
    "PermissionDenied",
    "RateLimitReached",
    "RenewalRefused",
    "RepeatedPage",
    "ResponseUnreadable",
    "ServerFailed",
    "SocialConnectError",
    "StopRequested",
    "TransportFailed",
    "api_error",
]


class SocialConnectError(Exception):
    """Any failure of reading from the API; `path` is the path that was read, without its query."""

    path: str


class TransportFailed(SocialConnectError):
    """No answer arrived: unreachable, connection lost, or a timeout, also after `attempt_count` attempts."""

    def __init__(self, path: str, reason: str, attempt_count: int) -> None:
        super().__init__(path, reason, attempt_count)
        self.path = path
        self.reason = reason
        self.attempt_count = attempt_count

    def __str__(self) -> str:
        return (
            f"GET {self.path}: no answer after {_attempts(self.attempt_count)} ({self.reason}). "
            "Check the base URL, network, proxy and firewall, then run again: a run goes on where the last one ended."
        )


class ResponseUnreadable(SocialConnectError):
    """An answer arrived that is cut, not JSON, or not what the API promises, also after `attempt_count` attempts."""

    def __init__(self, path: str, reason: str, attempt_count: int) -> None:
        super().__init__(path, reason, attempt_count)
        self.path = path
        self.reason = reason
        self.attempt_count = attempt_count

    def __str__(self) -> str:
        return (
            f"GET {self.path}: the answer cannot be read after {_attempts(self.attempt_count)} ({self.reason}). "
            "Check that the base URL is the API's own host and that no proxy or login page answers in its place; "
            "if it is, run again later."
        )


class ApiError(SocialConnectError):
    """The API answered that it will not do this.

    Attributes:
        status: the HTTP status, or the code in the body where the two disagree and the HTTP status is 200.
        error_id: the API's own identifier such as `no_permission`; None where the body had none.
        description: the API's own words, cut to a readable length.
        path: what was asked for.
        token_number: which of the access tokens was sent, counted from 1 in the order they were given.
    """

    method = "GET"
    advice = "Look the identifier up in the API's documentation of error responses."

    def __init__(self, status: int, error_id: str | None, description: str, path: str, token_number: int = 1) -> None:
        super().__init__(status, error_id, description, path, token_number)
        self.status = status
        self.error_id = error_id
        self.description = description
        self.path = path
        self.token_number = token_number

    def __str__(self) -> str:
        said = ": ".join(part for part in (self.error_id, self.description) if part) or "no reason given"
        return f"{self.method} {self.path}: the API answered {self.status} ({said.rstrip('.')}). {self._advice()}"

    def _advice(self) -> str:
        return self.advice


class AuthenticationFailed(ApiError):
    """The access token is unknown, expired or withdrawn."""

    def _advice(self) -> str:
        return (
            f"Access token number {self.token_number} (in the order given) is not accepted. Tokens live three months: "
            "make a new one, put it in place of the old one, and run again."
        )


class RenewalRefused(AuthenticationFailed):
    """The access token has expired, and the API does not renew it."""

    method = "POST"

    def _advice(self) -> str:
        return (
            f"Access token number {self.token_number} (in the order given) has expired and is not renewed. Authorise"
            " the application again, set the access token and the refresh token that this gives, check the client's"
            " id and secret, and run again."
        )


class PermissionDenied(ApiError):
    """The user behind the token may not read this."""

    advice = (
        "Give the user behind the token the permission to read it and the token the scope accounts_read, "
        "or leave this stream or account out."
    )


class NotFound(ApiError):
    """Nothing is at this path, or not for this user."""

    advice = "Check the account id and the base URL (EU and US accounts live on different hosts)."


class InvalidParameter(ApiError):
    """The API does not accept a parameter of the request."""

    advice = "Correct the parameter that is named; a date needs ISO 8601 with a zone, a limit its documented bounds."


class ServerFailed(ApiError):
    """The API failed by its own fault, also when asked again."""

    advice = "The fault is on the API's side: run again later; a run goes on where the last one ended."


class NotSent(SocialConnectError):
    """The request was not sent. A run loads what it has read, and the next goes on from there.

    Attributes:
        resume_at: unix seconds (UTC) from which requests may be sent again; None when no time is known.
    """

    resume_at: float | None


class BudgetUsedUp(NotSent):
    """The request was not sent, because it would be one too many.

    Attributes:
        resume_at: unix seconds (UTC) from which requests may be sent again; None when it is the caller's own
            limit (`max_requests`) that is used up, which time does not cure.
        path: what was to be read.
        request_count: requests that the client had sent in its life.
    """

    def __init__(self, resume_at: float | None, path: str, request_count: int) -> None:
        super().__init__(resume_at, path, request_count)
        self.resume_at = resume_at
        self.path = path
        self.request_count = request_count

    def __str__(self) -> str:
        if self.resume_at is None:
            return (
                f"GET {self.path} was not sent: all {self.request_count} requests that the caller allowed are used "
                "(max_requests). Allow more, or run again: a run goes on where the last one ended."
            )
        return (
            f"GET {self.path} was not sent: the API allows no request before {_moment(self.resume_at)} "
            f"({self.request_count} sent so far). Run again then, or add an access token of another user."
        )


class RateLimitReached(BudgetUsedUp):
    """The API refused a request because of its rate limit, and waiting for the next one takes too long."""

    def __str__(self) -> str:
        again = "" if self.resume_at is None else f"before {_moment(self.resume_at)} "
        return (
            f"GET {self.path}: the API refused it, its rate limit is reached; no request {again}"
            f"({self.request_count} sent so far). Run again then; if it happens often, another program uses the same "
            "user's allowance: give this one a user of its own."
        )


class StopRequested(NotSent):
    """Somebody has asked the run to stop; `path` is what was to be read, or the step that was to come."""

    resume_at = None

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path

    def __str__(self) -> str:
        return f"Stopped before {self.path}, as asked. The next run goes on from there."


class PagingBroken(SocialConnectError):
    """The link to the next page cannot be followed; the pages before it were handed over."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(path, reason)
        self.path = path
        self.reason = reason

    def __str__(self) -> str:
        return (
            f"GET {self.path}: the list is not complete, {self.reason}. "
            "Do not take what was read for the whole; read the list again, and if it repeats, in smaller windows."
        )


class RepeatedPage(PagingBroken):
    """The next page is one that was already read, so the list would never end."""

    def __init__(self, path: str, page_count: int) -> None:
        super().__init__(path, f"after {page_count} pages its next_url leads back to a page already read")
        self.args = (path, page_count)
        self.page_count = page_count


class ForeignNextUrl(PagingBroken):
    """The next page lies on another scheme, host or port than the base URL; the token is not sent there."""

    def __init__(self, path: str, origin: str) -> None:
        super().__init__(path, f"its next_url leads to {origin}, which is not the base URL's host")
        self.args = (path, origin)
        self.origin = origin


def api_error(status: int, error_id: str | None, description: str, path: str, token_number: int) -> ApiError:
    """The error of the tree that fits; the identifier decides, and the status where it says nothing.

    Which HTTP status goes with which identifier is not documented (and the rate limit comes with 400), so the
    identifier is the better witness.
    """
    kind = _BY_ERROR_ID.get(error_id or "") or _BY_STATUS.get(status) or (ServerFailed if status >= 500 else ApiError)  # noqa: PLR2004 - HTTP's own class of server errors
    return kind(status, error_id, description, path, token_number)


_BY_ERROR_ID: dict[str, type[ApiError]] = {
    "expired_token": AuthenticationFailed,
    "internal_server_error": ServerFailed,
    "invalid_parameter": InvalidParameter,
    "invalid_token": AuthenticationFailed,
    "no_permission": PermissionDenied,
    "not_found": NotFound,
    "unauthorized": AuthenticationFailed,
    "unsupported_language": InvalidParameter,
    "unsupported_type": InvalidParameter,
}
_BY_STATUS: dict[int, type[ApiError]] = {401: AuthenticationFailed, 403: PermissionDenied, 404: NotFound}


def _attempts(count: int) -> str:
    return "1 attempt" if count == 1 else f"{count} attempts"


def _moment(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
