"""Random histories, cut by syncs and reconciliations of which some stop early: one that goes through brings in step."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines.api import SocialConnectError
from pipelines.run import reconcile
from sandbox import DailyChanges

Make = Callable[..., Any]

pytestmark = pytest.mark.slow

HISTORIES = st.builds(
    DailyChanges,
    acts=st.integers(0, 12),
    edits=st.integers(0, 8),
    swaps=st.integers(0, 3),
    deletions=st.integers(0, 4),
    restorations=st.integers(0, 2),
    erasures=st.integers(0, 2),
    late_arrivals=st.integers(0, 4),
    moves=st.integers(0, 2),
)
STOPS = st.one_of(
    st.just(("none", 0)),
    st.tuples(st.just("budget"), st.integers(1, 12)),
    st.tuples(st.just("failure"), st.integers(0, 8)),
)
CUTS = st.lists(
    st.tuples(st.integers(1, 40), st.sampled_from(["sync", "reconcile"]), STOPS, st.sampled_from([0, 5, 40])),
    min_size=1,
    max_size=4,
)


def run(site: Any, what: str, stop: tuple[str, int], sweep_calls: int) -> None:
    """A sync or a reconciliation that may be stopped by its budget, or by an API that answers no more."""
    why, after = stop
    max_requests = after if why == "budget" else None
    if why == "failure":
        site.box.faults.add("html", path="inbox/mentions", after=after, times=None, status=502)
    try:
        if what == "sync":
            site.sync(max_requests=max_requests)
        else:
            given = site.settings(social_warehouse_sweep_calls=sweep_calls)
            reconcile(given, as_of=site.box.now, max_requests=max_requests)
    except SocialConnectError:
        assert why == "failure"
    finally:
        site.box.faults.clear()


@settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(1, 1_000), daily=HISTORIES, cuts=CUTS)
def test_whatever_happens(make_site: Make, seed: int, daily: DailyChanges, cuts: list[Any]) -> None:
    site = make_site(
        seed=seed,
        mentions=200,
        days=20,
        daily=daily,
        stream_names=["topics", "tags", "mentions", "cases"],
        options={"social_warehouse_sweep_calls": 0, "social_connect_start_date": "2026-01-20"},
    )
    site.sync()
    for hours, what, stop, sweep_calls in cuts:
        site.box.advance(hours=hours)
        run(site, what, stop, sweep_calls)
    site.box.advance(hours=1)
    site.sync()
    (account,) = reconcile(site.settings(), as_of=site.box.now).accounts
    assert account.still_different_count == 0
    alive = {unique_id for (unique_id,) in site.rows("SELECT unique_id FROM mentions WHERE deleted_at IS NULL")}
    assert alive == {mention["unique_id"] for mention in site.mentions(1417)}

    reconcile(site.settings(social_warehouse_sweep_calls=1_000), as_of=site.box.now)
    site.assert_holds_the_truth("mention")
    assert site.cases_alive() == site.true_cases()
