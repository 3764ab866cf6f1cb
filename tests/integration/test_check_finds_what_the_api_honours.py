"""What `check` finds out about the API, and how a sync reads where something is not honoured."""

from collections.abc import Callable
from typing import Any

import pytest

from pipelines import probing
from pipelines.doctor import check
from pipelines.probing import honoured, read_probes
from pipelines.source.reading import Honoured
from pipelines.warehouse import Warehouse
from sandbox import Behaviour

pytestmark = pytest.mark.slow

Make = Callable[..., Any]
STREAMS = ["topics", "users", "mentions"]
BY_ACTION = "timestamps.action_last_date:desc"


def probed(make_site: Make, **behaviour: Any) -> Any:
    site = make_site(mentions=400, stream_names=STREAMS, behaviour=Behaviour(**behaviour))
    site.findings = check(site.settings(), as_of=site.box.now)
    site.probes = read_probes(Warehouse(site.home).probes_file)["1417"]
    return site


def test_all_is_honoured_as_documented(make_site: Make) -> None:
    site = probed(make_site)
    assert {probe.question: probe.answer for probe in site.probes.found} == {
        "count_without_rows": "yes",
        "full_pages": "yes",
        "sort_by_date_added": "yes",
        "sort_by_last_action": "yes",
        "filter_by_action_age": "yes",
        "window_is_of_date_added": "yes",
        "end_of_window_is_inside": "yes",
        "lists_go_deep": "unknown",
        "etag": "yes",
        "counts_agree_with_lists": "yes",
        "counts_by_topic": "yes",
        "counts_by_status": "yes",
        "counts_by_sentiment": "yes",
    }
    assert [finding.name for finding in site.findings if finding.severity != "ok"] == ["schedule", "clock"]
    assert len(site.box.requests) <= 20
    assert honoured(site.probes) == Honoured()


@pytest.mark.parametrize(
    ("behaviour", "question", "answer"),
    [
        ({"sorts": {"dateadd:asc": "ignored"}}, "sort_by_date_added", "no"),
        ({"sorts": {BY_ACTION: "refused"}}, "sort_by_last_action", "refused"),
        ({"filter_words": {"action_date_age": "everything"}}, "filter_by_action_age", "no"),
        ({"filter_words": {"action_date_age": "refused"}}, "filter_by_action_age", "refused"),
        ({"zero_limit": "default"}, "count_without_rows", "no"),
        ({"inclusive_dates": False}, "end_of_window_is_inside", "no"),
        ({"honours_etag": False}, "etag", "no"),
        ({"unsupported_facets": frozenset({"topic.id"})}, "counts_by_topic", "refused"),
    ],
)
def test_what_is_not_honoured_is_found(make_site: Make, behaviour: dict[str, Any], question: str, answer: str) -> None:
    assert probed(make_site, **behaviour).probes.answer(question) == answer


@pytest.mark.parametrize(("behaviour", "answer"), [({}, "yes"), ({"depth_cap_rows": 250}, "refused")])
def test_how_deep_lists_go_is_found(
    make_site: Make, monkeypatch: pytest.MonkeyPatch, behaviour: dict[str, Any], answer: str
) -> None:
    monkeypatch.setattr(probing, "DEEP_ROWS", 300)
    assert probed(make_site, **behaviour).probes.answer("lists_go_deep") == answer


@pytest.mark.parametrize(
    ("behaviour", "expected"),
    [
        ({"sorts": {BY_ACTION: "ignored"}}, Honoured(finds_changes="by_filter")),
        (
            {"sorts": {BY_ACTION: "ignored", "dateadd:asc": "ignored"}, "filter_words": {"action_date_age": "nothing"}},
            Honoured(lists_in_order=False, finds_changes="by_reading_again"),
        ),
    ],
)
def test_a_sync_reads_another_way_and_stays_in_step(
    make_site: Make, behaviour: dict[str, Any], expected: Honoured
) -> None:
    site = probed(make_site, **behaviour)
    assert honoured(site.probes) == expected
    assert "warn" in {finding.severity for finding in site.findings if finding.name == "probe"}
    for _ in range(2):
        site.sync()
        site.assert_holds_the_truth("mention")
        site.box.advance(hours=7)
