"""Mentions to flatten: a real one, a full one, and hypothesis strategies for any, in order or not."""

import json
from copy import deepcopy
from typing import Any

from hypothesis import strategies as st

Json = Any

# A stripped tweet as the API sent it in 2022, with the digits of personal ids zeroed.
TWEET = """
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
"""

_FULL: Json = {
    "id": "71",
    "unique_id": "9_71",
    "author": {
        "id": "a1",
        "name": "lotte",
        "fullname": "Lotte P.",
        "url": "https://a.example/1",
        "img": "https://a.example/1.png",
        "managed": False,
        "tags": ["vip", "press"],
    },
    "original_author": {
        "id": "o1",
        "name": "odile",
        "fullname": "Odile Q.",
        "url": "https://o.example/1",
        "img": "https://o.example/1.png",
    },
    "message": {
        "title": "Title",
        "content": "<p>Hello #sun</p>",
        "stripped_content": "Hello #sun",
        "entities": {
            "hashtags": [
                {
                    "string": "#sun",
                    "indices": [9, 13],
                    "text": "sun",
                    "filter": "hashtag:sun",
                    "url": "https://h.example",
                }
            ],
            "users": {
                "string": "@bo",
                "indices": [0, 3],
                "service": "twitter",
                "screen_name": "bo",
                "filter": "user:bo",
            },
        },
        "attachments": [
            {"type": "photo", "id": 55, "url": "https://p.example/55", "image": "https://p.example/55.png"},
            {"type": "csat_answer", "question": "q1", "content": 4, "title": "T", "description": "D", "caption": "C"},
        ],
        "language": "nl",
        "sentiment": "neutral",
        "type": "comment",
    },
    "source": {
        "category": "social",
        "service": "facebook",
        "type": "SearchProviderFacebook",
        "id": "s1",
        "in_reply_to_message_id": "s0",
        "thread_id": "s-1",
        "domain": "facebook.com",
        "url": "https://f.example/s1",
        "application": "Phone",
        "profile": "p1",
        "profile_name": "Page",
        "identifiers": {
            "document_id": 1,
            "project_id": 2,
            "content_provider_id": 3,
            "master_account_id": 4,
            "account_id": 5,
        },
        "sender": {"type": "user", "id": "12", "name": "Agent"},
    },
    "location": {
        "continent": "EU",
        "country": "BE",
        "region": "Vlaanderen",
        "city": "Gent",
        "longitude": 3.72,
        "latitude": 51.05,
    },
    "tags": ["invoice", "urgent"],
    "topic": {"id": 9, "name": "Care"},
    "project": {"id": 2, "name": "Telecom"},
    "status": "done",
    "permalink": "https://app.example/71",
    "assignment": {"user_ids": [12, 13], "team_ids": [4], "comments": "please"},
    "assignees": [
        {"id": "12", "type": "user", "display_name": "An"},
        {"id": "4", "type": "team", "display_name": "Billing"},
    ],
    "actions": [
        {
            "user": {"id": "12", "name": "An"},
            "type": "status",
            "description": "set to done",
            "details": "well",
            "date": {"added": 1_772_000_300},
            "metadata": {"status": "done", "priority": "low", "previous_priority": "high"},
        },
        {
            "user": {"id": "13", "name": "Bo"},
            "type": "assign",
            "description": "assigned",
            "date": {"added": 1_772_000_200},
            "metadata": {
                "assignees": [
                    {"id": "12", "type": "user", "display_name": "An"},
                    {"id": "4", "type": "team", "display_name": "Billing"},
                ]
            },
        },
    ],
    "action_links": [
        {
            "key": "status",
            "type": "api",
            "name": "Close",
            "title": "Close it",
            "link": "https://api.example/x",
            "http_method": "POST",
            "post_params": "status=done",
        }
    ],
    "handled_by": {"type": "flow", "flow_id": "88"},
    "timestamps": {
        "response_time": 101,
        "response_time_during_bh": 102,
        "resolve_time": 103,
        "resolve_time_during_bh": 104,
        "handle_time": 105,
        "unresolved_time": 106,
        "unresolved_time_during_bh": 107,
        "pending_time": 108,
    },
    "date": {"added": 1_772_000_000, "published": 1_771_999_900},
    "priority": {"id": 5, "name": "medium", "color": "#ff0"},
    "extra_attributes": [{"id": "cf_1", "name": "order", "value": "0042"}],
    "part_of_cases": {
        "mention_identifiers": [
            {"id": "c1", "unique_id": "9_c1", "permalink": "https://app.example/c1", "topic": {"id": 9}}
        ]
    },
    "todos": [
        {
            "id": "t1",
            "author": {"id": "12", "name": "An", "email": "an@example.org"},
            "text": "call back",
            "assignees": [{"id": "13", "type": "user", "display_name": "Bo"}],
            "status": "todo",
            "dateadd": 1_772_000_100,
            "lastupdate": 1_772_000_150,
        }
    ],
    "buttons": [{"id": "b1", "label": "Yes"}],
    "clicked_buttons": [{"id": "b1", "label": "Yes", "payload": "menu:1"}],
    "service_details": {
        "location_details": {
            "location_id": "l1",
            "location_name": "Shop",
            "locationUrl": "https://l.example",
            "locationAddress": "Street 1",
        },
        "product_details": [{"product_id": "p1", "product_name": "Router"}],
        "app_details": {"app_id": "x1", "app_name": "App"},
        "shop_details": {"shop_id": "h1", "shop_name": "Store"},
        "author_phone": {"author_phone": "+32 2 000 00 00"},
    },
}


