"""The endpoint filter/suggestions: what can be filtered by."""

from typing import Any

from sandbox import query
from sandbox.endpoints.call import Call


def suggestions(call: Call) -> Any:
    """Suggestions whose name or filter contains `query`, as a plain array without a link to the next."""
    words = call.parameters.get("query", "").casefold()
    limit = query.limit_parameter(call.parameters, 20, 1, 2_000, call.sandbox.behaviour)
    offset = query.read_page_token(call.parameters)
    found = [
        each
        for each in call.reference.suggestions(call.now)
        if words in each["name"].casefold() or words in each["filter"].casefold()
    ]
    return found[offset : offset + limit]
