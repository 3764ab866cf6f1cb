"""Silent edits, deletions, restorations, erasures: found by the API's counts, and what no count shows by the sweep."""

from bisect import bisect
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from pipelines.run import ReconcileReport, reconcile, replay

if TYPE_CHECKING:
    from datetime import datetime

pytestmark = pytest.mark.slow

Make = Callable[..., Any]
STREAMS = ["topics", "tags", "mentions", "cases"]


def reconciled(site: Any, **options: Any) -> ReconcileReport:
    return reconcile(site.settings(), as_of=site.box.now, **options)


def alive(site: Any) -> set[str]:
    return {unique_id for (unique_id,) in site.rows("SELECT unique_id FROM mentions WHERE deleted_at IS NULL")}


def truth(site: Any) -> dict[str, Any]:
    return {mention["unique_id"]: mention for mention in site.mentions(1417)}


def execute(site: Any, statement: str) -> None:
    with duckdb.connect(site.home / "warehouse.duckdb") as con:
        con.execute(statement)


def assert_in_step(site: Any) -> None:
    """Mentions that are there are as the account has them, in every table; the others are marked."""
    assert alive(site) == set(truth(site))
    site.assert_holds_the_truth("mention")


@pytest.fixture
def site(make_site: Make) -> Any:
    return make_site(mentions=220, stream_names=STREAMS, options={"social_warehouse_sweep_calls": 0}, is_synced=True)


def test_nothing_to_find_costs_one_question(site: Any) -> None:
    before = site.snapshot()
    (account,) = reconciled(site).accounts
    assert (account.different_count, account.days_read_again, account.notices) == (0, {}, [])
    assert account.compared_count > 100
    assert sum("/insights/facets" in request.path for request in site.box.requests) == 1
    assert site.snapshot() == before
    assert site.rows("SELECT measure, theirs, ours_before, ours_after, action FROM history.reconciliations") == [
        ("mentions", 220.0, 220.0, 220.0, "none"),
        ("cases", *[float(len(site.box.cases(1417)))] * 3, "none"),
    ]


def test_what_a_count_shows_is_read_again(site: Any) -> None:
    ids = sorted(truth(site))
    gone, edited, tagged = ids[10], ids[80], ids[150]
    site.box.delete_mention(1417, gone)
    sentiment = truth(site)[edited]["message"].get("sentiment")
    site.box.edit_mention(
        1417, edited, {"message": {"sentiment": "negative" if sentiment == "positive" else "positive"}}
    )
    site.box.edit_mention(1417, tagged, {"tags": ["VIP"]})
    site.box.advance(minutes=20)
    (account,) = reconciled(site).accounts
    assert 1 <= len(account.days_read_again["mentions"]) <= 3
    assert (account.deleted_count, account.restored_count, account.still_different_count) == (1, 0, 0)
    assert_in_step(site)
    assert site.one("SELECT deleted_at FROM mentions WHERE unique_id = $1", gone) == site.box.now
    actions = {action for (action,) in site.rows("SELECT action FROM history.reconciliations WHERE measure <> 'cases'")}
    assert actions == {"read again"}


def test_a_mention_that_comes_back_loses_its_mark(site: Any) -> None:
    gone = sorted(truth(site))[10]
    site.box.delete_mention(1417, gone)
    reconciled(site)
    assert gone not in alive(site)
    site.box.restore_mention(1417, gone)
    site.box.advance(hours=1)
    (account,) = reconciled(site).accounts
    assert account.restored_count == 1
    assert_in_step(site)
    deletions = site.rows("SELECT unique_id, restored_at FROM history.deletions")
    assert deletions == [(gone, site.box.now)]


def test_a_replay_keeps_the_marks(site: Any) -> None:
    gone, back = sorted(truth(site))[10:12]
    for unique_id in (gone, back):
        site.box.delete_mention(1417, unique_id)
    reconciled(site)
    site.box.restore_mention(1417, back)
    site.box.advance(hours=1)
    reconciled(site)
    marked = site.rows("SELECT unique_id, deleted_at FROM mentions WHERE deleted_at IS NOT NULL")
    assert [unique_id for unique_id, _ in marked] == [gone]
    execute(site, "DROP SCHEMA social_connect CASCADE")
    replay(site.settings(), as_of=site.box.now)
    assert site.rows("SELECT unique_id, deleted_at FROM mentions WHERE deleted_at IS NOT NULL") == marked


