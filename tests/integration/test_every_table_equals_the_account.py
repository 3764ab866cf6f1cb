"""Every table of every contract holds what the accounts hold, column by column, at first and as the days go on.

The truth is the sandbox's own objects, flattened here by plain Python. Names of columns and paths come from the
contract files, read as the YAML they are; the words of their language are read anew, by nothing of `transforms`.
"""

# ruff: noqa: S608 - names of tables and columns come from the contract files

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml

import transforms.contract

pytestmark = pytest.mark.slow

Json = dict[str, Any]
Row = dict[str, Any]
Lists = list[tuple[Json, Any]]
Make = Callable[..., Any]

FILES = Path(transforms.contract.__file__).parent
OBJECTS = sorted(file.stem for file in FILES.glob("*.yml"))
ACCOUNTS = (1417, 1418)
HOUSEKEEPING = {"_dlt_load_id", "_dlt_id", "_content_hash", "_loaded_at", "_is_removed"}

LISTS = {
    "topic": "topics",
    "user": "users",
    "team": "teams",
    "user_role": "userroles",
    "tag": "tags",
    "business_hours_schedule": "businesshoursschedules",
    "custom_attribute": "customattributes",
    "canned_response": "canned_responses",
    "canned_response_folder": "canned_responses_folders",
    "profile_group": "profilegroups",
    "publishing_guideline": "publishing_guidelines",
    "crisis_plan": "crisis_plans",
    "mailbox": "mailboxes",
    "dashboard": "dashboards",
}


# --- the contract files, as data ---


@cache
def written(name: str) -> Json:
    text = (FILES / f"{name}.yml").read_text(encoding="utf-8")
    declared: Json = yaml.safe_load(text)
    return declared


@cache
def declared(name: str) -> Json:
    """A contract file in which nothing is `like` anything any more."""
    return written(name) | {"fields": spelled_out({"fields": written(name)["fields"]}, name)["fields"]}


def spelled_out(node: Any, own: str) -> Any:
    if not isinstance(node, dict):
        return node
    node = dict(node)
    if (like := node.pop("like", None)) is not None:
        node = laid_over(under_own_tables(pointed_at(like), like.split(".")[0], own), node)
    for word in ("of", "whole"):
        if word in node:
            node[word] = spelled_out(node[word], own)
    if "fields" in node:
        node["fields"] = {name: spelled_out(field, own) for name, field in node["fields"].items()}
    return node


def pointed_at(like: str) -> Json:
    name, *path = like.split(".")
    node: Json = {"fields": declared(name)["fields"]}
    for step in path:
        node = node.get("of", node)["fields"][step]
    return node


def under_own_tables(node: Json, other: str, own: str) -> Json:
    named = dict(node)
    if "table" in node:
        named["table"] = node["table"].replace(f"{other}_", f"{own}_", 1)
        named["of"] = under_own_tables(node["of"], other, own)
    if "fields" in node:
        named["fields"] = {name: under_own_tables(field, other, own) for name, field in node["fields"].items()}
    return named


def laid_over(below: Any, above: Any) -> Any:
    if not (isinstance(below, dict) and isinstance(above, dict)):
        return above
    return below | {word: laid_over(below.get(word), said) for word, said in above.items()}


# --- objects as rows ---


def rows_of(name: str, account_id: int, record: Json, given: Row) -> Iterator[tuple[str, Row]]:
    """The rows that an object makes: table and row, its own first."""
    contract = declared(name)
    columns: Row = {}
    lists: Lists = []
    fill(columns, lists, {"fields": contract["fields"]}, record, "")
    root = {"account_id": str(account_id)} | given | columns
    if contract.get("marks_deleted"):
        root["deleted_at"] = None
    yield contract["table"], root
    key = {"account_id": root["account_id"]}
    for path in contract["key"]:
        column = path if path in given else column_at(contract["fields"], path.split("."))
        key[f"{name}_id" if column == "id" else column] = root[column]
    for listing, found in lists:
        yield from rows_of_list(name, listing, found, key)


def column_at(fields: Json, path: list[str]) -> str:
    """The name of the column of a value in an object."""
    names = []
    for step in path[:-1]:
        names += [] if fields[step].get("inline") else [step]
        fields = fields[step]["fields"]
    column: str = fields[path[-1]].get("column") or "_".join([*names, path[-1]])
    return column


