"""The endpoint under insights: statistics."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import orjson

from sandbox import query
from sandbox.account import State
from sandbox.behaviour import Behaviour
from sandbox.endpoints.call import FOUR_WEEKS_SECONDS, Call, Json
from sandbox.endpoints.inbox import chosen
from sandbox.errors import ApiError, invalid_parameter, no_permission
from sandbox.facets import (
    FIELDS,
    GROUPINGS,
    MOST_KEYS,
    VALUES,
    Keys,
    Segment,
    by_field,
    cells,
    everything,
    label,
    time_keys,
)
from sandbox.history import Flags
from sandbox.profile_kpis import fan_count

Source = Literal["mentions", "cases", "profiles"]

_SOURCES: dict[str, Source] = {
    "mentions": "mentions",
    "cases": "cases",
    "insights": "profiles",
    "monitored profile kpis": "profiles",
}
_USUAL_SIZE = 10


@dataclass(frozen=True, slots=True)
class _Definition:
    """A facet that is asked for. `grouping` is None for one key, `field` for one segment."""

    source: Source
    grouping: str | None
    value: str
    field: str | None
    filters: dict[str, str]
    size: int


def facets(call: Call) -> Any:
    """A facet for each definition, in their order."""
    definitions = _definitions(call)
    chosen_by_source: dict[Source, Flags] = {}

    def chosen_of(source: Source, state: State) -> Flags:
        if source not in chosen_by_source:
            chosen_by_source[source] = chosen(call, state)
        return chosen_by_source[source]

    unsupported = call.sandbox.behaviour.unsupported_facets
    for given, each in definitions:
        asked = [part for part in (each.field, each.value, each.grouping) if part in unsupported]
        if asked:
            raise ApiError(400, "unsupported_type", f"{asked[0]} is not possible here.", [given])
    return [_facet(call, definition, chosen_of) for _, definition in definitions]


def _facet(call: Call, definition: _Definition, chosen_of: Callable[[Source, State], Flags]) -> Json:
    keys = _keys(call, definition.grouping)
    if definition.source == "profiles":
        return _facet_of_profiles(call, definition, keys)
    if definition.source == "mentions" and not query.list_parameter(call.parameters, "topic_ids"):
        raise invalid_parameter("topic_ids", "", "ids of topics, for statistics of mentions")
    account, behaviour = call.account, call.sandbox.behaviour
    state = (account if definition.source == "mentions" else account.cases).state(call.now)
    segments = _segments(state, definition, chosen_of(definition.source, state), behaviour)
    dates = state.dates(behaviour.window_date)
    return {
        "keys": keys.shown,
        "segments": [segment.shown for segment in segments],
        "data": [
            cells(
                state,
                segment,
                keys.of(dates[segment.rows]),
                len(keys.shown),
                definition.value,
                average=behaviour.statistics_of_times,
                without=behaviour.statistics_without_values,
            )
            for segment in segments
        ],
    }


def _keys(call: Call, grouping: str | None) -> Keys:
    behaviour = call.sandbox.behaviour
    zone = behaviour.zoneless_dates
    date_from = query.date_parameter(call.parameters, "date_from", call.now - FOUR_WEEKS_SECONDS, zone)
    date_to = query.date_parameter(call.parameters, "date_to", call.now, zone)
    last_at = date_to if behaviour.inclusive_dates else date_to - 1
    try:
        return time_keys(grouping, date_from, last_at, behaviour.statistics_zone)
    except OverflowError:
        raise ApiError(400, "limit_exceeded", f"A facet has at most {MOST_KEYS} keys.") from None


def _segments(state: State, definition: _Definition, flags: Flags, behaviour: Behaviour) -> list[Segment]:
    if definition.field is None:
        return everything(flags)
    if definition.field == "custom":
        return [
            Segment(label(name, name), (flags & query.filtered(state, words, behaviour)).nonzero()[0])
            for name, words in list(definition.filters.items())[: definition.size]
        ]
    return by_field(state, definition.field, flags, definition.size)


def _facet_of_profiles(call: Call, definition: _Definition, keys: Keys) -> Json:
    if definition.value not in {"mentions", "followers"} or definition.field is not None:
        raise invalid_parameter("facetdefinitions", definition.value, "the value followers without a segmentation")
    profile_ids = query.list_parameter(call.parameters, "profile_ids")
    if not profile_ids:
        raise invalid_parameter("profile_ids", "", "ids of profiles, for key figures of monitored profiles")
    known = {str(profile["id"]): profile for profile in call.objects("connectedprofiles")}
    for profile_id in profile_ids:
        if profile_id not in known:
            raise no_permission(f"see profile {profile_id}")
    ends_at = [min(start, call.now) for start in [*keys.starts_at.tolist()[1:], call.now]]
    return {
        "keys": keys.shown,
        "segments": [label(int(each), known[each].get("displayname", each)) for each in profile_ids],
        "data": [
            [
                fan_count(int(each), end) if start <= call.now else None
                for start, end in zip(keys.starts_at.tolist(), ends_at, strict=True)
            ]
            for each in profile_ids
        ],
    }


def _definitions(call: Call) -> list[tuple[Json, _Definition]]:
    text = call.parameters.get("facetdefinitions", "")
    try:
        read = orjson.loads(text)
    except orjson.JSONDecodeError:
        read = None
    if not isinstance(read, list) or not read or not all(isinstance(each, dict) for each in read):
        raise invalid_parameter("facetdefinitions", text, "a JSON array of definitions")
    return [(each, _definition(each)) for each in read]


def _definition(given: Json) -> _Definition:
    source = given.get("type") or "mentions"
    value = _field(given, "value") or "mentions"
    segmentation = given.get("segmentation") or {}
    field = _field(given, "segmentation")
    for what, name, known in (("type", source, _SOURCES), ("value", value, VALUES)):
        if name not in known:
            raise _refused(given, f"{what} one of {', '.join(known)}")
    if field not in {None, "custom", *FIELDS}:
        raise ApiError(400, "unsupported_type", f"Segmentation by {field} is not possible here.", [given])
    size = segmentation.get("size")
    if size is None:
        size = MOST_KEYS if field == "custom" else _USUAL_SIZE
    if not isinstance(size, int) or size < 1:
        raise _refused(given, "segmentation.size a whole number from 1")
    return _Definition(
        source=_SOURCES[source],
        grouping=_grouping(given),
        value=value,
        field=field,
        filters=_filters(given, segmentation) if field == "custom" else {},
        size=size,
    )


def _grouping(given: Json) -> str | None:
    key = given.get("key")
    if not key:
        return None
    grouping = key.get("grouping") or "day" if isinstance(key, dict) else None
    if not isinstance(key, dict) or key.get("field") != "date.added" or grouping not in GROUPINGS:
        raise _refused(given, f"key null or of field date.added with a grouping of {', '.join(GROUPINGS)}")
    return str(grouping)


def _field(given: Json, name: str) -> Any:
    part = given.get(name) or {}
    if not isinstance(part, dict) or not isinstance(part.get("field", ""), str):
        raise _refused(given, f"{name} null or an object with a field")
    return part.get("field") or None


def _filters(given: Json, segmentation: Json) -> dict[str, str]:
    """The custom segments: a list of filters, which name themselves, or filters by their label."""
    values = segmentation.get("field_values")
    if isinstance(values, list):
        values = {words: words for words in values if isinstance(words, str)}
    if not isinstance(values, dict) or not values or not all(isinstance(words, str) for words in values.values()):
        raise _refused(given, "segmentation.field_values a list of filters, or an object of filters by label")
    return values


def _refused(given: Json, expected: str) -> ApiError:
    return invalid_parameter("facetdefinitions", orjson.dumps(given).decode(), expected)