def test_an_erasure_is_found_by_the_sweep_and_leaves_no_payload(site: Any) -> None:
    texts = {key: (each["message"].get("content") or "").split("\n")[0] for key, each in sorted(truth(site).items())}
    erased = next(key for key, text in texts.items() if len(text) > 30 and text.isascii() and text.isprintable())
    needle = texts[erased][:30]
    kept = "SELECT count(*) FROM raw.mentions WHERE contains(payload, $1)"
    site.box.erase_mention(1417, erased)
    (account,) = reconciled(site).accounts
    assert account.different_count == 0, "no count shows it"
    assert site.one(kept, needle) >= 1
    site.options = {"social_warehouse_sweep_calls": 100}
    (account,) = reconciled(site).accounts
    assert site.one("SELECT count(*) FROM history.days_read WHERE read_at IS NULL") == 0
    assert_in_step(site)
    assert site.one("SELECT payload FROM raw.mentions WHERE unique_id = $1", erased).find(needle) == -1


def test_cases_that_are_gone_or_back_are_marked(site: Any) -> None:
    gone, edited, back = sorted(site.true_cases())[:3]
    site.box.delete_mention(1417, gone)
    site.box.delete_mention(1417, back)
    sentiment = site.true_cases()[edited][1]
    site.box.edit_mention(
        1417, edited, {"message": {"sentiment": "negative" if sentiment == "positive" else "positive"}}
    )
    site.box.advance(minutes=20)
    (account,) = reconciled(site).accounts
    assert (account.deleted_count, account.restored_count, account.still_different_count) == (2, 0, 0)
    assert 1 <= len(account.days_read_again["cases"]) <= 3
    assert "mentions" not in account.days_read_again
    assert site.cases_alive() == site.true_cases()
    site.box.restore_mention(1417, back)
    site.box.advance(hours=1)
    (account,) = reconciled(site).accounts
    assert (account.deleted_count, account.restored_count) == (0, 1)
    assert site.cases_alive() == site.true_cases()
    marks = "SELECT object, unique_id, restored_at IS NULL FROM history.deletions ORDER BY unique_id"
    assert site.rows(marks) == [("case", gone, True), ("case", back, False)]
    execute(site, "DROP SCHEMA social_connect CASCADE")
    replay(site.settings(), as_of=site.box.now)
    assert site.cases_alive() == site.true_cases()


def last_act(case: Any) -> int:
    return max((action["date"]["added"] for action in case["case"]["actions"]), default=0)


def test_what_no_count_shows_of_a_case_is_found_by_the_sweep(make_site: Make) -> None:
    """Its text was edited, and a mention in it has gone; its last action is too old for a sync's first page."""
    site = make_site(mentions=500, stream_names=STREAMS, options={"social_warehouse_sweep_calls": 0})
    site.sync()
    oldest = sorted(site.box.cases(1417), key=last_act)
    assert len(oldest) > 110
    edited, smaller = (case["case"]["unique_id"] for case in oldest[:2])
    linked = oldest[1]["linked_mentions"][0]["unique_id"]
    site.box.edit_mention(1417, edited, {"message": {"content": "Another text"}})
    site.box.delete_mention(1417, linked)
    site.box.advance(minutes=20)
    (account,) = reconciled(site).accounts
    assert "cases" not in account.days_read_again
    assert site.cases_alive() != site.true_cases()
    site.options = {"social_warehouse_sweep_calls": 200}
    (account,) = reconciled(site).accounts
    assert smaller in site.cases_alive()
    assert site.cases_alive() == site.true_cases()
    assert_in_step(site)


