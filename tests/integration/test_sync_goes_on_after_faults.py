"""What the API may do wrong costs no row: it is kept aside, tried again, or read by the next run."""

import json
import logging
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from pipelines.api import AuthenticationFailed, ForeignNextUrl, SocialConnectError

pytestmark = pytest.mark.slow

Make = Callable[..., Any]

MENTIONS = "/1417/inbox/mentions"


@pytest.fixture(scope="module")
def make_site(make_site: Make) -> Make:
    """Sites that read what mentions need, and no more: every other stream costs each sync time."""
    return partial(make_site, stream_names=["topics", "users", "mentions"])


@pytest.fixture
def warnings(caplog: pytest.LogCaptureFixture) -> Callable[[], str]:
    caplog.set_level(logging.WARNING)
    return lambda: caplog.text


def test_an_unknown_field_is_reported_and_kept(make_site: Make, warnings: Callable[[], str]) -> None:
    site = make_site(mentions=60)
    site.box.faults.add("unknown_field", path="inbox/mentions", times=None)
    drift = site.sync().load.drift
    assert any("unknown field mentions.future_field" in line and "_extra" in line for line in drift)
    assert any("unknown field mention_actions.future_field" in line for line in drift)
    assert "unknown field mentions.future_field" in warnings()
    extras = [json.loads(text) for (text,) in site.rows("SELECT _extra FROM mentions")]
    assert len(extras) == len(site.mentions(1417))
    assert all(extra["future_field"] == {"level": "top", "numbers": [1, 2]} for extra in extras)
    assert all(extra["date.future_field"] == "nested" for extra in extras)
    actions = [json.loads(text) for (text,) in site.rows("SELECT _extra FROM mention_actions")]
    assert actions
    assert all(extra["future_field"] == "element" for extra in actions)


def test_a_changed_type_is_reported_and_kept(make_site: Make) -> None:
    site = make_site(mentions=60)
    site.box.faults.add("changed_type", path="inbox/mentions", times=None, field="timestamps.handle_time", value="n/a")
    (line,) = site.sync().load.drift
    assert line.startswith("mentions.timestamps.handle_time was text where integer is declared")
    assert site.rows("SELECT DISTINCT handle_time_seconds, _extra FROM mentions WHERE _extra IS NOT NULL") == [
        (None, '{"timestamps.handle_time":"n/a"}')
    ]
    site.box.faults.clear()
    site.box.advance(hours=1)
    key = site.mentions(1417)[0]["unique_id"]
    site.box.act(1417, key, kind="note", text="seen")
    site.sync()
    assert site.rows("SELECT handle_time_seconds IS NOT NULL, _extra FROM mentions WHERE unique_id = $1", key) == [
        (True, None)
    ]


def test_a_record_that_cannot_be_read_is_set_aside_once_and_the_rest_goes_on(make_site: Make) -> None:
    site = make_site(mentions=130)
    record = {"id": "5", "status": "no unique_id"}
    site.box.faults.add("unreadable_record", path="inbox/mentions", times=None, record=record)
    assert site.sync().load.quarantined_count == 1
    site.sync()
    assert site.rows("SELECT account_id, object, reason, raw_text FROM quarantine") == [
        ("1417", "mention", "no value for the key unique_id", '{"id":"5","status":"no unique_id"}')
    ]
    site.assert_holds_the_truth()


def test_a_page_without_rows_does_not_end_a_list(make_site: Make) -> None:
    """Nor does it make the rows forgotten that it should have held."""
    site = make_site(mentions=350)
    site.box.faults.add("empty_page", path="inbox/mentions", after=1)
    site.sync()
    site.box.advance(hours=1)
    site.sync()
    site.assert_holds_the_truth()


def test_a_used_up_budget_ends_a_run_with_what_was_read_and_the_next_goes_on(make_site: Make) -> None:
    site = make_site(mentions=750, rate_limit_per_hour=6)
    counts = []
    for _hour in range(10):
        extraction = site.sync()
        assert extraction.request_count <= 6
        counts.append(site.one("SELECT count(*) FROM mentions"))
        if not extraction.budget_was_used_up:
            break
        assert extraction.resume_at is not None
        assert "Run again then" in str(extraction.load.stopped_by)
        site.box.advance(hours=1)
    assert counts[0] >= 200, "three requests went to accounts, topics and users"
    assert counts == sorted(counts)
    assert len(counts) > 2
    assert not extraction.budget_was_used_up
    site.assert_holds_the_truth()


