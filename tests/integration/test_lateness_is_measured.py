"""How late mentions come into the warehouse, as the history tells it and as one who watches every sync counts."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from pipelines.keeping import lateness_of
from sandbox import DailyChanges

Make = Callable[..., Any]
BOUNDS = (300, 900, 1_800, 3_600, 21_600, 86_400, 604_800)


@pytest.mark.slow
def test_every_mention_that_is_added_later_is_counted_once(make_site: Make) -> None:
    """Late ones are found by what is done to them; what was there before the first sync is not counted."""
    site = make_site(
        mentions=600,
        days=9,
        daily=DailyChanges(late_arrivals=30, acts=60),
        stream_names=["topics", "mentions"],
        options={"social_connect_start_date": "2026-01-01"},
    )
    followed_from = site.box.now.timestamp()
    site.sync()
    known = set(ids := dict(site.rows("SELECT unique_id, added_at FROM mentions")))
    expected: Counter[int | None] = Counter()
    for hours in (0.05, 0.25, 0.5, 1, 7, 30):
        site.box.advance(hours=hours)
        site.sync()
        ids = dict(site.rows("SELECT unique_id, added_at FROM mentions"))
        for unique_id in ids.keys() - known:
            if ids[unique_id].timestamp() >= followed_from:
                seconds = (site.box.now - ids[unique_id]).total_seconds()
                expected[next((bound for bound in BOUNDS if seconds <= bound), None)] += 1
        known = set(ids)
    assert len(expected) >= 5
    table = site.rows("SELECT at_most_seconds, sum(mention_count)::BIGINT FROM history.lateness GROUP BY ALL")
    assert dict(table) == dict(expected)
    keys = "SELECT loaded_at, account_id, at_most_seconds FROM history.lateness GROUP BY ALL HAVING count(*) > 1"
    assert site.rows(keys) == []

    site.sync()
    assert site.one("SELECT sum(mention_count) FROM history.lateness") == expected.total(), "nothing was new"
    with site.reading() as con:
        (classes,) = lateness_of(con).values()
    assert {each["at_most_seconds"]: each["mention_count"] for each in classes} == dict(expected)
