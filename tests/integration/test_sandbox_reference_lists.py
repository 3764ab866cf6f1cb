"""The reference lists over HTTP: shapes, consistency between lists, parameters, refusals."""

import base64
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from sandbox import Behaviour, Sandbox, Server

pytestmark = pytest.mark.slow

Json = dict[str, Any]

LISTS = {
    "settings/users": "users",
    "settings/userroles": "userroles",
    "settings/teams": "teams",
    "settings/tags": "tags",
    "settings/topics": "topics",
    "settings/customattributes": "customattributes",
    "settings/canned_responses": "canned_responses",
    "settings/canned_responses_folders": "canned_responses_folders",
    "settings/businesshoursschedules": "businesshoursschedules",
    "settings/profilegroups": "profilegroups",
    "settings/publishing_guidelines": "publishing_guidelines",
    "inbox/mailboxes": "mailboxes",
}
ARRAYS = ("crisis/plans", "dashboards/overview", "filter/suggestions")


@pytest.fixture
def server() -> Iterator[Server]:
    sandbox = Sandbox(mentions=600, accounts=(1417, 2001), rate_limit_per_hour=5_000, tokens=("one", "two", "three"))
    with sandbox.serve() as running:
        yield running


@pytest.fixture
def client(server: Server) -> Iterator[httpx.Client]:
    headers = {"Authorization": "Bearer one"}
    with httpx.Client(base_url=server.base_url, headers=headers) as connected:
        yield connected


def read(client: httpx.Client, path: str, **parameters: Any) -> Any:
    answer = client.get(path, params=parameters)
    assert answer.status_code == 200, answer.text
    return answer.json()["response"]


def every(client: httpx.Client, path: str, **parameters: Any) -> list[Json]:
    page = read(client, path, **parameters)
    rows: list[Json] = page["data"]
    while url := (page.get("paging") or {}).get("next_url"):
        page = client.get(url).json()["response"]
        rows += page["data"]
    assert len(rows) == page["count"]
    return rows


def refused(answer: httpx.Response, status: int, error: str) -> None:
    assert answer.status_code == status, answer.text
    assert answer.json()["error"] == error
    assert "response" not in answer.json()
    assert "meta" not in answer.json()


# --- every list ---


@pytest.mark.parametrize(("path", "name"), LISTS.items())
def test_the_pages_of_a_list_are_the_account_s_objects(
    server: Server, client: httpx.Client, path: str, name: str
) -> None:
    for account in server.sandbox.account_ids:
        truth = server.sandbox.objects(account, name)
        key = "key" if name == "mailboxes" else "id"
        rows = every(client, f"/{account}/{path}", limit=2)
        assert sorted(rows, key=lambda row: row[key]) == sorted(truth, key=lambda row: row[key])
        assert len({row[key] for row in rows}) == len(rows) > 1
        assert len(read(client, f"/{account}/{path}")["data"]) == min(len(rows), 20)


@pytest.mark.parametrize("path", LISTS)
def test_the_limit_of_a_list_is_bounded(client: httpx.Client, path: str) -> None:
    highest = 50 if path.rsplit("/", 1)[-1].startswith(("canned", "businesshours")) else 200
    assert client.get(f"/1417/{path}", params={"limit": highest}).status_code == 200
    refused(client.get(f"/1417/{path}", params={"limit": highest + 1}), 400, "invalid_parameter")
    counted = client.get(f"/1417/{path}", params={"limit": 0})
    if path == "settings/teams":
        assert counted.json()["response"]["data"] == []
    else:
        refused(counted, 400, "invalid_parameter")


def test_two_accounts_share_no_ids(server: Server) -> None:
    sandbox = server.sandbox
    shared = set()
    for name in {*LISTS.values(), "crisis_plans", "dashboards", "connectedprofiles"} - {"userroles", "mailboxes"}:
        first, second = ({row["id"] for row in sandbox.objects(account, name)} for account in (1417, 2001))
        shared |= {(name, identifier) for identifier in first & second}
    assert shared == set()


