"""What is told of a failure, and how Slack, Teams and others are sent it."""

from datetime import UTC, datetime, timedelta

import pytest

from pipelines.api import ServerFailed
from pipelines.notifications import Problem, failure_of, news, scrubbed
from pipelines.senders import LONGEST_TEXT, Attachment, Message, payload
from pipelines.settings import SettingsInvalid, read_settings
from pipelines.transform import TestsFailed, TransformFailed

AT = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
MESSAGE = Message("sync failed", "Sync failed", "The sync of <https://a> & b\nfailed.", AT)
SECRET = "https://hooks.example.com/services/T0/B0/xyzzy-4711"


def problem(kind: str = "ServerFailed", of: str = "sync") -> Problem:
    return Problem(of, kind, f"{of} failed", "text", AT)


def told_after(told: dict[str, dict[str, str]], found: list[Problem], over: set[str]) -> dict[str, dict[str, str]]:
    for of, _, after in news(told, found, over, AT):
        told = {**told, of: after} if after else {key: told[key] for key in told if key != of}
    return told


def test_slack_gets_a_text_in_which_nothing_is_markup_but_the_title() -> None:
    """The shape of an incoming webhook: one object with a text; <, > and & are its own."""
    assert payload("slack", MESSAGE) == {
        "text": "*Sync failed*\nThe sync of &lt;https://a&gt; &amp; b\nfailed.",
    }


def test_teams_gets_an_adaptive_card_in_a_message() -> None:
    """The shape that the workflow "when a Teams webhook request is received" takes."""
    sent = payload("teams", MESSAGE)
    (attachment,) = sent["attachments"]
    card = attachment["content"]
    assert sent["type"] == "message"
    assert attachment["contentType"] == "application/vnd.microsoft.card.adaptive"
    assert (card["type"], card["version"]) == ("AdaptiveCard", "1.4")
    assert {block["type"] for block in card["body"]} == {"TextBlock"}
    assert [block["text"] for block in card["body"]] == ["Sync failed", "The sync of <https://a> & b", "failed."]


def test_json_has_the_fields_by_name() -> None:
    assert payload("json", MESSAGE) == {
        "event": "sync failed",
        "title": "Sync failed",
        "text": MESSAGE.text,
        "at": "2026-03-02T09:00:00+00:00",
    }


def test_a_long_text_is_cut() -> None:
    sent = payload("json", Message("e", "t", "x" * 40_000, AT))
    assert len(sent["text"]) < LONGEST_TEXT + 10


def test_a_problem_is_told_once_until_it_is_over_or_another() -> None:
    told: dict[str, dict[str, str]] = {}
    assert [message.title for _, message, _ in news(told, [problem()], (), AT)] == ["sync failed"]
    told = told_after(told, [problem()], set())
    assert news(told, [problem()], {"data"}, AT) == []
    assert len(news(told, [problem("AuthenticationFailed")], (), AT)) == 1
    ((of, message, after),) = news(told, [], {"sync", "data tests"}, AT + timedelta(hours=1))
    assert (of, message.title, after) == ("sync", "Over: sync failed", None)
    assert "told 2026-03-02 09:00 UTC, is over since 2026-03-02 10:00 UTC" in message.text
    assert told_after(told, [], {"sync"}) == {}


def test_a_failure_is_one_line_with_what_to_do_next() -> None:
    told = failure_of("sync", ServerFailed(500, "internal_server_error", "Oops", "/me"), AT)
    assert "The sync of 2026-03-02 09:00 UTC failed: GET /me: the API answered 500" in told.text
    assert "run again later" in told.text


def test_failed_tests_are_named() -> None:
    told = failure_of("sync", TestsFailed("long", (("unique_mentions", "Got 2 results"), ("not_null_x", "Got 1"))), AT)
    assert told.of == "data tests"
    assert "2 data tests failed: unique_mentions; not_null_x." in told.text
    assert "readers keep the last good copy" in told.text


@pytest.mark.parametrize(
    "error",
    [
        ValueError("Could not convert string 'jane@example.com' to INT32"),
        TransformFailed("1 models could not be built: m: cannot cast 'jane@example.com'", ("m",)),
    ],
)
def test_texts_that_may_quote_rows_are_not_told(error: Exception) -> None:
    told = failure_of("sync", error, AT)
    assert "jane" not in told.text
    assert type(error).__name__ in told.text or "could not be built: m." in told.text
    assert "Next: " in told.text


def test_no_secret_is_told() -> None:
    read_settings(social_connect_access_token="sc-secret-4f1d9a", social_warehouse_notify_webhook_url=SECRET)
    told = scrubbed(Message("e", "sc-secret-4f1d9a", f"at {SECRET} with sc-secret-4f1d9a", AT))
    assert "4f1d9a" not in told.title + told.text
    assert "xyzzy" not in told.text


def test_no_secret_is_in_what_is_attached_and_a_webhook_gets_no_attachment() -> None:
    read_settings(social_connect_access_token="sc-secret-4f1d9a")
    message = Message("report", "t", "numbers", AT, Attachment("report.html", "<p>sc-secret-4f1d9a</p>"))
    assert scrubbed(message) == Message("report", "t", "numbers", AT, Attachment("report.html", "<p>***</p>"))
    for template in ("slack", "teams", "json"):
        assert payload(template, message) == payload(template, Message("report", "t", "numbers", AT))


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"webhook_url": "http://hooks.example.com/xyzzy-4711"}, "WEBHOOK_URL is not encrypted"),
        ({"webhook_url": "http://127.evil.example.com/xyzzy-4711"}, "WEBHOOK_URL is not encrypted"),
        ({"webhook_url": "https://hooks.example.com/a b xyzzy-4711"}, "WEBHOOK_URL is no address"),
        ({"webhook_url": "https://hooks.example.com:xyzzy-4711/"}, "WEBHOOK_URL is no address"),
        ({"webhook_template": "discord"}, "one of slack, teams, json"),
        ({"smtp_host": "mail.example.com"}, "NOTIFY_FROM are needed"),
        ({"smtp_host": "mail.example.com", "from": "a@example.com"}, "NOTIFY_FROM are needed"),
        ({"to": "somebody"}, "'somebody' is no e-mail address"),
        ({"from": "a@example.com\nBcc: b@example.com"}, "is no e-mail address"),
        (
            {"smtp_host": "mail.example.com", "smtp_password": "xyzzy-4711", "smtp_starttls": "false"},
            "SMTP_PASSWORD is not sent unencrypted",
        ),
    ],
)
def test_whom_to_tell_is_checked_and_not_shown(options: dict[str, str], complaint: str) -> None:
    with pytest.raises(SettingsInvalid) as error:
        read_settings(**{f"social_warehouse_notify_{name}": value for name, value in options.items()})
    assert complaint in str(error.value)
    assert "xyzzy" not in str(error.value)
