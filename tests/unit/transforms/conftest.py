"""Flattening as the tests use it: Python objects in, Python rows out."""

import importlib.util
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from operator import itemgetter
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from transforms.contract import contract
from transforms.drift import Drift

Row = dict[str, Any]


@dataclass(frozen=True)
class _Landed:
    """What a batch became, as Python rows."""

    flattened: Any
    tables: dict[str, list[Row]]
    quarantine: list[Row]
    drift: tuple[Drift, ...]

    def one(self, table: str = "mentions") -> Row:
        """The only row of a table."""
        (row,) = self.tables[table]
        return row

    def column(self, table: str, name: str) -> list[Any]:
        """A column's values in the order of the key."""
        return [row[name] for row in self.tables[table]]

    def extras(self, table: str = "mentions") -> list[Any]:
        """What each row of a table keeps in `_extra`, read from its JSON."""
        return [None if row["_extra"] is None else read_json(row["_extra"]) for row in self.tables[table]]

    def kept(self) -> dict[str, list[Any]]:
        """The tables that keep anything in `_extra`, with what each of their rows keeps."""
        found_in = {name: self.extras(name) for name in self.tables}
        return {name: found for name, found in found_in.items() if any(extra is not None for extra in found)}

    def alone(self, unique_id: str) -> "_Landed":
        """One mention's part of the batch."""
        tables = {name: [row for row in rows if row["unique_id"] == unique_id] for name, rows in self.tables.items()}
        return replace(self, tables=tables)


def read_json(text: str) -> Any:
    """A JSON text's value; a key that occurs twice would hide a value and is refused."""

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        names = [name for name, _ in pairs]
        assert len(names) == len(set(names)), f"a key occurs twice in {text}"
        return dict(pairs)

    return json.loads(text, object_pairs_hook=unique)


@pytest.fixture(scope="session")
def land(flatten: Callable[..., Any]) -> Callable[..., Any]:
    """Flattens objects, given as Python values or as bodies of JSON text; rows come in the order of their keys."""

    def run(*records: Any, bodies: Sequence[str] | None = None, of: str = "mention", **what_is_known: Any) -> _Landed:
        if bodies is None:
            bodies = [json.dumps({"response": {"data": records}})]
        one = contract(of)
        flattened = flatten(one, bodies, **what_is_known)
        tables = {
            table.name: sorted(
                flattened.tables[table.name].to_pylist(),
                key=itemgetter(*table.key_names),
            )
            for table in one.tables
        }
        return _Landed(flattened, tables, flattened.quarantine.to_pylist(), flattened.drift)

    return run


@pytest.fixture(scope="session")
def oracle() -> ModuleType:
    """The second flattener (test folders are no packages, so it is loaded from its file)."""
    return _module("oracle")


@pytest.fixture(scope="session")
def payloads(oracle: ModuleType) -> ModuleType:
    """Mentions to flatten: the real tweet, a full one, and strategies for any."""
    module = _module("payloads")
    assert oracle
    return module


@pytest.fixture(scope="session")
def masking() -> ModuleType:
    """Flattening under a policy for personal data."""
    return _module("masking")


def _module(name: str) -> ModuleType:
    path = Path(__file__).parent / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"tests_unit_transforms_{name}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module