@pytest.mark.parametrize("path", [*LISTS, *ARRAYS])
def test_a_list_can_be_without_permission_or_not_in_the_plan(server: Server, client: httpx.Client, path: str) -> None:
    server.sandbox.behaviour = Behaviour(without_permission=frozenset({path}))
    refused(client.get(f"/1417/{path}/"), 403, "no_permission")
    refused(client.get(f"/2001/{path}"), 403, "no_permission")
    assert client.get("/1417/settings/user/21003").status_code == 200
    server.sandbox.behaviour = Behaviour(not_in_plan=frozenset({path}))
    refused(client.get(f"/1417/{path}"), 403, "feature_limit_reached")
    server.sandbox.behaviour = Behaviour()
    assert client.get(f"/1417/{path}").status_code == 200
    refused(client.get(f"/9/{path}"), 403, "no_permission")


def test_lists_of_the_user_can_be_refused_too(server: Server, client: httpx.Client) -> None:
    server.sandbox.behaviour = Behaviour(without_permission=frozenset({"me/connectedprofiles"}))
    refused(client.get("/me/connectedprofiles"), 403, "no_permission")
    assert client.get("/me/accounts").status_code == 200


def test_without_the_scope_no_email_is_shown_anywhere(server: Server, client: httpx.Client) -> None:
    paths = ["settings/users", "settings/teams", "crisis/plans"]
    assert all('"email"' in client.get(f"/1417/{path}").text for path in paths)
    server.sandbox.scopes = ("identify", "accounts_read")
    assert not any('"email"' in client.get(f"/1417/{path}").text for path in [*paths, "settings/user/21003"])
    assert '"email"' not in client.get("/me").text


# --- shapes: types as the vendor's examples and captures have them ---


def test_tags_have_the_shape_that_was_seen(client: httpx.Client) -> None:
    tags = every(client, "/1417/settings/tags", limit=200)
    ids = {tag["id"] for tag in tags}
    for tag in tags:
        assert {"id", "tag", "is_smarttag", "filter", "visible", "category_model_tag"} <= set(tag)
        assert type(tag["id"]) is int
        assert tag["filter"].startswith('usertag:"')
    children = [tag for tag in tags if "parent_id" in tag]
    assert all(type(tag["parent_id"]) is int and tag["parent_id"] in ids for tag in children)
    assert 0 < len(children) < len(tags)
    assert {tag["is_smarttag"] for tag in tags} == {True, False}
    assert {"color_code" in tag for tag in tags} == {True, False}
    assert [tag["status"] for tag in tags if "status" in tag] == ["archived"]
    names = "".join(tag["tag"] for tag in tags)
    assert all(sign in names for sign in '("é🎉,_')


def test_ids_are_numbers_here_and_text_there(client: httpx.Client) -> None:
    def kinds(path: str, field: str = "id") -> set[type]:
        rows = read(client, path)
        return {type(row[field]) for row in (rows if isinstance(rows, list) else rows["data"])}

    whole = (
        "users",
        "teams",
        "tags",
        "topics",
        "customattributes",
        "canned_responses_folders",
        "publishing_guidelines",
    )
    text = ("userroles", "canned_responses", "businesshoursschedules", "profilegroups")
    assert {kind for name in whole for kind in kinds(f"/1417/settings/{name}")} == {int}
    assert {kind for name in text for kind in kinds(f"/1417/settings/{name}")} == {str}
    assert kinds("/1417/crisis/plans") == {str}
    assert kinds("/1417/dashboards/overview") == kinds("/me/connectedprofiles") == {int}
    assert kinds("/1417/inbox/mailboxes", "key") == {str}


def test_canned_responses_are_in_folders_or_have_an_empty_array(client: httpx.Client) -> None:
    canned = every(client, "/1417/settings/canned_responses", limit=50)
    assert len(canned) > 50
    folders = {str(each["id"]): each["name"] for each in every(client, "/1417/settings/canned_responses_folders")}
    loose = [each for each in canned if each["folder"] == []]
    assert 0 < len(loose) < len(canned)
    for each in canned:
        if each["folder"] != []:
            assert folders[each["folder"]["id"]] == each["folder"]["name"]
        assert not set(each) & {"folder_id", "used_count", "created_at", "updated_at", "date", "formatted_message"}
    data = [each.get("data", "missing") for each in canned]
    assert "missing" in data
    assert [] in data
    assert any(isinstance(each, dict) for each in data)


def test_only_lists_of_values_have_allowed_values(client: httpx.Client) -> None:
    attributes = every(client, "/1417/settings/customattributes")
    assert {each["type"] for each in attributes} == {"numeric", "string", "enum", "boolean"}
    assert all(("allowed_values" in each) == (each["type"] == "enum") for each in attributes)
    assert not any("value" in each for each in attributes)


