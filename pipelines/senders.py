"""Sends a message to whoever the settings name: a webhook (Slack, Teams, plain JSON) and an e-mail. No other IO.

A webhook's address is a secret, so no error names it.
"""

from __future__ import annotations

import json
import smtplib
import ssl
import time
from dataclasses import dataclass
from email.message import EmailMessage
from http.client import HTTPException
from typing import TYPE_CHECKING, Any, Literal, Protocol
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, ProxyHandler, Request, build_opener

from pipelines.settings import is_this_machine

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from pydantic import SecretStr

    from pipelines.settings import Settings

Template = Literal["slack", "teams", "json"]
TIMEOUT_SECONDS = 10.0
ATTEMPT_COUNT = 2
PAUSE_SECONDS = 2.0
LONGEST_TEXT = 3000
"""Characters. Slack cuts a message at 4,000, and Teams refuses a card of more than 28 kB."""


@dataclass(frozen=True)
class Attachment:
    """An HTML file that goes with a message."""

    file_name: str
    html: str


@dataclass(frozen=True)
class Message:
    """What is told: `event` for programs, `title` and `text` for people; `at` is when it was found, UTC.

    An attachment goes by e-mail only.
    """

    event: str
    title: str
    text: str
    at: datetime
    attachment: Attachment | None = None


class MessageNotSent(Exception):
    """A message did not get through; its text says to whom and why."""


class Sender(Protocol):
    """One way to tell somebody."""

    def send(self, message: Message) -> None:
        """Sends the message.

        Raises:
            MessageNotSent: it did not get through.
        """


def payload(template: Template, message: Message) -> dict[str, Any]:
    """What a webhook is sent.

    `slack`: the message of an incoming webhook. `teams`: the card that a workflow "when a webhook request is received"
    takes. `json`: the message's own fields.
    """
    text = message.text if len(message.text) <= LONGEST_TEXT else f"{message.text[:LONGEST_TEXT]} ..."
    if template == "slack":
        return {"text": f"*{_for_slack(message.title)}*\n{_for_slack(text)}"}
    if template == "teams":
        title = {"type": "TextBlock", "text": message.title, "weight": "Bolder", "size": "Medium", "wrap": True}
        lines = [{"type": "TextBlock", "text": line, "wrap": True} for line in text.splitlines()]
        card = {
            "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
            "type": "AdaptiveCard",
            "version": "1.4",
            "body": [title, *lines],
        }
        attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": card}
        return {"type": "message", "attachments": [attachment]}
    return {"event": message.event, "title": message.title, "text": text, "at": message.at.isoformat()}


def _for_slack(text: str) -> str:
    """The three characters that Slack reads as its own."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


@dataclass(frozen=True)
class Webhook:
    """An address that takes JSON by POST."""

    url: SecretStr
    template: Template

    def send(self, message: Message) -> None:
        """Sends the message; a redirect is not followed."""
        request = Request(  # noqa: S310 - the settings take https only, and http on this machine
            self.url.get_secret_value(),
            data=json.dumps(payload(self.template, message)).encode(),
            headers={"Content-Type": "application/json", "User-Agent": "social-connect-warehouse"},
            method="POST",
        )
        try:
            # What listens on this machine is not asked for through a proxy.
            proxies = (ProxyHandler({}),) if is_this_machine(urlsplit(request.full_url).hostname or "") else ()
            with build_opener(_NoRedirects, *proxies).open(request, timeout=TIMEOUT_SECONDS):
                pass
        except HTTPError as error:
            error.close()
            raise MessageNotSent(
                f"the webhook answered {error.code}: check SOCIAL_WAREHOUSE_NOTIFY_WEBHOOK_URL and"
                " SOCIAL_WAREHOUSE_NOTIFY_WEBHOOK_TEMPLATE"
            ) from None
        except (URLError, HTTPException, OSError) as error:
            reason = type(getattr(error, "reason", error)).__name__
            raise MessageNotSent(
                f"the webhook cannot be reached ({reason}): check its address, network and proxy"
            ) from None


class _NoRedirects(HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        """A message goes to the address that was given, or nowhere."""


@dataclass(frozen=True)
class Mail:
    """A mail server, and who writes to whom."""

    host: str
    port: int
    is_encrypted: bool
    user: str | None
    password: SecretStr | None
    sender: str
    recipients: tuple[str, ...]

    def send(self, message: Message) -> None:
        """Sends the message as plain text, with its attachment."""
        mail = EmailMessage()
        mail["Subject"] = " ".join(message.title.split())
        mail["From"] = self.sender
        mail["To"] = ", ".join(self.recipients)
        mail["Date"] = message.at
        mail.set_content(message.text)
        if message.attachment:
            mail.add_attachment(message.attachment.html, subtype="html", filename=message.attachment.file_name)
        try:
            with smtplib.SMTP(self.host, self.port, timeout=TIMEOUT_SECONDS) as server:
                if self.is_encrypted:
                    server.starttls(context=ssl.create_default_context())
                if self.user is not None:
                    server.login(self.user, self.password.get_secret_value() if self.password else "")
                server.send_message(mail)
        except smtplib.SMTPResponseException as error:
            raise MessageNotSent(
                f"the mail server answered {error.smtp_code} ({type(error).__name__}): check the options"
                " SOCIAL_WAREHOUSE_NOTIFY_SMTP_..."
            ) from None
        except (smtplib.SMTPException, OSError) as error:
            raise MessageNotSent(
                f"the mail server did not take it ({type(error).__name__}): check the options"
                " SOCIAL_WAREHOUSE_NOTIFY_SMTP_..., and the network"
            ) from None


def senders_of(settings: Settings) -> tuple[Sender, ...]:
    """Every way that the settings name; none where they name none."""
    senders: list[Sender] = []
    if settings.social_warehouse_notify_webhook_url:
        senders.append(
            Webhook(settings.social_warehouse_notify_webhook_url, settings.social_warehouse_notify_webhook_template)
        )
    if settings.social_warehouse_notify_smtp_host:
        senders.append(
            Mail(
                settings.social_warehouse_notify_smtp_host,
                settings.social_warehouse_notify_smtp_port,
                settings.social_warehouse_notify_smtp_starttls,
                settings.social_warehouse_notify_smtp_user,
                settings.social_warehouse_notify_smtp_password,
                settings.social_warehouse_notify_from or "",
                settings.social_warehouse_notify_to,
            )
        )
    return tuple(senders)


def send(
    senders: tuple[Sender, ...], message: Message, *, sleep: Callable[[float], None] = time.sleep
) -> tuple[MessageNotSent, ...]:
    """Sends the message every way, each twice at most; gives those that it did not get through.

    Args:
        senders: the ways.
        message: what is told.
        sleep: waits so many seconds.
    """
    failures = []
    for sender in senders:
        for attempt in range(1, ATTEMPT_COUNT + 1):
            try:
                sender.send(message)
                break
            except MessageNotSent as error:
                if attempt == ATTEMPT_COUNT:
                    failures.append(error)
                else:
                    sleep(PAUSE_SECONDS)
    return tuple(failures)
