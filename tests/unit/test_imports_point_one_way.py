"""Who may import whom: cli -> flows -> run -> load -> source -> api, and source -> transforms; nothing points back."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import pipelines

ROOT = Path(__file__).parents[2]
OURS = ("pipelines", "transforms", "sandbox")
LAYERS = (
    {"pipelines.cli"},
    {"pipelines.flows", "pipelines.doctor", "pipelines.progress", "pipelines.shell"},
    {"pipelines.dashboard"},
    {"pipelines.health", "pipelines.notifications", "pipelines.run"},
    {"pipelines.postgres"},
    {"pipelines.backfill", "pipelines.probing", "pipelines.publishing", "pipelines.reconcile", "pipelines.run_history"},
    {"pipelines.load", "pipelines.rebuild", "pipelines.transform", "pipelines.logs", "pipelines.erasure"},
    {"pipelines.answers", "pipelines.traces", "pipelines.status_text"},
    {"pipelines.source", "pipelines.warehouse"},
    {"pipelines.migrations"},
    {"pipelines.keeping", "pipelines.senders", "pipelines.stopping"},
    {"pipelines.settings"},
    {"pipelines.redaction"},
    {"pipelines.api", "pipelines.prometheus", "pipelines.tables", "transforms"},
)
"""From the outermost to the innermost: a part may import parts of later lines only (and its own modules)."""
ALONE = {
    "pipelines.api": "it knows the manners of the API and nothing else: pass it what it needs",
    "transforms": "it turns objects into tables and needs nothing but them: pass it what it needs",
    "sandbox": "it must be able to disagree with pipelines: write the thing a second time",
}
ONLY_IMPORTER = {
    "adbc_driver_postgresql": ("pipelines.postgres",),
    "altair": ("pipelines.dashboard",),
    "streamlit": ("pipelines.dashboard",),
    "httpx": ("pipelines.api",),
    "jinja2": ("pipelines.dashboard",),
    "prefect": ("pipelines.flows",),
    "prompt_toolkit": ("pipelines.shell",),
    "prometheus_client": ("pipelines.prometheus",),
    "dbt": ("pipelines.transform",),
    "dlt": ("pipelines.load", "pipelines.source"),
    "sandbox": ("pipelines.cli",),
    "smtplib": ("pipelines.senders",),
    "urllib.request": ("pipelines.senders", "pipelines.api"),
}


def module_name(file: Path) -> str:
    parts = file.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def tree_of(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"), str(file))


FILES = {module_name(file): file for package in OURS for file in sorted((ROOT / package).rglob("*.py"))}
TREES = {module: tree_of(file) for module, file in FILES.items()}


def imports(module: str) -> Iterator[tuple[str, int]]:
    """What a module imports, wherever in its text and for whatever purpose, with the line."""
    for node in ast.walk(TREES[module]):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{FILES[module]}:{node.lineno}: write the import with its whole name"
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield (inner if inner in FILES else str(node.module)), node.lineno


def lies_in(module: str, part: str) -> bool:
    return module == part or module.startswith(f"{part}.")


def layer_of(module: str) -> int | None:
    return next((n for n, parts in enumerate(LAYERS) if any(lies_in(module, part) for part in parts)), None)


def part_of(module: str) -> str:
    return next(part for parts in LAYERS for part in parts if lies_in(module, part))


def place(module: str, line: int) -> str:
    return f"{FILES[module].relative_to(ROOT)}:{line}"


ARROWS = [(module, imported, line) for module in FILES for imported, line in imports(module)]


def test_this_is_the_repository_that_is_tested() -> None:
    assert Path(pipelines.__file__).parent == ROOT / "pipelines", (
        f"pipelines comes from {pipelines.__file__}: install this folder with 'make setup'"
    )


def test_every_module_of_pipelines_has_its_layer() -> None:
    for module in FILES:
        if module not in OURS and not lies_in(module, "sandbox"):
            assert layer_of(module) is not None, (
                f"{module} is in no layer: put it into LAYERS of {__file__}, under what may import it"
            )


def test_imports_point_inwards() -> None:
    for module, imported, line in ARROWS:
        ours, theirs = layer_of(module), layer_of(imported)
        if ours is None or theirs is None or part_of(module) == part_of(imported):
            continue
        assert ours < theirs, (
            f"{place(module, line)} imports {imported}, which lies further out or beside it: move what it needs into"
            f" {' or '.join(sorted(set().union(*LAYERS[ours + 1 :]))) or 'its own part'}, or pass it as an argument"
        )


@pytest.mark.parametrize("part", ALONE)
def test_what_stands_alone_imports_nothing_of_ours(part: str) -> None:
    for module, imported, line in ARROWS:
        if lies_in(module, part) and any(lies_in(imported, package) for package in OURS):
            assert lies_in(imported, part), (
                f"{place(module, line)} imports {imported}, but {part} stands alone: {ALONE[part]}"
            )


@pytest.mark.parametrize("library", ONLY_IMPORTER)
def test_a_library_has_one_importer(library: str) -> None:
    allowed = (*ONLY_IMPORTER[library], library)
    found = [(module, line) for module, imported, line in ARROWS if lies_in(imported, library)]
    assert found, f"nothing imports {library} any more: take it out of ONLY_IMPORTER"
    for module, line in found:
        assert any(lies_in(module, part) for part in allowed), (
            f"{place(module, line)} imports {library}: move that code to {' or '.join(ONLY_IMPORTER[library])}"
        )


@pytest.mark.parametrize("part", ["pipelines.cli", "pipelines.flows"])
def test_nothing_imports_the_outermost_but_the_command(part: str) -> None:
    for module, imported, line in ARROWS:
        assert not lies_in(imported, part) or module == "pipelines.cli", (
            f"{place(module, line)} imports {part}: move what it needs into pipelines.run"
        )


def test_databases_are_opened_in_one_place() -> None:
    for module, tree in TREES.items():
        if module == "pipelines.warehouse" or lies_in(module, "transforms"):
            continue
        for node in ast.walk(tree):
            opens = isinstance(node, ast.Attribute) and ast.unparse(node) == "duckdb.connect"
            imports_it = (
                isinstance(node, ast.ImportFrom)
                and node.module == "duckdb"
                and "connect" in {alias.name for alias in node.names}
            )
            goes_by_itself = opens or imports_it
            assert not goes_by_itself, (
                f"{place(module, getattr(node, 'lineno', 0))} opens a database: move it into pipelines.warehouse,"
                " where the lock and the time zone are seen to"
            )


CLOCKS = re.compile(r"(datetime|date|time)\.(now|utcnow|today|time|time_ns|monotonic|perf_counter|gmtime|localtime)")
SQL_CLOCKS = re.compile(r"\b(now\(\)|today\(\)|current_(timestamp|date|time)|get_current_timestamp)", re.IGNORECASE)


def test_transforms_look_at_no_clock() -> None:
    advice = "make the time an argument; pipelines gives it"
    for module, tree in TREES.items():
        if not lies_in(module, "transforms"):
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute):
                assert not CLOCKS.fullmatch(ast.unparse(node)), f"{place(module, node.lineno)}: {advice}"
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                assert not SQL_CLOCKS.search(node.value), f"{place(module, node.lineno)}: {advice}"
            elif isinstance(node, ast.ImportFrom):
                assert node.module != "time", f"{place(module, node.lineno)}: {advice}"


def test_the_rules_see_every_kind_of_import() -> None:
    """A rule that sees nothing passes too."""
    assert len(FILES) > 30
    assert ("pipelines.run.syncing", "pipelines.load") in {(module, imported) for module, imported, _ in ARROWS}, (
        "inner imports"
    )
    assert ("pipelines.load", "pipelines.warehouse") in {(module, imported) for module, imported, _ in ARROWS}
    assert layer_of("pipelines.api.client") == len(LAYERS) - 1


def test_a_command_that_does_not_load_waits_for_no_loader() -> None:
    """Dlt takes a second to import; and it reads its switches then, which are set where it is imported first."""
    code = "import sys, pipelines.cli; print([name for name in ('dlt', 'prefect', 'dbt') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "[]"