def test_profile_groups_name_connected_profiles_and_count_them(server: Server, client: httpx.Client) -> None:
    known = {each["id"]: each for each in server.sandbox.objects(1417, "connectedprofiles")}
    groups = every(client, "/1417/settings/profilegroups")
    assert {each["profiles_count"] for each in groups} >= {0, 4}
    for group in groups:
        assert group["profiles_count"] == len(group["profiles"])
        assert all(known[profile["id"]] == profile for profile in group["profiles"])
    assert {isinstance(each["filters"], list) for each in known.values()} == {True, False}
    assert {"displayname" in each for each in known.values()} == {True, False}


def test_each_user_sees_the_profiles_that_he_connected(server: Server, client: httpx.Client) -> None:
    found = {}
    for token in ("one", "two", "three"):
        asked = {"limit": 200, "access_token": token}
        found[token] = httpx.get(f"{server.base_url}/me/connectedprofiles", params=asked).json()["response"]["data"]
        assert found[token] == server.sandbox.connected_profiles(token)
    assert every(client, "/me/connectedprofiles", limit=3) == found["one"]
    ids = [each["id"] for rows in found.values() for each in rows]
    in_accounts = {
        each["id"] for account in (1417, 2001) for each in server.sandbox.objects(account, "connectedprofiles")
    }
    assert len(ids) == len(set(ids)) == len(in_accounts)
    assert all(found.values())
    assert len(read(client, "/me/connectedprofiles")["data"]) == 10


def test_topics_and_accounts_tell_the_same(server: Server, client: httpx.Client) -> None:
    account = read(client, "/me/accounts")["data"][1]
    nested = [topic for project in account["projects"] for topic in project.get("topics", [])]
    assert sorted(nested, key=lambda topic: topic["id"]) == server.sandbox.objects(2001, "topics")
    assert account["users"] == server.sandbox.objects(2001, "users")
    assert not any(set(topic) & {"project_id", "default_inbox"} for topic in nested)


# --- consistency between lists, and with the messages ---


@pytest.mark.parametrize("account", [1417, 2001])
def test_what_lists_name_exists(server: Server, account: int) -> None:
    sandbox = server.sandbox
    users = {each["id"]: each for each in sandbox.objects(account, "users")}
    teams = sandbox.objects(account, "teams")
    assert all(users[member["id"]] == member for team in teams for member in team["users"])
    assert any(sum(user in [m["id"] for m in team["users"]] for team in teams) == 2 for user in users)
    assert {user["account_role"] for user in users.values()} <= {
        role["id"] for role in sandbox.objects(account, "userroles")
    }
    schedules = {each["id"]: each for each in sandbox.objects(account, "businesshoursschedules")}
    held = [user["business_hours_schedule_id"] for user in users.values() if "business_hours_schedule_id" in user]
    assert {each: schedule["users"]["count"] for each, schedule in schedules.items()} == {
        each: held.count(each) for each in schedules
    }
    topics = {each["id"]: each["name"] for each in sandbox.objects(account, "topics")}
    for role in sandbox.objects(account, "userroles"):
        assert all(topics[topic["id"]] == topic["name"] for topic in role["topics"])
    folders = sandbox.objects(account, "canned_responses_folders")
    assert {folder["updated_by"] for folder in folders} <= set(users)
    tags = {tag["tag"] for tag in sandbox.objects(account, "tags")}
    assert {tag for mention in sandbox.mentions(account) for tag in mention.get("tags", [])} <= tags
    assert {tag for each in sandbox.objects(account, "canned_responses") for tag in each["matching_tags"]} <= tags


def _folders(folders: list[Json]) -> Iterator[Json]:
    for folder in folders:
        yield folder
        yield from _folders(folder.get("subfolders", []))


def test_folders_of_mailboxes_can_be_read_with_their_own_filter(server: Server, client: httpx.Client) -> None:
    folders = [each for mailbox in every(client, "/1417/inbox/mailboxes") for each in _folders(mailbox["folders"])]
    assert len(folders) > 6
    topics = {topic["id"] for topic in server.sandbox.topics(1417)}
    counts = []
    for folder in folders:
        assert set(folder["topics"]) <= topics
        link = urlsplit(folder["action_links"][0]["link"])
        if folder["data_type"] == "mentions":
            asked = {name: values[0] for name, values in parse_qs(link.query).items()}
            assert asked["filter"] == folder["filter"]
            counts.append(read(client, link.path, limit=0, **{k: v for k, v in asked.items() if v})["count"])
    assert sum(count > 0 for count in counts) > 5
    assert any("subfolders" in folder for folder in folders)