def rows_of_list(name: str, listing: Json, found: Any, key: Row) -> Iterator[tuple[str, Row]]:
    by_key = listing.get("keyed_by", {}).get("column")
    for position, (under, element) in enumerate(elements_of(found, by_key=by_key is not None)):
        columns: Row = {by_key: under} if by_key else {}
        lists: Lists = []
        fill(columns, lists, listing["of"], element, "")
        yield listing["table"], key | {"position": position} | columns
        singular = listing["table"].removeprefix(f"{name}_").removesuffix("s")
        for inner, inner_found in lists:
            yield from rows_of_list(name, inner, inner_found, key | {f"{singular}_position": position})


def elements_of(found: Any, *, by_key: bool) -> Iterator[tuple[str | None, Any]]:
    if isinstance(found, list):
        yield from ((None, element) for element in found)
    elif isinstance(found, dict):
        assert by_key, f"an object where a list is declared: {found}"
        for under, inside in found.items():
            if isinstance(inside, list):
                yield from ((under, element) for element in inside)
            elif inside is not None:
                yield under, inside


def fill(
    row: Row, lists: list[tuple[Json, Any]], node: Json, value: Any, named: str, *, knows_all: bool = True
) -> None:
    """Puts what a node makes of a value into a row, and its lists aside.

    Every member has to be declared if it `knows_all`: else it would be in `_extra`, which is empty here.
    """
    if "left_out" in node:
        return
    if "whole" in node:
        row[node["whole"].get("column") or named] = read("json", value)
        fill(row, lists, {"fields": node.get("fields", {})}, value, named, knows_all=False)
    elif "of" in node:
        lists.append((node, value))
    elif "items" in node:
        for place, item in enumerate(node["items"]):
            is_there = isinstance(value, list) and place < len(value)
            row[item["column"]] = read(item["type"], value[place] if is_there else None)
    elif "fields" in node:
        members = value if isinstance(value, dict) else {}
        assert isinstance(value, dict) or value in (None, []), f"{named}: {value!r} is no object"
        spellings = {name: (name, *field.get("also", ())) for name, field in node["fields"].items()}
        unknown = set(members).difference(*spellings.values())
        assert not (knows_all and unknown), f"{named}: {unknown} are not declared"
        for name, field in node["fields"].items():
            found = [members[each] for each in spellings[name] if members.get(each) is not None]
            below = named if field.get("inline") else f"{named}_{name}".removeprefix("_")
            fill(row, lists, field, found[0] if found else None, below, knows_all=knows_all)
    else:
        row[node.get("column") or named] = read(node["type"], value)


def read(kind: str, value: Any) -> Any:
    """A value as a column holds it; JSON in one writing."""
    if value is None:
        return None
    if kind == "timestamp":
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=int(value))
    if kind == "json":
        return json.dumps(value, sort_keys=True)
    if kind == "text":
        return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return {"integer": int, "float": float, "boolean": bool}[kind](value)


# --- what the accounts hold ---


