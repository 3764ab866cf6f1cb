"""The client of the Social Connect API: authorises, keeps to the budget, retries, follows the pages."""

import ipaddress
import logging
import ssl
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from http.cookiejar import CookieJar, DefaultCookiePolicy
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
from pydantic import SecretStr
from tenacity import RetryCallState, Retrying, retry_if_exception, wait_exponential, wait_random

from pipelines.api.budget import Lease, RateLimitHeaders, RequestBudget, read_rate_limit_headers, server_time
from pipelines.api.envelope import Envelope, is_rate_limit, read_envelope, read_refusal
from pipelines.api.errors import (
    ApiError,
    AuthenticationFailed,
    BudgetUsedUp,
    RateLimitReached,
    RenewalRefused,
    RepeatedPage,
    ResponseUnreadable,
    ServerFailed,
    StopRequested,
    TransportFailed,
)
from pipelines.api.paging import next_address, read_list_page, row_count
from pipelines.api.renewal import AccessTokens, Grant, Renewal, read_grant, renewal_address
from pipelines.api.scrub import Scrubber
from pipelines.api.sharing import SharedAllowances, fingerprint

__all__ = ["Page", "RequestReport", "Response", "SocialConnect", "Timeouts"]

logger = logging.getLogger(__name__)

# httpx logs each request at INFO with its whole URL; the query holds filters and page tokens. Ours name the path only.
logging.getLogger("httpx").setLevel(logging.WARNING)

_LONGEST_BACKOFF_SECONDS = 30.0
_MOST_RENEWALS = 2
"""For one request: what another process has renewed may have expired as well."""


@dataclass(frozen=True)
class Timeouts:
    """How long to wait for the API.

    Attributes:
        connect_seconds: for a connection.
        read_seconds: for the next bytes of an answer.
        request_seconds: for one whole answer with its body.
        all_attempts_seconds: from the first attempt at one request to the beginning of the last, without waits for
            the budget.
    """

    connect_seconds: float = 10.0
    read_seconds: float = 60.0
    request_seconds: float = 120.0
    all_attempts_seconds: float = 300.0


@dataclass(frozen=True)
class RequestReport:
    """One request that was sent, for progress and statistics; `status` is None when no answer came.

    `byte_count` is the size of the body, unpacked. `row_count` is how many records a list's answer holds, None where it
    is no list or cannot be read. `attempt` counts from 1. `is_throttled`: it was refused because of the rate limit.
    `remaining_count` is what the budget still allows, None while that is not known.
    """

    path: str
    status: int | None
    seconds: float
    byte_count: int
    row_count: int | None
    attempt: int
    is_throttled: bool
    remaining_count: int | None


@dataclass(frozen=True)
class Response:
    """The answer to one request.

    Attributes:
        data: the envelope's `response`, parsed; None when not modified.
        body: the whole body as text, as sent except for access tokens; empty when not modified.
        etag: what to send next time, None where the API gave none.
        messages: the envelope's `meta.messages`, as sent.
        is_not_modified: nothing changed since the `etag` that was sent.
        received_at: unix seconds (UTC) when the body was complete.
        answered_at: unix seconds by the API's clock when it began to answer; None where it does not say.
    """

    data: Any
    body: str
    etag: str | None
    messages: tuple[Any, ...]
    is_not_modified: bool
    received_at: float
    answered_at: float | None = None


@dataclass(frozen=True)
class Page:
    """One page of a list.

    Attributes:
        body: the whole body as text, as sent except for access tokens. Records are to be read from it where every
            digit counts: parsing turns 1.10 into 1.1 and integers of more than 64 bits into floats.
        records_path: JSON path of the record list inside `body`, `$.response.data` or `$.response`.
        records: the same list, parsed.
        count: total over all pages as this page tells it, None where it does not.
        is_last: no page follows.
        is_truncated: the list ended although `count` says that there is more: the API caps the depth of some lists.
        received_at: unix seconds (UTC) when the body was complete.
        answered_at: unix seconds by the API's clock when it began to answer; None where it does not say.
    """

    body: str
    records_path: str
    records: list[Any]
    count: int | None
    is_last: bool
    is_truncated: bool
    received_at: float
    answered_at: float | None = None