# --- parameters of single endpoints ---


def test_one_team_and_one_user_can_be_read(server: Server, client: httpx.Client) -> None:
    for team in server.sandbox.objects(2001, "teams"):
        assert read(client, f"/2001/settings/team/{team['id']}") == team
    refused(client.get("/1417/settings/team/1"), 404, "not_found")
    refused(client.get("/1417/settings/user/1"), 404, "not_found")


def test_canned_responses_can_be_searched_and_sorted(server: Server, client: httpx.Client) -> None:
    path, truth = "/1417/settings/canned_responses", server.sandbox.objects(1417, "canned_responses")
    found = every(client, path, query="fActUre", limit=50)
    assert {each["id"] for each in found} == {
        each["id"] for each in truth if "facture" in f"{each['name']} {each['message']}".lower()
    }
    folder_id = next(each["folder"]["id"] for each in truth if each["folder"])
    inside = every(client, path, folder_ids=json.dumps([int(folder_id)]), limit=50)
    assert {each["id"] for each in inside} == {
        each["id"] for each in truth if each["folder"] and each["folder"]["id"] == folder_id
    }
    names = [each["name"].casefold() for each in every(client, path, order="sort_alpha_desc", limit=50)]
    assert names == sorted(names, reverse=True)
    types = [each["type"] for each in every(client, path, order="sort_type_asc", limit=50)]
    assert types == sorted(types)
    records = server.sandbox.references[1417].records("canned_responses")
    used = [each["id"] for each in every(client, path, order="sort_used_count_asc", limit=50)]
    assert used == sorted(used, key=lambda identifier: records[identifier]["used_count"])
    assert set(used) == {each["id"] for each in truth}
    created = [each["id"] for each in every(client, path, order="sort_least_recently_created", limit=50)]
    assert created == sorted(created, key=lambda identifier: records[identifier]["created_at"]) != used
    server.sandbox.change(1417, "canned_responses", truth[-1]["id"], message="now")
    server.sandbox.change(1417, "canned_responses", truth[0]["id"], used_count=10_000)
    newest = read(client, path, order="sort_most_recently_updated")["data"]
    assert {each["id"] for each in newest[:2]} == {truth[0]["id"], truth[-1]["id"]}
    assert every(client, path, order="sort_used_count_desc", limit=50)[0]["id"] == truth[0]["id"]
    refused(client.get(path, params={"order": "sideways"}), 400, "invalid_parameter")
    refused(client.get(path, params={"folder_ids": "4,5"}), 400, "invalid_parameter")


def test_for_a_mention_only_fitting_answers_come_filled_in(server: Server, client: httpx.Client) -> None:
    mention = next(
        each
        for each in server.sandbox.mentions(1417)
        if each.get("tags") and each["author"].get("name") and each["source"]["service"] == "facebook"
    )
    asked = {"topic_id": mention["topic"]["id"], "ymid": mention["id"]}
    fitting = every(client, "/1417/settings/canned_responses", limit=50, **asked)
    truth = server.sandbox.objects(1417, "canned_responses")
    assert {each["id"] for each in fitting} == {
        each["id"] for each in truth if not each["matching_tags"] or set(each["matching_tags"]) & set(mention["tags"])
    }
    assert len(fitting) < len(truth)
    greeting = next(each for each in fitting if "[contact_name]" in each["message"])
    assert mention["author"]["name"] in greeting["formatted_message"]
    refused(client.get("/1417/settings/canned_responses", params=asked | {"ymid": "1"}), 404, "not_found")


