"""Prints a data frame as a table for people: nulls as a dash, numbers to the right, times in UTC."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd
from rich import box
from rich.table import Table

if TYPE_CHECKING:
    from rich.console import Console


def print_table(console: Console, frame: pd.DataFrame) -> None:
    """Prints all rows of a frame."""
    table = Table(box=box.SIMPLE, show_edge=False)
    numeric = [pd.api.types.is_numeric_dtype(kind) for kind in frame.dtypes]
    for name, is_number in zip(frame.columns, numeric, strict=True):
        table.add_column(str(name), justify="right" if is_number else "left", overflow="fold")
    for row in frame.itertuples(index=False, name=None):
        table.add_row(*map(_text, row))
    console.print(table)
    if frame.empty:
        console.print("no rows")


def _text(value: Any) -> str:
    if pd.api.types.is_scalar(value) and pd.isna(value):
        return "-"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.0f}" if value.is_integer() else f"{value:,.2f}"
    return str(value)
