"""What a test does to the sandbox shows at once, and only there."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from sandbox import Sandbox
from sandbox.query import filtered, ordered

Json = dict[str, Any]

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


@pytest.fixture
def sandbox() -> Sandbox:
    return Sandbox(mentions=60)


def an_untouched(sandbox: Sandbox) -> Json:
    return next(m for m in sandbox.mentions(1417) if not m["actions"] and "published" in m["date"])


def test_the_clock_stands_still_until_it_is_moved(sandbox: Sandbox) -> None:
    start = sandbox.now
    assert start == datetime(2026, 3, 2, 9, tzinfo=UTC)
    assert sandbox.now == start
    assert sandbox.advance(hours=1, seconds=5) == datetime(2026, 3, 2, 10, 0, 5, tzinfo=UTC)


def test_the_clock_does_not_go_back(sandbox: Sandbox) -> None:
    with pytest.raises(ValueError, match="go back"):
        sandbox.advance(seconds=-1)


def test_a_start_without_time_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        Sandbox(now=datetime(2026, 3, 2))  # noqa: DTZ001 - this is the mistake


def test_a_reply_and_a_resolve_show_with_their_times(sandbox: Sandbox) -> None:
    unique_id = an_untouched(sandbox)["unique_id"]
    sandbox.advance(minutes=30)
    agent = next(user for user in sandbox.users(1417) if user["name"] == "Sofie De Smet")  # Brussels, 09:00-17:30
    sandbox.act(1417, unique_id, kind="reply", user_id=agent["id"], text="Hello 👋", handle_seconds=40)
    mention = sandbox.act(1417, unique_id, kind="status", status="done", user_id=agent["id"], handle_seconds=2)
    seconds = sandbox.now_seconds - mention["date"]["published"]
    assert mention["timestamps"]["response_time"] == mention["timestamps"]["resolve_time"] == seconds
    assert 0 < mention["timestamps"]["response_time_during_bh"] <= seconds
    assert mention["timestamps"]["handle_time"] == 42
    assert mention["status"] == "done"
    newest, before = mention["actions"][:2]
    assert newest["metadata"] == {"status": "done"}
    assert before["user"] == {"id": str(agent["id"]), "name": "Sofie De Smet"}
    assert before["details"] == "Hello 👋"


def test_a_second_resolve_leaves_the_first_time(sandbox: Sandbox) -> None:
    unique_id = an_untouched(sandbox)["unique_id"]
    first = sandbox.act(1417, unique_id, kind="status", status="done")["timestamps"]
    sandbox.advance(minutes=1)
    sandbox.act(1417, unique_id, kind="status", status="new")
    sandbox.advance(minutes=1)
    again = sandbox.act(1417, unique_id, kind="status", status="done")
    assert again["timestamps"]["resolve_time"] == first["resolve_time"]


def test_every_kind_of_act_changes_what_it_names(sandbox: Sandbox) -> None:
    unique_id = an_untouched(sandbox)["unique_id"]
    agent, team = sandbox.users(1417)[1], sandbox.accounts[1417].organisation.teams[0]
    sandbox.act(1417, unique_id, kind="assign", assignee_ids=[agent["id"], team.id], text="please")
    sandbox.act(1417, unique_id, kind="tag", tags_added=["é (1)"])
    sandbox.act(1417, unique_id, kind="sentiment", sentiment="positive")
    sandbox.act(1417, unique_id, kind="property", priority="high")
    sandbox.act(1417, unique_id, kind="property", priority="low")
    mention = sandbox.act(1417, unique_id, kind="csat_reply", score=4)
    assert mention["assignment"] == {"user_ids": [agent["id"]], "team_ids": [team.id], "comments": "please"}
    assert [assignee["id"] for assignee in mention["assignees"]] == [str(agent["id"]), str(team.id)]
    assert "é (1)" in mention["tags"]
    assert mention["message"]["sentiment"] == "positive"
    assert mention["priority"]["id"] == 0
    assert mention["actions"][1]["metadata"] == {"priority": "low", "previous_priority": "high"}
    assert mention["message"]["attachments"][-1] == {"type": "csat_answer", "question": "csat_q_17", "content": 4}
    erased = sandbox.act(1417, unique_id, kind="erase_pii_content", user_id=agent["id"])
    assert "content" not in erased["message"]


@pytest.mark.parametrize(
    ("act", "error"),
    [
        ({"kind": "dance"}, ValueError),
        ({"kind": "status"}, ValueError),
        ({"kind": "status", "status": "finished"}, ValueError),
        ({"kind": "tag"}, ValueError),
        ({"kind": "property", "priority": "urgent"}, ValueError),
        ({"kind": "reply", "user_id": 1}, KeyError),
        ({"kind": "assign", "assignee_ids": [1]}, KeyError),
    ],
)
def test_an_act_that_makes_no_sense_is_refused_and_changes_nothing(
    sandbox: Sandbox, act: Json, error: type[Exception]
) -> None:
    before = sandbox.mentions(1417)
    with pytest.raises(error):
        sandbox.act(1417, before[0]["unique_id"], **act)
    assert sandbox.mentions(1417) == before


def test_an_act_touches_one_mention_only(sandbox: Sandbox) -> None:
    before = sandbox.mentions(1417)
    sandbox.act(1417, before[3]["unique_id"], kind="note", text="x")
    changed = [old["unique_id"] for old, new in zip(before, sandbox.mentions(1417), strict=True) if old != new]
    assert changed == [before[3]["unique_id"]]


def test_an_edit_leaves_no_action(sandbox: Sandbox) -> None:
    before = an_untouched(sandbox)
    sandbox.edit_mention(1417, before["unique_id"], {"message": {"content": "changed"}})
    after = sandbox.edit_mention(1417, before["unique_id"], {"message": {"language": "xx"}})
    assert after["message"] == before["message"] | {"content": "changed", "language": "xx"}
    assert after["actions"] == before["actions"]


def test_a_deleted_mention_is_gone(sandbox: Sandbox) -> None:
    unique_id = sandbox.mentions(1417)[5]["unique_id"]
    sandbox.delete_mention(1417, unique_id)
    assert unique_id not in {mention["unique_id"] for mention in sandbox.mentions(1417)}
    with pytest.raises(KeyError, match=unique_id):
        sandbox.mention(1417, unique_id)
    with pytest.raises(KeyError):
        sandbox.delete_mention(1417, unique_id)


def test_a_deleted_mention_comes_back_with_its_old_data(sandbox: Sandbox) -> None:
    before = sandbox.mentions(1417)
    unique_id = an_untouched(sandbox)["unique_id"]
    with pytest.raises(KeyError, match="not deleted"):
        sandbox.restore_mention(1417, unique_id)
    sandbox.delete_mention(1417, unique_id)
    assert len(sandbox.mentions(1417)) == 59
    sandbox.restore_mention(1417, unique_id)
    assert sandbox.mentions(1417) == before


def test_a_silent_erasure_leaves_no_action_and_its_words_are_not_found(sandbox: Sandbox) -> None:
    mention = next(m for m in sandbox.mentions(1417) if "content" in m["message"] and "fullname" in m["author"])
    words = mention["message"].get("stripped_content", mention["message"]["content"]).split("\n")[0]
    state = sandbox.accounts[1417].state(sandbox.now_seconds)
    row = state.row(mention["unique_id"])
    assert filtered(state, f'content:"{words}"')[row]
    erased = sandbox.erase_mention(1417, mention["unique_id"])
    assert erased["actions"] == mention["actions"]
    assert erased["timestamps"] == mention["timestamps"]
    assert not {"content", "stripped_content"} & set(erased["message"])
    assert set(erased["author"]) <= {"id", "managed"}
    assert not filtered(sandbox.accounts[1417].state(sandbox.now_seconds), f'content:"{words}"')[row]


def test_a_moved_mention_is_another_in_another_topic(sandbox: Sandbox) -> None:
    mention = an_untouched(sandbox)
    topic = next(topic for topic in sandbox.topics(1417) if topic["id"] != mention["topic"]["id"])
    moved = sandbox.move_mention(1417, mention["unique_id"], topic["id"])
    assert moved["unique_id"] == f"{topic['id']}_{mention['id']}"
    assert moved["topic"] == {"id": topic["id"], "name": topic["name"]}
    assert str(topic["id"]) in moved["permalink"]
    different = {"unique_id", "topic", "project", "permalink"}
    assert {key: value for key, value in moved.items() if key not in different} == {
        key: value for key, value in mention.items() if key not in different
    }
    with pytest.raises(KeyError):
        sandbox.mention(1417, mention["unique_id"])
    with pytest.raises(KeyError, match="no topic 1"):
        sandbox.move_mention(1417, moved["unique_id"], 1)


def test_a_late_mention_is_there_from_its_arrival_on(sandbox: Sandbox) -> None:
    sandbox.add_mention(1417, TWEET, arrives_at=datetime(2026, 3, 2, 9, 30, tzinfo=UTC))
    sandbox.advance(minutes=29)
    assert TWEET["unique_id"] not in {mention["unique_id"] for mention in sandbox.mentions(1417)}
    sandbox.advance(minutes=1)
    assert sandbox.mentions(1417)[0] == TWEET  # the oldest of all


def test_the_public_tweet_is_served_as_given(sandbox: Sandbox) -> None:
    sandbox.add_mention(1417, TWEET, added_at=sandbox.now)
    assert sandbox.mention(1417, TWEET["unique_id"]) == TWEET
    assert len(sandbox.mentions(1417)) == 61


def test_acts_reach_an_added_mention_and_leave_the_given_object_alone(sandbox: Sandbox) -> None:
    given = json.loads(json.dumps(TWEET))
    sandbox.add_mention(1417, given)
    shown = sandbox.act(1417, TWEET["unique_id"], kind="status", status="done")
    assert shown["status"] == "done"
    assert shown["timestamps"] == {"handle_time": 0}  # publication is not known, so no time can be told
    assert given == TWEET


def test_an_added_mention_may_lie_in_the_future(sandbox: Sandbox) -> None:
    sandbox.add_mention(1417, TWEET, added_at=datetime(2026, 3, 2, 9, 30, tzinfo=UTC))
    with pytest.raises(KeyError):
        sandbox.mention(1417, TWEET["unique_id"])
    sandbox.advance(minutes=30)
    assert sandbox.mention(1417, TWEET["unique_id"]) == TWEET


def test_an_added_mention_may_have_php_arrays_where_objects_belong(sandbox: Sandbox) -> None:
    odd = TWEET | {"timestamps": [], "author": [], "message": [], "source": [], "date": []}
    sandbox.add_mention(1417, odd, added_at=sandbox.now)
    assert sandbox.mention(1417, TWEET["unique_id"]) == odd
    state = sandbox.accounts[1417].state(sandbox.now_seconds)
    row = state.row(TWEET["unique_id"])
    for text in ("status:new", "NOT source:twitter", "NOT language:fr", "NOT sentiment:negative", "NOT profile:1"):
        assert filtered(state, text)[row], text
    assert ordered(state, "dateadd:desc")[0] == row
    for sort in ("timestamps.action_reply_first:desc", "timestamps.action_last_date:desc"):
        assert row in ordered(state, sort)
    shown = sandbox.act(1417, TWEET["unique_id"], kind="reply", text="x", handle_seconds=3)
    assert shown["timestamps"] == {"handle_time": 3}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"unique_id": 5}, "unique_id"),
        ({"topic": []}, "topic.id"),
        ({"topic": {"id": 1}}, "topic 1"),
        ({"date": {}}, "added_at"),
    ],
)
def test_a_mention_that_cannot_be_asked_for_is_refused(sandbox: Sandbox, change: Json, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        sandbox.add_mention(1417, TWEET | change)


def test_the_same_mention_is_not_added_twice(sandbox: Sandbox) -> None:
    sandbox.add_mention(1417, TWEET)
    with pytest.raises(ValueError, match="there already"):
        sandbox.add_mention(1417, TWEET)
    planned = sandbox.mentions(1417)[-1]
    with pytest.raises(ValueError, match="there already"):
        sandbox.add_mention(1417, planned)


def test_people_work_in_several_zones_and_some_without_schedule(sandbox: Sandbox) -> None:
    schedules = sandbox.schedules(1417)
    assert {"Europe/Brussels", "America/New_York", "Asia/Kolkata"} <= {schedule["timezone"] for schedule in schedules}
    assert "2400" in {period["end"] for schedule in schedules for period in schedule["periods"]}
    assert {isinstance(schedule["id"], str) for schedule in schedules} == {True}
    with_schedule = {"business_hours_schedule_id" in user for user in sandbox.users(1417)}
    assert with_schedule == {True, False}


def test_who_is_at_work_depends_on_the_clock(sandbox: Sandbox) -> None:
    def active() -> list[str]:
        return [schedule["name"] for schedule in sandbox.schedules(1417) if schedule["is_active"]]

    morning = active()
    assert "Kantooruren Brussel" in morning
    sandbox.advance(hours=12)
    assert "Kantooruren Brussel" not in active()
    assert {user["status"] for user in sandbox.users(1417)} >= {"unavailable"}


def test_email_needs_its_scope() -> None:
    assert all("email" in user for user in Sandbox(mentions=0).users(1417))
    assert not any("email" in user for user in Sandbox(mentions=0, scopes=("identify", "accounts_read")).users(1417))