def test_crisis_plans_are_a_plain_list_with_to_dos_and_events(server: Server, client: httpx.Client) -> None:
    plans = read(client, "/1417/crisis/plans")
    assert plans == server.sandbox.objects(1417, "crisis_plans")
    active = read(client, "/1417/crisis/plans", active_only=1)
    assert [plan["id"] for plan in active] == [plan["id"] for plan in plans if plan["is_active"]]
    assert 0 < len(active) < len(plans)
    assert all(("active_event" in plan) == plan["is_active"] for plan in plans)
    users = {each["id"]: each for each in server.sandbox.users(1417)}
    items = [item for plan in plans for item in plan.get("todo_items", [])]
    assert {"assignee" in item for item in items} == {True, False}
    assert all(users[item["assignee"]["id"]] == item["assignee"] for item in items if "assignee" in item)
    assert all(coordinator in users.values() for plan in plans for coordinator in plan.get("coordinators", []))
    event = active[0]["active_event"]
    done = event["completed_todo_items"][0]
    assert done["id"] in {item["id"] for item in active[0]["todo_items"]}
    assert event["created_at"] < done["completed_at"] < server.sandbox.now_seconds
    assert '<a href="https://status.aurelle.example/?from=social">' in "".join(i["description_html"] for i in items)
    assert "id=1&amp;v=2" in plans[0]["instructions_html"]
    assert any("todo_items" not in plan for plan in plans)


def test_every_suggested_filter_can_be_used(server: Server, client: httpx.Client) -> None:
    everything = read(client, "/1417/filter/suggestions", limit=2_000)
    topic_ids = ",".join(str(topic["id"]) for topic in server.sandbox.topics(1417))
    with_rows = 0
    for each in everything:
        with_rows += (
            read(client, "/1417/inbox/mentions", filter=each["filter"], topic_ids=topic_ids, limit=0)["count"] > 0
        )
    assert with_rows > 50
    assert {tag["filter"] for tag in server.sandbox.objects(1417, "tags")} <= {each["filter"] for each in everything}
    assert read(client, "/1417/filter/suggestions") == everything[:20]
    assert read(client, "/1417/filter/suggestions", query="FACTURATION") == [
        {"name": "Tag: Facturation", "filter": 'usertag:"Facturation"'}
    ]
    token = base64.b64encode(b"a:2:{i:0;i:20;i:1;a:0:{}}").decode()
    assert read(client, "/1417/filter/suggestions", page_token=token, limit=5) == everything[20:25]
    for limit in (0, 2_001):
        refused(client.get("/1417/filter/suggestions", params={"limit": limit}), 400, "invalid_parameter")


# --- dashboards ---


def _day(mention: Json) -> str:
    return f"{datetime.fromtimestamp(mention['date']['added'], tz=UTC):%Y-%m-%d}"


def test_widgets_count_the_mentions(server: Server, client: httpx.Client) -> None:
    dashboards = read(client, "/1417/dashboards/overview")
    assert dashboards == server.sandbox.objects(1417, "dashboards")
    assert (
        {"components" in each for each in dashboards} == {"description" in each for each in dashboards} == {True, False}
    )
    assert not any("data" in widget for each in dashboards for widget in each.get("components", []))
    first = dashboards[0]
    exported = read(client, f"/1417/dashboards/export/{first['id']}")
    assert [{k: v for k, v in each.items() if k != "data"} for each in exported] == first["components"]

    mentions = server.sandbox.mentions(1417)
    timeline = exported[0]["data"]["timeline mentions_compared_by_sentiment"]["data"]
    shown = {
        (day, sentiment.lower()): int(count)
        for sentiment in ("Positive", "Negative", "Neutral")
        for day, count in zip(timeline["date"], timeline[sentiment], strict=True)
        if count != "0"
    }
    counted: dict[tuple[str, str], int] = {}
    for mention in mentions:
        key = (_day(mention), mention["message"]["sentiment"])
        if key[1] != "unset":
            counted[key] = counted.get(key, 0) + 1
    assert shown == counted
    assert exported[1]["data"]["total_mentions"]["value"] == str(len(mentions))
    sources = dict(exported[2]["data"]["table"][1:])
    assert sources["twitter"] == str(sum(each["source"]["service"] == "twitter" for each in mentions)) != "0"
    assert exported[3]["data"]["html"] == "<p>Care today</p>"
    assert read(client, f"/1417/dashboards/export/{dashboards[2]['id']}") == []


