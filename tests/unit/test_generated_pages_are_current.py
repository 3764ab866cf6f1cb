"""Pages that are generated say what the code says."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def generate() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_generated_pages_are_current(generate: ModuleType) -> None:
    for file, text in generate.pages().items():
        written = file.read_text(encoding="utf-8")
        assert written.splitlines() == text.splitlines(), f"run make docs, commit {file.name}"


def test_every_command_has_an_example(generate: ModuleType) -> None:
    for name, command in generate.cli.commands.items():
        assert f"social-warehouse {name}" in (command.help or ""), f"give the help of {name} an example"
