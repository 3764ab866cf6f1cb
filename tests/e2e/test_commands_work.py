"""The way of a user: init, check, sync until done, look, transform, publish."""

import csv
import io
import json
import shutil
import stat
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import duckdb
import pytest
from prometheus_client.parser import text_string_to_metric_families
from receivers import webhook
from terminal import Terminal

COMMAND = str(Path(sys.executable).with_name("social-warehouse"))


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
    user = make_user()
    said = user.run("check", "--json")
    assert said.exit_code == 0
    findings = {(each["name"], each["about"]): each for each in json.loads(said.stdout)}
    assert {("packages", ""), ("token", ""), ("account", "1417"), ("probe", "1417 sort_by_last_action")} <= set(
        findings
    )
    # The sandbox of these tests has a time of its own.
    amiss = {name: each["next_step"] for (name, _), each in findings.items() if each["severity"] != "ok"}
    assert set(amiss) == {"schedule", "clock"}
    assert "social-warehouse sync" in amiss["schedule"]
    offline = json.loads(user.run("check", "--offline", "--json").stdout)
    assert [each["name"] for each in offline] == [name for name, _ in list(findings)[: len(offline)]]
    assert offline[-1]["name"] == "schedule"


def test_check_says_what_does_not(make_user: Callable[..., Any]) -> None:
    said = make_user().run("check", SOCIAL_CONNECT_ACCESS_TOKEN="wrong")
    assert said.exit_code == 1
    assert "FAIL  token" in said.stdout
    assert "make a new one" in said.stdout
    assert "wrong" not in said.stdout + said.stderr


@pytest.mark.parametrize("command", [("sql", "select 1"), ("transform",), ("publish",), ("maintain",)])
def test_before_the_first_sync_the_next_step_is_named(make_user: Callable[..., Any], command: tuple[str, ...]) -> None:
    user = make_user()
    said = user.run(*command)
    assert said.exit_code == 1
    assert "Run 'social-warehouse sync' first" in said.complaint
    assert not user.published_file.exists()


def test_before_the_first_sync_status_and_metrics_say_what_is_missing(make_user: Callable[..., Any]) -> None:
    user = make_user()
    said = user.run("status")
    assert said.exit_code == 0
    assert "nothing yet. Run 'social-warehouse sync' first" in said.stdout
    assert user.run("metrics").exit_code == 0
    assert not user.home.exists()


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
    text = story.user.run("status").stdout
    assert text.count("\n") > 20
    assert "data as of  2026-03-02 09:00:00" in text


@pytest.mark.slow
def test_status_tells_runs_lags_and_what_is_left(story: _Story) -> None:
    as_of = (story.user.box.now + timedelta(hours=3)).isoformat()
    found = json.loads(story.user.run("status", "--as-of", as_of, "--json").stdout)
    assert (found["data_as_of"], found["data_age_seconds"]) == ("2026-03-02T09:00:00+00:00", 3 * 3600)
    assert found["last_runs"]["sync"]["outcome"] == "done"
    assert found["last_runs"]["sync"]["published_bytes"] == story.user.published_file.stat().st_size
    (failure,) = found["last_failures"]
    assert (failure["outcome"], failure["request_count"]) == ("budget_used_up", 5)
    assert "max_requests" in failure["error"]
    is_late = {each["stream"]: each["is_late"] for each in found["streams"]}
    assert (is_late["mentions"], is_late["tags"]) == (True, False)
    assert {each["lag_seconds"] for each in found["streams"]} == {3 * 3600}
    (budget,) = found["budgets"]
    assert budget["limit_call_count"] == 100_000
    assert 0 < budget["remaining_call_count"] <= 100_000
    text = story.user.run("status", "--as-of", as_of).stdout
    assert f"sync budget_used_up: {failure['error']}" in text
    assert story.user.box.token not in text


def test_the_history_of_runs_agrees_with_the_log_of_the_api(story: _Story) -> None:
    """Of the first sync: the copy that a run publishes does not tell of itself."""
    runs = story.user.query("SELECT kind, outcome, request_count FROM history.runs")
    assert runs == [("sync", "budget_used_up", 5)]
    assert story.user.query("SELECT sum(call_count) FROM history.run_requests") == [(5,)]


