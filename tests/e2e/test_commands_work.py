"""The way of a user: init, check, sync until done, look, transform, publish."""

import csv
import io
import json
import shutil
import stat
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import duckdb
import pytest
from receivers import webhook


@dataclass(frozen=True)
class _Story:
    """A user after two syncs, and what each of them said."""

    user: Any
    cut_short: Any
    published_by_the_cut_one: list[tuple[int]]
    whole: Any


@pytest.fixture(scope="module")
def story(make_user: Callable[..., Any]) -> _Story:
    user = make_user()
    cut_short = user.sync("--max-requests", "5", "--json")
    published = user.query("SELECT count(*) FROM marts.fct_mentions")
    return _Story(user, cut_short, published, user.sync())


def test_init_makes_a_settings_file_for_its_owner_and_keeps_one_that_is_there(make_user: Callable[..., Any]) -> None:
    user = make_user()
    said = user.run("init")
    assert (said.exit_code, said.stderr) == (0, "")
    file = user.folder / "social-warehouse.toml"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert tomllib.loads(file.read_text(encoding="utf-8")) == {}
    assert "social-warehouse check" in said.stdout
    file.write_text('social_connect_account_ids = "1417"\n', encoding="utf-8")
    assert "stays as it is" in user.run("init").stdout
    assert "1417" in file.read_text(encoding="utf-8")


def test_check_says_what_works(make_user: Callable[..., Any]) -> None:
    said = make_user().run("check", "--json")
    assert said.exit_code == 0
    findings = json.loads(said.stdout)
    names = {finding["name"] for finding in findings}
    assert names >= {"warehouse folder", "token", "account 1417", "request budget", "account 1417, sort_by_last_action"}
    assert all(finding["is_ok"] for finding in findings)


def test_check_says_what_does_not(make_user: Callable[..., Any]) -> None:
    said = make_user().run("check", SOCIAL_CONNECT_ACCESS_TOKEN="wrong")
    assert said.exit_code == 1
    assert "FAIL  token" in said.stdout
    assert "make a new one" in said.stdout
    assert "wrong" not in said.stdout + said.stderr


@pytest.mark.parametrize("command", [("status",), ("sql", "select 1"), ("transform",), ("publish",), ("maintain",)])
def test_before_the_first_sync_the_next_step_is_named(make_user: Callable[..., Any], command: tuple[str, ...]) -> None:
    user = make_user()
    said = user.run(*command)
    assert said.exit_code == 1
    assert "Run 'social-warehouse sync' first" in said.complaint
    assert not user.published_file.exists()


def test_a_sync_whose_budget_is_used_up_publishes_what_it_has(story: _Story) -> None:
    said = story.cut_short
    assert said.exit_code == 5
    report = json.loads(said.stdout)
    assert report["request_count"] == 5
    assert "max_requests" in report["stopped_by"]
    assert len([line for line in said.stderr.splitlines() if "the next sync goes on from there" in line]) == 1
    assert "Traceback" not in said.stderr
    assert story.published_by_the_cut_one == [(report["record_counts"]["mentions"],)]


def test_the_next_sync_ends_what_it_began(story: _Story) -> None:
    assert story.whole.exit_code == 0
    assert "published" in story.whole.stdout
    assert "tests passed" in story.whole.stdout
    story.user.assert_published_is_complete()


@pytest.mark.slow
def test_a_sync_with_nothing_new_says_so(story: _Story, make_user: Callable[..., Any]) -> None:
    user = make_user()
    shutil.copytree(story.user.home, user.home)
    said = user.sync("--json")
    assert said.exit_code == 0
    report = json.loads(said.stdout)
    assert report["row_counts"] == {}
    assert report["request_count"] <= 10
    assert report["stopped_by"] is None
    assert report["passed_test_count"] > 40


def test_status_says_how_far_it_is(story: _Story) -> None:
    said = story.user.run("status", "--json")
    assert said.exit_code == 0
    found = json.loads(said.stdout)
    assert found["row_counts"]["mentions"] == len(story.user.box.mentions(1417))
    assert found["writer"] == "nobody"
    assert found["newest_change_loaded_at"].startswith("2026-03-02T09:00:00")
    assert any("1417" in name for name in found["cursors"])
    assert found["lateness"] == {}, "nothing has been added since the first sync"
    assert story.user.run("status").stdout.count("\n") > 20


def test_sql_answers_as_a_table_as_csv_and_as_json(story: _Story) -> None:
    query = "select status, count(*) as n, max(added_at) as newest from mentions group by all order by all"
    rows = json.loads(story.user.run("sql", query, "--json").stdout)
    assert sum(row["n"] for row in rows) == len(story.user.box.mentions(1417))
    as_csv = list(csv.DictReader(io.StringIO(story.user.run("sql", query, "--csv").stdout)))
    assert [(row["status"], int(row["n"])) for row in as_csv] == [(row["status"], row["n"]) for row in rows]
    table = story.user.run("sql", query).stdout
    assert all(row["status"] in table for row in rows)


