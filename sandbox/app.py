"""The sandbox as an ASGI application: tokens, rate limit, envelope, ETag and faults around the endpoints."""

import asyncio
import hashlib
import logging
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route, compile_path
from starlette.types import Receive, Scope, Send

from sandbox import control, tokens
from sandbox.endpoints import ENDPOINTS, Call
from sandbox.errors import ApiError, not_found
from sandbox.faults import Fault, spoil
from sandbox.requests import SECRETS, LoggedRequest, masked

if TYPE_CHECKING:
    from sandbox.limits import Allowance
    from sandbox.sandbox import Sandbox

METHODS = ["GET", "POST", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"]
_log = logging.getLogger(__name__)

READ_METHODS = ("GET", "POST")
_ROUTES = tuple((*compile_path(path), handler) for path, handler in ENDPOINTS)
_GATEWAY_PAGE = "<html>\r\n<head><title>{status} Error</title></head>\r\n<body><h1>{status}</h1></body>\r\n</html>\r\n"


def build_app(sandbox: "Sandbox") -> Starlette:
    """The application that serves a sandbox."""
    api = _Api(sandbox)
    return Starlette(
        routes=[
            Mount("/_sandbox", routes=control.routes(sandbox)),
            Route("/{path:path}", api.handle, methods=METHODS),
        ]
    )


class _CutResponse(Response):
    """Promises the whole body and hangs up half-way."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - the shape of ASGI
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        half = bytes(self.body)[: len(self.body) // 2]
        await send({"type": "http.response.body", "body": half, "more_body": True})


class _Api:
    def __init__(self, sandbox: "Sandbox") -> None:
        self.sandbox = sandbox

    async def handle(self, request: Request) -> Response:
        """Answer one request to the API and log it."""
        path = request.url.path.rstrip("/")
        if path.startswith("/api/"):
            path = path.removeprefix("/api")
        parameters = _parameters(request.url.query, await request.body())
        with self.sandbox.lock:
            if self.sandbox.before_request is not None:
                self.sandbox.before_request(path)
            faults = self.sandbox.faults.strike(path)
        for fault in faults:
            if fault.kind == "delay":
                await asyncio.sleep(fault.seconds)
        with self.sandbox.lock:
            exchange = _Exchange(self.sandbox, request, path, parameters, faults)
            response = exchange.answer()
            response.headers["Date"] = format_datetime(self.sandbox.now, usegmt=True)
            self.sandbox.requests.append(
                LoggedRequest(
                    method=request.method,
                    path=request.url.path,
                    query=masked(request.url.query),
                    parameters={name: value for name, value in parameters.items() if name not in SECRETS},
                    status=response.status_code,
                    at=self.sandbox.now,
                    user_id=exchange.user_id,
                    token_number=exchange.token_number,
                    is_counted=exchange.is_counted,
                    frame_started_at=exchange.frame_started_at,
                )
            )
        return response


class _Exchange:
    """One request and its answer."""

    def __init__(
        self, sandbox: "Sandbox", request: Request, path: str, parameters: dict[str, str], faults: list[Fault]
    ) -> None:
        self.sandbox = sandbox
        self.request = request
        self.path = path
        self.parameters = parameters
        self.faults = {fault.kind: fault for fault in faults}
        self.now = sandbox.now_seconds
        self.allowance: Allowance | None = None
        self.user_id: int | None = None
        self.token_number: int | None = None
        self.is_counted = False

    @property
    def frame_started_at(self) -> datetime | None:
        """When the frame of the rate limit began in which the request falls, UTC."""
        started_at = None if self.allowance is None else self.allowance.frame_started_at
        return None if started_at is None else datetime.fromtimestamp(started_at, tz=UTC)

    def answer(self) -> Response:
        """The answer, whatever happens."""
        try:
            response = self._success()
        except ApiError as error:
            response = self._json(error.json(), error.status)
        except Exception:  # noqa: BLE001 - a bug must reach the client and the log, not hang the connection
            _log.exception("the sandbox itself failed on %s %s", self.request.method, self.path)
            response = self._json(
                ApiError(500, "internal_server_error", "The sandbox has a bug: see its log.").json(), 500
            )
        if "cut_json" in self.faults:
            response = Response(
                bytes(response.body)[: len(response.body) // 2], response.status_code, _copied(response)
            )
        if "cut_connection" in self.faults:
            response = _CutResponse(response.body, response.status_code, _copied(response))
        return response

    def _success(self) -> Response:
        if self.path == tokens.PATH:
            return self._refreshed()
        token, in_query = self._token()
        grant = self.sandbox.tokens.grant(token, self.now) if "expired_token" not in self.faults else None
        user = None if grant is None else self.sandbox.user_of(grant)
        if grant is None or user is None:
            status, error = self.sandbox.behaviour.expired_token_error
            raise ApiError(status, error, "The access token is missing, unknown or expired.")
        self.user_id, self.token_number = user.id, grant.number
        self._spend_call(user.id)
        if failure := self._failure_on_demand():
            return failure
        self._check_method()
        handler, path_parameters = _route(self.path)
        call = Call(
            sandbox=self.sandbox,
            now=self.now,
            user=user,
            path=self.path,
            path_parameters=path_parameters,
            parameters=self.parameters,
            base_url=f"{self.request.url.scheme}://{self.request.url.netloc}",
            token=token,
            token_in_query=in_query,
            shift_count=self.faults["shifted_page"].amount if "shifted_page" in self.faults else 0,
        )
        if self.path != "/me" and "accounts_read" not in self.sandbox.scopes:
            raise ApiError(403, "no_permission", "The token lacks the scope accounts_read.")
        payload = handler(call)
        for fault in self.faults.values():
            spoil(payload, fault, str(self.request.url))
        return self._enveloped(payload)

    def _token(self) -> tuple[str, bool]:
        scheme, _, token = self.request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and token:
            return token.strip(), False
        return self.parameters.get("access_token", ""), True

    def _refreshed(self) -> Response:
        """New tokens: a flat answer, without the envelope and without the rate limit."""
        if failure := self._failure_on_demand():
            return failure
        self._check_method()
        try:
            return self._json(self.sandbox.tokens.refresh(self.parameters, self.now, self.sandbox.behaviour), 200)
        except ApiError as error:
            return self._json({"error": error.error, "error_description": error.description}, error.status)

    def _check_method(self) -> None:
        if self.request.method not in READ_METHODS:
            raise ApiError(405, "invalid_http_method", f"{self.request.method} is not possible here.")

    def _spend_call(self, user_id: int) -> None:
        behaviour = self.sandbox.behaviour
        self.allowance = self.sandbox.rate_limit.spend(user_id, self.now, behaviour.rate_window)
        self.is_counted = self.allowance.allowed
        if not self.allowance.allowed:
            raise ApiError(400, "rate_limit_reached", "The rate limit of this user is reached.")

    def _failure_on_demand(self) -> Response | None:
        """What a fault answers in place of the API; an error of the API's own is raised."""
        if "throttle" in self.faults:
            raise ApiError(400, "rate_limit_reached", "The rate limit of this user is reached.")
        if fault := self.faults.get("status"):
            raise ApiError(fault.status, "internal_server_error", "Something went wrong on our side.")
        if gateway := self.faults.get("html"):
            page = _GATEWAY_PAGE.format(status=gateway.status)
            return Response(page, gateway.status, media_type="text/html")
        return None

    def _enveloped(self, payload: Any) -> Response:
        meta: dict[str, Any] = {"code": 200}
        headers = self._limit_headers()
        known = self.request.headers.get("if-none-match") or self.request.headers.get("etag")
        if known is not None and self.sandbox.behaviour.honours_etag:
            fingerprint = hashlib.blake2b(digest_size=16)
            fingerprint.update(f"{self.path}?{sorted(self.parameters.items())}".encode())
            fingerprint.update(orjson.dumps(payload))
            etag = fingerprint.hexdigest()
            if known.removeprefix("W/").strip('"') == etag:
                if not self.sandbox.behaviour.not_modified_costs_a_call and self.user_id is not None:
                    self.sandbox.rate_limit.refund(self.user_id)
                    self.is_counted = False
                return Response(status_code=304, headers=headers | {"Etag": etag})
            meta["etag"] = etag
            headers |= {"Etag": etag}
        return self._json({"meta": meta, "response": payload}, 200, headers)

    def _limit_headers(self) -> dict[str, str]:
        if self.allowance is None:
            return {}
        fault = self.faults.get("throttle")
        if fault is not None:
            throttled = replace(self.allowance, allowed=False, remaining=0)
            return throttled.headers(with_reset=fault.reset)
        with_reset = self.allowance.allowed or self.sandbox.behaviour.reset_header_when_throttled
        return self.allowance.headers(with_reset=with_reset)

    def _json(self, body: Any, status: int, headers: dict[str, str] | None = None) -> Response:
        text = orjson.dumps(body)
        if self.sandbox.behaviour.escaped_slashes:
            text = text.replace(b"/", rb"\/")
        return Response(text, status, headers or self._limit_headers(), media_type="application/json")


def _route(path: str) -> tuple[Any, dict[str, Any]]:
    for pattern, _, convertors, handler in _ROUTES:
        if match := pattern.match(path):
            return handler, {name: convertors[name].convert(value) for name, value in match.groupdict().items()}
    raise not_found(f"Endpoint {path or '/'}")


def _parameters(query: str, body: bytes) -> dict[str, str]:
    """The parameters of the URL and of a form body; like PHP, the last of equal names wins."""
    form = body.decode("utf-8", errors="replace")
    pairs = parse_qsl(query, keep_blank_values=True) + parse_qsl(form, keep_blank_values=True)
    found: dict[str, str] = {}
    for name, value in pairs:
        # topic_ids[]=1&topic_ids[]=2 is an array: each gets a place of its own.
        found[f"{name[:-1]}{len(found)}]" if name.endswith("[]") else name] = value
    return found


def _copied(response: Response) -> dict[str, str]:
    return {name: value for name, value in response.headers.items() if name != "content-length"}
