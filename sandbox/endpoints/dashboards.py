"""The endpoints under dashboards: the widgets, and what they count in a window of the mentions."""

import html
from datetime import UTC, datetime
from typing import Any

import numpy as np

from sandbox import query
from sandbox.account import State
from sandbox.channels import CHANNELS
from sandbox.endpoints.call import Call, Json
from sandbox.errors import not_found
from sandbox.history import Flags

_DAY_SECONDS = 86_400


def overview(call: Call) -> Any:
    """The dashboards with their widgets, without data."""
    return call.objects("dashboards")


def export(call: Call) -> Any:
    """Every widget of a dashboard with its data."""
    dashboard_id = call.path_parameters["dashboard_id"]
    shown = call.reference.one("dashboards", dashboard_id, call.now, with_email=call.sees_email)
    if shown is None:
        raise not_found(f"Dashboard {dashboard_id}")
    state = call.account.state(call.now)
    chosen = call.within_dates(state.added_at) & state.alive
    chosen &= query.filtered(state, call.parameters.get("filter", ""), call.sandbox.behaviour)
    records = call.reference.records("dashboards")[dashboard_id].get("components", [])
    return [
        component | {"data": _data(record["widget"], state, chosen, shown["name"])}
        for component, record in zip(shown.get("components", []), records, strict=True)
    ]


def component(call: Call) -> Any:
    """One widget with its data, in an array of one."""
    component_id = call.path_parameters["component_id"]
    found = [each for each in export(call) if each["id"] == component_id]
    if not found:
        raise not_found(f"Component {component_id}")
    return found


def _data(widget: str, state: State, chosen: Flags, dashboard_name: str) -> Json:
    match widget:
        case "timeline_by_sentiment":
            days, day_of_row = np.unique(state.added_at // _DAY_SECONDS, return_inverse=True)
            table: Json = {
                "date": [f"{datetime.fromtimestamp(int(day) * _DAY_SECONDS, tz=UTC):%Y-%m-%d}" for day in days]
            }
            for sentiment in ("positive", "negative", "neutral"):
                rows = chosen & query.filtered(state, f"sentiment:{sentiment}")
                counts = np.bincount(day_of_row[rows], minlength=len(days))
                table[sentiment.capitalize()] = [str(count) for count in counts.tolist()]
            return {"timeline mentions_compared_by_sentiment": {"data": table}}
        case "total":
            return {"total_mentions": {"value": str(int(chosen.sum())), "label": "Total mentions"}}
        case "by_service":
            services = dict.fromkeys(channel.service for channel in CHANNELS)
            counted = [
                [service, str(int((chosen & query.filtered(state, f"source:{service}")).sum()))] for service in services
            ]
            return {"table": [["Source", "Mentions"], *counted]}
        case _:
            return {"html": f"<p>{html.escape(dashboard_name)}</p>"}
