"""`social-warehouse report`: where the file is, who is sent it, and what is said where it cannot be."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from receivers import mail_server, webhook

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from receivers import MailServer

pytestmark = pytest.mark.slow

WITHOUT_PICTURES = """
import sys
import importlib.util
found = importlib.util.find_spec
importlib.util.find_spec = lambda name, *more: None if name == "vl_convert" else found(name, *more)
sys.argv = ["social-warehouse", "report"]
from pipelines.cli import main
main()
"""


@pytest.fixture(scope="module")
def user(make_user: Callable[..., Any]) -> Any:
    user = make_user()
    assert user.sync().exit_code == 0
    return user


def mailbox(mail: MailServer) -> dict[str, str]:
    return {
        "SOCIAL_WAREHOUSE_NOTIFY_SMTP_HOST": "127.0.0.1",
        "SOCIAL_WAREHOUSE_NOTIFY_SMTP_PORT": str(mail.port),
        "SOCIAL_WAREHOUSE_NOTIFY_SMTP_STARTTLS": "false",
        "SOCIAL_WAREHOUSE_NOTIFY_FROM": "warehouse@example.com",
        "SOCIAL_WAREHOUSE_NOTIFY_TO": "a@example.com, b@example.com",
    }


def test_it_writes_the_last_28_days_that_are_over_and_says_where(user: Any) -> None:
    said = user.run("report")
    assert (said.exit_code, said.stderr) == (0, "")
    file = user.home / "reports" / "social-connect_2026-02-02_2026-03-01.html"
    assert said.stdout.startswith("Social Connect report, 2026-02-02 to 2026-03-01: ")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    ((count,),) = user.query(
        "select count(*) from social_connect.mentions where deleted_at is null and author_managed is not true"
        " and coalesce(published_at, added_at) >= timestamp '2026-02-02'"
        " and coalesce(published_at, added_at) < timestamp '2026-03-02'"
    )
    assert f"Mentions of customers: {count:,}; " in said.stdout
    assert f"<td>{count:,}</td>" in file.read_text(encoding="utf-8")


def test_dates_filters_and_a_file_of_ones_own(user: Any) -> None:
    said = user.run(
        *("report", "--from", "2026-02-10", "--to", "2026-02-16"),
        *("--channel", "facebook", "--channel", "twitter", "--output", "week.html", "--json"),
    )
    assert (said.exit_code, said.stderr) == (0, "")
    told = json.loads(said.stdout)
    ((count,),) = user.query(
        "select count(*) from social_connect.mentions where deleted_at is null and author_managed is not true"
        " and source_service in ('facebook', 'twitter')"
        " and coalesce(published_at, added_at) >= timestamp '2026-02-10'"
        " and coalesce(published_at, added_at) < timestamp '2026-02-17'"
    )
    assert told["file"] == str(user.folder / "week.html")
    assert (told["first_date"], told["last_date"]) == ("2026-02-10", "2026-02-16")
    assert told["filters"] == {"channel": ["facebook", "twitter"]}
    assert told["numbers"]["mention_count"]["now"] == count > 0
    assert told["sent_count"] == 0
    assert stat.S_IMODE((user.folder / "week.html").stat().st_mode) == 0o600


def test_it_is_sent_to_a_mailbox_with_the_file_and_to_a_webhook_without(user: Any) -> None:
    with mail_server() as mail, webhook() as hook:
        said = user.run(
            *("report", "--days", "7", "--send"), **mailbox(mail), SOCIAL_WAREHOUSE_NOTIFY_WEBHOOK_URL=hook.url
        )
    assert (said.exit_code, said.stderr) == (0, "")
    assert "Sent 2 of 2." in said.stdout
    (sent,) = mail.received
    assert mail.recipients == ["a@example.com", "b@example.com"]
    assert sent["Subject"] == "Social Connect report, 2026-02-23 to 2026-03-01"
    body = sent.get_body(("plain",))
    assert body is not None
    assert "Mentions of customers: " in body.get_content()
    (attached,) = sent.iter_attachments()
    name = "social-connect_2026-02-23_2026-03-01.html"
    assert (attached.get_filename(), attached.get_content_type()) == (name, "text/html")
    page = (user.home / "reports" / name).read_text(encoding="utf-8")
    assert attached.get_content().splitlines() == page.splitlines()
    (posted,) = hook.received
    assert posted["event"] == "report"
    assert posted["text"].splitlines() == body.get_content().splitlines()
    assert "<html" not in json.dumps(posted)
    assert user.box.token not in json.dumps(posted) + sent.as_string()


def test_where_nobody_is_named_nothing_is_written_or_sent(user: Any) -> None:
    before = sorted((user.home / "reports").iterdir())
    said = user.run("report", "--days", "3", "--send")
    assert said.exit_code == 2
    assert "SOCIAL_WAREHOUSE_NOTIFY_SMTP_HOST" in said.complaint
    assert sorted((user.home / "reports").iterdir()) == before


def test_a_mail_server_that_refuses_is_a_failure_and_the_file_stays(user: Any) -> None:
    with mail_server() as mail:
        mail.refuses = True
        said = user.run("report", "--days", "2", "--send", **mailbox(mail))
    assert said.exit_code == 1
    assert "the mail server" in said.complaint
    assert mail.received == []
    assert (user.home / "reports" / "social-connect_2026-02-28_2026-03-01.html").exists()
    assert "social-connect_2026-02-28_2026-03-01.html" in said.stdout


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--channel", "facebok"], "the data has no channel 'facebok'. It has "),
        (["--from", "2026-02-02", "--to", "2026-02-01"], "the first date, 2026-02-02, is after the last one"),
        (["--from", "2026-02-02", "--days", "7"], "--from and --days both say"),
        (["--from", "yesterday"], "'yesterday' does not match the format"),
    ],
)
def test_what_cannot_be_meant_is_a_usage_error(user: Any, arguments: list[str], complaint: str) -> None:
    said = user.run("report", *arguments)
    assert said.exit_code == 2
    assert complaint in said.complaint


def test_a_folder_that_is_not_there_is_said(user: Any) -> None:
    said = user.run("report", "--output", "nowhere/report.html")
    assert said.exit_code == 1
    assert "nowhere" in said.complaint


def test_before_the_first_publish_the_next_step_is_said(make_user: Callable[..., Any]) -> None:
    said = make_user().run("report")
    assert said.exit_code == 1
    assert said.complaint.endswith("published/warehouse.duckdb does not exist. Run 'social-warehouse sync' first.")


def test_without_the_extra_the_way_to_install_it_is_said(tmp_path: Path) -> None:
    environment = {**os.environ, "SOCIAL_WAREHOUSE_HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_PICTURES],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr == (
        "Error: The report needs vl_convert. Install the extra in the folder of the program: pip install '.[report]'.\n"
    )
