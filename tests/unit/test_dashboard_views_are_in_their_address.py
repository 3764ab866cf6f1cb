"""What a viewer has chosen is in the address, and comes back from it as it was."""

from datetime import date, timedelta

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.dashboard.filters import LISTS, ZONES, Filters

TODAY = date(2026, 3, 2)
dates = st.dates(date(2020, 1, 1), date(2030, 1, 1))
values = st.lists(st.text(min_size=1), unique=True, max_size=3).map(tuple)


@st.composite
def filters(draw: st.DrawFn) -> Filters:
    first, last = sorted((draw(dates), draw(dates)))
    return Filters(first, last, **{name: draw(values) for name in LISTS}, zone=draw(st.none() | st.sampled_from(ZONES)))


@given(filters())
def test_an_address_brings_back_the_choice(chosen: Filters) -> None:
    assert Filters.from_address(chosen.to_address(today=TODAY), today=TODAY) == chosen


def test_the_usual_choice_is_the_bare_address_and_moves_on_with_the_days() -> None:
    usual = Filters.from_address({}, today=TODAY)
    assert (usual.first_date, usual.last_date, usual.day_count) == (date(2026, 2, 3), TODAY, 28)
    assert usual.to_address(today=TODAY) == {}
    tomorrow = TODAY + timedelta(days=1)
    assert Filters.from_address({}, today=tomorrow).last_date == tomorrow


def test_an_address_names_each_filter_in_words() -> None:
    chosen = Filters(date(2026, 2, 1), date(2026, 2, 7), project=("5021",), topic=("46283", "46284"), tag=("VIP",))
    assert chosen.to_address(today=TODAY) == {
        "from": ["2026-02-01"],
        "to": ["2026-02-07"],
        "project": ["5021"],
        "topic": ["46283", "46284"],
        "tag": ["VIP"],
    }
    in_tokyo = Filters(*_usual_dates(), zone="Asia/Tokyo")
    assert in_tokyo.to_address(today=TODAY) == {"zone": ["Asia/Tokyo"]}


def _usual_dates() -> tuple[date, date]:
    usual = Filters.usual(TODAY)
    return usual.first_date, usual.last_date


@pytest.mark.parametrize("zones", [[], [""], ["Europe/Atlantis"], ["Asia/Tokyo", "'; drop table"]])
def test_a_zone_that_nobody_knows_is_none(zones: list[str]) -> None:
    assert Filters.from_address({"zone": zones}, today=TODAY) == Filters.usual(TODAY)


def test_every_zone_that_can_be_chosen_is_known_to_the_database() -> None:
    with duckdb.connect() as con:
        known = {name for (name,) in con.execute("select name from pg_timezone_names()").fetchall()}
    assert len(ZONES) > 400
    assert set(ZONES) <= known


@pytest.mark.parametrize(
    ("address", "first", "last"),
    [
        ({"from": ["yesterday"], "to": ["2026-13-01"]}, date(2026, 2, 3), TODAY),
        ({"from": ["2026-02-10"]}, date(2026, 2, 10), TODAY),
        ({"to": ["2026-02-10"]}, date(2026, 2, 3), date(2026, 2, 10)),
        ({"to": ["2026-01-10"]}, date(2026, 1, 10), date(2026, 1, 10)),
        ({"from": ["2026-02-20"], "to": ["2026-02-10"]}, date(2026, 2, 10), date(2026, 2, 20)),
        ({"from": [], "unknown": ["1"]}, date(2026, 2, 3), TODAY),
    ],
)
def test_an_address_that_is_wrong_or_short_still_gives_a_view(
    address: dict[str, list[str]], first: date, last: date
) -> None:
    chosen = Filters.from_address(address, today=TODAY)
    assert (chosen.first_date, chosen.last_date) == (first, last)


def test_the_days_before_are_as_many_and_end_where_these_begin() -> None:
    before = Filters(date(2026, 2, 3), TODAY, channel=("facebook",)).before()
    assert before == Filters(date(2026, 1, 6), date(2026, 2, 2), channel=("facebook",))


def test_the_usual_dates_of_an_open_page_move_on_and_chosen_ones_stay() -> None:
    tomorrow = TODAY + timedelta(days=1)
    usual = Filters(date(2026, 2, 3), TODAY, tag=("VIP",))
    assert usual.moved_on(TODAY, tomorrow) == Filters(date(2026, 2, 4), date(2026, 3, 3), tag=("VIP",))
    for chosen in (Filters(date(2026, 2, 4), TODAY), Filters(date(2026, 2, 3), date(2026, 3, 1))):
        assert chosen.moved_on(TODAY, tomorrow) == chosen