@pytest.mark.slow
def test_metrics_are_printed_and_served(story: _Story) -> None:
    said = story.user.run("metrics")
    assert said.exit_code == 0
    printed = names_of(said.stdout)
    assert {"social_warehouse_data_age_seconds", "social_warehouse_runs", "social_warehouse_requests"} <= printed
    with story.user.serving("metrics", "--listen", "0") as url:
        assert url.startswith("http://127.0.0.1:")
        with urlopen(f"{url}/metrics") as answer:  # noqa: S310 - our own server
            assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
            assert names_of(answer.read().decode()) == printed
        with urlopen(f"{url}/healthz") as answer:  # noqa: S310 - as above
            assert (answer.status, answer.read()) == (200, b"ok\n")
        shutil.move(story.user.published_file, story.user.folder / "aside")
        story.user.published_file.write_text("no database", encoding="utf-8")
        try:
            with pytest.raises(HTTPError, match="503") as refused:
                urlopen(f"{url}/healthz")  # noqa: S310 - as above
            assert b"cannot be opened" in refused.value.read()
            refused.value.close()
        finally:
            shutil.move(story.user.folder / "aside", story.user.published_file)


def names_of(text: str) -> set[str]:
    families = list(text_string_to_metric_families(text))
    assert all(family.documentation and family.type in {"counter", "gauge"} for family in families)
    return {family.name for family in families}


def test_an_address_to_listen_on_needs_a_port(make_user: Callable[..., Any]) -> None:
    said = make_user().run("metrics", "--listen", "localhost")
    assert said.exit_code == 2
    assert "'localhost' has no port" in said.complaint


@pytest.mark.slow
def test_publish_lists_versions_and_goes_back(story: _Story, make_user: Callable[..., Any]) -> None:
    user = make_user()
    shutil.copytree(story.user.home, user.home)
    newer, older = json.loads(user.run("publish", "--list", "--json").stdout)
    assert (newer["is_published"], older["is_published"]) == (True, False)
    assert newer["as_of"] == user.box.now.isoformat()
    said = user.run("publish", "--rollback", "--json")
    assert said.exit_code == 0
    assert json.loads(said.stdout)["version"] == older["version"]
    assert user.query("SELECT count(*) FROM marts.fct_mentions") == story.published_by_the_cut_one
    listed = user.run("publish", "--list").stdout.splitlines()
    assert [line.split()[:2] for line in listed] == [["version", f"{newer['version']},"], ["published", "version"]]
    said = user.run("publish", "--rollback")
    assert said.exit_code == 1
    assert "No version before the published one is kept" in said.complaint
    said = user.run("publish", "--parquet")
    assert said.exit_code == 0
    schema = json.loads((user.home / "published" / "parquet" / "schema.json").read_text(encoding="utf-8"))
    counts = {table["name"]: table["row_count"] for table in schema["tables"]}
    assert counts["fct_mentions"] == len(user.box.mentions(1417))
    assert all(table["description"] and table["key"] for table in schema["tables"])
    assert all(column["description"] for table in schema["tables"] for column in table["columns"])
    assert user.run("publish", "--list", "--rollback").exit_code == 2


def test_a_work_file_of_a_later_program_is_refused(story: _Story, make_user: Callable[..., Any]) -> None:
    user = make_user()
    shutil.copytree(story.user.home, user.home)
    with duckdb.connect(user.home / "warehouse.duckdb") as con:
        con.execute("INSERT INTO history.layout VALUES (99, '9.9', now())")
    said = user.run("transform")
    assert said.exit_code == 1
    assert "has layout 99, written by version 9.9" in said.complaint