class _Known:
    """What a warehouse knows of its accounts after some syncs, by object, account and key.

    An object that is gone stays as it was last read; only a reconciliation tells of mentions that were deleted.
    """

    def __init__(self, site: Any) -> None:
        self.site = site
        self.objects: dict[tuple[str, int, str], tuple[Json, Row]] = {}
        self.notes_until: dict[int, int] = {}
        self.cases_read: set[tuple[Any, ...]] = set()

    def sync(self) -> None:
        """Syncs, and then the notes again: those on a mention are read by the run after the one that has read it."""
        before = {key for key in self.objects if key[0] == "case"}
        self.site.sync()
        self.site.sync(stream_names=["mention_context_items"])
        read = self.site.rows("SELECT account_id, unique_id FROM cases WHERE _loaded_at = $1", self.site.box.now)
        self.cases_read = set(read)
        for account_id in ACCOUNTS:
            for name in OBJECTS:
                for record, given in self._held(name, account_id):
                    key = (name, account_id, json.dumps([_at(record | given, path) for path in _key(name)]))
                    if key not in before or self._is_read_again(key, record):
                        self.objects[key] = (record, given)

    def rows(self) -> dict[str, list[Row]]:
        rows: dict[str, list[Row]] = defaultdict(list)
        for (name, account_id, _), (record, given) in self.objects.items():
            for table, row in rows_of(name, account_id, record, given):
                rows[table].append(row)
        return rows

    def _held(self, name: str, account_id: int) -> Iterator[tuple[Json, Row]]:
        """The objects of an account as the API shows them now, each with what it was asked by."""
        if name == "context_item":
            yield from self._notes(account_id)
        else:
            yield from ((record, {}) for record in held(self.site.box, name, account_id))

    def _notes(self, account_id: int) -> Iterator[tuple[Json, Row]]:
        """Of mentions that have got a note since the notes were read last; others say what they said then."""
        box, until = self.site.box, self.notes_until.get(account_id, 0)
        for mention in box.mentions(account_id):
            noted = [
                action["date"]["added"]
                for action in mention["actions"]
                if action["type"] in {"note", "assign"} and action.get("details") is not None
            ]
            if max(noted, default=0) > until:
                self.notes_until[account_id] = max(self.notes_until.get(account_id, 0), *noted)
                unique_id = mention["unique_id"]
                yield from ((item, {"unique_id": unique_id}) for item in box.context(account_id, unique_id, "notes"))

    def _is_read_again(self, key: tuple[str, int, str], record: Json) -> bool:
        """Whether a case was read again. It has to be when an action tells of it.

        Without one, a case shows neither that mentions were linked to it, nor that its contact was changed, nor how
        its times grow; so it may be as it was.
        """
        former, _ = self.objects[key]
        if former["case"]["actions"] != record["case"]["actions"]:
            return True
        return (str(key[1]), record["case"]["unique_id"]) in self.cases_read


def _key(name: str) -> list[str]:
    paths: list[str] = declared(name)["key"]
    return paths


def _at(record: Json, path: str) -> Any:
    value: Any = record
    for step in path.split("."):
        value = value[step]
    return value


def held(box: Any, name: str, account_id: int) -> list[Json]:
    """The objects of an account that the API shows now, whatever their date."""
    if name in LISTS:
        objects: list[Json] = box.objects(account_id, LISTS[name])
        return objects
    if name == "account":
        return [account(box, account_id)]
    others: dict[str, Callable[[], list[Json]]] = {
        "mention": lambda: box.mentions(account_id),
        "case": lambda: box.cases(account_id),
        "contact": lambda: box.contacts(account_id),
        "account_change": lambda: box.account_changes(account_id),
        "security_event": lambda: box.security_events(account_id),
        "publisher_post": lambda: box.publisher_posts(account_id),
        # The list is the token's, and the same for each account.
        "connected_profile": lambda: box.connected_profiles(box.token),
        "filter_suggestion": lambda: box.references[account_id].suggestions(box.now_seconds),
    }
    return others[name]()


def account(box: Any, account_id: int) -> Json:
    organisation = box.accounts[account_id].organisation
    return {
        "id": account_id,
        "name": organisation.name,
        "expires": organisation.expires_at,
        "plan": "enterprise_v5",
        "projects": box.references[account_id].projects(box.now_seconds, with_email=True),
        "users": box.users(account_id),
    }


# --- what the warehouse holds ---


@dataclass(frozen=True)
class _Table:
    """A table as the files have it; `parent` is the table whose rows it belongs to, with its key as named here."""

    name: str
    key: tuple[str, ...]
    json_columns: frozenset[str]
    parent: str = ""
    parent_key: tuple[str, ...] = ()
    own_parent_key: tuple[str, ...] = ()


def tables(name: str) -> Iterator[_Table]:
    fields = declared(name)["fields"]
    given = declared(name).get("given", {})
    columns = [path if path in given else column_at(fields, path.split(".")) for path in _key(name)]
    key = tuple(dict.fromkeys(["account_id", *columns]))
    node = {"fields": fields}
    yield _Table(declared(name)["table"], key, frozenset(json_columns(node, "")))
    named = tuple(f"{name}_id" if column == "id" else column for column in key)
    for listing in lists_in(node):
        yield from list_tables(name, listing, declared(name)["table"], key, named)


