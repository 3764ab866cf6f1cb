"""Facets become tidy rows: matrices worked out by hand, in every form the API has sent them or may."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.statistics import Asked, Definition, FacetUnreadable, as_arrow, facet_rows
from transforms.tables import OVERALL, STATISTICS

Json = dict[str, Any]

FIRST = datetime(2026, 3, 1, tzinfo=UTC)
ASKED = Asked("1417", ("7", "8"), FIRST, FIRST + timedelta(days=3), FIRST + timedelta(days=3, hours=25))
# Three days on Brussels' clock, of which the first begins before the days that are asked for.
STARTS = [int((FIRST + timedelta(days=day, hours=-1)).timestamp()) for day in range(4)]


def definition(**words: Any) -> Definition:
    return Definition(**{"name": "numbers", "counts": "Mentions.", "unit": "mentions", **words})


OVER_ALL = definition()
BY_SENTIMENT = definition(segmentation={"field": "message.sentiment", "size": 10})
BY_STATUS = definition(segmentation={"filters": {"new": "status:new", "done": "status:done"}})
FANS = definition(type="monitored profile kpis", value="followers", profile_ids=("31", "32"))


def keys(*ids: Any) -> list[Json]:
    return [{"id": each, "text": "Mar 1", "html": "Mar 1"} for each in ids]


def segments(*ids: Any) -> list[Json]:
    return [{"id": each, "text": str(each).title(), "html": str(each)} for each in ids]


def rows(asked_for: Definition, facet: Any, asked: Asked = ASKED) -> list[Json]:
    return as_arrow(facet_rows(asked_for, facet, asked)).to_pylist()


def cells(asked_for: Definition, facet: Any) -> dict[tuple[str, int], float | None]:
    """Values by segment and the day of March on which the bucket begins."""
    return {(row["segment"], row["bucket_start_at"].day): row["value"] for row in rows(asked_for, facet)}


def test_a_number_over_all_has_its_whole_question_beside_it() -> None:
    (row,) = rows(OVER_ALL, {"keys": keys(STARTS[1]), "segments": segments("mentions"), "data": [[12]]})
    assert row == {
        "account_id": "1417",
        "definition": "numbers",
        "segment": OVERALL,
        "bucket_start_at": datetime(2026, 3, 1, 23, tzinfo=UTC),
        "bucket_start_date": "2026-03-01",
        "grouping": "day",
        "zone_offset_seconds": None,
        "segment_label": None,
        "value": 12.0,
        "unit": "mentions",
        "type": "mentions",
        "filter": "",
        "topic_ids": "7,8",
        "profile_ids": "",
        "asked_from_at": FIRST,
        "asked_to_at": datetime(2026, 3, 5, 1, tzinfo=UTC),
        "request": '{"key":{"field":"date.added","grouping":"day"},"value":null,"segmentation":null,"type":"mentions"}',
        "_content_hash": None,
        "_loaded_at": None,
        "_is_removed": None,
    }


def test_segments_go_down_and_buckets_across() -> None:
    facet = {"keys": keys(*STARTS[1:3]), "segments": segments("positive", "negative"), "data": [[1, 2], [3, 4]]}
    assert cells(BY_SENTIMENT, facet) == {
        ("positive", 1): 1,
        ("positive", 2): 2,
        ("negative", 1): 3,
        ("negative", 2): 4,
    }
    assert {row["segment_label"] for row in rows(BY_SENTIMENT, facet)} == {"Positive", "Negative"}


def test_buckets_that_begin_outside_the_days_are_left_to_other_calls() -> None:
    starts = [*STARTS, STARTS[-1] + 3_599, STARTS[-1] + 3_600]
    found = rows(OVER_ALL, {"keys": keys(*starts), "segments": [], "data": [[1, 2, 3, 4, 5, 6]]})
    assert [row["value"] for row in found] == [2, 3, 4, 5]
    assert [row["bucket_start_date"] for row in found] == ["2026-03-01", "2026-03-02", "2026-03-03", "2026-03-03"]


def test_null_and_0_differ_and_a_number_may_be_text() -> None:
    facet = {
        "keys": keys(*STARTS[1:]),
        "segments": segments("a", "b"),
        "data": [[None, 0, "0"], ["12", "1.5e1", -2.25]],
    }
    assert list(cells(BY_SENTIMENT, facet).values()) == [None, 0, 0, 12, 15, -2.25]


@pytest.mark.parametrize(
    ("key", "offset_seconds"),
    [
        ({"id": STARTS[1]}, None),
        ({"id": float(STARTS[1])}, None),
        ({"id": str(STARTS[1])}, None),
        ({"name": STARTS[1]}, None),
        ({"name": str(STARTS[1]), "id": None}, None),
        ({"id": "2026-03-02T00:00:00+01:00"}, 3_600),
        ({"id": "2026-03-01T17:30:00-05:30"}, -19_800),
        ({"id": "2026-03-01T23:00:00Z"}, 0),
    ],
    ids=str,
)
def test_a_key_is_unix_seconds_or_text_with_an_offset(key: Json, offset_seconds: int | None) -> None:
    (row,) = rows(OVER_ALL, {"keys": [key], "segments": [], "data": [[1]]})
    assert row["bucket_start_at"] == datetime(2026, 3, 1, 23, tzinfo=UTC)
    assert row["zone_offset_seconds"] == offset_seconds


@pytest.mark.parametrize(
    "told", [{}, {"segments": []}, {"segments": None}, {"segments": segments("mentions")}], ids=str
)
def test_nothing_segmented_is_one_row_of_the_matrix(told: Json) -> None:
    assert cells(OVER_ALL, {"keys": keys(STARTS[1]), "data": [[5]], **told}) == {(OVERALL, 1): 5}


@pytest.mark.parametrize(
    "facet",
    [
        [],
        {},
        {"keys": [], "segments": [], "data": []},
        {"keys": keys(*STARTS), "segments": [], "data": []},
        {"keys": [], "segments": segments("a", "b"), "data": [[], []]},
        {"keys": [], "segments": segments("a", "b"), "data": []},
    ],
    ids=str,
)
def test_no_buckets_or_no_segments_are_no_rows(facet: Any) -> None:
    assert rows(BY_SENTIMENT, facet) == []


@pytest.mark.parametrize(
    "told",
    [
        segments("new", "done"),
        [{"id": "status:new", "text": "New"}, {"id": "status:done", "text": "Done"}],
        [{"id": 0, "text": "new"}, {"id": 1, "text": "done"}],
        [{"name": "new"}, {"name": "status:done"}],
    ],
    ids=str,
)
def test_a_segment_of_our_own_has_its_label_however_it_is_named(told: list[Json]) -> None:
    facet = {"keys": keys(STARTS[1]), "segments": told, "data": [[1], [2]]}
    assert cells(BY_STATUS, facet) == {("new", 1): 1, ("done", 1): 2}


def test_a_segment_of_a_field_is_text_also_where_it_has_no_id() -> None:
    facet = {"keys": keys(STARTS[1]), "segments": [{"id": 46283, "text": "KLM"}, {"id": None, "text": "Unknown"}]}
    found = rows(BY_SENTIMENT, {**facet, "data": [[1], [2]]})
    assert [(row["segment"], row["segment_label"]) for row in found] == [("46283", "KLM"), ("Unknown", "Unknown")]


def test_profiles_are_segments_though_none_were_asked_for() -> None:
    facet = {"keys": keys(STARTS[1]), "segments": segments(31, 32), "data": [[900], [41]]}
    assert cells(FANS, facet) == {("31", 1): 900, ("32", 1): 41}
    assert {row["profile_ids"] for row in rows(FANS, facet)} == {"31,32"}


ONE_KEY = keys(STARTS[1])


@pytest.mark.parametrize(
    ("asked_for", "facet", "reason"),
    [
        (OVER_ALL, {"keys": ONE_KEY, "data": [[1, 2]]}, "got 1 rows of 2 cells for data; wants 1 of 1"),
        (OVER_ALL, {"keys": ONE_KEY, "data": [[1], [2]]}, "got 2 rows of 1 cells for data; wants 1 of 1"),
        (OVER_ALL, {"keys": ONE_KEY, "data": []}, "got 0 rows of no cells for data; wants 1 of 1"),
        (OVER_ALL, {"keys": ONE_KEY}, "got 0 rows of no cells for data"),
        (OVER_ALL, {"keys": ONE_KEY, "data": [7]}, "got 1 rows of None cells"),
        (OVER_ALL, {"keys": ONE_KEY, "segments": segments("a", "b"), "data": [[1], [2]]}, "got 2 segments"),
        (BY_SENTIMENT, {"keys": ONE_KEY, "segments": segments("a", "b"), "data": [[1]]}, "wants 2 of 1"),
        (BY_SENTIMENT, {"keys": ONE_KEY, "segments": segments("a", "a"), "data": [[1], [2]]}, "a segment twice"),
        (OVER_ALL, {"keys": ONE_KEY * 2, "data": [[1, 2]]}, "a key twice"),
        (OVER_ALL, {"keys": ONE_KEY, "data": [["many"]]}, 'got "many" where a number or null is wanted'),
        (OVER_ALL, {"keys": ONE_KEY, "data": [[""]]}, 'got "" where'),
        (OVER_ALL, {"keys": ONE_KEY, "data": [[True]]}, "got true where"),
        (OVER_ALL, {"keys": ONE_KEY, "data": [[{"value": 1}]]}, 'got {"value": 1} where'),
        (OVER_ALL, {"keys": ONE_KEY, "data": [["nan"]]}, 'got "nan" where'),
        (OVER_ALL, {"keys": ONE_KEY, "data": [["1e999"]]}, 'got "1e999" where'),
        (OVER_ALL, {"keys": ONE_KEY, "data": "12"}, 'got "12" for data; wants a list'),
        (OVER_ALL, {"keys": keys("2026-03-01"), "data": [[1]]}, "wants unix seconds, or ISO 8601 with an offset"),
        (OVER_ALL, {"keys": keys("Mar 1"), "data": [[1]]}, 'got "Mar 1" for a key'),
        (OVER_ALL, {"keys": keys(STARTS[1] * 1_000_000), "data": [[1]]}, "for a key; wants unix seconds"),
        (OVER_ALL, {"keys": keys(0.5), "data": [[1]]}, "got 0.5 for a key"),
        (OVER_ALL, {"keys": keys(True), "data": [[1]]}, "for a key; wants an object with an id"),
        (OVER_ALL, {"keys": [STARTS[1]], "data": [[1]]}, "for a key; wants an object with an id"),
        (BY_STATUS, {"keys": ONE_KEY, "segments": segments("new", 1), "data": [[1], [2]]}, "wants one of new, done"),
        (OVER_ALL, "<html>", 'got "<html>" for keys; wants a list'),
        (OVER_ALL, [[1]], "wants an object with an id"),
    ],
)
def test_what_is_no_matrix_of_numbers_is_refused_by_name(asked_for: Definition, facet: Any, reason: str) -> None:
    with pytest.raises(FacetUnreadable) as refused:
        facet_rows(asked_for, facet, ASKED)
    assert str(refused.value).startswith("numbers: ")
    assert reason in refused.value.reason


@given(
    st.lists(st.text(min_size=1, max_size=6), max_size=6, unique=True).flatmap(
        lambda names: st.tuples(
            st.just(names),
            st.lists(
                st.lists(st.none() | st.integers(0, 2**40), min_size=3, max_size=3),
                min_size=len(names),
                max_size=len(names),
            ),
        )
    )
)
def test_every_cell_is_one_row_and_the_sum_over_segments_stays(drawn: tuple[list[str], list[list[int | None]]]) -> None:
    names, data = drawn
    facet = {"keys": keys(*STARTS[1:]), "segments": [{"id": name} for name in names], "data": data}
    found = rows(BY_SENTIMENT, json.loads(json.dumps(facet)))
    assert [row["value"] for row in found] == [cell for row in data for cell in row]
    assert [row["segment"] for row in found] == [name for name in names for _ in range(3)]
    key = [tuple(row[name] for name in STATISTICS.key_names) for row in found]
    assert len(set(key)) == len(key)
    assert all(row[name] is not None for row in found for name in STATISTICS.key_names)
    for place, start in enumerate(STARTS[1:]):
        there = [row["value"] for row in found if row["bucket_start_at"].timestamp() == start]
        assert sum(value or 0 for value in there) == sum(row[place] or 0 for row in data)


def test_the_table_says_what_each_column_holds() -> None:
    columns = STATISTICS.all_columns
    assert STATISTICS.key_names[0] == "account_id"
    assert len({column.name for column in columns}) == len(columns)
    for column in columns:
        assert column.description.endswith("."), column.name
        assert (column.type == "timestamp") == column.name.endswith("_at"), column.name
