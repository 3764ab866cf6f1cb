"""A printed table shows its data as it is, also where that looks like markup."""

from __future__ import annotations

from io import StringIO

import pandas as pd
import pytest
from rich.console import Console

from pipelines.tables import print_table

TEXTS = ("[nl] Delhaize", "[/b]", "[red]x[/red]", "[link=https://evil.example]", ":smile:", "a\\[b]")


@pytest.mark.parametrize("width", [200, 30])
def test_what_looks_like_markup_is_printed(width: int) -> None:
    out = StringIO()
    frame = pd.DataFrame({f"{text} of column {place}": [text] for place, text in enumerate(TEXTS)})
    print_table(Console(file=out, width=width), frame)
    said = out.getvalue()
    for place, text in enumerate(TEXTS):
        assert said.count(text) == 2, "above the column, and in it"
        if width == 200:
            assert f"{text} of column {place}" in said
