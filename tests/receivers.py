"""A webhook and a mail server on this machine, which keep what they are sent: somebody else's end of a notification."""

import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import StreamRequestHandler, ThreadingTCPServer
from typing import Any, cast


@dataclass
class Webhook:
    """What was posted, as JSON; `answers` are the statuses of the next answers, 200 when there are none left."""

    url: str = ""
    received: list[dict[str, Any]] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)
    post_count: int = 0


@contextmanager
def webhook(encryption: ssl.SSLContext | None = None) -> Iterator[Webhook]:
    """A webhook at a free port. An answer of 302 leads to where everything is taken."""
    kept = Webhook()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            kept.post_count += 1
            body = self.rfile.read(int(self.headers["Content-Length"] or 0))
            status = kept.answers.pop(0) if kept.answers else 200
            if status == 200:
                assert self.headers["Content-Type"] == "application/json"
                kept.received.append(json.loads(body))
            self.send_response(status)
            self.send_header("Location", "/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_GET = do_POST  # noqa: N815 - the base class's name

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        if encryption:
            server.socket = encryption.wrap_socket(server.socket, server_side=True)
        scheme = "https" if encryption else "http"
        kept.url = f"{scheme}://127.0.0.1:{server.server_port}/services/T0/B0/a-secret-address"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield kept
        server.shutdown()
        thread.join()


@dataclass
class MailServer:
    """What was sent, and to whom; `heard` is every command, with whether it came encrypted."""

    port: int = 0
    received: list[EmailMessage] = field(default_factory=list)
    recipients: list[str] = field(default_factory=list)
    heard: list[tuple[str, bool]] = field(default_factory=list)
    refuses: bool = False


class _MailHandler(StreamRequestHandler):
    """As much SMTP as one message takes."""

    kept: MailServer
    encryption: ssl.SSLContext | None
    is_encrypted = False

    def finish(self) -> None:
        super().finish()
        self.connection.close()  # that of the encryption; the server closes the one beneath

    def handle(self) -> None:
        self.wfile.write(b"220 test\r\n")
        while line := self.rfile.readline().decode().strip():
            self.kept.heard.append((line, self.is_encrypted))
            self.wfile.write(self.answer(line))
            if line.upper() == "DATA":
                self.read_mail()
                self.wfile.write(b"250 ok\r\n")
            if line.upper() == "QUIT" or (line.upper() == "STARTTLS" and self.encryption and not self.encrypt()):
                return

    def answer(self, line: str) -> bytes:
        verb = line.split(maxsplit=1)[0].upper()
        if verb == "EHLO" and self.encryption:
            return b"250-test\r\n" + (b"250 AUTH PLAIN\r\n" if self.is_encrypted else b"250 STARTTLS\r\n")
        if verb == "RCPT" and not self.kept.refuses:
            self.kept.recipients.append(line[len("RCPT TO:") :].strip("<> "))
        elif verb == "RCPT":
            return b"550 no such user\r\n"
        others = {"DATA": b"354 go on", "QUIT": b"221 bye", "AUTH": b"235 welcome", "STARTTLS": b"220 go on"}
        return others.get(verb, b"250 ok") + b"\r\n"

    def encrypt(self) -> bool:
        assert self.encryption
        try:
            self.connection = self.encryption.wrap_socket(self.connection, server_side=True)
        except OSError:  # the other end does not trust us
            return False
        self.rfile, self.wfile = self.connection.makefile("rb"), self.connection.makefile("wb", buffering=0)
        self.is_encrypted = True
        return True

    def read_mail(self) -> None:
        lines = []
        while (text := self.rfile.readline()) != b".\r\n":
            lines.append(text.removeprefix(b"."))
        self.kept.received.append(cast("EmailMessage", message_from_bytes(b"".join(lines), policy=policy.default)))


@contextmanager
def mail_server(encryption: ssl.SSLContext | None = None) -> Iterator[MailServer]:
    """A mail server at a free port. With `encryption` it offers STARTTLS, and then to take a password."""
    kept = MailServer()
    handler = type("_Handler", (_MailHandler,), {"kept": kept, "encryption": encryption})
    ThreadingTCPServer.allow_reuse_address = True
    with ThreadingTCPServer(("127.0.0.1", 0), handler) as server:
        kept.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield kept
        server.shutdown()
        thread.join()