def test_sql_answers_as_a_table_as_csv_and_as_json(story: _Story) -> None:
    query = "select status, count(*) as n, max(added_at) as newest from mentions group by all order by all"
    rows = json.loads(story.user.run("sql", query, "--json").stdout)
    assert sum(row["n"] for row in rows) == len(story.user.box.mentions(1417))
    as_csv = list(csv.DictReader(io.StringIO(story.user.run("sql", query, "--csv").stdout)))
    assert [(row["status"], int(row["n"])) for row in as_csv] == [(row["status"], row["n"]) for row in rows]
    table = story.user.run("sql", query).stdout
    assert all(row["status"] in table for row in rows)


@pytest.mark.parametrize("ending", ["csv", "json", "parquet"])
def test_sql_writes_the_answer_to_a_file(story: _Story, tmp_path: Path, ending: str) -> None:
    file = tmp_path / f"answer.{ending}"
    said = story.user.run("sql", "select unique_id, first_response_seconds from fct_mentions", "--output", str(file))
    assert said.exit_code == 0, said.stderr
    assert said.stdout == ""
    truth = story.user.query("SELECT unique_id, first_response_seconds FROM marts.fct_mentions")
    assert f"Wrote {len(truth):,} rows" in said.stderr
    assert any(seconds is None for _, seconds in truth)
    read = {"csv": duckdb.read_csv, "json": duckdb.read_json, "parquet": duckdb.read_parquet}[ending]
    assert set(read(str(file)).fetchall()) == set(truth)
    assert list(tmp_path.iterdir()) == [file]


def test_sql_takes_a_query_from_standard_input(story: _Story) -> None:
    done = subprocess.run(
        [COMMAND, "sql", "--json"],
        input="select 40 + 2 as n",
        cwd=story.user.folder,
        env=story.user.environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout) == [{"n": 42}]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("select 1", "--format", "parquet"), "add --output FILE"),
        (("select 1", "--output", "answer.txt"), "add --format"),
        (("select 1", "--output", "answer.csv", "--format", "table"), "add --format"),
        ((), "there is no query"),
    ],
)
def test_sql_says_what_it_cannot_write_or_read(story: _Story, arguments: tuple[str, ...], says: str) -> None:
    done = subprocess.run(
        [COMMAND, "sql", *arguments],
        stdin=subprocess.DEVNULL,
        cwd=story.user.folder,
        env=story.user.environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert says in done.stderr


def is_stopped_while_it_answers(terminal: Terminal) -> bool:
    """Asks what takes for ever, and leaves it. On a busy machine Ctrl-C may come before the answering has begun."""
    terminal.type("select count(*) from range(1000000) a, range(10000000) b;\r")
    time.sleep(1)
    terminal.type("\x03")
    try:
        terminal.wait_for("Stopped.", seconds=10)
    except AssertionError:
        return False
    return True


def test_sql_without_a_query_on_a_terminal_is_a_shell(story: _Story, tmp_path: Path) -> None:
    file = tmp_path / "answer.csv"
    user = story.user
    with Terminal([COMMAND, "sql"], folder=user.folder, environment=user.environment()) as terminal:
        terminal.wait_for("sql>")
        terminal.type("select count(*) as n from fct_sec")
        terminal.type("\t")
        terminal.wait_for("urity_events")
        terminal.type(" where false;\r")
        terminal.wait_for(" 0 ")
        terminal.wait_for("sql>")
        assert any(is_stopped_while_it_answers(terminal) for _ in range(5))
        for typed, answer in (
            ("delete from mentions;", "read-only"),
            ("select 40 + 2 as n;", " 42 "),
            (f".save {file}", "Wrote 1 rows"),
        ):
            terminal.wait_for("sql>")
            terminal.type(f"{typed}\r")
            terminal.wait_for(answer)
        terminal.wait_for("sql>")
        terminal.type("\x04")
        assert terminal.exit_code() == 0
    assert file.read_text(encoding="utf-8") == "n\n42\n"
    history = story.user.home / "sql-history"
    assert stat.S_IMODE(history.stat().st_mode) == 0o600
    assert "+select count(*) as n from fct_security_events where false;" in history.read_text(encoding="utf-8")


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


@pytest.mark.slow
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
    assert "readers keep the last good copy" in said.complaint
    assert user.run("publish", "--list").stdout == story.user.run("publish", "--list").stdout
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