def test_a_run_may_be_given_less_than_the_api_allows(make_site: Make) -> None:
    site = make_site(mentions=600)
    first = site.sync(max_requests=6)
    assert (first.request_count, first.resume_at) == (6, None)
    assert "max_requests" in str(first.load.stopped_by)
    assert not site.sync().budget_was_used_up
    site.assert_holds_the_truth()


def test_a_throttled_request_ends_a_run_cleanly(make_site: Make) -> None:
    site = make_site(mentions=400)
    site.box.faults.add("throttle", path="inbox/mentions", after=2)
    assert site.sync().budget_was_used_up
    assert site.one("SELECT count(*) FROM mentions") == 200
    assert not site.sync().budget_was_used_up
    site.assert_holds_the_truth()


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("expired_token", AuthenticationFailed),
        ("foreign_next_url", ForeignNextUrl),
    ],
)
def test_what_was_read_before_a_failure_is_loaded(
    make_site: Make, monkeypatch: pytest.MonkeyPatch, fault: str, error: type[SocialConnectError]
) -> None:
    """A page is one of 350 an hour: it is not to be read again because a later one fails."""
    monkeypatch.setattr("pipelines.source.reading.BATCH_PAGES", 1)
    site = make_site(mentions=600)
    site.box.faults.add(fault, path="inbox/mentions", after=4, times=None)
    with pytest.raises(error):
        site.sync()
    site.box.faults.clear()
    loaded = site.one("SELECT count(*) FROM mentions")
    requests_before = len(site.box.requests)
    site.sync()
    site.assert_holds_the_truth()
    assert loaded >= 400
    assert len([r for r in site.box.requests[requests_before:] if r.path.endswith("mentions")]) <= 4


def test_a_failure_after_a_good_load_changes_no_row(make_site: Make) -> None:
    site = make_site(is_synced=True)
    before = site.snapshot()
    site.box.advance(hours=5)
    site.box.faults.add("expired_token", path="inbox/mentions")
    with pytest.raises(AuthenticationFailed):
        site.sync()
    assert {name: rows for name, rows in site.snapshot().items() if name.startswith("mention")} == {
        name: rows for name, rows in before.items() if name.startswith("mention")
    }
    site.sync()
    site.assert_holds_the_truth()


def test_a_cut_or_foreign_answer_is_asked_for_again(make_site: Make) -> None:
    site = make_site(mentions=450)
    for number, fault in enumerate(("cut_json", "html", "cut_connection", "status")):
        site.box.faults.add(fault, path="inbox/mentions", after=number, status=502)
    site.sync()
    assert [request.status for request in site.box.requests if request.path.endswith(MENTIONS)].count(502) == 2
    site.assert_holds_the_truth()


def test_a_second_token_takes_over_when_the_first_is_used_up(make_site: Make) -> None:
    tokens = ("first-user-token", "second-user-token")
    site = make_site(
        mentions=450, rate_limit_per_hour=5, tokens=tokens, options={"social_connect_access_token": ",".join(tokens)}
    )
    assert not site.sync().budget_was_used_up
    site.assert_holds_the_truth()


def test_a_deletion_while_pages_are_read_hides_no_row(make_site: Make) -> None:
    """Pages are offsets: when a row that was read goes, the next page begins one row too late."""
    site = make_site(mentions=350)

    class DeleteOne:
        def step(self, name: str) -> None:
            """Nothing to do."""

        def page(self, stream: str, page: Any, remaining_count: int | None) -> None:  # noqa: ARG002 - the protocol's shape
            if stream == "mentions" and not page.is_last and site.box.accounts[1417].revision == 0:
                site.box.delete_mention(1417, page.records[0]["unique_id"])

    site.sync(progress=DeleteOne())
    alive = {mention["unique_id"] for mention in site.mentions(1417)}
    held = {key for (key,) in site.rows("SELECT unique_id FROM mentions")}
    assert alive <= held
