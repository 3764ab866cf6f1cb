"""The endpoints under publisher: the posts of colleagues."""

from collections.abc import Callable
from typing import Any

import numpy as np

from sandbox import query
from sandbox.endpoints.call import Call, Json, paged
from sandbox.endpoints.inbox import topic_ids
from sandbox.errors import not_found
from sandbox.publisher import Publisher

_WORDS: dict[str, Callable[[Json, str], bool]] = {
    "status": lambda post, value: post["message"]["status"] == value,
    "source": lambda post, value: any(service["type"] == value for service in post["services"]),
    "usertag": lambda post, value: value in post.get("tags", []),
    "content": lambda post, value: value.lower() in post["message"]["content"].lower(),
    "profile": lambda post, value: any(service["service_id"] == value for service in post["services"]),
}


def mentions(call: Call) -> Any:
    """The posts of a window, some topics and a filter, oldest first."""
    publisher, by_date = _publisher(call), call.sandbox.behaviour.publisher_window
    posts = publisher.posts(call.now)
    dates = [post.at if by_date == "added" else (post.planned_for(call.now) or post.at) for post in posts]
    flags = call.within_dates(np.array(dates, dtype=np.int64))
    flags &= np.isin([publisher.topic_id(post) for post in posts], topic_ids(call))
    within = [post for post, chosen in zip(posts, flags.tolist(), strict=True) if chosen]
    if call.parameters.get("filter", "").strip():
        shown = [publisher.post(post, call.now) for post in within]
        selected = query.filtered_objects(shown, call.parameters["filter"], _WORDS).tolist()
        within = [post for post, chosen in zip(within, selected, strict=True) if chosen]
    return paged(
        call,
        within,
        lambda post: publisher.post(post, call.now),
        default_limit=20,
        highest_limit=100,
        repeated=("date_from", "date_to", "limit"),
    )


def mention(call: Call) -> Any:
    """One post."""
    publisher, wanted = _publisher(call), call.path_parameters["id"]
    for post in publisher.posts(call.now):
        if post.id == wanted:
            return publisher.post(post, call.now)
    raise not_found(f"Post {wanted}")


def _publisher(call: Call) -> Publisher:
    return call.sandbox.publishers[call.account.id]
