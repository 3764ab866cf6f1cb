"""The endpoint settings/canned_responses: search, folders, order, and answers that fit a mention."""

import json
from collections.abc import Callable
from typing import Any

from sandbox.endpoints.call import Call, Json, paged
from sandbox.errors import invalid_parameter, not_found

_ORDERS: dict[str, tuple[Callable[[Json], Any], bool]] = {
    # what is sorted by, and whether it is turned round
    "sort_alpha_asc": (lambda record: record["name"].casefold(), False),
    "sort_alpha_desc": (lambda record: record["name"].casefold(), True),
    "sort_type_asc": (lambda record: record["type"], False),
    "sort_type_desc": (lambda record: record["type"], True),
    "sort_used_count_asc": (lambda record: record["used_count"], False),
    "sort_used_count_desc": (lambda record: record["used_count"], True),
    "sort_most_recently_created": (lambda record: record["created_at"], True),
    "sort_least_recently_created": (lambda record: record["created_at"], False),
    "sort_most_recently_updated": (lambda record: record["updated_at"], True),
}


def canned_responses(call: Call) -> Any:
    """The canned responses; for a mention, those that its tags allow, filled in with its author's name."""
    shown = {each["id"]: each for each in call.objects("canned_responses")}
    records = list(call.reference.records("canned_responses").values())
    if words := call.parameters.get("query", "").casefold():
        records = [each for each in records if words in f"{each['name']}\n{each['message']}".casefold()]
    folder_ids = _folder_ids(call)
    if folder_ids:
        records = [each for each in records if str(each.get("folder_id")) in folder_ids]
    order = call.parameters.get("order") or "sort_alpha_asc"
    if order not in _ORDERS:
        raise invalid_parameter("order", order, f"one of {', '.join(_ORDERS)}")
    sort_key, reverse = _ORDERS[order]
    records.sort(key=sort_key, reverse=reverse)
    mention = _mention(call)
    if mention is not None:
        tags = set(mention.get("tags", []))
        records = [each for each in records if not each["matching_tags"] or tags & set(each["matching_tags"])]
        name = (mention.get("author") or {}).get("name", "")
        for each in shown.values():
            each["formatted_message"] = each["message"].replace("[contact_name]", name)
    return paged(call, records, lambda record: shown[record["id"]], default_limit=20, highest_limit=50)


def _folder_ids(call: Call) -> set[str]:
    text = call.parameters.get("folder_ids", "")
    try:
        folder_ids = json.loads(text or "[]")
    except ValueError:
        folder_ids = None
    if not isinstance(folder_ids, list):
        raise invalid_parameter("folder_ids", text, "a JSON array of ids of folders")
    return {str(folder_id) for folder_id in folder_ids}


def _mention(call: Call) -> Json | None:
    topic_id, mention_id = call.parameters.get("topic_id", ""), call.parameters.get("ymid", "")
    if not mention_id:
        return None
    state = call.account.state(call.now)
    row = state.row(f"{topic_id}_{mention_id}")
    if row is None or not state.alive[row]:
        raise not_found(f"Mention {topic_id}_{mention_id}")
    return state.mention(row)
