"""The backfill as a user runs it: what it would take, how it ends early, and what readers then see."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest


@pytest.fixture(scope="module")
def user(make_user: Callable[..., Any]) -> Any:
    """Somebody with an empty folder."""
    return make_user()


def backfill(user: Any, *arguments: str) -> Any:
    """A backfill of all that there is."""
    start = (user.box.now - timedelta(days=30)).isoformat()
    end = user.box.now.isoformat()
    return user.run("backfill", "--from", start, "--to", end, "--as-of", end, *arguments)


def test_a_dry_run_says_what_it_would_take_and_makes_nothing(user: Any) -> None:
    said = backfill(user, "--dry-run")
    assert said.exit_code == 0, said.stderr
    case_count = len(user.box.cases(1417))
    calls = -(-350 // 100) - (-case_count // 100)
    assert said.stdout.splitlines() == [
        f"to read    350 mentions, {case_count} cases: {calls} calls, 0.0 hours at what the API allows"
    ]
    assert not (user.home / "warehouse.duckdb").exists()


@pytest.mark.slow
def test_it_ends_early_when_the_calls_do_and_readers_see_what_was_read(user: Any) -> None:
    said = backfill(user, "--max-requests", "6", "--json")
    assert said.exit_code == 5, said.stderr
    assert "all 6 requests that the caller allowed are used" in said.stderr
    assert "What was read is loaded; run the backfill again to go on." in said.stderr
    report = json.loads(said.stdout)
    assert (report["request_count"], report["resume_at"], report["is_dry_run"]) == (6, None, False)
    assert 100 <= report["row_counts"]["mentions"] < 350
    assert user.query("SELECT count(*) FROM marts.fct_mentions") == [(report["row_counts"]["mentions"],)]


def test_a_span_that_is_none_is_a_matter_of_usage(user: Any) -> None:
    said = user.run("backfill", "--from", "2026-01-02", "--to", "2026-01-01")
    assert (said.exit_code, said.stdout) == (2, "")
    assert "--from is 2026-01-02T00:00:00+00:00, not before 2026-01-01T00:00:00+00:00" in said.complaint