def list_tables(
    name: str, listing: Json, parent: str, parent_key: tuple[str, ...], named: tuple[str, ...]
) -> Iterator[_Table]:
    key = (*named, "position")
    yield _Table(listing["table"], key, frozenset(json_columns(listing["of"], "")), parent, parent_key, named)
    singular = listing["table"].removeprefix(f"{name}_").removesuffix("s")
    for inner in lists_in(listing["of"]):
        yield from list_tables(name, inner, listing["table"], key, (*named, f"{singular}_position"))


def lists_in(node: Json) -> Iterator[Json]:
    if "of" in node:
        yield node
    elif "whole" not in node:
        for field in node.get("fields", {}).values():
            yield from lists_in(field)


def json_columns(node: Json, named: str) -> Iterator[str]:
    if "of" in node or "left_out" in node:
        return
    whole = node.get("whole", node)
    if whole.get("type") == "json":
        yield whole.get("column") or named
    for name, field in node.get("fields", {}).items():
        yield from json_columns(field, named if field.get("inline") else f"{named}_{name}".removeprefix("_"))


def assert_equal(site: Any, known: _Known) -> None:
    expected = known.rows()
    with duckdb.connect(site.home / "warehouse.duckdb", read_only=True) as con:
        con.execute("SET search_path = 'social_connect'; SET TimeZone = 'UTC'")
        for table in ALL_TABLES:
            assert_same_rows(con, table, expected[table.name])
            assert_related(con, table)


def assert_same_rows(con: duckdb.DuckDBPyConnection, table: _Table, expected: list[Row]) -> None:
    """No row more or less, and none different in any column that comes from the objects, `_extra` included."""
    described = con.execute(f"DESCRIBE {table.name}").fetchall()
    columns = sorted({str(name) for name, *_ in described} - HOUSEKEEPING)
    assert set().union(*expected) <= set(columns), f"{table.name}: columns are missing"
    truth = Counter(tuple(row.get(name) for name in columns) for row in expected)
    found = Counter(
        tuple(
            json.dumps(json.loads(value), sort_keys=True) if value and name in table.json_columns else value
            for name, value in zip(columns, row, strict=True)
        )
        for row in con.execute(f"SELECT {listed(columns)} FROM {table.name}").fetchall()
    )
    assert not (found - truth), f"{table.name}: rows too many: {shown(columns, found - truth)}"
    assert not (truth - found), f"{table.name}: rows missing: {shown(columns, truth - found)}"


def assert_related(con: duckdb.DuckDBPyConnection, table: _Table) -> None:
    """The key is unique and has no null, and every row of a list has the row it belongs to."""
    nulls = " OR ".join(f'"{name}" IS NULL' for name in table.key)
    assert not con.execute(f"SELECT 1 FROM {table.name} WHERE {nulls}").fetchall(), f"{table.name}: a key with null"
    repeated = f"SELECT {listed(table.key)} FROM {table.name} GROUP BY ALL HAVING count(*) > 1 LIMIT 3"
    assert not (found := con.execute(repeated).fetchall()), f"{table.name}: keys in several rows: {found}"
    if table.parent:
        orphans = (
            f"SELECT {listed(table.own_parent_key)} FROM {table.name}"
            f" EXCEPT SELECT {listed(table.parent_key)} FROM {table.parent} LIMIT 3"
        )
        assert not (found := con.execute(orphans).fetchall()), f"{table.name}: without their {table.parent}: {found}"


