"""Rows as versions: what of an object lasts, and what tells one version from the next."""

from __future__ import annotations

from typing import TYPE_CHECKING

from transforms.contract.language import Column
from transforms.selects import literal, quoted

if TYPE_CHECKING:
    from transforms.contract import Table

VERSION_HASH = Column("_version_hash", "text", "MD5 of the row: equal while nothing of it changed.", is_required=True)
VALID_FROM = Column("valid_from", "timestamp", "Start of the run that saw this version first.", is_required=True)
VALID_TO = Column(
    "valid_to", "timestamp", "Start of the run that saw it changed or gone; null while it is what the API says."
)


def lasting_columns(table: Table) -> tuple[Column, ...]:
    """The columns of a version: all but values of the moment, and places in lists, which say nothing of the thing."""
    return tuple(
        column for column in (*table.key, *table.columns) if not (column.momentary or column.name.endswith("position"))
    )


def version_columns(table: Table) -> tuple[Column, ...]:
    """Every column of a table of versions."""
    return (*lasting_columns(table), VERSION_HASH, VALID_FROM, VALID_TO)


def versions(table: Table, rows: str) -> str:
    """The SELECT of the versions that some rows of a table are, without their times; equal rows are one."""
    names = [quoted(column.name) for column in lasting_columns(table)]
    texts = ", ".join(f"{name}::VARCHAR" for name in names)
    return f"SELECT DISTINCT {', '.join(names)}, md5(to_json([{texts}])::VARCHAR) AS _version_hash FROM ({rows})"


def unknown_values(table: Table, rows: str) -> str | None:
    """The SELECT of values that no enumeration of the contract has, by column; None where nothing is enumerated."""
    parts = [
        f"SELECT {literal(column.name)} AS column_name, {quoted(column.name)} AS value FROM found"
        f" WHERE {quoted(column.name)} NOT IN ({', '.join(map(literal, column.values))})"
        for column in table.columns
        if column.values and column.type == "text"
    ]
    return f"WITH found AS ({rows}) SELECT DISTINCT * FROM ({' UNION ALL '.join(parts)})" if parts else None