def full() -> Json:
    """A mention with every documented field, each with a value of its own."""
    return deepcopy(_FULL)


def changed(site: tuple[str | int, ...], value: Json, mention: Json = None) -> Json:
    """The full mention with another value at one place."""
    mention = full() if mention is None else mention
    holder = mention
    for step in site[:-1]:
        holder = holder[step]
    holder[site[-1]] = value
    return mention


def variants(site: tuple[str | int, ...], values: list[Json]) -> dict[str, Json]:
    """The full mention with each of the values at one place, by its unique_id."""
    numbered = {f"1_{number:02}": value for number, value in enumerate(values)}
    return {key: changed(site, value, full() | {"unique_id": key}) for key, value in numbered.items()}


# --- mentions that look as documented ---

HOSTILE_TEXTS = (
    "",
    " ",
    "0",
    "null",
    "[]",
    "{}",
    ":[]",
    '":{}',
    '":[],"',
    '"a":[]',
    '\\":[]',
    "\\",
    "\\\\",
    '"',
    "'",
    "''; DROP TABLE typed; --",
    "$account_id",
    "$.a[*]",
    "/",
    "~",
    "~0~1",
    "a/b",
    "a.b",
    "*",
    "line\nbreak\r\n\ttab",
    "\u0000",
    "a\u0000b",
    "\u2028",
    "é",
    "e\u0301",
    "👩‍👩‍👧‍👦 🇧🇪",
    "\U0010ffff",
    "1592970000000000000",
    "99999999999999999999999999",
    "NaN",
    "1e999",
)

texts = st.one_of(st.sampled_from(HOSTILE_TEXTS), st.text(max_size=12))
identifiers = st.one_of(
    texts, st.integers(0, 9999), st.integers(10**16, 10**20), st.integers(10**16, 10**30).map(str), st.just(-1)
)
_wholes = st.integers(-(10**18) + 1, 10**18 - 1)
_seconds = st.integers(-62_135_596_800, 253_402_300_799)
_SCALARS: dict[str, st.SearchStrategy[Json]] = {
    "text": st.one_of(st.none(), texts, st.booleans()),
    "id": st.one_of(st.none(), identifiers),
    "integer": st.one_of(st.none(), st.just(0), _wholes, _wholes.map(str)),
    "timestamp": st.one_of(st.none(), _seconds, _seconds.map(str)),
    "float": st.one_of(st.none(), st.floats(allow_nan=False, allow_infinity=False), st.integers(-180, 180)),
    "boolean": st.one_of(st.none(), st.booleans()),
    "indices": st.one_of(st.none(), st.lists(st.integers(0, 5000), max_size=2)),
}


