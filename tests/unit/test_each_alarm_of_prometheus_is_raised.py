"""Each rule of deploy/prometheus-rules.yml is raised by what it is for, and by nothing when all is well.

The metrics are the program's own. There is no Prometheus server here: the few forms that the expressions have are
worked out below, over the samples of two scrapes.
"""

import re
from collections import defaultdict
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from pipelines.prometheus import exposition

RULES = yaml.safe_load((Path(__file__).parents[2] / "deploy" / "prometheus-rules.yml").read_text(encoding="utf-8"))
EXPRESSIONS = {rule["alert"]: rule["expr"] for group in RULES["groups"] for rule in group["rules"]}
NOW_SECONDS = 1_772_445_600  # 2026-03-02T10:00:00Z
WELL: dict[str, Any] = {
    "as_of": "2026-03-02T10:00:00+00:00",
    "data_age_seconds": 600,
    "published_at": "2026-03-02T09:50:00+00:00",
    "published_bytes": 1,
    "row_counts": {"quarantine": 2},
    "sweep": {},
    "streams": [],
    "budgets": [{"token": 1, "remaining_call_count": 300}],
    "last_successes": {
        "sync": {"ended_at": "2026-03-02T09:50:00+00:00"},
        "reconcile": {"ended_at": "2026-03-02T09:00:00+00:00"},
    },
    "run_counts": [{"kind": "sync", "outcome": outcome, "run_count": 5} for outcome in ("done", "failed", "busy")],
    "request_counts": [
        {
            "endpoint": "/me",
            "call_count": 7,
            "row_count": 6,
            "retry_count": 2,
            "throttled_count": 1,
            "byte_count": 5,
            "seconds": 1.5,
        }
    ],
}


def busy(status: dict[str, Any]) -> None:
    status["run_counts"][2]["run_count"] = 50


CAUSES: dict[str, Callable[[dict[str, Any]], object]] = {
    "SocialWarehouseDataOld": lambda status: status.update(data_age_seconds=3601),
    "SocialWarehouseNoSync": lambda status: status["last_successes"]["sync"].update(
        ended_at="2026-03-02T08:59:59+00:00"
    ),
    "SocialWarehouseNoReconcile": lambda status: status["last_successes"]["reconcile"].update(
        ended_at="2026-03-01T09:59:59+00:00"
    ),
    "SocialWarehouseRunsFail": lambda status: status["run_counts"][1].update(run_count=8),
    "SocialWarehouseThrottled": lambda status: status["request_counts"][0].update(throttled_count=12),
    "SocialWarehouseBudgetLow": lambda status: status["budgets"][0].update(remaining_call_count=19),
    "SocialWarehouseQuarantineGrows": lambda status: status["row_counts"].update(quarantine=3),
    "SocialWarehouseMetricsGone": lambda status: status.update(data_age_seconds=None),
}
Samples = list[tuple[str, dict[str, str], float]]


def scraped(status: dict[str, Any]) -> Samples:
    families = text_string_to_metric_families(exposition(status))
    return [(sample.name, sample.labels, sample.value) for family in families for sample in family.samples]


def is_raised(expression: str, before: Samples, now: Samples) -> bool:
    """Whether the expression gives anything, for the forms that the rules use."""
    if absent := re.fullmatch(r"absent\((\w+)\)", expression):
        return absent[1] not in {name for name, _, _ in now}
    form = re.fullmatch(
        r"(?P<age>time\(\) - )?(?P<sum>sum(?: by \((?P<by>\w+)\) )?\(?)?\(?(?:(?P<over>increase|delta)\()?"
        r"(?P<name>\w+)(?:\{(?P<label>\w+)=(?P<is>~?)\"(?P<wanted>[^\"]+)\"\})?(?:\[\w+\]\))?\)?"
        r" (?P<sign>>=|>|<) (?P<bound>\d+)",
        expression,
    )
    assert form, f"{expression}: a form that this test does not know"
    told: dict[str, float] = defaultdict(float)
    known = {(name, *labels.items()): value for name, labels, value in before}
    for name, labels, value in now:
        if name != form["name"] or (form["label"] and not re.fullmatch(form["wanted"], labels[form["label"]])):
            continue
        change = value - known[name, *labels.items()] if form["over"] else value
        group = labels[form["by"]] if form["by"] else ("" if form["sum"] else str(labels))
        told[group] += NOW_SECONDS - change if form["age"] else change
    compare: dict[str, Callable[[float, float], bool]] = {
        ">": lambda a, b: a > b,
        ">=": lambda a, b: a >= b,
        "<": lambda a, b: a < b,
    }
    return any(compare[form["sign"]](value, float(form["bound"])) for value in told.values())


def test_each_alarm_has_its_cause_here() -> None:
    assert CAUSES.keys() == EXPRESSIONS.keys()


@pytest.mark.parametrize("alarm", EXPRESSIONS)
def test_it_is_raised_by_its_cause_and_by_no_other(alarm: str) -> None:
    well = scraped(WELL)
    assert not is_raised(EXPRESSIONS[alarm], well, well)
    for cause, change in CAUSES.items():
        status = deepcopy(WELL)
        change(status)
        busy(status)
        assert is_raised(EXPRESSIONS[alarm], well, scraped(status)) == (cause == alarm), cause