def test_sql_reads_only_and_says_what_is_wrong(story: _Story) -> None:
    before = story.user.published_file.read_bytes()
    said = story.user.run("sql", "delete from mentions")
    assert said.exit_code == 1
    assert "read-only" in said.complaint
    said = story.user.run("sql", "from nowhere")
    assert said.exit_code == 1
    assert "nowhere" in said.stderr
    assert "Traceback" not in said.stderr
    assert story.user.published_file.read_bytes() == before


@pytest.mark.slow
def test_transform_and_publish_need_no_token(story: _Story, make_user: Callable[..., Any]) -> None:
    user = make_user(SOCIAL_CONNECT_ACCESS_TOKEN="")
    shutil.copytree(story.user.home, user.home)
    user.published_file.unlink()
    said = user.run("transform", "--json")
    assert said.exit_code == 0
    assert json.loads(said.stdout)["model_count"] > 10
    assert not user.published_file.exists()
    said = user.run("publish", "--json")
    assert said.exit_code == 0
    assert json.loads(said.stdout)["published_bytes"] == user.published_file.stat().st_size
    user.assert_published_is_complete()


def test_maintain_says_how_large_the_file_is_and_leaves_what_is_published(story: _Story) -> None:
    before = story.user.published_file.stat().st_mtime_ns
    said = story.user.run("maintain", "--json")
    assert said.exit_code == 0, said.stderr
    assert json.loads(said.stdout)["after_bytes"] == (story.user.home / "warehouse.duckdb").stat().st_size
    assert story.user.published_file.stat().st_mtime_ns == before


def test_stale_data_is_told_once_and_that_it_is_over(story: _Story) -> None:
    now = story.user.box.now
    with webhook() as hook:
        options = {
            "SOCIAL_WAREHOUSE_NOTIFY_WEBHOOK_URL": hook.url,
            "SOCIAL_WAREHOUSE_NOTIFY_WEBHOOK_TEMPLATE": "teams",
            "SOCIAL_CONNECT_ACCESS_TOKEN": "",
        }
        later = (now + timedelta(hours=3)).isoformat()
        stale = story.user.run("alert", "--as-of", later, **options)
        assert stale.exit_code == 1
        assert f"the data as of {now:%Y-%m-%d %H:%M} UTC, 3.0 hours ago" in stale.stdout
        assert json.loads(story.user.run("alert", "--json", "--as-of", later, **options).stdout)["is_stale"] is True
        fresh = story.user.run("alert", "--as-of", (now + timedelta(minutes=20)).isoformat(), **options)
        assert (fresh.exit_code, fresh.stdout) == (0, f"Data as of {now:%Y-%m-%d %H:%M} UTC.\n")
        titles = [each["attachments"][0]["content"]["body"][0]["text"] for each in hook.received]
        assert titles == ["Data is stale", "Over: Data is stale"]
        assert story.user.run("alert", "--test", **options).exit_code == 0
        assert len(hook.received) == 3
    said = story.user.run("alert", "--test", **options)
    assert said.exit_code == 1
    assert "the webhook cannot be reached" in said.complaint
    assert "secret-address" not in said.stdout + said.stderr


def test_nothing_that_is_left_has_the_token(story: _Story) -> None:
    """The working folders of the loader and the logs included; the environment was its only place."""
    token = story.user.box.token.encode()
    files = [path for path in story.user.folder.rglob("*") if path.is_file()]
    for folder in ("dlt", "logs", "published"):
        assert any(folder in path.parts for path in files), f"nothing is in {folder}"
    assert [path for path in files if token in path.read_bytes()] == []
    assert not [request for request in story.user.box.requests if "access_token" in request.query]


@pytest.fixture(scope="module")
def spoiled(story: _Story, make_user: Callable[..., Any]) -> tuple[Any, Any]:
    """A user whose work file has a mention twice, and what the transform says to it."""
    user = make_user()
    shutil.copytree(story.user.home, user.home)
    with duckdb.connect(user.home / "warehouse.duckdb") as con:
        con.execute("INSERT INTO social_connect.mentions FROM social_connect.mentions LIMIT 1")
    return user, user.run("transform")


@pytest.mark.slow
def test_failing_data_tests_keep_the_last_good_copy(story: _Story, spoiled: tuple[Any, Any]) -> None:
    user, said = spoiled
    assert said.exit_code == 4
    assert "nothing was published" in said.complaint
    assert "unique" in said.complaint
    assert user.published_file.read_bytes() == story.user.published_file.read_bytes()


@pytest.mark.slow
def test_a_complaint_about_data_tests_names_a_log_that_is_there(spoiled: tuple[Any, Any]) -> None:
    user, said = spoiled
    assert "dbt's log" not in said.complaint or any((user.home / "dbt" / "logs").rglob("*.log"))


@pytest.mark.slow
def test_tables_that_have_failed_their_tests_are_not_published_by_hand_either(
    story: _Story, spoiled: tuple[Any, Any]
) -> None:
    user, _ = spoiled
    assert user.run("publish").exit_code == 4
    assert user.published_file.read_bytes() == story.user.published_file.read_bytes()
