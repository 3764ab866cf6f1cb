"""Contacts and contexts over real HTTP: they follow from who has written and from what colleagues noted."""

import json
from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from sandbox import Sandbox, Server

pytestmark = pytest.mark.slow

Json = dict[str, Any]

CONTACTS = "/1417/inbox/contacts"
NEEDS_TOPICS = {"twilio", "web"}
NOT_SHOWN = {"instagram_business_profile"}


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    box = Sandbox(seed=2, mentions=1_200, rate_limit_per_hour=100_000)
    box.advance(days=1, hours=2)
    with box.serve() as running:
        yield running


@pytest.fixture(scope="module")
def client(server: Server) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.base_url, headers={"Authorization": f"Bearer {server.sandbox.token}"}) as opened:
        yield opened


@pytest.fixture(scope="module")
def contacts(server: Server) -> list[Json]:
    return server.sandbox.contacts(1417)


@pytest.fixture(scope="module")
def mentions(server: Server) -> list[Json]:
    return server.sandbox.mentions(1417)


def read(client: httpx.Client, path: str = CONTACTS, **parameters: Any) -> Any:
    answer = client.get(path, params=parameters)
    assert answer.status_code == 200, answer.text
    return answer.json()["response"]


def listed(client: httpx.Client, **parameters: Any) -> list[Json]:
    page = read(client, **({"limit": 50} | parameters))
    rows = list(page["data"])
    while url := (page.get("paging") or {}).get("next_url"):
        page = client.get(url).json()["response"]
        rows += page["data"]
    assert len(rows) == page["count"]
    return rows


def refusal(client: httpx.Client, path: str = CONTACTS, **parameters: Any) -> str:
    answer = client.get(path, params=parameters)
    assert answer.status_code >= 400
    return str(answer.json()["error"])


def by_id(contacts: list[Json]) -> dict[str, Json]:
    return {contact["id"]: contact for contact in contacts}


def test_the_list_is_the_truth(client: httpx.Client, contacts: list[Json]) -> None:
    rows = listed(client)
    assert len(rows) == len(contacts) > 300
    assert by_id(rows) == by_id(contacts)


def test_whoever_wrote_is_a_contact_from_the_first_message_on(contacts: list[Json], mentions: list[Json]) -> None:
    """People of sites that are crawled are not known, and the brand is no contact of its own."""
    written: dict[tuple[str, str], list[int]] = defaultdict(list)
    for mention in mentions:
        crawled = mention["source"]["service"].startswith(("gominga", "tripadvisor", "rss", "keywordsearch"))
        if not crawled and not mention["author"]["managed"]:
            written[mention["source"]["service"], str(mention["author"]["id"])].append(mention["date"]["added"])
    profiles: dict[tuple[str, str], list[Json]] = defaultdict(list)
    for contact in contacts:
        first = contact["socialprofiles"][0]
        profiles[first["type"], first["service_id"]].append(contact)
    assert set(profiles) == set(written)
    filled_in_later = 0
    for key, times in written.items():
        if len(profiles[key]) == 1:
            date = profiles[key][0]["date"]
            assert date["added"] == min(times)
            assert date["updated"] >= max(times)
            filled_in_later += date["updated"] > max(times)
            assert date["updated"] == max(times) or "customattributes" in profiles[key][0]
    assert filled_in_later > 20


def test_authors_have_the_tags_of_their_contact(contacts: list[Json], mentions: list[Json]) -> None:
    tags = {
        (contact["socialprofiles"][0]["type"], contact["socialprofiles"][0]["service_id"]): contact.get("tags")
        for contact in contacts
    }
    checked = 0
    for mention in mentions:
        author = mention["author"]
        if author.get("tags") and not author["managed"]:
            found = tags.get((mention["source"]["service"], str(author["id"])))
            if found is not None:
                assert found == author["tags"]
                checked += 1
    assert checked > 20


def test_every_documented_field_occurs_and_most_may_be_missing(contacts: list[Json]) -> None:
    optional = ["name", "company", "email", "phone", "language", "timezone", "comments", "tags", "address"]
    for key in [*optional, "customattributes", "action_links"]:
        held = [key in contact for contact in contacts]
        assert any(held), key
        assert not all(held), key
    assert [] in [contact.get("address") for contact in contacts]
    profiles = [profile for contact in contacts for profile in contact["socialprofiles"]]
    for key in ("username", "displayname", "avatar", "url", "location", "bio", "counts", "action_links"):
        assert 0 < sum(key in profile for profile in profiles) < len(profiles), key
    assert any(len(contact["socialprofiles"]) > 1 for contact in contacts)
    values = [value for contact in contacts for value in contact.get("customattributes", [])]
    assert {type(value["value"]) for value in values} == {str, float, bool}


def test_custom_attributes_are_those_that_are_defined(server: Server, contacts: list[Json]) -> None:
    defined = {each["id"]: each for each in server.sandbox.objects(1417, "customattributes")}
    values = [value for contact in contacts for value in contact.get("customattributes", [])]
    for value in values:
        definition = defined[value["id"]]
        assert (value["name"], value["type"]) == (definition["name"], definition["type"])
        if value["type"] == "enum":
            assert value["value"] in definition["allowed_values"]
    assert {value["id"] for value in values} == set(defined)


