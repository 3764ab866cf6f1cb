"""Pages that are generated say what the code says, and links on all pages lead somewhere."""

import importlib.util
import re
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


PAGES = [
    page
    for pattern in ("*.md", "*/*.md", "*/*/*.md")
    for page in sorted(ROOT.glob(pattern))
    if ".venv" not in page.parts
]


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as the usual renderers of Markdown make them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"```.*?```|`[^`\n]*`", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if not target.startswith("http"):
            file, _, anchor = target.partition("#")
            there = page.parent / file if file else page
            assert there.exists(), f"{target}: no such file"
            assert not anchor or anchor in anchors(there), f"{target}: no such heading"