def listed(names: Iterable[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)


def shown(columns: list[str], rows: Counter[tuple[Any, ...]]) -> list[Row]:
    return [
        {name: value for name, value in zip(columns, row, strict=True) if value is not None} for row in list(rows)[:2]
    ]


ALL_TABLES = [table for name in OBJECTS for table in tables(name)]

WITHOUT_ROWS = {"publisher_post_action_assignees"}
"""Lists of which the sandbox has no element: nobody is assigned in the publisher's actions."""

RICH_CASE = {
    "message": {
        "attachments": [{"type": "photo", "id": 7, "url": "https://media.example/1.jpg", "content": True}],
        "entities": {"hashtags": [{"string": "#nl", "indices": [3, 6], "text": "nl"}], "users": []},
    },
    "assignment": {"team_ids": [31, 32]},
    "part_of_cases": {"mention_identifiers": [{"id": "9", "unique_id": "1_9", "permalink": "p", "topic": {"id": 1}}]},
    "todos": [
        {
            "id": "t1",
            "author": {"id": "21001", "name": "Sofie", "email": "sofie@example.org"},
            "text": "Bel terug",
            "assignees": [{"id": "31", "type": "team", "display_name": "Ploeg"}],
            "status": "todo",
            "dateadd": 1_770_000_000,
            "lastupdate": 1_770_000_060,
        }
    ],
    "buttons": [{"id": "1", "label": "Ja"}],
    "clicked_buttons": [{"id": "1", "label": "Ja", "payload": "y"}],
    "extra_attributes": [{"id": "e", "name": "Regio", "value": "West"}],
    "service_details": {"location_details": {"location_id": "l", "location_url": "u", "locationAddress": "a"}},
}


@pytest.fixture(scope="module")
def known(make_site: Make) -> _Known:
    """Two accounts before their first sync, of which everything is read that there is."""
    options = {"social_connect_context_calls": 10_000, "social_connect_start_date": "2025-01-01T00:00:00Z"}
    site = make_site(accounts=ACCOUNTS, mentions=120, options=options)
    site.box.edit_mention(1417, site.box.cases(1417)[0]["case"]["unique_id"], RICH_CASE)
    return _Known(site)


def test_every_contract_is_looked_at() -> None:
    """And read here as the tables that the warehouse makes of it."""
    ours = {(table.name, table.key) for table in ALL_TABLES}
    assert ours == {(table.name, table.key_names) for each in transforms.contract.contracts() for table in each.tables}


def test_a_first_sync(known: _Known) -> None:
    known.sync()
    assert_equal(known.site, known)
    rows = known.rows()
    assert {table.name for table in ALL_TABLES if not rows[table.name]} == WITHOUT_ROWS


def test_what_people_do(known: _Known) -> None:
    """Nothing that mentions show: those change without a sign when something is renamed."""
    box = known.site.box
    box.advance(hours=1)
    tag = box.add(1417, "tags", tag='Nieuw "(A+B)" é', parent_id=None)
    role = box.add(1417, "userroles", title="Tijdelijk", permissions=["inbox.read"], topics=[box.topics(1417)[0]["id"]])
    schedule = box.add(
        1417, "businesshoursschedules", name="Nacht", periods=[{"dayofweek": 7, "start": "2200", "end": "2400"}]
    )
    user = box.add(
        1417, "users", name="Nele D'Hondt", account_role=role["id"], business_hours_schedule_id=schedule["id"]
    )
    team = box.add(1417, "teams", name="Nachtploeg", users=[user["id"], box.users(1417)[0]["id"]])
    other = box.add(1418, "teams", name="Leeg", users=[])
    mention = box.mentions(1417)[5]["unique_id"]
    box.act(1417, mention, kind="note", text="een nota", user_id=user["id"])
    box.act(1417, mention, kind="assign", text="voor jou", assignee_ids=[team["id"], user["id"]])
    box.act(1417, box.cases(1417)[0]["case"]["unique_id"], kind="property", priority="high")
    box.edit_contact(1417, box.contacts(1417)[0]["id"], {"tags": ["VIP"], "company": "Bakkerij"})
    box.advance(hours=25)
    known.sync()
    assert_equal(known.site, known)

    box.change(1417, "tags", tag["id"], tag="Nieuw", color_code="rgb(1,2,3)", visible=False)
    box.change(1417, "userroles", role["id"], permissions=[], topics=[])
    box.change(1417, "businesshoursschedules", schedule["id"], timezone="Asia/Kolkata", periods=[])
    box.change(1417, "teams", team["id"], name="Ploeg", users=[])
    box.change(1417, "users", user["id"], email=None, business_hours_schedule_id=None)
    box.change(1418, "teams", other["id"], users=[each["id"] for each in box.users(1418)[:4]])
    box.advance(days=12)  # each kind of daily change has come round
    known.sync()
    assert_equal(known.site, known)

    for list_name, gone in (("users", user), ("userroles", role), ("teams", team), ("tags", tag)):
        box.remove(1417, list_name, gone["id"])
    box.remove(1417, "businesshoursschedules", schedule["id"])
    box.remove(1418, "teams", other["id"])
    box.delete_mention(1418, box.mentions(1418)[3]["unique_id"])
    box.delete_contact(1418, box.contacts(1418)[0]["id"])
    box.advance(hours=25)
    known.sync()
    assert_equal(known.site, known)
