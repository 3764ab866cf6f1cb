"""Each odd behaviour of the API that we do something about is pinned by a test that is there, and the page names it."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "api-behaviour.md").read_text(encoding="utf-8")
FILES = {file.name for file in (ROOT / "tests").rglob("test_*.py")}
SECTIONS = dict(re.findall(r"^## (.+?)\n(.+?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL))


def test_every_test_that_it_names_is_there() -> None:
    named = set(re.findall(r"`(test_\w+\.py)`", PAGE))
    assert len(named) > 30
    assert named <= FILES


@pytest.mark.parametrize("title", SECTIONS)
def test_every_behaviour_names_its_test(title: str) -> None:
    """In its row, or all of a section's together."""
    rows = re.findall(r"^\|(?! ---)(.+)\|$", SECTIONS[title], re.MULTILINE)[1:]
    without = [row for row in rows if ".py`" not in row]
    assert without == [] or re.search(r"^Pinned by `", SECTIONS[title], re.MULTILINE)
