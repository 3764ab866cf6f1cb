"""Serving a sandbox over HTTP: in a thread for a `with` block, or in the foreground."""

import socket
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Self

import uvicorn

from sandbox.app import build_app

if TYPE_CHECKING:
    from sandbox.sandbox import Sandbox

START_SECONDS = 10.0
STOP_SECONDS = 5.0


class Server:
    """An HTTP server for one sandbox. `base_url` is known once the port is bound."""

    def __init__(self, sandbox: "Sandbox", host: str, port: int) -> None:
        self.sandbox = sandbox
        self.base_url = ""
        self._address = (host, port)
        config = uvicorn.Config(
            build_app(sandbox),
            http="h11",
            ws="none",  # importing the websocket protocol raises deprecation warnings
            lifespan="off",
            log_config=None,
            log_level="critical",  # faults end connections on purpose, which the server would report
            access_log=False,
            server_header=False,
            date_header=False,  # answers carry the sandbox's own time
        )
        self._server = uvicorn.Server(config)
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        listener = self._listen()
        self._thread = threading.Thread(target=self._server.run, args=([listener],), name="sandbox", daemon=True)
        self._thread.start()
        deadline = time.monotonic() + START_SECONDS
        while not self._server.started:
            if not self._thread.is_alive() or time.monotonic() > deadline:
                listener.close()
                raise RuntimeError(f"the sandbox did not start on {self.base_url} within {START_SECONDS} seconds")
            time.sleep(0.005)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.should_exit = True
        self._server.force_exit = True  # do not wait for a delayed answer
        if self._thread is not None:
            self._thread.join(STOP_SECONDS)
            if self._thread.is_alive():
                raise RuntimeError(f"the sandbox on {self.base_url} did not stop within {STOP_SECONDS} seconds")

    def run(self, ready: Callable[[str], None] | None = None) -> None:
        """Serve in this thread until interrupted."""
        listener = self._listen()
        if ready is not None:
            ready(self.base_url)
        try:
            self._server.run([listener])
        except KeyboardInterrupt:
            return

    def _listen(self) -> socket.socket:
        listener = socket.create_server(self._address)
        # Connections inherit it: without, a small answer waits 40 ms for the client's acknowledgement.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        host, port = listener.getsockname()[:2]
        self.base_url = f"http://{host}:{port}"
        return listener
