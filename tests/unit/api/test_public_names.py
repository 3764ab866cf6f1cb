"""The public face is complete, sorted, and stands alone."""

import ast
from pathlib import Path

import pipelines.api

SOURCES = sorted(Path(pipelines.api.__file__).parent.glob("*.py"))


def test_the_list_is_sorted_and_each_name_is_there() -> None:
    assert pipelines.api.__all__ == sorted(set(pipelines.api.__all__))
    assert all(hasattr(pipelines.api, name) for name in pipelines.api.__all__)


def test_all_that_can_be_raised_can_be_caught_by_name() -> None:
    errors = {name for name in pipelines.api.errors.__all__ if name[0].isupper()}
    assert errors <= set(pipelines.api.__all__)


def test_it_imports_nothing_else_of_the_project() -> None:
    for source in SOURCES:
        for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
            modules = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            modules += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            for module in modules:
                is_ours = module.split(".")[0] in {"pipelines", "transforms", "sandbox"}
                assert not is_ours or module.startswith("pipelines.api"), f"{source.name} imports {module}"


def test_every_public_thing_says_what_it_is() -> None:
    undescribed = [name for name in pipelines.api.__all__ if not getattr(pipelines.api, name).__doc__]
    assert undescribed == []