def _of(words: str, **nested: st.SearchStrategy[Json]) -> st.SearchStrategy[Json]:
    """An object with any of its fields, written `name:kind` (text when nothing is said), or one of the empties."""
    fields = {name: _SCALARS[kind or "text"] for name, _, kind in (word.partition(":") for word in words.split())}
    filled = st.fixed_dictionaries({}, optional=fields | nested)
    return st.one_of(filled, filled, st.sampled_from([None, [], {}]))


def _list(element: st.SearchStrategy[Json]) -> st.SearchStrategy[Json]:
    return st.one_of(st.lists(element, max_size=3), st.none())


def _by_kind(element: st.SearchStrategy[Json]) -> st.SearchStrategy[Json]:
    """A list of elements, or an object of elements or of lists of them."""
    under = st.one_of(st.lists(element, max_size=2), element.filter(lambda found: found is not None))
    kinds = st.one_of(st.sampled_from(["hashtags", "urls", "users", "location_details"]), texts)
    return st.one_of(_list(element), st.dictionaries(kinds, under, max_size=3))


_assignee = _of("id:id type display_name")
_author = _of("id:id name fullname url img managed:boolean", tags=_list(_SCALARS["id"]))
_entity = _of("string indices:indices text filter url short_url long_url display_url service screen_name")
_OPTIONAL: dict[str, st.SearchStrategy[Json]] = {
    "id": _SCALARS["id"],
    "author": _author,
    "original_author": _of("id:id name fullname url img"),
    "message": _of(
        "title content stripped_content language sentiment type",
        entities=_by_kind(_entity),
        attachments=_list(_of("id:id type url title image description caption question content:id")),
    ),
    "source": _of(
        "category service type id:id in_reply_to_message_id:id thread_id:id domain url application profile:id"
        " profile_name",
        identifiers=_of("document_id:id project_id:id content_provider_id:id master_account_id:id account_id:id"),
        sender=_of("type id:id name"),
    ),
    "location": _of("continent country region city longitude:float latitude:float"),
    "tags": _list(_SCALARS["text"]),
    "topic": _of("id:id name"),
    "project": _of("id:id name"),
    "status": _SCALARS["text"],
    "permalink": _SCALARS["text"],
    "assignment": _of("comments", user_ids=_list(_SCALARS["id"]), team_ids=_list(_SCALARS["id"])),
    "assignees": _list(_assignee),
    "actions": _list(
        _of(
            "type description details",
            user=_of("id:id name"),
            date=_of("added:timestamp"),
            metadata=_of("status priority previous_priority", assignees=_list(_assignee)),
        )
    ),
    "action_links": _list(_of("key type name title link http_method post_params")),
    "handled_by": _of("type flow_id:id"),
    "timestamps": _of(
        "response_time:integer response_time_during_bh:integer resolve_time:integer resolve_time_during_bh:integer"
        " handle_time:integer unresolved_time:integer unresolved_time_during_bh:integer pending_time:integer"
    ),
    "date": _of("added:timestamp published:timestamp"),
    "priority": _of("id:id name color"),
    "extra_attributes": _list(_of("id:id name value")),
    "part_of_cases": _of("", mention_identifiers=_list(_of("id:id unique_id:id permalink", topic=_of("id:id")))),
    "todos": _list(
        _of(
            "id:id text status dateadd:timestamp lastupdate:timestamp",
            author=_of("id:id name email"),
            assignees=_list(_assignee),
        )
    ),
    "buttons": _list(_of("id:id label")),
    "clicked_buttons": _list(_of("id:id label payload")),
    "service_details": _by_kind(
        st.one_of(
            _of("location_id:id location_name locationUrl locationAddress product_id:id product_name author_phone"),
            _of("location_url location_address app_id:id app_name shop_id:id shop_name"),
        )
    ),
}

