"""Syncs of small accounts: whatever the history and the API's manners, the warehouse holds what the account holds."""

# ruff: noqa: S608 - names of tables and columns come from the contract or the catalogue

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, get_args

import dlt
import pytest

from sandbox import Behaviour
from sandbox.behaviour import EndOfList
from transforms.contract import contracts

Json = dict[str, Any]
Make = Callable[..., Any]

# The one complete mention that is public (ids of people zeroed): a tweet of 2022.
TWEET: Json = json.loads("""
{"id":"43769358878509009","unique_id":"46283_43769358878509009",
 "message":{"language":"fr","sentiment":"negative"},
 "source":{"category":"social","type":"SearchProviderTwitter","service":"twitter","id":"1592970000000000000",
  "domain":"twitter.com","in_reply_to_message_id":"1592770000000000000"},
 "topic":{"id":46283,"name":"CEO's"},"project":{"id":3013,"name":"Politicians"},
 "status":"new","permalink":"https://app.engagor.com/messages/1417/permalink/46283/43769358878509009/",
 "handled_by":null,"actions":[],
 "action_links":[
  {"key":"reply","type":"web","name":"Reply","title":"Reply to this tweet",
   "link":"https://app.engagor.com/inbox/1417/publish/twitter/reply/46283/43769358878509009"},
  {"key":"reply","type":"api",
   "link":"https://api.engagor.com/1417/publisher/add/?type=reply&topic_id=46283&mention_id=43769358878509009",
   "http_method":"POST"}],
 "date":{"added":1668629719},"tags":["FR"],"timestamps":{"handle_time":0},
 "author":{"id":3310000000,"managed":false},"original_author":{"id":3210000000},
 "assignment":{"user_ids":[],"team_ids":[],"comments":""},"assignees":[]}
""")


@pytest.fixture(scope="module")
def make_site(make_site: Make) -> Make:
    """Sites that read what mentions need, and no more: every other stream costs each sync time."""
    return partial(make_site, stream_names=["topics", "users", "mentions"])


def quiet_mention(box: Any, unique_id: str, added: datetime, **fields: Any) -> Json:
    """A small mention of the first topic."""
    return {
        "id": unique_id,
        "unique_id": f"46283_{unique_id}",
        "topic": {"id": box.topics(1417)[0]["id"], "name": "Topic"},
        "status": "new",
        "actions": [],
        "date": {"added": int(added.timestamp()), "published": int(added.timestamp())},
    } | fields


@pytest.mark.slow
def test_two_accounts_do_not_mix(make_site: Make) -> None:
    site = make_site(accounts=(1417, 1418), mentions=120)
    first = site.sync()
    assert first.account_ids == ("1417", "1418")
    assert site.rows("SELECT account_id, count(*) > 60 FROM mentions GROUP BY 1 ORDER BY 1") == [
        ("1417", True),
        ("1418", True),
    ]
    site.assert_holds_the_truth()
    site.box.advance(hours=30)
    site.sync()
    site.assert_holds_the_truth()


def test_only_the_accounts_that_were_asked_for_are_read(make_site: Make) -> None:
    site = make_site(accounts=(1417, 1418), mentions=20, options={"social_connect_account_ids": "1418"})
    site.sync()
    assert site.rows("SELECT DISTINCT account_id FROM mentions") == [("1418",)]
    assert not [request for request in site.box.requests if "1417" in request.path]


def test_a_list_that_is_emptied_leaves_no_rows(make_site: Make) -> None:
    site = make_site(is_synced=True)
    tagged = next(mention for mention in site.box.mentions(1417) if mention.get("tags"))
    key = tagged["unique_id"]
    count = "SELECT count(*) FROM mention_tags WHERE unique_id = $1"
    assert site.one(count, key) == len(tagged["tags"])
    site.box.advance(hours=1)
    after = site.box.act(1417, key, kind="tag", tags_removed=tagged["tags"])
    assert not after["tags"]
    site.sync()
    assert site.one(count, key) == 0
    site.assert_holds_the_truth()


def test_a_mention_acted_on_weeks_later_is_brought_up_to_date(make_site: Make) -> None:
    site = make_site(is_synced=True)
    oldest = site.box.mentions(1417)[0]["unique_id"]
    site.box.advance(days=45)
    site.box.act(1417, oldest, kind="note", text="found again")
    assert site.one("SELECT count(*) FROM mention_actions WHERE details = 'found again'") == 0
    site.sync()
    assert site.one("SELECT count(*) FROM mention_actions WHERE details = 'found again'") == 1
    site.assert_holds_the_truth()


@pytest.mark.slow
@pytest.mark.parametrize("batch_pages", [1, pytest.param(50, marks=pytest.mark.slow)])
def test_more_rows_than_the_api_lists_are_all_read_and_once(
    make_site: Make, monkeypatch: pytest.MonkeyPatch, batch_pages: int
) -> None:
    """In the first reading by date added, in the second by last action.

    Where a capped list is continued, the row on the border comes again, and with small batches in a batch of its own.
    """
    monkeypatch.setattr("pipelines.source.reading.BATCH_PAGES", batch_pages)
    site = make_site(mentions=400, behaviour=Behaviour(depth_cap_rows=100))
    site.sync()
    site.assert_holds_the_truth()
    site.box.advance(days=10)
    site.sync()
    site.assert_holds_the_truth()