@pytest.mark.parametrize("sort", ["dateadd:asc", "dateadd:desc", "lastupdate:asc", "lastupdate:desc"])
def test_sorts(client: httpx.Client, contacts: list[Json], sort: str) -> None:
    name, direction = sort.split(":")
    rows = listed(client, sort=sort)
    dates = [row["date"]["added" if name == "dateadd" else "updated"] for row in rows]
    assert dates == sorted(dates, reverse=direction == "desc")
    assert len({row["id"] for row in rows}) == len(contacts)


def test_the_usual_order_is_by_the_date_of_addition(client: httpx.Client) -> None:
    assert listed(client) == listed(client, sort="dateadd:asc")


def test_updated_since_gives_what_has_changed(server: Server, client: httpx.Client, contacts: list[Json]) -> None:
    since = server.sandbox.now_seconds - 5 * 86_400
    wanted = {contact["id"] for contact in contacts if contact["date"]["updated"] >= since}
    rows = listed(client, updated_since=datetime.fromtimestamp(since, tz=UTC).isoformat(), sort="lastupdate:asc")
    assert {row["id"] for row in rows} == wanted
    assert 0 < len(wanted) < len(contacts)
    exact = contacts[0]["date"]["updated"]
    border = listed(client, updated_since=datetime.fromtimestamp(exact, tz=UTC).isoformat())
    assert contacts[0]["id"] in by_id(border)


FILTERS: dict[str, tuple[Json, Callable[[Json], Any]]] = {
    "tag": ({"filter": "contacttag:VIP"}, lambda contact: "VIP" in contact.get("tags", [])),
    "quoted tag": (
        {"filter": 'contacttag:"Klant sinds 2019 (Gent)"'},
        lambda contact: "Klant sinds 2019 (Gent)" in contact.get("tags", []),
    ),
    "unknown tag": ({"filter": "contacttag:nothing"}, lambda _contact: False),
    "email": ({"required_fields": '["email"]'}, lambda contact: contact.get("email")),
    "two fields": (
        {"required_fields": json.dumps(["name", "phone"])},
        lambda contact: contact.get("name") and contact.get("phone"),
    ),
    "company and tag": (
        {"required_fields": '["company"]', "filter": "contacttag:VIP"},
        lambda contact: contact.get("company") and "VIP" in contact.get("tags", []),
    ),
}


@pytest.mark.parametrize("name", FILTERS)
def test_filters(client: httpx.Client, contacts: list[Json], name: str) -> None:
    parameters, wanted = FILTERS[name]
    assert set(by_id(listed(client, **parameters))) == {contact["id"] for contact in contacts if wanted(contact)}
    assert read(client, limit=0, **parameters)["data"] == []


@pytest.mark.parametrize(
    "parameters",
    [
        {"limit": "51"},
        {"sort": "id:asc"},
        {"required_fields": "email"},
        {"required_fields": '["address"]'},
        {"filter": "status:new"},
        {"filter": "contacttag:VIP AND contacttag:x"},
        {"updated_since": "yesterday"},
    ],
)
def test_parameters_that_cannot_be_read_are_refused(client: httpx.Client, parameters: Json) -> None:
    assert refusal(client, **parameters) == "invalid_parameter"


def test_a_contact_is_read_by_id_and_by_each_of_its_profiles(
    server: Server, client: httpx.Client, contacts: list[Json]
) -> None:
    topic_ids = server.sandbox.topics(1417)[0]["id"]
    services: set[str] = set()
    owner = {}
    for contact in reversed(contacts):
        for profile in contact["socialprofiles"]:
            owner[profile["type"], profile["service_id"]] = contact
    for contact in contacts[::3]:
        service = contact["socialprofiles"][0]["type"]
        services.add(service)
        path = f"/1417/inbox/contact/{contact['id']}"
        if service in NOT_SHOWN:
            assert refusal(client, path, topic_ids=topic_ids) == "unsupported_type"
            continue
        assert read(client, path, topic_ids=topic_ids) == contact
        if service in NEEDS_TOPICS:
            assert refusal(client, path) == "invalid_parameter"
        for profile in contact["socialprofiles"]:
            found = owner[profile["type"], profile["service_id"]]
            if found["socialprofiles"][0]["type"] not in NOT_SHOWN:
                path = f"/1417/inbox/contact/{profile['type']}/{profile['service_id']}"
                assert read(client, path, topic_ids=topic_ids)["id"] == found["id"]
    assert services >= {"twitter", "facebook", "whatsapp_cloud_api", "email_mailbox", "web", "twilio", "lithium"}


def test_contacts_that_are_not_there_are_not_found(client: httpx.Client) -> None:
    for path in ("123", "123456789012", "99", "x", "facebook/1", "facebook/x", "fax/1"):
        assert refusal(client, f"/1417/inbox/contact/{path}") == "not_found"