def test_one_widget_comes_in_an_array_of_one(server: Server, client: httpx.Client) -> None:
    dashboard = read(client, "/1417/dashboards/overview")[0]
    total = dashboard["components"][1]
    path = f"/1417/dashboards/component/{dashboard['id']}/{total['id']}"
    (widget,) = read(
        client, path, filter="language:fr", date_from="2026-02-20T00:00:00Z", date_to="2026-02-27T00:00:00Z"
    )
    wanted = [
        each
        for each in server.sandbox.mentions(1417)
        if each["message"]["language"] == "fr" and "2026-02-20" <= _day(each) < "2026-02-27"
    ]
    assert widget["data"]["total_mentions"]["value"] == str(len(wanted)) != "0"
    refused(client.get("/1417/dashboards/component/1/2"), 404, "not_found")
    refused(client.get(f"/1417/dashboards/component/{dashboard['id']}/2"), 404, "not_found")
    refused(client.get(path, params={"date_from": "yesterday"}), 400, "invalid_parameter")


# --- changes ---


def test_what_a_test_does_is_served(server: Server, client: httpx.Client) -> None:
    sandbox = server.sandbox
    user = sandbox.add(1417, "users", name="Inès Peeters", account_role="observer")
    team = sandbox.add(1417, "teams", name="Nachtploeg", users=[user["id"], 21003])
    sandbox.change(1417, "userroles", "observer", permissions=["inbox.read"])
    assert read(client, f"/1417/settings/team/{team['id']}") == team
    assert [member["name"] for member in team["users"]] == ["Inès Peeters", "Sofie De Smet"]
    assert read(client, f"/1417/settings/user/{user['id']}")["email"] == f"agent{user['id']}@aurelle.example"
    sandbox.remove(1417, "users", user["id"])
    assert [m["id"] for m in read(client, f"/1417/settings/team/{team['id']}")["users"]] == [21003]
    roles = every(client, "/1417/settings/userroles")
    assert [role["permissions"] for role in roles if role["id"] == "observer"] == [["inbox.read"]]


def test_a_removed_topic_takes_its_mentions_along(server: Server, client: httpx.Client) -> None:
    topic = server.sandbox.topics(1417)[1]
    mention = next(each for each in server.sandbox.mentions(1417) if each["topic"]["id"] == topic["id"])
    everything = read(client, "/1417/inbox/mentions", limit=0)["count"]
    server.sandbox.remove(1417, "topics", topic["id"])
    assert read(client, "/1417/inbox/mentions", limit=0)["count"] < everything
    refused(client.get("/1417/inbox/mentions", params={"topic_ids": topic["id"]}), 403, "no_permission")
    refused(client.get(f"/1417/inbox/mention/{topic['id']}/{mention['id']}"), 404, "not_found")
    assert topic["id"] not in {each["topic"]["id"] for each in server.sandbox.mentions(1417)}
    folders = [each for mailbox in every(client, "/1417/inbox/mailboxes") for each in _folders(mailbox["folders"])]
    assert not any(topic["id"] in folder["topics"] for folder in folders)


def test_a_new_topic_can_hold_mentions(server: Server, client: httpx.Client) -> None:
    topic = server.sandbox.add(1417, "topics", name="Nieuw: pop-up")
    raw = server.sandbox.mentions(1417)[0] | {"unique_id": f"{topic['id']}_5", "id": "5", "topic": topic}
    server.sandbox.add_mention(1417, raw, added_at=server.sandbox.now)
    assert [row["id"] for row in read(client, "/1417/inbox/mentions", topic_ids=topic["id"])["data"]] == ["5"]


def test_a_removed_user_s_token_is_not_valid_any_more(server: Server, client: httpx.Client) -> None:
    me = read(client, "/me")
    server.sandbox.change(1417, "users", me["id"], name="Sofie De Smet-Claes")
    assert read(client, "/me")["name"] == "Sofie De Smet-Claes"
    assert "account_role" not in me
    server.sandbox.remove(1417, "users", me["id"])
    refused(client.get("/me"), 401, "invalid_token")


def test_the_etag_of_a_list_changes_with_it(server: Server, client: httpx.Client) -> None:
    server.sandbox.behaviour = replace(server.sandbox.behaviour, token_in_next_url=False)
    path = "/1417/settings/tags"
    etag = client.get(path, headers={"If-None-Match": "x"}).headers["etag"]
    assert client.get(path, headers={"If-None-Match": etag}).status_code == 304
    server.sandbox.change(1417, "tags", server.sandbox.objects(1417, "tags")[3]["id"], visible=True)
    assert client.get(path, headers={"If-None-Match": etag}).status_code == 200