class SocialConnect:
    """Reads from the API, with one request budget for all threads that share the client.

    Args:
        base_url: API root, `https://api.engagor.com` or `https://api-us.engagor.com`; plain http only for loopback.
        access_tokens: one or more tokens. Each should belong to another user (the API counts requests per user) and
            all users should see the same, since any of the tokens may be used for any request.
        timeouts: how long to wait for an answer.
        max_attempts: how often one request is sent at most when it fails by no fault of ours.
        max_wait_seconds: how long one request may wait for the rate limit; beyond that, `BudgetUsedUp` is raised.
        max_requests: how many requests may be sent in this client's life, each attempt counted; None for no limit.
        reserved_count: how many requests of each token's frame are left to others at its beginning, at most half of
            the frame's; a quarter of them in its last quarter.
        shared_folder: where processes that use the same tokens tell one another what is left of their allowances, and
            where renewed tokens are stored, for the owner only. Without it this client is on its own.
        renewal: how access tokens that have expired are renewed; it needs the folder.
        transport: takes the place of the network in tests.
        clock: gives unix seconds. It has to be a clock that runs.
        sleep: waits for a number of seconds, or less when a stop is asked for.
        is_stopped: whether the run has been asked to stop; `StopRequested` is then raised before the next request.
        on_request: is called after each request that was sent, from the thread that sent it.

    Raises:
        ValueError: `base_url` or `access_tokens` cannot be used. The message shows neither query, user nor token.
    """

    def __init__(
        self,
        base_url: str,
        access_tokens: Sequence[SecretStr],
        *,
        timeouts: Timeouts = Timeouts(),
        max_attempts: int = 5,
        max_wait_seconds: float = 60,
        max_requests: int | None = None,
        reserved_count: int = 0,
        shared_folder: Path | None = None,
        renewal: Renewal | None = None,
        transport: httpx.BaseTransport | None = None,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
        is_stopped: Callable[[], bool] = lambda: False,
        on_request: Callable[[RequestReport], None] | None = None,
    ) -> None:
        self._base = _checked_base_url(base_url)
        given = _checked_tokens(access_tokens)
        stored, allowances = None, None
        if shared_folder is not None:
            stored = shared_folder / "tokens.json"
            # By the tokens as they were given: a renewed one is of the same user.
            allowances = SharedAllowances(shared_folder / "allowances.json", [fingerprint(token) for token in given])
        self._access_tokens = AccessTokens(given, renewal, stored)
        self._timeouts = timeouts
        self._max_attempts = max_attempts
        self._max_wait_seconds = max_wait_seconds
        self._clock = clock
        self._sleep = sleep
        self._is_stopped = is_stopped
        self._on_request = on_request
        self._scrubber = Scrubber(self._access_tokens.secrets)
        self._logged_messages: set[str] = set()
        self.budget = RequestBudget(
            len(given), clock, max_requests, reserved_count=reserved_count, allowances=allowances
        )
        self._http = httpx.Client(
            verify=_encryption() if transport is None else True,  # reading the certificates takes its time
            headers={"Accept": "application/json", "User-Agent": "social-connect-warehouse"},
            timeout=httpx.Timeout(
                min(timeouts.read_seconds, timeouts.request_seconds), connect=timeouts.connect_seconds
            ),
            # A session of one token's user must not be carried over to another's.
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
            transport=transport,
        )

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self._base)!r}, {len(self._access_tokens)} access tokens)"

    def __enter__(self) -> Self:
        self._http.__enter__()
        return self

    def __exit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._http.__exit__(exception_type, exception, traceback)

    @property
    def tokens_expire_at(self) -> tuple[float | None, ...]:
        """When each access token expires, unix seconds; None for one that has not been renewed: nothing tells."""
        return tuple(self._access_tokens.expires_at(index) for index in range(len(self._access_tokens)))

    def get(self, path: str, params: Mapping[str, str | int] | None = None, *, etag: str | None = None) -> Response:
        """The answer to one request.

        Args:
            path: under the base URL, such as `/me/accounts`.
            params: the query, in plain words.
            etag: an earlier answer's, to get `is_not_modified` where nothing changed. The API gives an etag only to
                who sends one: the empty text asks for the first.

        Raises:
            ValueError: `path` holds a query, or `params` a token.
            SocialConnectError: see `pipelines.api.errors`.
        """
        return self._request(self._address(path, params), etag)

    def pages(self, path: str, params: Mapping[str, str | int] | None = None) -> Iterator[Page]:
        """The pages of a list, each requested when it is asked for; at least one, which may be empty.

        A failure leaves the pages already given standing: they are whole, and the list goes on where they end.

        Args:
            path: as for `get`.
            params: as for `get`; the API repeats them in its links to the next pages.

        Raises:
            ValueError: `path` holds a query, or `params` a token.
            PagingBroken: the link to the next page leads nowhere, back, or to another host.
            ResponseUnreadable: the answer is no list.
            SocialConnectError: see `pipelines.api.errors`.
        """
        address = self._address(path, params)
        seen_addresses = {str(address)}
        listed_count = 0
        while True:
            response = self._request(address)
            path = _path_of(address)
            listed = read_list_page(response.data, path)
            listed_count += len(listed.records)
            yield Page(
                body=response.body,
                records_path=listed.records_path,
                records=listed.records,
                count=listed.count,
                is_last=listed.next_url is None,
                is_truncated=listed.next_url is None and listed.count is not None and listed_count < listed.count,
                received_at=response.received_at,
                answered_at=response.answered_at,
            )
            if listed.next_url is None:
                return
            address = next_address(listed.next_url, address, self._base, path)
            if str(address) in seen_addresses:
                raise RepeatedPage(path, page_count=len(seen_addresses))
            seen_addresses.add(str(address))

    def _address(self, path: str, params: Mapping[str, str | int] | None) -> httpx.URL:
        if "?" in path or "#" in path:
            raise ValueError("The path holds a query or fragment: give it as `params`.")
        if any(name.lower() == "access_token" for name in params or {}):
            raise ValueError("`params` holds an access_token: tokens go into a header, give them to the client.")
        return httpx.URL(f"{str(self._base).rstrip('/')}/{path.lstrip('/')}", params=dict(params) if params else None)

    def _request(self, address: httpx.URL, etag: str | None = None) -> Response:
        call = _Call(address, etag, self._clock())
        retrying = Retrying(
            retry=retry_if_exception(_is_worth_another_attempt),
            wait=wait_exponential(multiplier=0.5, max=_LONGEST_BACKOFF_SECONDS) + wait_random(0, 1),
            stop=lambda state: self._is_last_attempt(call, state),
            before_sleep=lambda state: self._log_retry(call, state),
            sleep=self._sleep,
            reraise=True,
        )
        return retrying(self._attempt, call)

    def _is_last_attempt(self, call: "_Call", state: RetryCallState) -> bool:
        spent_seconds = self._clock() - call.began_at - call.budget_wait_seconds
        return (
            call.attempt >= self._max_attempts
            or spent_seconds + state.upcoming_sleep > self._timeouts.all_attempts_seconds
        )

    def _log_retry(self, call: "_Call", state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        logger.warning(
            "GET %s: attempt %d of %d failed (%s), the next in %.1f s",
            call.path,
            call.attempt,
            self._max_attempts,
            getattr(error, "reason", None) or getattr(error, "status", None),
            state.upcoming_sleep,
        )

    def _attempt(self, call: "_Call") -> Response:
        """Sends until the answer is about the request, and not about the rate limit or a token that has expired."""
        call.attempt += 1
        while True:
            lease = self._lease(call)
            try:
                return self._exchange(call, lease)
            except AuthenticationFailed:
                if self._access_tokens.renewal is None or call.renewal_count == _MOST_RENEWALS:
                    raise
                self._renew(call, lease.token_index)
                call.renewal_count += 1
            except ApiError as error:
                if not is_rate_limit(error):
                    raise
                call.is_refused = True
                logger.warning("GET %s: refused, the rate limit of token %d is reached", call.path, error.token_number)

    def _renew(self, call: "_Call", token_index: int) -> None:
        """Has another access token take the place of the one that was refused."""

        def ask(refresh_token: SecretStr) -> Grant:
            return self._renewed(call, token_index, refresh_token)

        self._access_tokens.renew(token_index, call.token, ask)
        self._scrubber = Scrubber(self._access_tokens.secrets)

    def _renewed(self, call: "_Call", token_index: int, refresh_token: SecretStr) -> Grant:
        """What the token endpoint gives for a refresh token. It costs nothing of the allowance."""
        renewal, address = self._access_tokens.renewal, renewal_address(self._base)
        assert renewal is not None  # noqa: S101 - tells the type checker what AccessTokens sees to
        path = _path_of(address)
        try:
            answer = self._http.post(
                address,
                # Nothing of this in a local variable, nor in the address: those are shown when something fails.
                data={
                    "grant_type": "refresh_token",
                    "client_id": renewal.client_id,
                    "client_secret": renewal.client_secret.get_secret_value(),
                    "refresh_token": refresh_token.get_secret_value(),
                },
            )
        except httpx.RequestError as error:
            raise TransportFailed(path, _what_happened(error), call.attempt) from None
        if answer.is_success and (grant := read_grant(answer.content, self._clock())) is not None:
            logger.info("access token %d has expired and was renewed", token_index + 1)
            return grant
        status = answer.status_code
        error_id, description = read_refusal(self._scrubber.scrub(answer.text))
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise ServerFailed(status, error_id, description, path, token_index + 1)
        raise RenewalRefused(status, error_id, description, path, token_index + 1)

    def _lease(self, call: "_Call") -> Lease:
        while True:
            if self._is_stopped():
                raise StopRequested(call.path)
            lease = self.budget.lease()
            if isinstance(lease, Lease):
                return lease
            resume_at = lease.released_at or lease.resume_at
            # The moment may have passed between the budget's look at the clock and ours.
            wait_seconds = None if resume_at is None else max(resume_at - self._clock(), 0)
            if wait_seconds is None or call.budget_wait_seconds + wait_seconds > self._max_wait_seconds:
                kind = RateLimitReached if call.is_refused and wait_seconds is not None else BudgetUsedUp
                raise kind(lease.resume_at, call.path, self.budget.request_count)
            logger.info("GET %s: waiting %.0f s, until the API allows requests again", call.path, wait_seconds)
            call.budget_wait_seconds += wait_seconds
            self._sleep(wait_seconds)

    def _exchange(self, call: "_Call", lease: Lease) -> Response:
        """Sends one request, settles it with the budget and reports it, whatever comes of it."""
        began_at = self._clock()
        call.token = self._access_tokens[lease.token_index]
        answer = _Answer()
        is_refused = False
        try:
            self._receive(call, answer, began_at)
            response = self._read(call, lease, answer)
        except ApiError as error:
            is_refused = is_rate_limit(error)
            raise
        else:
            answer.row_count = row_count(response.data)
            return response
        finally:
            self.budget.settle(lease, answer.rate_limit, is_refused=is_refused)
            self._report(call, answer, self._clock() - began_at, is_throttled=is_refused)

    def _receive(self, call: "_Call", answer: "_Answer", began_at: float) -> None:
        headers = {} if call.etag is None else {"If-None-Match": call.etag or '""'}
        try:
            with self._http.stream("GET", call.address, headers=headers, auth=_BearerToken(call.token)) as response:
                answer.status = response.status_code
                answer.headers = response.headers
                answer.rate_limit = read_rate_limit_headers(response.headers, self._clock())
                for chunk in response.iter_bytes():
                    answer.body += chunk
                    if self._clock() - began_at > self._timeouts.request_seconds:
                        raise TransportFailed(
                            call.path, f"not complete within {self._timeouts.request_seconds:g} s", call.attempt
                        )
        except (httpx.RemoteProtocolError, httpx.DecodingError) as error:
            # Here and below without the cause: it carries the request, and that the token.
            if answer.status is None:
                raise TransportFailed(call.path, _what_happened(error), call.attempt) from None
            raise ResponseUnreadable(
                call.path, f"it breaks off or cannot be unpacked after {len(answer.body)} bytes", call.attempt
            ) from None
        except httpx.TransportError as error:
            raise TransportFailed(call.path, _what_happened(error), call.attempt) from None

    def _read(self, call: "_Call", lease: Lease, answer: "_Answer") -> Response:
        received_at = self._clock()
        etag = answer.headers.get("etag")
        if answer.status == HTTPStatus.NOT_MODIFIED:
            if call.etag is None:
                raise ResponseUnreadable(call.path, "it says not modified, but no etag was sent", call.attempt)
            return Response(None, "", etag or call.etag, (), is_not_modified=True, received_at=received_at)
        try:
            body = self._scrubber.scrub(answer.body.decode("utf-8-sig"))
        except UnicodeDecodeError:  # not the cause either: it carries the body, which is not scrubbed
            raise ResponseUnreadable(call.path, "it is not UTF-8", call.attempt) from None
        envelope = read_envelope(answer.status or 0, body, call.path, lease.token_index + 1, call.attempt)
        self._log_messages(call, envelope)
        return Response(
            data=envelope.data,
            body=body,
            etag=etag or envelope.etag,
            messages=envelope.messages,
            is_not_modified=False,
            received_at=received_at,
            answered_at=server_time(answer.headers),
        )

    def _log_messages(self, call: "_Call", envelope: Envelope) -> None:
        for message in envelope.messages:
            said = message if isinstance(message, dict) else {"description": message}
            text = ": ".join(str(said[key]) for key in ("level", "code", "description") if said.get(key) is not None)
            if text not in self._logged_messages:
                self._logged_messages.add(text)
                logger.warning("GET %s: the API says: %s", call.path, text)

    def _report(self, call: "_Call", answer: "_Answer", seconds: float, *, is_throttled: bool) -> None:
        remaining_count = self.budget.remaining_count
        logger.debug("GET %s: %s in %.2f s, %s requests left", call.path, answer.status, seconds, remaining_count)
        if self._on_request is not None:
            self._on_request(
                RequestReport(
                    path=call.path,
                    status=answer.status,
                    seconds=seconds,
                    byte_count=len(answer.body),
                    row_count=answer.row_count,
                    attempt=call.attempt,
                    is_throttled=is_throttled,
                    remaining_count=remaining_count,
                )
            )


@dataclass
class _Call:
    """One request as the caller sees it, over all its attempts."""

    address: httpx.URL
    etag: str | None
    began_at: float
    token: SecretStr = field(default_factory=lambda: SecretStr(""))
    attempt: int = 0
    renewal_count: int = 0
    budget_wait_seconds: float = 0.0
    is_refused: bool = False

    @property
    def path(self) -> str:
        return _path_of(self.address)


@dataclass
class _Answer:
    """What of one answer has arrived so far, not scrubbed yet and therefore not shown."""

    status: int | None = None
    headers: httpx.Headers = field(default_factory=httpx.Headers, repr=False)
    rate_limit: RateLimitHeaders = field(default_factory=RateLimitHeaders)
    body: bytearray = field(default_factory=bytearray, repr=False)
    row_count: int | None = None


class _BearerToken(httpx.Auth):
    """Puts the token into the request as late as possible, so that no frame of ours holds it in clear."""

    def __init__(self, token: SecretStr) -> None:
        self._token = token

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        request.headers["Authorization"] = f"Bearer {self._token.get_secret_value()}"
        yield request


def _encryption() -> ssl.SSLContext:
    """Of certificates that the system or `SSL_CERT_FILE` trusts, TLS 1.2 at least, whatever this Python would take."""
    context = httpx.create_ssl_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _path_of(address: httpx.URL) -> str:
    """The path as it goes over the wire: percent-encoded, so it cannot break a log line."""
    return address.raw_path.partition(b"?")[0].decode("ascii")


def _is_worth_another_attempt(error: BaseException) -> bool:
    if isinstance(error, ApiError):
        return error.status >= HTTPStatus.INTERNAL_SERVER_ERROR
    return isinstance(error, (TransportFailed, ResponseUnreadable))


def _what_happened(error: Exception) -> str:
    """The kind of the fault in words (`ReadTimeout` -> `read timeout`) and what the system said about it."""
    kind = "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in type(error).__name__).strip()
    return f"{kind}: {error}" if str(error) else kind


def _checked_base_url(base_url: str) -> httpx.URL:
    try:
        url = httpx.URL(base_url.strip())
    except httpx.InvalidURL as error:
        raise ValueError(f"The base URL is not a URL ({error}); expected one like https://api.engagor.com") from error
    if url.scheme not in {"http", "https"} or not url.host:
        raise ValueError("The base URL has no http or https scheme and host; expected one like https://api.engagor.com")
    if url.userinfo or "?" in base_url or "#" in base_url:
        raise ValueError("The base URL holds a user, query or fragment; expected one like https://api.engagor.com")
    if url.scheme == "http" and not _is_loopback(url.host):
        raise ValueError(f"The base URL sends the token to {url.host} over plain http, for all to read; use https")
    return url


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _checked_tokens(access_tokens: Sequence[SecretStr]) -> tuple[SecretStr, ...]:
    if not access_tokens:
        raise ValueError("No access token is given; the client needs at least one")
    for number, token in enumerate(access_tokens, start=1):
        if not _fits_into_a_header(token):
            raise ValueError(
                f"Access token number {number} is empty or holds a space, line break or non-ASCII character"
            )
    return tuple(access_tokens)


def _fits_into_a_header(token: SecretStr) -> bool:
    text = token.get_secret_value()
    return bool(text) and text.isascii() and text.isprintable() and " " not in text
