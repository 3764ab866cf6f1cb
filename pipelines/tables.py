"""Prints a data frame for people: nulls as a dash, numbers to the right, times in UTC.

Names and values are texts: what looks like Rich's markup in them is printed as it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd
from rich import box
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from rich.console import Console

_ENDLESS = 100_000


def print_table(console: Console, frame: pd.DataFrame) -> None:
    """Prints all rows of a frame: as a table where it fits the console, else row by row, a line per column."""
    if frame.empty:
        console.print("no rows")
        return
    table = _table(frame)
    if console.measure(table, options=console.options.update_width(_ENDLESS)).minimum <= console.width:
        console.print(table)
        return
    name_width = max(len(str(name)) for name in frame.columns)
    for number, row in enumerate(frame.itertuples(index=False, name=None), start=1):
        console.print(f"row {number}", style="bold")
        for name, value in zip(frame.columns, row, strict=True):
            console.print(f"  {name!s:{name_width}}  {_text(value)}", markup=False, emoji=False, highlight=False)


def _table(frame: pd.DataFrame) -> Table:
    table = Table(box=box.SIMPLE, show_edge=False)
    numeric = [pd.api.types.is_numeric_dtype(kind) for kind in frame.dtypes]
    for name, is_number in zip(frame.columns, numeric, strict=True):
        table.add_column(Text(str(name)), justify="right" if is_number else "left", no_wrap=True)
    for row in frame.itertuples(index=False, name=None):
        table.add_row(*(Text(_text(value)) for value in row))
    return table


def _text(value: Any) -> str:
    if pd.api.types.is_scalar(value) and pd.isna(value):
        return "-"
    if isinstance(value, pd.Timestamp) and value.tzinfo is None and value == value.normalize():
        return str(value.date())
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.0f}" if value.is_integer() else f"{value:,.2f}"
    return str(value)