def test_any_number_of_mentions_may_share_a_second(make_site: Make) -> None:
    site = make_site(mentions=10)
    second = site.box.now - timedelta(days=2)
    for number in range(250):
        site.box.add_mention(1417, quiet_mention(site.box, f"twin{number}", second))
    site.sync()
    assert site.one("SELECT count(*) FROM mentions WHERE added_at = $1", second) == 250
    site.assert_holds_the_truth()


@pytest.mark.parametrize(
    "end_of_list",
    [pytest.param(each, marks=[pytest.mark.slow] if place else []) for place, each in enumerate(get_args(EndOfList))],
)
def test_every_way_to_end_a_list_is_understood(make_site: Make, end_of_list: EndOfList) -> None:
    site = make_site(mentions=130, behaviour=Behaviour(end_of_list=end_of_list))
    site.sync()
    site.assert_holds_the_truth()


@pytest.mark.slow
@pytest.mark.parametrize(
    "behaviour",
    [
        Behaviour(inclusive_dates=False),
        Behaviour(
            token_in_next_url=False,
            api_prefix_in_next_url=False,
            escaped_slashes=False,
            zoneless_dates="America/Los_Angeles",
            rate_window="sliding",
        ),
    ],
    ids=["end_is_outside", "plain_links_and_another_zone"],
)
def test_what_is_not_known_about_the_api_makes_no_difference(make_site: Make, behaviour: Behaviour) -> None:
    site = make_site(mentions=130, behaviour=behaviour)
    site.sync()
    site.box.advance(hours=50)
    site.sync()
    site.box.behaviour = replace(behaviour, inclusive_dates=True)
    site.box.advance(hours=1)
    site.sync()
    site.assert_holds_the_truth()


def test_the_public_tweet_arrives_as_it_is(make_site: Make) -> None:
    site = make_site(mentions=10, options={"social_connect_start_date": "2022-11-01"})
    assert 46283 in {topic["id"] for topic in site.box.topics(1417)}
    site.box.add_mention(1417, TWEET)
    site.sync()
    site.assert_holds_the_truth()
    columns = (
        "author_id, original_author_id, source_id, message_content, added_at, published_at, handle_time_seconds, _extra"
    )
    (row,) = site.rows(f"SELECT {columns} FROM mentions WHERE unique_id = $1", TWEET["unique_id"])
    assert row == (
        "3310000000",
        "3210000000",
        "1592970000000000000",
        None,
        datetime(2022, 11, 16, 20, 15, 19, tzinfo=UTC),
        None,
        0,
        None,
    )
    assert site.one("SELECT count(*) FROM mention_action_links WHERE unique_id = $1", TWEET["unique_id"]) == 2


@pytest.mark.slow
def test_an_account_without_a_mention_has_every_table(make_site: Make) -> None:
    site = make_site(mentions=0, stream_names=None)
    site.sync()
    site.assert_holds_the_truth()
    assert site.one("SELECT count(*) FROM users") > 0
    columns = set(site.rows("SELECT table_name, column_name FROM duckdb_columns()"))
    for table in (table for declared in contracts() for table in declared.tables):
        assert {(table.name, column.name) for column in table.all_columns} <= columns


def test_a_run_can_be_repeated(make_site: Make) -> None:
    """The same clock, the same rows: the second writes nothing."""
    site = make_site(is_synced=True)
    before = site.snapshot()
    again = site.sync()
    assert again.load.row_counts == {}
    assert site.snapshot() == before


def test_a_run_as_of_an_earlier_time_takes_nothing_back(make_site: Make) -> None:
    site = make_site(is_synced=True)
    before = site.snapshot()
    site.sync(site.box.now - timedelta(days=3))
    assert site.snapshot() == before
    site.box.advance(days=1)
    site.sync()
    site.assert_holds_the_truth()


@pytest.mark.slow
def test_many_short_syncs_equal_one_long_one(make_site: Make, tmp_path: Path) -> None:
    site = make_site(mentions=200)
    for hours in (0, 3, 26, 90):
        site.box.advance(hours=hours)
        site.sync()
    site.assert_holds_the_truth()
    whole = site.with_home(tmp_path)
    whole.sync(settings=whole.settings(social_connect_start_date=datetime(2026, 1, 1, tzinfo=UTC)))
    whole.assert_holds_the_truth()


@pytest.mark.slow
def test_mentions_alone_can_be_read(make_site: Make) -> None:
    site = make_site(mentions=30)
    assert set(site.sync(stream_names=["mentions"]).load.record_counts) == {"mentions"}
    site.sync(stream_names=["topics", "users"])
    site.assert_holds_the_truth()


@pytest.mark.slow
def test_every_file_for_the_loader_is_parquet(make_site: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """Text statements are twenty times slower; what remains in text is the loader's own state."""
    found: set[str] = set()
    load = dlt.Pipeline.load

    def note_jobs(pipeline: dlt.Pipeline, *arguments: Any, **options: Any) -> Any:
        for load_id in pipeline.list_normalized_load_packages():
            for job in pipeline.get_load_package_info(load_id).jobs["new_jobs"]:
                found.add(Path(job.file_path).name)
        return load(pipeline, *arguments, **options)

    monkeypatch.setattr(dlt.Pipeline, "load", note_jobs)
    site = make_site(mentions=150)
    site.sync()
    site.box.advance(hours=30)
    site.sync()
    assert {name.partition(".")[0] for name in found} > {"mentions", "mention_actions", "users", "topics"}
    others = {name for name in found if not name.endswith(".parquet") and not name.startswith("_dlt_pipeline_state")}
    assert not others
