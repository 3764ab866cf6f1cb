"""A day's numbers are written together, when one of them is new, changed or gone, and not otherwise."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd

from transforms.statistics import DAY_KEY, Asked, Definition, changed_rows, facet_rows

FIRST = datetime(2026, 3, 1, tzinfo=UTC)
BY_TOPIC = Definition(
    name="by_topic", counts="Mentions.", unit="mentions", segmentation={"field": "topic.id", "size": 10}
)
KNOWN = [*DAY_KEY, "_content_hash"]


def asked(until_hour: int = 48, topic_ids: tuple[str, ...] = ("7",)) -> Asked:
    return Asked("1417", topic_ids, FIRST, FIRST + timedelta(days=2), FIRST + timedelta(hours=until_hour))


def answer(
    cells: dict[str, list[float | None]], call: Asked | None = None, *, definition: Definition = BY_TOPIC
) -> Any:
    """Numbers of the first of March and the second, by segment."""
    keys = [{"id": int((FIRST + timedelta(days=day)).timestamp())} for day in range(2)]
    facet = {"keys": keys, "segments": [{"id": name} for name in cells], "data": list(cells.values())}
    return facet_rows(definition, facet, call or asked())


def days(call: Asked | None = None) -> pd.DataFrame:
    return pd.DataFrame([("1417", "by_topic", day) for day in (call or asked()).days], columns=DAY_KEY)


def nothing_known() -> pd.DataFrame:
    return pd.DataFrame(columns=KNOWN, dtype="str")


def written(rows: Any, known: pd.DataFrame) -> list[tuple[str, str | None, float | None]]:
    found = changed_rows([rows], days(), known)
    return [
        ("gone" if row["_is_removed"] is True else str(row["segment"]), row["bucket_start_date"][-2:], row["value"])
        for row in found.to_dict("records")
    ]


def held(rows: Any) -> pd.DataFrame:
    """What a warehouse holds that has loaded these rows."""
    return changed_rows([rows], days(), nothing_known())[KNOWN]


def test_all_is_written_that_the_warehouse_does_not_have() -> None:
    rows = answer({"a": [1, 2], "b": [3, None]})
    assert len(written(rows, nothing_known())) == 4
    assert held(rows)["_content_hash"].nunique() == 2


def test_what_is_there_is_not_written_again_in_whatever_order_it_comes() -> None:
    known = held(answer({"a": [1, 2], "b": [3, None]}))
    assert written(answer({"a": [1, 2], "b": [3, None]}), known) == []
    assert written(answer({"b": [3, None], "a": [1, 2]}), known.sample(frac=1, random_state=1)) == []


def test_where_counting_ended_is_no_change() -> None:
    known = held(answer({"a": [1, 2]}, asked(30)))
    assert written(answer({"a": [1, 2]}, asked(40)), known) == []


def test_a_day_is_written_whole_when_one_of_its_numbers_changes() -> None:
    known = held(answer({"a": [1, 2], "b": [3, 4]}))
    assert written(answer({"a": [1, 2], "b": [3, 5]}), known) == [("a", "02", 2), ("b", "02", 5)]


def test_0_and_null_are_a_change() -> None:
    known = held(answer({"a": [1, 0]}))
    ((segment, day, value),) = written(answer({"a": [1, None]}), known)
    assert (segment, day, pd.isna(value)) == ("a", "02", True)


def test_another_question_is_a_change() -> None:
    known = held(answer({"a": [1, 2]}))
    assert len(written(answer({"a": [1, 2]}, asked(topic_ids=("7", "8"))), known)) == 2
    other = BY_TOPIC.model_copy(update={"unit": "cases"})
    assert len(written(answer({"a": [1, 2]}, definition=other), known)) == 2


def test_a_segment_that_is_gone_leaves_no_row() -> None:
    """Its day is written whole, which removes it; a day without any number left is told by a row of its own."""
    known = held(answer({"a": [1, 2], "b": [3, 4]}))
    assert written(answer({"a": [1, 2]}), known) == [("a", "01", 1), ("a", "02", 2)]
    gone = changed_rows([answer({})], days(), known)
    assert gone["_is_removed"].tolist() == [True, True]
    assert gone[DAY_KEY].to_dict("list") == days().to_dict("list")
    assert written(answer({}), nothing_known()) == []


def test_a_day_that_was_not_asked_for_stays() -> None:
    known = held(answer({"a": [1, 2]}))
    one_day = days().iloc[:1]
    assert len(changed_rows([], one_day, known)) == 1
    assert len(changed_rows([], days().iloc[:0], known)) == 0


def test_rows_whose_load_did_not_end_are_written_again() -> None:
    rows = answer({"a": [1, 2], "b": [3, 4]})
    known = held(rows).assign(_content_hash=lambda found: found["_content_hash"].where(found.index > 0, None))
    assert {day for _, day, _ in written(rows, known)} == {"01"}


def test_a_day_with_rows_of_two_loads_is_written_again() -> None:
    rows = answer({"a": [1, 2], "b": [3, 4]})
    known = held(rows)
    known.loc[known.index[0], "_content_hash"] = "another"
    assert {day for _, day, _ in written(rows, known)} == {"01"}
