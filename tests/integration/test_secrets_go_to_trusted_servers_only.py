"""Tokens, passwords and a webhook's secret address are sent encrypted, to servers whose certificate is trusted."""

import base64
import ssl
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import trustme
from pydantic import SecretStr
from receivers import MailServer, Webhook, mail_server, webhook

from pipelines.api import SocialConnect, SocialConnectError
from pipelines.senders import Message, MessageNotSent, senders_of
from pipelines.settings import read_settings

MESSAGE = Message("sync failed", "Sync failed", "Why it failed.", datetime(2026, 3, 2, tzinfo=UTC))


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def encryption(authority: trustme.CA) -> ssl.SSLContext:
    """That of a server with a certificate of the authority for this machine."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return context


@pytest.fixture(params=[True, False], ids=["trusted", "not_trusted"])
def is_trusted(
    request: pytest.FixtureRequest, authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> bool:
    """Whether this process trusts the authority, as an organisation's machines trust its own."""
    if request.param:
        authority.cert_pem.write_to_path(tmp_path / "authority.pem")
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
    return bool(request.param)


def tell(hook: Webhook | None = None, mail: MailServer | None = None) -> None:
    options: dict[str, Any] = {}
    if hook:
        options["social_warehouse_notify_webhook_url"] = hook.url
    if mail:
        options |= {
            "social_warehouse_notify_smtp_host": "127.0.0.1",
            "social_warehouse_notify_smtp_port": mail.port,
            "social_warehouse_notify_smtp_user": "warehouse",
            "social_warehouse_notify_smtp_password": "xyzzy-4711",
            "social_warehouse_notify_from": "warehouse@example.com",
            "social_warehouse_notify_to": "a@example.com",
        }
    for sender in senders_of(read_settings(**options)):
        sender.send(MESSAGE)


def test_the_token_goes_to_an_api_that_is_trusted(encryption: ssl.SSLContext, *, is_trusted: bool) -> None:
    with webhook(encryption) as server:
        server.answers = [404]
        origin = server.url.removesuffix("/services/T0/B0/a-secret-address")
        with (
            SocialConnect(origin, [SecretStr("sc-secret-4f1d9a")], max_attempts=1) as api,
            pytest.raises(SocialConnectError, match="404" if is_trusted else "CERTIFICATE_VERIFY_FAILED") as raised,
        ):
            api.get("/me")
        assert server.post_count == is_trusted
        assert "sc-secret" not in str(raised.value)


def test_a_webhook_is_told_where_it_is_trusted(encryption: ssl.SSLContext, *, is_trusted: bool) -> None:
    with webhook(encryption) as hook:
        if is_trusted:
            tell(hook)
        else:
            with pytest.raises(MessageNotSent) as raised:
                tell(hook)
            assert "secret" not in str(raised.value)
        assert [each["title"] for each in hook.received] == ["Sync failed"] * is_trusted


def test_a_mail_server_is_told_the_password_where_it_is_trusted(
    encryption: ssl.SSLContext, *, is_trusted: bool
) -> None:
    with mail_server(encryption) as mail:
        if is_trusted:
            tell(mail=mail)
            (told,) = [(line.split()[2], safe) for line, safe in mail.heard if line.startswith("AUTH")]
            assert told == (base64.b64encode(b"\0warehouse\0xyzzy-4711").decode(), True)
        else:
            with pytest.raises(MessageNotSent) as raised:
                tell(mail=mail)
            assert "xyzzy" not in str(raised.value)
        assert [safe for line, safe in mail.heard if not line.upper().startswith(("EHLO", "STARTTLS"))] == (
            [True] * 5 if is_trusted else []
        )
        assert [str(each["Subject"]) for each in mail.received] == ["Sync failed"] * is_trusted


def test_a_mail_server_without_encryption_is_told_nothing() -> None:
    with mail_server() as mail:
        with pytest.raises(MessageNotSent):
            tell(mail=mail)
        assert {line.split()[0].upper() for line, _ in mail.heard} <= {"EHLO", "HELO", "QUIT", "STARTTLS"}
