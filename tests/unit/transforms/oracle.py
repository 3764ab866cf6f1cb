"""A second flattener of mentions, as plain as can be: a loop over records and a table of paths written by hand.

It shares nothing with the code under test, the contract included. It reads mentions that look as documented; what is
kept of others is tested case by case.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

Row = dict[str, Any]


@dataclass(frozen=True)
class Listing:
    """A list and its table. Each line of `columns`: column, kind, path within the element (. is the element)."""

    table: str
    at: str
    columns: str
    kind_column: str = ""
    position_in_children: str = ""
    children: tuple["Listing", ...] = ()


ASSIGNEE = """
    id            text       id
    type          text       type
    display_name  text       display_name
"""

MENTION = """
    id                                     text       id
    unique_id                              text       unique_id
    author_id                              text       author.id
    author_name                            text       author.name
    author_fullname                        text       author.fullname
    author_url                             text       author.url
    author_img                             text       author.img
    author_managed                         boolean    author.managed
    original_author_id                     text       original_author.id
    original_author_name                   text       original_author.name
    original_author_fullname               text       original_author.fullname
    original_author_url                    text       original_author.url
    original_author_img                    text       original_author.img
    message_title                          text       message.title
    message_content                        text       message.content
    message_stripped_content               text       message.stripped_content
    message_language                       text       message.language
    message_sentiment                      text       message.sentiment
    message_type                           text       message.type
    source_category                        text       source.category
    source_service                         text       source.service
    source_type                            text       source.type
    source_id                              text       source.id
    source_in_reply_to_message_id          text       source.in_reply_to_message_id
    source_thread_id                       text       source.thread_id
    source_domain                          text       source.domain
    source_url                             text       source.url
    source_application                     text       source.application
    source_profile                         text       source.profile
    source_profile_name                    text       source.profile_name
    source_identifiers_document_id         text       source.identifiers.document_id
    source_identifiers_project_id          text       source.identifiers.project_id
    source_identifiers_content_provider_id text       source.identifiers.content_provider_id
    source_identifiers_master_account_id   text       source.identifiers.master_account_id
    source_identifiers_account_id          text       source.identifiers.account_id
    source_sender_type                     text       source.sender.type
    source_sender_id                       text       source.sender.id
    source_sender_name                     text       source.sender.name
    location_continent                     text       location.continent
    location_country                       text       location.country
    location_region                        text       location.region
    location_city                          text       location.city
    location_longitude                     float      location.longitude
    location_latitude                      float      location.latitude
    topic_id                               text       topic.id
    topic_name                             text       topic.name
    project_id                             text       project.id
    project_name                           text       project.name
    status                                 text       status
    permalink                              text       permalink
    assignment_comments                    text       assignment.comments
    handled_by_type                        text       handled_by.type
    handled_by_flow_id                     text       handled_by.flow_id
    response_time_seconds                  integer    timestamps.response_time
    response_time_business_hours_seconds   integer    timestamps.response_time_during_bh
    resolve_time_seconds                   integer    timestamps.resolve_time
    resolve_time_business_hours_seconds    integer    timestamps.resolve_time_during_bh
    handle_time_seconds                    integer    timestamps.handle_time
    unresolved_time_seconds                integer    timestamps.unresolved_time
    unresolved_time_business_hours_seconds integer    timestamps.unresolved_time_during_bh
    pending_time_seconds                   integer    timestamps.pending_time
    added_at                               timestamp  date.added
    published_at                           timestamp  date.published
    priority_id                            text       priority.id
    priority_name                          text       priority.name
    priority_color                         text       priority.color