unique_ids = st.one_of(st.sampled_from(["1_1", "1_2", 12]), identifiers.filter(lambda found: found != ""))
mentions = st.fixed_dictionaries({"unique_id": unique_ids}, optional=_OPTIONAL)


@st.composite
def bodies_of(draw: st.DrawFn, records: list[Json]) -> list[str]:
    """The same records as response bodies: cut into pages and written in some way or other."""
    sizes = [*draw(st.lists(st.integers(0, 2), max_size=4)), len(records)]
    starts = [sum(sizes[:place]) for place in range(len(sizes))]
    separators = draw(st.sampled_from([(",", ":"), (", ", ": "), (" ,\n", " :\t")]))
    is_ascii = draw(st.booleans())
    bodies = []
    for start, size in zip(starts, sizes, strict=True):
        answer = {"count": len(records), "data": records[start : start + size], "paging": []}
        envelope = {"meta": {"code": 200}, "response": answer}
        bodies.append(json.dumps(envelope, ensure_ascii=is_ascii, separators=separators))
    return bodies


# --- mentions that do not ---

_KINDS = st.sampled_from(["text", "numeral", "whole", "huge", "float", "true", "null"])
_names = st.one_of(st.sampled_from(["id", "type", "new", "x.y", "ID", "0"]), texts)
_shapes = st.recursive(
    _KINDS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(_names, inner, max_size=3)),
    max_leaves=4,
)


@st.composite
def drifted(draw: st.DrawFn, unique_id: str = "1_1") -> tuple[Json, list[Json]]:
    """A mention with one to three places changed at random, and the values put there; each occurs nowhere else."""
    mention = deepcopy(draw(mentions)) if draw(st.booleans()) else full()
    mention["unique_id"] = unique_id
    marks: list[Json] = []
    for _ in range(draw(st.integers(1, 3))):
        holder, step = draw(st.sampled_from(list(_places(mention))))
        value = _filled(draw(_shapes), marks)
        if isinstance(holder, list) and step == len(holder):
            holder.append(value)
        else:
            holder[step] = value
    found = set(map(str, _leaves(mention)))
    return mention, [mark for mark in marks if str(mark) in found]


def _places(value: Json, *, is_top: bool = True) -> list[tuple[Json, Any]]:
    """Every place inside a value where something can be put: members and elements, and one more of each."""
    own: list[tuple[Json, Any]]
    if isinstance(value, dict):
        own = [(value, name) for name in [*value, "unknown"] if not (is_top and name == "unique_id")]
    elif isinstance(value, list):
        own = [(value, place) for place in range(len(value) + 1)]
    else:
        return []
    inner = value.values() if isinstance(value, dict) else value
    return own + [place for member in inner for place in _places(member, is_top=False)]


def _filled(shape: Json, marks: list[Json]) -> Json:
    if isinstance(shape, list):
        return [_filled(inner, marks) for inner in shape]
    if isinstance(shape, dict):
        return {name: _filled(inner, marks) for name, inner in shape.items()}
    number = 7_100_000 + len(marks)
    mark = {
        "text": f"mark {number}",
        "numeral": str(number),
        "whole": number,
        "huge": 2**63 + number,
        "float": number + 0.5,
        "true": True,
        "null": None,
    }[shape]
    if shape not in {"true", "null"}:
        marks.append(mark)
    return mark


def _leaves(value: Json) -> list[Json]:
    if isinstance(value, dict):
        return [leaf for inner in value.values() for leaf in _leaves(inner)]
    if isinstance(value, list):
        return [leaf for inner in value for leaf in _leaves(inner)]
    return [value]