def test_contacts_come_and_change_as_the_clock_moves() -> None:
    box = Sandbox(mentions=800)
    before = by_id(box.contacts(1417))
    box.advance(days=3)
    after = by_id(box.contacts(1417))
    assert set(before) < set(after)
    start = box.now_seconds - 3 * 86_400
    for identifier, contact in before.items():
        moved = after[identifier]["date"]["updated"] > contact["date"]["updated"]
        assert moved == (after[identifier]["date"]["updated"] > start)
        assert moved or after[identifier] == contact
    assert any(before[key] != after[key] for key in before)


def test_what_a_test_does_to_a_contact_shows() -> None:
    box = Sandbox(mentions=300, rate_limit_per_hour=1_000)
    first, second = (contact["id"] for contact in box.contacts(1417)[:2])
    box.advance(minutes=5)
    edited = box.edit_contact(
        1417, first, {"email": "new@example.org", "tags": ["VIP"], "address": {"city": {"name": "X"}}}
    )
    assert edited["email"] == "new@example.org"
    assert edited["date"]["updated"] == box.now_seconds
    box.delete_contact(1417, second)
    with (
        box.serve() as server,
        httpx.Client(base_url=server.base_url, headers={"Authorization": f"Bearer {box.token}"}) as client,
    ):
        since = box.now.isoformat()
        assert listed(client, updated_since=since) == [edited]
        assert first in by_id(listed(client, filter="contacttag:VIP", required_fields='["email"]'))
        assert second not in by_id(listed(client))
        assert refusal(client, f"/1417/inbox/contact/{second}", topic_ids="46283") == "not_found"
    assert second not in by_id(box.contacts(1417))
    assert any(change["type"] == "account_delete_contact_details" for change in box.account_changes(1417))
    with pytest.raises(KeyError):
        box.edit_contact(1417, second, {})


# --- contexts ---


def of_type(items: list[Json], kind: str) -> list[Json]:
    return [item for item in items if item["type"] == kind]


def test_a_context_tells_the_notes_that_the_actions_tell(server: Server, client: httpx.Client) -> None:
    users = {user["id"]: user for user in server.sandbox.users(1417)}
    noted = {"note": 0, "assign_note": 0}
    for mention in server.sandbox.mentions(1417):
        notes = [
            (("note" if action["type"] == "note" else "assign_note"), action)
            for action in reversed(mention["actions"])
            if action["type"] in {"note", "assign"} and action.get("details")
        ]
        if not notes or (noted["note"] > 20 and noted["assign_note"] > 20):
            continue
        items = server.sandbox.context(1417, mention["unique_id"], "notes")
        assert [item["type"] for item in items] == [kind for kind, _ in notes]
        for item, (kind, action) in zip(items, notes, strict=True):
            noted[kind] += 1
            assert item["parent_id"] == mention["unique_id"]
            assert item["id"] == item["object"]["id"]
            assert item["object"]["content"] == action["details"]
            assert item["object"]["date"] == action["date"]
            by = item["object"]["added_by"]
            assert by == (users[int(action["user"]["id"])] if kind == "note" else action["user"]["id"])
        topic_id, identifier = mention["unique_id"].split("_")
        path = f"/1417/inbox/context/{topic_id}/{identifier}"
        long_ago = "2020-01-01T00:00:00Z"
        assert read(client, path, context_type="notes", date_from=long_ago) == items
    assert min(noted.values()) > 10, noted


def test_a_conversation_is_what_one_person_wrote_in_private(server: Server, client: httpx.Client) -> None:
    row = max(server.sandbox.cases(1417), key=lambda row: len(row["linked_mentions"]) if "contact" in row else 0)
    subject = row["linked_mentions"][-1]
    same = [
        mention["unique_id"]
        for mention in server.sandbox.mentions(1417)
        if (mention["author"]["id"], mention["topic"]) == (subject["author"]["id"], subject["topic"])
        and mention["source"]["service"] == subject["source"]["service"]
    ]
    items = server.sandbox.context(1417, subject["unique_id"])
    assert [item["id"] for item in of_type(items, "mention")] == same
    assert len(same) > 2
    parents = [item["parent_id"] for item in of_type(items, "mention")]
    assert parents == [None, *same[:-1]]
    private = server.sandbox.context(1417, subject["unique_id"], "privatemessages")
    assert private == [item for item in private if item["type"] == "mention"]
    assert set(same) <= {item["id"] for item in private}
    topic_id, identifier = subject["unique_id"].split("_")
    path = f"/1417/inbox/context/{topic_id}/{identifier}"
    assert read(client, path, date_from="2020-01-01T00:00:00Z") == items
    assert read(client, path, date_from=server.sandbox.now.isoformat()) == []
    assert refusal(client, path, context_type="everything") == "invalid_parameter"
    assert refusal(client, f"/1417/inbox/context/{topic_id}/1") == "not_found"


def test_a_public_mention_stands_alone(server: Server) -> None:
    public = next(
        m for m in server.sandbox.mentions(1417) if m["source"]["service"] == "twitter" and m["status"] == "new"
    )
    items = server.sandbox.context(1417, public["unique_id"])
    assert [item["object"] for item in of_type(items, "mention")] == [public]
    assert server.sandbox.context(1417, public["unique_id"], "privatemessages") == []
