"""Which days are asked when, and that one definition's trouble is not the others'."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, cast
from urllib.parse import urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.api import BudgetUsedUp, InvalidParameter, Page, PermissionDenied, ServerFailed, SocialConnect
from pipelines.api.errors import api_error
from pipelines.source import AccountReading
from pipelines.source.statistics import (
    ASKED_AGAIN_DAYS,
    LONGEST_QUERY_CHARACTERS,
    MOST_DAYS_PER_CALL,
    ONE_DAY,
    Covered,
    Span,
    StatisticsLoader,
    midnight,
    read_definitions,
    spans_to_ask,
)
from transforms.statistics import Definition

Json = dict[str, Any]
NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
TODAY = datetime(2026, 3, 2, tzinfo=UTC)


def days_of(spans: list[Span]) -> list[datetime]:
    return [span.first_day + day * ONE_DAY for span in spans for day in range((span.end_day - span.first_day).days)]


def days_between(first: datetime, last: datetime) -> list[datetime]:
    return [first + day * ONE_DAY for day in range((last - first).days + 1)]


def test_the_first_time_every_day_since_the_start_date_is_asked_recent_ones_first() -> None:
    recent, older = spans_to_ask(None, start_date=TODAY - 300 * ONE_DAY + timedelta(hours=5), now=NOW)
    assert recent == [Span(TODAY - 35 * ONE_DAY, TODAY + ONE_DAY)]
    assert [(span.end_day - span.first_day).days for span in older] == [81, 92, 92]
    assert older[0].end_day == TODAY - 35 * ONE_DAY
    assert older[-1].first_day == TODAY - 300 * ONE_DAY


def test_then_only_recent_days_are_asked() -> None:
    covered = Covered(TODAY - 300 * ONE_DAY, NOW - timedelta(hours=1))
    recent, older = spans_to_ask(covered, start_date=TODAY - 300 * ONE_DAY, now=NOW)
    assert (recent, older) == ([Span(TODAY - 35 * ONE_DAY, TODAY + ONE_DAY)], [])


def test_after_a_pause_every_day_since_is_asked() -> None:
    covered = Covered(TODAY - 300 * ONE_DAY, NOW - 100 * ONE_DAY)
    recent, older = spans_to_ask(covered, start_date=TODAY - 300 * ONE_DAY, now=NOW)
    assert days_of(recent) == days_between(TODAY - 100 * ONE_DAY, TODAY)
    assert older == []


def test_an_earlier_start_date_is_made_up_for_and_a_later_one_leaves_no_hole() -> None:
    covered = Covered(TODAY - 300 * ONE_DAY, NOW - 100 * ONE_DAY)
    recent, older = spans_to_ask(covered, start_date=TODAY - 310 * ONE_DAY, now=NOW)
    assert days_of(older) == days_between(TODAY - 310 * ONE_DAY, TODAY - 301 * ONE_DAY)
    later = spans_to_ask(covered, start_date=TODAY - 10 * ONE_DAY, now=NOW)
    assert later == (recent, [])


instants = st.integers(0, 900 * 86_400).map(lambda seconds: NOW - timedelta(seconds=seconds))


@given(start_date=instants, covered=st.none() | st.tuples(instants, instants))
def test_days_are_covered_exactly_once(start_date: datetime, covered: tuple[datetime, datetime] | None) -> None:
    known = Covered(midnight(min(covered)), max(covered)) if covered else None
    recent, older = spans_to_ask(known, start_date=start_date, now=NOW)
    asked = days_of(recent) + days_of(older)
    assert len(set(asked)) == len(asked)
    held = set(days_between(known.first_day, known.asked_to)) if known else set()
    wanted = set(days_between(midnight(start_date), TODAY))
    assert wanted - held <= set(asked)
    assert set(asked) | held == set(days_between(min(set(asked) | held), TODAY)), "one run of days"
    again = {day for day in held | wanted if day >= TODAY - ASKED_AGAIN_DAYS * ONE_DAY}
    assert again <= set(days_of(recent))
    assert all(0 < (span.end_day - span.first_day).days <= MOST_DAYS_PER_CALL for span in recent + older)
    assert min(asked) >= min(wanted | held)


# --- the loader, against an API that answers from a function ---


@dataclass
class _FacetApi:
    """Answers every definition with a 1 for each UTC day; `refused` and `odd` are definitions by value or field."""

    refused: str = "nothing"
    odd: Mapping[str, Any] = field(default_factory=dict)
    error: Exception | None = None
    answer_count: int | None = None
    allowed: int = 10**9
    topics: tuple[int, ...] = (7, 8)
    asked: list[Json] = field(default_factory=list)

    def pages(self, path: str, params: Mapping[str, str | int]) -> Iterator[Page]:
        if path.endswith("/settings/topics"):
            yield self._page([{"id": topic} for topic in self.topics])
            return
        assert path == "/1417/insights/facets"
        if len(self.asked) >= self.allowed:
            raise BudgetUsedUp(None, path, len(self.asked))
        self.asked.append(dict(params))
        if self.error:
            raise self.error
        definitions = json.loads(str(params["facetdefinitions"]))
        if self.refused in str(params["facetdefinitions"]):
            raise api_error(400, "unsupported_type", "not here", path, 1)
        yield self._page([self._facet(each, params) for each in definitions][: self.answer_count])

    def _facet(self, definition: Json, params: Mapping[str, str | int]) -> Any:
        for word, facet in self.odd.items():
            if word in json.dumps(definition):
                return facet
        start, end = (datetime.fromisoformat(str(params[name])) for name in ("date_from", "date_to"))
        starts = [day for day in days_between(midnight(start), midnight(end)) if day <= end]
        return {"keys": [{"id": int(day.timestamp())} for day in starts], "segments": [], "data": [[1] * len(starts)]}

    @staticmethod
    def _page(records: list[Any]) -> Page:
        return Page("", "$.response", records, None, True, False, 0.0)


def loader(api: _FacetApi, *asked: Definition, now: datetime = NOW, days: int = 200) -> StatisticsLoader:
    account = AccountReading(cast("SocialConnect", api), "1417", start_date=NOW - days * ONE_DAY, now=now)
    return StatisticsLoader([account], loaded_at=now, asked=asked)


def define(name: str, **words: Any) -> Definition:
    return Definition(**{"name": name, "counts": "Mentions.", "unit": "mentions", **words})


def read_all(reading: StatisticsLoader, state: Json) -> dict[str, list[str]]:
    """Reads to the end, keeps the cursors as the loader does; the days that came, by definition."""
    found: dict[str, list[str]] = {}
    while not reading.is_done:
        package = reading.read(state)
        for answers in package.answers:
            state.setdefault("cursors", {})[answers.account_id] = answers.cursors
            for rows in answers.rows:
                for row in rows.to_dict("records"):
                    found.setdefault(row["definition"], []).append(row["bucket_start_date"])
    return found


def covered_in(state: Json) -> list[Covered]:
    kept = state.get("cursors", {}).get("1417", {})
    return [Covered.from_state(text) for name, text in kept.items() if "@" in name]


def texts(days: list[datetime]) -> list[str]:
    return [day.date().isoformat() for day in days]


ALL, TIMES, CASES = define("all"), define("times", value="response_time"), define("cases", type="cases")


def test_one_call_carries_all_definitions_of_a_type_and_filter() -> None:
    api = _FacetApi()
    reading = loader(api, ALL, TIMES, CASES, define("dutch", filter="language:nl"), days=20)
    read_all(reading, {})
    assert [(call["facetdefinitions"].count("key"), call.get("filter")) for call in api.asked] == [
        (1, None),
        (2, None),
        (1, "language:nl"),
    ]
    assert {call["topic_ids"] for call in api.asked} == {"7,8"}
    assert reading.page_count == 3


def test_counting_ends_beyond_the_days_so_that_every_bucket_is_whole_but_never_after_now() -> None:
    api = _FacetApi()
    read_all(loader(api, ALL), {})
    assert [(call["date_from"][:10], call["date_to"]) for call in api.asked] == [
        ("2026-01-26", "2026-03-02T09:30:00+00:00"),
        ("2025-11-14", "2026-01-27T01:00:00+00:00"),
        ("2025-08-14", "2025-11-15T01:00:00+00:00"),
    ]


@pytest.mark.parametrize("example_count", [12, pytest.param(40, marks=pytest.mark.slow)])
def test_however_often_the_budget_ends_a_run_no_day_is_missed(example_count: int) -> None:
    @settings(max_examples=example_count, deadline=None)
    @given(
        runs=st.lists(st.tuples(st.integers(0, 150), st.integers(0, 4)), min_size=1, max_size=5),
        start_days=st.integers(1, 400),
    )
    def check(runs: list[tuple[int, int]], start_days: int) -> None:
        state: Json = {}
        now, loaded = NOW, set[str]()
        for pause_days, allowed in runs:
            now += pause_days * ONE_DAY
            api = _FacetApi(allowed=allowed)
            reading = loader(api, ALL, TIMES, now=now, days=start_days)
            found = read_all(reading, state)
            assert (reading.stopped_by is None) or isinstance(reading.stopped_by, BudgetUsedUp)
            assert len(set(found.get("all", []))) == len(found.get("all", [])), "no day twice in a run"
            assert found.get("all") == found.get("times")
            loaded |= set(found.get("all", []))
            for covered in covered_in(state):
                last_day = covered.asked_to - timedelta(seconds=1)
                assert set(texts(days_between(covered.first_day, last_day))) <= loaded, "no cursor before its rows"
        reading = loader(_FacetApi(), ALL, TIMES, now=now, days=start_days)
        loaded |= set(read_all(reading, state)["all"])
        assert loaded == set(texts(days_between(midnight(NOW - start_days * ONE_DAY), midnight(now))))

    check()


def test_a_new_definition_and_a_changed_one_are_asked_from_the_start_date_on() -> None:
    state: Json = {}
    read_all(loader(_FacetApi(), ALL, TIMES), state)
    changed = define("times", value="resolve_time")
    found = read_all(loader(_FacetApi(), ALL, changed, CASES), state)
    recent = texts(days_between(TODAY - 35 * ONE_DAY, TODAY))
    every = set(texts(days_between(TODAY - 200 * ONE_DAY, TODAY)))
    assert (found["all"], set(found["times"]), set(found["cases"])) == (recent, every, every)
    names = {name.partition("@")[0] for name in state["cursors"]["1417"]}
    assert names == {"all", "times", "cases", "read_at", "call_count"}
    assert len(state["cursors"]["1417"]) == 5, "the cursor of what is no longer asked is dropped"


def test_a_definition_that_the_api_refuses_is_found_and_left_out() -> None:
    api = _FacetApi(refused="hashtag")
    bad = define("tags", segmentation={"field": "hashtag", "size": 5})
    others = [define(f"other_{letter}") for letter in "abcdefg"]
    state: Json = {}
    reading = loader(api, *others[:3], bad, *others[3:])
    found = read_all(reading, state)
    every = set(texts(days_between(TODAY - 200 * ONE_DAY, TODAY)))
    assert {name: set(days) for name, days in found.items()} == {other.name: every for other in others}
    (notice,) = reading.notices
    assert "statistics tags are left out" in notice
    assert "unsupported_type" in notice
    assert len(api.asked) < 10, "it is looked for once, by halves"
    assert reading.stopped_by is None
    assert not any(name.startswith("tags@") for name in state["cursors"]["1417"])


@pytest.mark.parametrize(
    ("facet", "why"),
    [({"keys": [{"id": 1}], "data": [[1, 2]]}, "got 1 rows of 2 cells"), ("text", "wants a list"), (None, "0 rows")],
    ids=str,
)
def test_an_answer_that_cannot_be_read_is_noticed_and_asked_for_again(facet: Any, why: str) -> None:
    state: Json = {}
    reading = loader(_FacetApi(odd={"response_time": facet}), ALL, TIMES)
    if facet is None:
        reading = loader(_FacetApi(odd={"response_time": {"keys": [{"id": 1}]}}), ALL, TIMES)
    assert set(read_all(reading, state)) == {"all"}
    (notice,) = reading.notices
    assert "statistics times are left out: the answer cannot be read" in notice
    assert why in notice
    found = read_all(loader(_FacetApi(), ALL, TIMES), state)
    assert len(found["times"]) == 201


def test_answers_that_cannot_be_told_apart_are_not_kept() -> None:
    reading = loader(_FacetApi(answer_count=1), ALL, TIMES, days=10)
    assert read_all(reading, {}) == {}
    assert "the API gave 1 answers to 2 definitions" in reading.notices[0]


@pytest.mark.parametrize(
    "refusal",
    [
        PermissionDenied(403, "no_permission", "no", "/x"),
        api_error(403, "feature_limit_reached", "no", "/x", 1),
        api_error(400, "feature_limit_reached", "no", "/x", 1),
    ],
    ids=str,
)
def test_an_account_without_statistics_is_left_out(refusal: Exception) -> None:
    api = _FacetApi(error=refusal)
    reading = loader(api, ALL, TIMES)
    assert read_all(reading, {}) == {}
    assert reading.stopped_by is None
    assert len(reading.notices) == len(api.asked) == 1
    assert "account 1417: statistics all, times are left out" in reading.notices[0]


def test_any_other_failure_ends_the_reading() -> None:
    reading = loader(_FacetApi(error=ServerFailed(500, None, "", "/x")), ALL)
    assert read_all(reading, {}) == {}
    assert isinstance(reading.stopped_by, ServerFailed)
    assert not isinstance(reading.stopped_by, InvalidParameter)


def test_an_account_without_topics_has_no_statistics() -> None:
    api = _FacetApi(topics=())
    reading = loader(api, ALL)
    assert read_all(reading, {}) == {}
    assert api.asked == []
    assert reading.notices == ["account 1417 has no topics: no statistics to ask for"]


def test_as_many_segments_as_were_asked_for_are_noticed_once() -> None:
    keys = [{"id": int(TODAY.timestamp())}]
    two = {"keys": keys, "segments": [{"id": "a"}, {"id": "b"}], "data": [[1], [1]]}
    cut = define("cut", segmentation={"field": "hashtag", "size": 2})
    enough = define("enough", segmentation={"field": "source.domain", "size": 3})
    reading = loader(_FacetApi(odd={"hashtag": two, "source.domain": two}), cut, enough)
    read_all(reading, {})
    (notice,) = reading.notices
    assert "statistics cut have 2 segments, as many as were asked for" in notice


def test_a_long_question_is_asked_in_parts() -> None:
    words = {f"tag {number}": f'usertag:"tag {number}"' for number in range(40)}
    asked = [define(f"tags_{letter}", segmentation={"filters": words}) for letter in "abcd"]
    api = _FacetApi(odd={"usertag": {"keys": [], "segments": [], "data": []}})
    reading = loader(api, *asked, days=10)
    read_all(reading, {})
    assert len(api.asked) > 1
    assert sum(call["facetdefinitions"].count('"key"') for call in api.asked) == 4
    assert all(len(urlencode(call)) <= LONGEST_QUERY_CHARACTERS for call in api.asked)


def test_key_figures_are_asked_of_the_profiles_that_are_named() -> None:
    text = """
    fans:
      {counts: Fans., unit: fans, type: monitored profile kpis, value: followers, profile_ids: ["31", "32"]}
    """
    api = _FacetApi(odd={"kpis": {"keys": [], "segments": [], "data": []}})
    read_all(loader(api, *read_definitions(text, file="f"), days=10), {})
    (call,) = api.asked
    assert call["profile_ids"] == "31,32"
    assert "topic_ids" not in call


def test_packages_stay_small_and_each_has_the_cursor_of_its_rows() -> None:
    reading = loader(_FacetApi(), ALL, TIMES, days=1_000)
    packages = []
    while not reading.is_done:
        packages.append(reading.read({}, most_bytes=100_000))
    assert len(packages) > 5
    loaded: set[str] = set()
    for package in packages[:-1]:
        for answers in package.answers:
            loaded |= set(answers.days["bucket_start_date"])
        covered = Covered.from_state(package.answers[-1].cursors[f"all@{ALL.fingerprint}"])
        assert loaded == set(texts(days_between(covered.first_day, covered.asked_to)))
    assert len(loaded) == 1_001
