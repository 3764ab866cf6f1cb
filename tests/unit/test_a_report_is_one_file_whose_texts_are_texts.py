"""A report is one file: no script, nothing from elsewhere, and whatever a topic is called is only its name."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from base64 import b64decode
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from html.parser import HTMLParser
from itertools import pairwise

import pandas as pd
import pytest
from markupsafe import escape

from pipelines.dashboard import queries
from pipelines.dashboard.drawings import NO_TARGETS
from pipelines.dashboard.filters import Filters
from pipelines.dashboard.in_words import count, length, share
from pipelines.dashboard.report import CHAPTERS, CHARTED_ROW_COUNT, Number, Report, html, in_words, section_of
from pipelines.traces import written

FILTERS = Filters(date(2026, 2, 2), date(2026, 3, 1))
HOSTILE = (
    "<script src='https://evil.example/a.js'></script>",
    "\"><img src=https://evil.example/x onerror='alert(1)'>",
    "</td></table></section><h1>Moved</h1>",
    "{{ 7 * 7 }}{% include '/etc/passwd' %}",
    "javascript:alert(1) & Söhne ✓",
)
PICTURE = "data:image/svg+xml;base64,"
VOID = {"img", "meta"}


@dataclass
class Page(HTMLParser):
    """What a browser would find: tags with their attributes, texts of each tag, and whether tags close in order."""

    tags: list[tuple[str, dict[str, str | None]]] = field(default_factory=list)
    texts: dict[str, list[str]] = field(default_factory=dict)
    open: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keeps it, and looks for its end but of those that have none."""
        self.tags.append((tag, dict(attrs)))
        self.texts.setdefault(tag, [])
        if tag not in VOID:
            self.open.append(tag)
            self.texts[tag].append("")

    def handle_endtag(self, tag: str) -> None:
        """Wants the innermost that is open."""
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Keeps it with the innermost."""
        if self.open:
            self.texts[self.open[-1]][-1] += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        """The attributes of each such tag."""
        return [attributes for name, attributes in self.tags if name == tag]


def read(text: str) -> Page:
    page = Page()
    page.feed(text)
    page.close()
    assert page.open == []
    return page


def report(*frames: tuple[queries.Query, pd.DataFrame], filters: Filters = FILTERS, label: str = "") -> Report:
    return Report(
        filters,
        {"topic": (label,)} if label else {},
        "Europe/Brussels",
        datetime(2026, 3, 2, 9, tzinfo=UTC),
        (
            Number("mention_count", "Mentions of customers", 1234, 0, count),
            Number("replied_share", "With a reply", 0.625, None, share),
            Number("first_response_p50_seconds", "First response, median", 7384, None, length),
        ),
        (("Chapter", tuple(section_of(query, frame, filters) for query, frame in frames)),),
    )


def topics(names: tuple[str, ...]) -> pd.DataFrame:
    amount = len(names)
    return pd.DataFrame(
        {
            "topic": names,
            "mention_count": range(1000 + amount, 1000, -1),
            "replied_share": [0.5] * amount,
            "p50_seconds": [7200.5, *[None] * (amount - 1)],
            "p90_seconds": [0.0] * amount,
            "business_hours_p50_seconds": [3600.0] * amount,
        }
    )


def pictures(page: Page) -> list[ET.Element]:
    found = []
    for each in page.all("img"):
        source = each["src"] or ""
        assert source.startswith(PICTURE)
        found.append(ET.fromstring(b64decode(source.removeprefix(PICTURE), validate=True)))  # noqa: S314 - made here
    return found


@pytest.fixture(scope="module")
def hostile_text() -> str:
    return html(report((queries.RESPONSE_BY_TOPIC, topics(HOSTILE)), label=HOSTILE[1]))


@pytest.fixture(scope="module")
def hostile(hostile_text: str) -> Page:
    return read(hostile_text)


def test_nothing_comes_from_elsewhere_and_nothing_runs(hostile: Page, hostile_text: str) -> None:
    assert {tag for tag, _ in hostile.tags}.isdisjoint(
        {"script", "link", "iframe", "object", "embed", "base", "form", "svg", "video", "audio", "source"}
    )
    for tag, attributes in hostile.tags:
        assert {"src", "href", "action", "data", "srcset", "background", "poster"} & set(attributes) <= {"src"}
        assert tag == "img" or "src" not in attributes
        assert not [name for name in attributes if name.startswith("on") or name == "style"]
    assert not re.search(r"url\(|@import|@font-face", "".join(hostile.texts["style"]))
    (policy,) = (each["content"] for each in hostile.all("meta") if each.get("http-equiv") == "Content-Security-Policy")
    assert policy == "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    assert "{{" not in hostile_text.replace(str(escape(HOSTILE[3])), "")


def test_a_picture_draws_and_nothing_else(hostile: Page) -> None:
    (picture,) = pictures(hostile)
    for element in picture.iter():
        assert element.tag.rpartition("}")[2] in {"svg", "g", "path", "text", "rect", "line", "defs", "clipPath"}
        for name, value in element.attrib.items():
            assert not name.startswith("on")
            assert not name.endswith("href")
            assert "//" not in value
    labels = [element.text or "" for element in picture.iter() if element.tag.endswith("}text")]
    assert any(label.startswith("<script src=") for label in labels)


def test_a_name_is_only_a_name(hostile: Page) -> None:
    assert [text for text in hostile.texts["th"] if text in HOSTILE] == list(HOSTILE)
    assert hostile.texts["h1"] == ["Social Connect report, 2026-02-02 to 2026-03-01"]
    assert f"Topic: {HOSTILE[1]}." in hostile.texts["p"]


def test_it_is_read_by_those_who_do_not_see(hostile: Page) -> None:
    assert hostile.all("html") == [{"lang": "en"}]
    assert all(each["scope"] in {"col", "row"} for each in hostile.all("th"))
    assert [each["alt"] for each in hostile.all("img")] == ["Chart: By topic. Its numbers are in the table below."]
    headings = [int(tag[1]) for tag, _ in hostile.tags if re.fullmatch("h[1-6]", tag)]
    assert headings[0] == 1
    assert all(after <= before + 1 for before, after in pairwise(headings))
    ids = [attributes["id"] for _, attributes in hostile.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert {attributes["aria-labelledby"] for _, attributes in hostile.tags if "aria-labelledby" in attributes} <= set(
        ids
    )


def test_each_chart_has_its_definition_and_its_table(hostile: Page) -> None:
    assert queries.RESPONSE_BY_TOPIC.definition in hostile.texts["p"]
    assert len(hostile.all("details")) == 1
    cells = hostile.texts["td"][-5 * len(HOSTILE) :]
    assert cells[:5] == ["1,005", "50.0%", "7,200.50", "0", "3,600"]
    assert cells[5:10] == ["1,004", "50.0%", "-", "0", "3,600"]


def test_what_is_not_known_is_not_nought(hostile: Page) -> None:
    numbers = hostile.texts["td"][:6]
    assert numbers == ["1,234", "0", "62%", "not known", "2h 3m", "not known"]
    made = report()
    assert made.as_json()["numbers"] == {
        "mention_count": {"now": 1234, "before": 0, "not_filtered_by": []},
        "replied_share": {"now": 0.625, "before": None, "not_filtered_by": []},
        "first_response_p50_seconds": {"now": 7384, "before": None, "not_filtered_by": []},
    }
    lines = in_words(made).splitlines()
    assert "Mentions of customers: 1,234; 0 before" in lines
    assert "First response, median: 2h 3m; not known before" in lines
    assert lines[-1] == "Before: 2026-01-05 to 2026-02-01, as many days."
    assert "Data as of 2026-03-02 09:00 UTC." in lines


def test_without_data_every_chart_says_so() -> None:
    shown = [query for _, of in CHAPTERS for query in of]
    page = read(html(report(*((query, pd.DataFrame()) for query in shown))))
    assert page.all("img") == page.all("details") == []
    assert len(page.all("h3")) == len(shown) == len(set(shown))
    assert page.texts["p"].count("Nothing to show for this choice.") >= 10
    assert NO_TARGETS in page.texts["p"]


def test_people_are_not_in_it() -> None:
    for query in (query for _, of in CHAPTERS for query in of):
        assert "agent" not in query.name
        assert "agent_name" not in query.sql
        assert "author" not in query.sql


def test_of_many_topics_the_chart_shows_the_largest_and_the_table_all() -> None:
    names = tuple(f"topic {place:03}" for place in range(60))
    page = read(html(report((queries.RESPONSE_BY_TOPIC, topics(names)))))
    assert page.texts["figcaption"] == [f"The chart shows the first {CHARTED_ROW_COUNT} of 60."]
    assert [text for text in page.texts["th"] if text.startswith("topic ")] == list(names)
    (picture,) = pictures(page)
    drawn = {element.text for element in picture.iter() if (element.text or "").startswith("topic ")}
    assert drawn == set(names[:CHARTED_ROW_COUNT])


def test_more_days_than_a_chart_usually_takes_are_drawn() -> None:
    days = pd.date_range("2021-01-01", periods=2_000)
    frame = pd.DataFrame({"day": days, "came_in_count": 1, "reply_count": 2, "resolve_count": 3})
    page = read(html(report((queries.KEEPING_UP, frame))))
    assert len(pictures(page)) == 1
    assert page.texts["th"][-1] == "2026-06-23"


def test_what_a_chart_does_not_follow_is_said() -> None:
    filters = Filters(FILTERS.first_date, FILTERS.last_date, tag=("refund",))
    page = read(html(report((queries.BACKLOG_BY_DAY, pd.DataFrame()), filters=filters)))
    assert "Not filtered by tag." in page.texts["p"]


def test_a_main_number_that_does_not_follow_a_filter_says_so() -> None:
    number = Number("open_mention_count", "Mentions open at the end", 7, 8, count, ("team", "tag"))
    made = replace(report(), numbers=(number,))
    title = "Mentions open at the end (not filtered by team and tag)"
    assert title in read(html(made)).texts["th"]
    assert f"{title}: 7; 8 before" in in_words(made).splitlines()
    assert made.as_json()["numbers"]["open_mention_count"]["not_filtered_by"] == ["team", "tag"]


def test_the_file_s_name_holds_no_text_of_the_data() -> None:
    assert report().file_name == "social-connect_2026-02-02_2026-03-01.html"
    names = {
        report(filters=Filters(FILTERS.first_date, FILTERS.last_date, tag=(tag,))).file_name
        for tag in ("../../etc", "refund")
    }
    assert len(names) == 2
    assert all(re.fullmatch(r"social-connect_2026-02-02_2026-03-01_[0-9a-f]{8}\.html", name) for name in names)


@pytest.mark.parametrize("text", ['O\'Brien & "Sons" <ltd>', "Müller", *HOSTILE])
def test_an_erasure_looks_for_a_text_as_a_report_writes_it(text: str) -> None:
    assert str(escape(text)) in written(text)
    assert str(escape(text)) in html(report((queries.RESPONSE_BY_TOPIC, topics((text,)))))
