"""`deploy/prefect.yaml` deploys what `social-warehouse serve` serves; its templates set what the pools know."""

import ast
import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipelines.cli import serve

ROOT = Path(__file__).parents[2]
FILE = ROOT / "deploy" / "prefect.yaml"
DEPLOYED = yaml.safe_load(FILE.read_text(encoding="utf-8"))
DEFAULTS = {option.name: option.default for option in serve.params}


def flows() -> set[str]:
    """The functions of flows.py that are flows, without Prefect, which takes seconds to import."""
    tree = ast.parse((ROOT / "pipelines" / "flows.py").read_text(encoding="utf-8"))
    return {
        node.name
        for node in tree.body
        if isinstance(node, ast.FunctionDef) and any("flow(" in ast.unparse(each) for each in node.decorator_list)
    }


def deployments() -> dict[str, dict[str, Any]]:
    return {each["entrypoint"].removeprefix("pipelines.flows."): each for each in DEPLOYED["deployments"]}


def test_every_flow_is_deployed_under_the_same_name() -> None:
    assert set(deployments()) == flows() == {"sync", "reconcile", "reference", "backfill", "maintain", "report"}
    assert {each["name"] for each in DEPLOYED["deployments"]} == {"social-connect-warehouse"}


def test_the_schedules_are_the_defaults_of_serve() -> None:
    found = {name: (each["schedules"] or [{}])[0] for name, each in deployments().items()}
    assert found["sync"]["interval"] == DEFAULTS["every_minutes"] * 60 == 15 * 60
    assert found["reconcile"]["interval"] == DEFAULTS["reconcile_every_minutes"] * 60 == 60 * 60
    assert found["reference"]["cron"] == DEFAULTS["reference_cron"]
    assert found["maintain"]["cron"] == DEFAULTS["maintain_cron"]
    assert found["backfill"] == found["report"] == {}
    assert DEFAULTS["report_cron"] is None, "nobody gets a report who has not asked for it"
    assert all(each["timezone"] == "UTC" for each in found.values() if each)


def test_one_run_of_each_goes_on_at_a_time() -> None:
    for name, each in deployments().items():
        strategy = "ENQUEUE" if name == "backfill" else "CANCEL_NEW"
        assert each["concurrency_limit"] == {"limit": 1, "collision_strategy": strategy}


@pytest.mark.parametrize("kind", ["process", "docker", "kubernetes"])
def test_a_pool_knows_what_its_template_sets(kind: str) -> None:
    """The pools' own descriptions come with Prefect."""
    (folder,) = importlib.util.find_spec("prefect").submodule_search_locations or ()  # type: ignore[union-attr]
    file = Path(folder) / "server" / "api" / "collections_data" / "views" / "aggregate-worker-metadata.json"
    kinds = {name: worker for each in json.loads(file.read_text("utf-8")).values() for name, worker in each.items()}
    known = kinds[kind]["default_base_job_configuration"]["variables"]["properties"]
    template = DEPLOYED["definitions"]["pools"][kind]
    assert set(template["job_variables"]) <= set(known), f"{kind} pools know {sorted(known)}"
    for name, value in template["job_variables"].items():
        kinds_of_value = {each.get("type") for each in (known[name], *known[name].get("anyOf", ()))}
        python_types = {"string": str, "object": dict, "array": list, "boolean": bool, "integer": int}
        assert any(isinstance(value, python_types.get(str(each), ())) for each in kinds_of_value), (name, value)
        assert value in known[name].get("enum", [value])
