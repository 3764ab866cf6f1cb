"""The one complete public capture of a mention: a stripped tweet of 2022."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from types import ModuleType
from typing import Any

import pytest

Land = Callable[..., Any]

# What the capture holds; every other column of `mentions` must be null.
PRINTED = {
    "account_id": "1417",
    "unique_id": "46283_43769358878509009",
    "id": "43769358878509009",
    "message_language": "fr",
    "message_sentiment": "negative",
    "source_category": "social",
    "source_type": "SearchProviderTwitter",
    "source_service": "twitter",
    "source_id": "1592970000000000000",
    "source_domain": "twitter.com",
    "source_in_reply_to_message_id": "1592770000000000000",
    "topic_id": "46283",
    "topic_name": "CEO's",
    "project_id": "3013",
    "project_name": "Politicians",
    "status": "new",
    "permalink": "https://app.engagor.com/messages/1417/permalink/46283/43769358878509009/",
    "added_at": datetime(2022, 11, 16, 20, 15, 19, tzinfo=UTC),
    "handle_time_seconds": 0,
    "author_id": "3310000000",
    "author_managed": False,
    "original_author_id": "3210000000",
    "assignment_comments": "",
    "_loaded_at": datetime(2026, 3, 2, 9, 0, tzinfo=UTC),
}


@pytest.fixture(scope="module")
def landed(land: Land, payloads: ModuleType) -> Any:
    return land(json.loads(payloads.TWEET))


def test_what_is_printed_lands_and_all_else_is_null(landed: Any) -> None:
    row = landed.one()
    assert {name: value for name, value in row.items() if value is not None and name != "_content_hash"} == PRINTED


def test_nothing_about_it_is_drift(landed: Any) -> None:
    assert landed.drift == ()
    assert landed.kept() == {}
    assert landed.quarantine == []


def test_its_tag_is_a_row(landed: Any) -> None:
    assert [(row["position"], row["tag"]) for row in landed.tables["mention_tags"]] == [(0, "FR")]


def test_its_second_action_link_has_no_name(landed: Any) -> None:
    links = landed.tables["mention_action_links"]
    assert [(row["position"], row["type"], row["name"], row["http_method"]) for row in links] == [
        (0, "web", "Reply", None),
        (1, "api", None, "POST"),
    ]


def test_its_empty_lists_have_no_rows(landed: Any) -> None:
    filled = {name for name, rows in landed.tables.items() if rows}
    assert filled == {"mentions", "mention_tags", "mention_action_links"}


def test_an_author_of_a_blog_is_known_by_a_domain(land: Land) -> None:
    row = land(
        {"unique_id": "1_1", "author": {"name": "Charles Brown", "id": "cobblehillblog.com", "managed": False}}
    ).one()
    assert (row["author_id"], row["author_fullname"], row["author_url"]) == ("cobblehillblog.com", None, None)