"""

LISTS = (
    Listing("mention_author_tags", "author.tags", "tag text ."),
    Listing(
        "mention_entities",
        "message.entities",
        """
        string       text     string
        start_index  integer  indices.0
        end_index    integer  indices.1
        text         text     text
        filter       text     filter
        url          text     url
        short_url    text     short_url
        long_url     text     long_url
        display_url  text     display_url
        service      text     service
        screen_name  text     screen_name
        """,
        kind_column="kind",
    ),
    Listing(
        "mention_attachments",
        "message.attachments",
        """
        id           text     id
        type         text     type
        url          text     url
        title        text     title
        image        text     image
        description  text     description
        caption      text     caption
        question     text     question
        content      text     content
        """,
    ),
    Listing("mention_tags", "tags", "tag text ."),
    Listing("mention_assignment_users", "assignment.user_ids", "user_id text ."),
    Listing("mention_assignment_teams", "assignment.team_ids", "team_id text ."),
    Listing("mention_assignees", "assignees", ASSIGNEE),
    Listing(
        "mention_actions",
        "actions",
        """
        user_id                     text       user.id
        user_name                   text       user.name
        type                        text       type
        description                 text       description
        details                     text       details
        added_at                    timestamp  date.added
        metadata_status             text       metadata.status
        metadata_priority           text       metadata.priority
        metadata_previous_priority  text       metadata.previous_priority
        """,
        position_in_children="action_position",
        children=(Listing("mention_action_assignees", "metadata.assignees", ASSIGNEE),),
    ),
    Listing(
        "mention_action_links",
        "action_links",
        """
        key          text  key
        type         text  type
        name         text  name
        title        text  title
        link         text  link
        http_method  text  http_method
        post_params  text  post_params
        """,
    ),
    Listing(
        "mention_extra_attributes",
        "extra_attributes",
        """
        id     text  id
        name   text  name
        value  text  value
        """,
    ),
    Listing(
        "mention_part_of_cases",
        "part_of_cases.mention_identifiers",
        """
        id              text  id
        case_unique_id  text  unique_id
        permalink       text  permalink
        topic_id        text  topic.id
        """,
    ),
    Listing(
        "mention_todos",
        "todos",
        """
        id            text       id
        author_id     text       author.id
        author_name   text       author.name
        author_email  text       author.email
        text          text       text
        status        text       status
        added_at      timestamp  dateadd
        updated_at    timestamp  lastupdate
        """,
        position_in_children="todo_position",
        children=(Listing("mention_todo_assignees", "assignees", ASSIGNEE),),
    ),
    Listing("mention_buttons", "buttons", "id text id\n label text label"),
    Listing("mention_clicked_buttons", "clicked_buttons", "id text id\n label text label\n payload text payload"),
    Listing(
        "mention_service_details",
        "service_details",
        """
        location_id       text  location_id
        location_name     text  location_name
        location_url      text  locationUrl|location_url
        location_address  text  locationAddress|location_address
        product_id        text  product_id
        product_name      text  product_name
        app_id            text  app_id
        app_name          text  app_name
        shop_id           text  shop_id
        shop_name         text  shop_name
        author_phone      text  author_phone
        """,
        kind_column="kind",
    ),
)


def all_lists() -> Iterator[Listing]:
    """Every list, the lists within lists included."""
    for listing in LISTS:
        yield listing
        yield from listing.children


@cache
def lines(columns: str) -> list[tuple[str, str, list[list[str]]]]:
    """Column, kind and paths of each line, a path as its steps."""
    split = [line.split() for line in columns.splitlines() if line.strip()]
    return [(name, kind, [steps(path) for path in paths.split("|")]) for name, kind, paths in split]


@cache
def steps(path: str) -> list[str]:
    """The steps to a value; none for the element itself."""
    return [] if path == "." else path.split(".")


def flatten(mentions: Iterable[Any], *, account_id: str, loaded_at: datetime) -> dict[str, list[Row]]:
    """Rows by table, without `_content_hash`; of two mentions with one unique_id the later counts."""
    latest = {text(mention["unique_id"]): mention for mention in mentions}
    tables: dict[str, list[Row]] = {"mentions": [], **{listing.table: [] for listing in all_lists()}}
    for unique_id, mention in latest.items():
        key = {"account_id": account_id, "unique_id": unique_id}
        tables["mentions"].append(
            key | _values(MENTION, mention) | {"deleted_at": None, "_extra": None, "_loaded_at": loaded_at}
        )
        for listing in LISTS:
            _add_rows(tables, listing, key, mention, loaded_at)
    return tables


def _add_rows(tables: dict[str, list[Row]], listing: Listing, key: Row, holder: Any, loaded_at: datetime) -> None:
    for position, (kind, element) in enumerate(
        _elements(_at(holder, steps(listing.at)), by_kind=bool(listing.kind_column))
    ):
        row = key | {"position": position} | _values(listing.columns, element)
        if listing.kind_column:
            row[listing.kind_column] = kind
        tables[listing.table].append(row | {"_extra": None, "_loaded_at": loaded_at, "_is_removed": None})
        for child in listing.children:
            _add_rows(tables, child, key | {listing.position_in_children: position}, element, loaded_at)


def _elements(found: Any, *, by_kind: bool) -> Iterator[tuple[str | None, Any]]:
    if isinstance(found, list):
        yield from ((None, element) for element in found)
    elif isinstance(found, dict) and by_kind:
        for kind, under in found.items():
            if isinstance(under, list):
                yield from ((kind, element) for element in under)
            elif under is not None:
                yield kind, under


def _values(columns: str, element: Any) -> Row:
    row: Row = {}
    for name, kind, paths in lines(columns):
        value = None
        for path in paths:
            if value is None:
                value = _at(element, path)
        row[name] = None if value is None else _READ[kind](value)
    return row


def _at(value: Any, path: list[str]) -> Any:
    """What is at a path; None where there is nothing: key missing, null, or PHP's [] for an object without members."""
    for name in path:
        if isinstance(value, dict):
            value = value.get(name)
        elif isinstance(value, list) and name.isdigit():
            value = value[int(name)] if int(name) < len(value) else None
        else:
            return None
    return value


def text(value: Any) -> str:
    """A value as a text column holds it."""
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _timestamp(seconds: int | str) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=int(seconds))


_READ: dict[str, Any] = {
    "text": text,
    "integer": int,
    "float": float,
    "boolean": bool,
    "timestamp": _timestamp,
}
