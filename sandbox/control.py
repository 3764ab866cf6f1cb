"""Control of a running sandbox from another process, under /_sandbox/: no token, no rate limit, no log."""

from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

if TYPE_CHECKING:
    from sandbox.sandbox import Sandbox


def routes(sandbox: "Sandbox") -> list[Route]:
    """The control routes of a sandbox."""
    control = _Control(sandbox)
    return [
        Route("/clock", control.read_clock, methods=["GET"]),
        Route("/clock", control.move_clock, methods=["POST"]),
        Route("/faults", control.read_faults, methods=["GET"]),
        Route("/faults", control.add_fault, methods=["POST"]),
        Route("/faults", control.clear_faults, methods=["DELETE"]),
        Route("/requests", control.read_requests, methods=["GET"]),
        Route("/accounts", control.read_accounts, methods=["GET"]),
        Route("/accounts/{account:int}/mentions", control.read_mentions, methods=["GET"]),
    ]


class _Control:
    def __init__(self, sandbox: "Sandbox") -> None:
        self.sandbox = sandbox

    async def read_clock(self, _request: Request) -> Response:
        return self._clock()

    async def move_clock(self, request: Request) -> Response:
        try:
            body = await request.json()
            self.sandbox.advance(seconds=float(body["advance_seconds"]))
        except (KeyError, TypeError, ValueError) as error:
            return _refused(f"send {{'advance_seconds': a number that is not negative}} ({error})")
        return self._clock()

    async def read_faults(self, _request: Request) -> Response:
        return JSONResponse([asdict(fault) for fault in self.sandbox.faults.waiting])

    async def add_fault(self, request: Request) -> Response:
        try:
            options: dict[str, Any] = await request.json()
            fault = self.sandbox.faults.add(options.pop("kind", ""), **options)
        except (TypeError, ValueError) as error:
            return _refused(str(error))
        return JSONResponse(asdict(fault))

    async def clear_faults(self, _request: Request) -> Response:
        self.sandbox.faults.clear()
        return JSONResponse([])

    async def read_requests(self, _request: Request) -> Response:
        return JSONResponse([_as_json(asdict(request)) for request in list(self.sandbox.requests)])

    async def read_accounts(self, _request: Request) -> Response:
        return JSONResponse(list(self.sandbox.account_ids))

    async def read_mentions(self, request: Request) -> Response:
        account_id = request.path_params["account"]
        if account_id not in self.sandbox.accounts:
            return _refused(f"no account {account_id}: there are {self.sandbox.account_ids}", status=404)
        return JSONResponse(self.sandbox.mentions(account_id))

    def _clock(self) -> Response:
        now = self.sandbox.now
        return JSONResponse({"now": now.isoformat(), "unix": int(now.timestamp())})


def _as_json(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in fields.items()}


def _refused(reason: str, status: int = 400) -> Response:
    return JSONResponse({"error": reason}, status_code=status)