def test_cases_that_the_api_refuses_are_left_out(site: Any) -> None:
    site.box.behaviour = type(site.box.behaviour)(not_in_plan=frozenset({"inbox/cases"}))
    site.box.delete_mention(1417, min(site.true_cases()))
    gone = sorted(truth(site))[10]
    site.box.delete_mention(1417, gone)
    site.options = {"social_warehouse_sweep_calls": 200}
    (account,) = reconciled(site).accounts
    assert set(account.days_read_again) == {"mentions"}
    assert set(account.days_swept) == {"mentions"}
    assert_in_step(site)


def test_without_counts_nothing_is_read_or_marked(make_site: Make) -> None:
    """An account whose plan has neither statistics nor cases: then nobody knows what is gone, nor what is empty."""
    site = make_site(mentions=60, stream_names=["topics", "tags", "mentions"])
    site.box.behaviour = type(site.box.behaviour)(not_in_plan=frozenset({"insights/facets", "inbox/cases"}))
    site.sync()
    before = site.one("SELECT count(*) FROM mentions WHERE deleted_at IS NULL")
    site.box.delete_mention(1417, min(truth(site)))
    site.options = {"social_warehouse_sweep_calls": 200}
    (account,) = reconciled(site).accounts
    assert "gives no counts" in account.notices[-1]
    assert (account.days_read_again, account.days_swept) == ({}, {})
    assert site.one("SELECT count(*) FROM mentions WHERE deleted_at IS NULL") == before
    assert site.rows("FROM history.days_read") == []


def test_the_sweep_takes_the_days_in_turn(site: Any) -> None:
    site.options = {"social_warehouse_sweep_calls": 20}
    swept: Counter[tuple[str, datetime]] = Counter()
    for _ in range(4):
        site.box.advance(hours=1)
        (account,) = reconciled(site).accounts
        assert account.swept_count == 20
        swept.update((name, day) for name, days in account.days_swept.items() for day in days)
    held = site.rows(
        "SELECT 'mentions', added_at FROM mentions UNION ALL SELECT 'cases', added_at FROM cases ORDER BY ALL"
    )
    starts = [start for (start,) in site.rows("SELECT DISTINCT day_start_at FROM history.days_read ORDER BY ALL")]
    days = {(name, starts[bisect(starts, added) - 1]) for name, added in held if added >= starts[0]}
    assert set(swept) == days
    assert max(swept.values()) - min(swept.values()) <= 1, "none is read twice before all are read once"
    assert len(site.rows("FROM history.days_read")) == 2 * account.day_count


def test_days_that_differ_for_good_are_not_read_for_ever(site: Any) -> None:
    """A count that lies costs its reading once."""
    execute(site, "UPDATE social_connect.mentions SET message_sentiment = 'none' WHERE message_sentiment = 'positive'")
    first, second = (reconciled(site).accounts[0] for _ in range(2))
    assert first.still_different_count > 0
    assert first.read_again_count > 0
    assert second.days_read_again == {}


def test_a_list_that_leaves_rows_out_marks_nothing(site: Any) -> None:
    """What is read is not as many as the API counts: then nobody knows what is gone."""
    gone, hidden = sorted(truth(site), key=lambda key: truth(site)[key]["date"]["added"])[150:152]
    site.box.delete_mention(1417, gone)

    def hide(path: str) -> None:
        if path.endswith("/inbox/mentions") and "/insights/facets" in site.box.requests[-1].path:
            site.box.before_request = None
            site.box.delete_mention(1417, hidden)

    site.box.before_request = hide
    (account,) = reconciled(site).accounts
    assert account.unsettled_count > 0
    assert account.deleted_count == 0
    site.box.advance(hours=1)
    reconciled(site)
    assert_in_step(site)


def test_a_budget_that_ends_it_loses_nothing(site: Any) -> None:
    ids = sorted(truth(site))
    for unique_id in ids[::30]:
        site.box.delete_mention(1417, unique_id)
    report = reconciled(site, max_requests=9)
    assert report.stopped_by is not None
    for _ in range(6):
        report = reconciled(site, max_requests=15)
    assert_in_step(site)
