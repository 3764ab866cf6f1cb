"""Failures, failed tests and recoveries reach a webhook and a mailbox, once, and change nothing about the run."""

import json
import logging
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from receivers import MailServer, Webhook, mail_server, webhook

from pipelines.api import ServerFailed
from pipelines.notifications import send_test, telling
from pipelines.senders import MessageNotSent
from pipelines.settings import Settings, SettingsInvalid, read_settings
from pipelines.transform import TestsFailed
from pipelines.warehouse import WarehouseBusy

TOKEN = "sc-secret-4f1d9a"
FAILED = ServerFailed(500, None, f"Oops {TOKEN}", "/me")


@pytest.fixture
def hook() -> Iterator[Webhook]:
    with webhook() as kept:
        yield kept


@pytest.fixture
def mail() -> Iterator[MailServer]:
    with mail_server() as kept:
        yield kept


def settings_of(home: Path, hook: Webhook | None = None, mail: MailServer | None = None, **options: Any) -> Settings:
    given: dict[str, Any] = {"social_warehouse_home": home, "social_connect_access_token": TOKEN}
    if hook:
        given["social_warehouse_notify_webhook_url"] = hook.url
    if mail:
        given |= {
            "social_warehouse_notify_smtp_host": "127.0.0.1",
            "social_warehouse_notify_smtp_port": mail.port,
            "social_warehouse_notify_smtp_starttls": False,
            "social_warehouse_notify_from": "warehouse@example.com",
            "social_warehouse_notify_to": "a@example.com, b@example.com",
        }
    return read_settings(**(given | options))


def run(settings: Settings, error: Exception | None = None) -> None:
    """A sync that ends so."""
    with telling(settings, "sync", sleep=lambda _seconds: None):
        if error is not None:
            raise error


def fail(settings: Settings, error: Exception = FAILED) -> None:
    with pytest.raises(type(error)) as raised:
        run(settings, error)
    assert raised.value is error, "the run ends as it did"


def test_a_failure_is_told_once_everywhere_and_then_that_it_is_over(
    tmp_path: Path, hook: Webhook, mail: MailServer
) -> None:
    settings = settings_of(tmp_path, hook, mail)
    run(settings)
    assert hook.received == [], "no news is no message"
    fail(settings)
    fail(settings)
    run(settings)
    run(settings)
    assert [each["title"] for each in hook.received] == ["Sync failed", "Over: Sync failed"]
    assert [str(each["Subject"]) for each in mail.received] == ["Sync failed", "Over: Sync failed"]
    assert mail.recipients == ["a@example.com", "b@example.com"] * 2
    first = mail.received[0]
    assert first["From"] == "warehouse@example.com"
    assert first["To"] == "a@example.com, b@example.com"
    assert first.get_content().replace("\r\n", "\n").strip() == hook.received[0]["text"]
    for text in (json.dumps(hook.received), *map(str, mail.received), (tmp_path / "notified.json").read_text()):
        assert TOKEN not in text


def test_failed_tests_are_told_by_name_and_a_busy_warehouse_is_not(tmp_path: Path, hook: Webhook) -> None:
    settings = settings_of(tmp_path, hook, social_warehouse_notify_webhook_template="slack")
    fail(settings, WarehouseBusy("in use"))
    fail(settings, TestsFailed("text", (("unique_mentions", "Got 2 results"),)))
    (text,) = [each["text"] for each in hook.received]
    assert text.startswith("*Data tests failed*\n")
    assert "unique_mentions" in text


def test_what_cannot_be_sent_is_a_warning_and_is_sent_by_the_next_run(
    tmp_path: Path, hook: Webhook, caplog: pytest.LogCaptureFixture
) -> None:
    settings = settings_of(tmp_path, hook)
    hook.answers = [503, 404]
    with caplog.at_level(logging.WARNING, "pipelines"):
        fail(settings)
    assert "'Sync failed' was not told: the webhook answered 404: check" in caplog.text
    assert "secret" not in caplog.text
    assert (hook.post_count, hook.received) == (2, [])
    hook.answers = [503]
    fail(settings)
    assert [each["title"] for each in hook.received] == ["Sync failed"]
    assert hook.post_count == 4


def test_a_redirect_is_not_followed(tmp_path: Path, hook: Webhook) -> None:
    hook.answers = [302, 302]
    fail(settings_of(tmp_path, hook))
    assert (hook.post_count, hook.received) == (2, [])


def test_one_way_that_does_not_work_keeps_no_other_back(tmp_path: Path, mail: MailServer) -> None:
    with webhook() as gone:
        settings = settings_of(tmp_path, gone, mail)
    fail(settings)
    fail(settings)
    assert [str(each["Subject"]) for each in mail.received] == ["Sync failed"]


def test_a_state_that_cannot_be_read_does_not_change_how_a_run_ends(
    tmp_path: Path, hook: Webhook, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "notified.json").write_text("{", encoding="utf-8")
    with caplog.at_level(logging.WARNING, "pipelines"):
        run(settings_of(tmp_path, hook))
    assert f"remove {tmp_path / 'notified.json'}" in caplog.text


def test_a_test_message_says_whether_it_went(tmp_path: Path, hook: Webhook, mail: MailServer) -> None:
    now = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
    assert send_test(settings_of(tmp_path, hook, mail), now) == 2
    assert [each["event"] for each in hook.received] == ["test"]
    mail.refuses = True
    with pytest.raises(MessageNotSent, match="the mail server did not take it"):
        send_test(settings_of(tmp_path, hook, mail), now, sleep=lambda _seconds: None)
    with pytest.raises(SettingsInvalid, match="Neither SOCIAL_WAREHOUSE_NOTIFY_WEBHOOK_URL nor"):
        send_test(settings_of(tmp_path), now)
