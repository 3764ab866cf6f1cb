"""Silent edits, deletions, restorations, erasures: found by the API's counts, and what no count shows by the sweep."""

from collections.abc import Callable
from typing import Any

import duckdb
import pytest

from pipelines.run import ReconcileReport, reconcile, replay

Make = Callable[..., Any]
STREAMS = ["topics", "tags", "mentions"]


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
    made = make_site(mentions=220, stream_names=STREAMS, options={"social_warehouse_sweep_calls": 0})
    made.sync()
    return made


def test_nothing_to_find_costs_one_question(site: Any) -> None:
    before = site.snapshot()
    (account,) = reconciled(site).accounts
    assert (account.different_count, account.days_read_again, account.notices) == (0, [], [])
    assert account.compared_count > 100
    assert sum("/insights/facets" in request.path for request in site.box.requests) == 1
    assert site.snapshot() == before
    assert site.rows("SELECT measure, theirs, ours_before, ours_after, action FROM history.reconciliations") == [
        ("mentions", 220.0, 220.0, 220.0, "none")
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
    assert 1 <= len(account.days_read_again) <= 3
    assert (account.deleted_count, account.restored_count, account.still_different_count) == (1, 0, 0)
    assert_in_step(site)
    assert site.one("SELECT deleted_at FROM mentions WHERE unique_id = $1", gone) == site.box.now
    actions = {action for (action,) in site.rows("SELECT action FROM history.reconciliations")}
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
    assert len(account.days_swept) == account.day_count
    assert_in_step(site)
    assert site.one("SELECT payload FROM raw.mentions WHERE unique_id = $1", erased).find(needle) == -1


@pytest.mark.slow
def test_the_sweep_takes_the_days_in_turn(site: Any) -> None:
    site.options = {"social_warehouse_sweep_calls": 10}
    swept = []
    for _ in range(4):
        site.box.advance(hours=1)
        (account,) = reconciled(site).accounts
        assert len(account.days_swept) == 10
        swept += account.days_swept
    assert len(set(swept)) == account.day_count
    assert len(site.rows("FROM history.days_read")) == account.day_count


def test_days_that_differ_for_good_are_not_read_for_ever(make_site: Make) -> None:
    """A count that lies costs its reading once."""
    site = make_site(mentions=100, stream_names=STREAMS, options={"social_warehouse_sweep_calls": 0})
    site.sync()
    execute(site, "UPDATE social_connect.mentions SET message_sentiment = 'none' WHERE message_sentiment = 'positive'")
    first, second = (reconciled(site).accounts[0] for _ in range(2))
    assert first.still_different_count > 0
    assert len(first.days_read_again) > 0
    assert second.days_read_again == []


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


@pytest.mark.slow
def test_a_budget_that_ends_it_loses_nothing(site: Any) -> None:
    ids = sorted(truth(site))
    for unique_id in ids[::30]:
        site.box.delete_mention(1417, unique_id)
    report = reconciled(site, max_requests=9)
    assert report.stopped_by is not None
    for _ in range(6):
        report = reconciled(site, max_requests=15)
    assert_in_step(site)
