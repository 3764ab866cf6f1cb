"""The endpoint crisis/plans."""

from typing import Any

from sandbox.endpoints.call import Call


def plans(call: Call) -> Any:
    """The crisis plans as a plain list; with `active_only=1` those that run now."""
    active_only = call.parameters.get("active_only") == "1"
    return [plan for plan in call.objects("crisis_plans") if plan["is_active"] or not active_only]
