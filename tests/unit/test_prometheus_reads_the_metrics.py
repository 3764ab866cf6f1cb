"""The text that a Prometheus server scrapes: its own parser reads it, and every number is the status's."""

import re
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from pipelines.prometheus import exposition
from pipelines.source.rhythm import late_after
from pipelines.source.streams import DAILY, EVERY_RUN, HOURLY
from pipelines.status_text import in_words

ENDED = "2026-03-02T09:00:00+00:00"
STATUS: dict[str, Any] = {
    "as_of": "2026-03-02T10:00:00+00:00",
    "data_age_seconds": 3600,
    "published_at": "2026-03-02T09:01:00+00:00",
    "published_bytes": 37_000_001,
    "row_counts": {"mentions": 150, "quarantine": 0},
    "sweep": {
        "1417": {"never_read_again_day_count": 3, "longest_unread_since": "2026-03-01T10:00:00+00:00"},
        "1418": {"never_read_again_day_count": 35, "longest_unread_since": None},
    },
    "streams": [
        {
            "stream": "mentions",
            "account_id": "1417",
            "lag_seconds": 3600,
            "late_after_seconds": 3600,
            "refused_at": None,
        },
        {"stream": "teams", "account_id": "1417", "lag_seconds": None, "late_after_seconds": 7200, "refused_at": ENDED},
    ],
    "budgets": [{"token": 1, "remaining_call_count": 340}, {"token": 2, "remaining_call_count": None}],
    "last_successes": {"sync": {"ended_at": ENDED}},
    "run_counts": [
        {"kind": "sync", "outcome": "done", "run_count": 95},
        {"kind": "sync", "outcome": "busy", "run_count": 0},
    ],
    "request_counts": [
        {
            "endpoint": '/{account_id}/odd\\"path\n',
            "call_count": 7,
            "row_count": 600,
            "retry_count": 2,
            "throttled_count": 1,
            "byte_count": 5_000_000_000,
            "seconds": 1.5,
        }
    ],
}
NOTHING: dict[str, Any] = {
    "as_of": STATUS["as_of"],
    "data_age_seconds": None,
    "row_counts": {},
    "sweep": {},
    "streams": [],
    "budgets": [],
    "last_successes": {},
    "run_counts": [],
    "request_counts": [],
}


def samples(text: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    found = [
        (sample.name, frozenset(sample.labels.items()), sample.value)
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    ]
    assert len(found) == len({each[:2] for each in found}), "a sample is told twice"
    return {(name.removeprefix("social_warehouse_"), labels): value for name, labels, value in found}


def test_every_number_of_the_status_is_there() -> None:
    mentions = {("stream", "mentions"), ("account", "1417")}
    teams = {("stream", "teams"), ("account", "1417")}
    endpoint = {("endpoint", '/{account_id}/odd\\"path\n')}
    expected: dict[tuple[str, frozenset[tuple[str, str]]], float] = {
        (name, frozenset(labels)): value
        for name, labels, value in [
            ("data_age_seconds", set(), 3600),
            ("published_timestamp_seconds", set(), 1_772_442_060),
            ("published_bytes", set(), 37_000_001),
            ("quarantine_rows", set(), 0),
            ("unswept_age_seconds", {("account", "1417")}, 86_400),
            ("never_swept_days", {("account", "1417")}, 3),
            ("never_swept_days", {("account", "1418")}, 35),
            ("stream_lag_seconds", mentions, 3600),
            ("stream_late_after_seconds", mentions, 3600),
            ("stream_late_after_seconds", teams, 7200),
            ("stream_refused", mentions, 0),
            ("stream_refused", teams, 1),
            ("budget_remaining_calls", {("token", "1")}, 340),
            ("last_run_success_timestamp_seconds", {("kind", "sync")}, 1_772_442_000),
            ("runs_total", {("kind", "sync"), ("outcome", "done")}, 95),
            ("runs_total", {("kind", "sync"), ("outcome", "busy")}, 0),
            ("requests_total", endpoint, 7),
            ("rows_listed_total", endpoint, 600),
            ("retries_total", endpoint, 2),
            ("throttled_total", endpoint, 1),
            ("response_bytes_total", endpoint, 5_000_000_000),
            ("request_seconds_total", endpoint, 1.5),
        ]
    }
    assert samples(exposition(STATUS)) == expected


def test_every_metric_says_what_it_is_and_of_what_type() -> None:
    text = exposition(STATUS)
    told = re.findall(r"^# (HELP|TYPE) (\S+) (.+)$", text, re.MULTILINE)
    names = set(re.findall(r"^(\w+)[{ ]", text, re.MULTILINE))
    assert {name for what, name, _ in told if what == "HELP"} == {name for what, name, _ in told if what == "TYPE"}
    assert names == {name for what, name, _ in told if what == "HELP"}
    assert all(
        kind == ("counter" if name.endswith("_total") else "gauge") for what, name, kind in told if what == "TYPE"
    )


def test_what_is_not_known_has_no_sample() -> None:
    assert samples(exposition(NOTHING)) == {}


@pytest.mark.parametrize(("rhythm", "seconds"), [(EVERY_RUN, 3600), (HOURLY, 7200), (DAILY, 172_800)])
def test_a_list_is_late_after_twice_its_rhythm_and_an_hour_at_least(rhythm: Any, seconds: int) -> None:
    assert late_after(rhythm).total_seconds() == seconds


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(None, "-"), (0, "0 s"), (59, "59 s"), (3600, "1 h"), (5401, "1 h 30 min"), (86_400 * 1200 + 7200, "1,200 d 2 h")],
)
def test_a_span_of_time_is_told_in_its_two_largest_units(seconds: int | None, words: str) -> None:
    assert in_words(seconds) == words
