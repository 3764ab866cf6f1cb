"""How the loader is to write each table: its name, disposition, keys and columns, from the contract."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from transforms.tables import QUARANTINE

if TYPE_CHECKING:
    from dlt.common.schema.typing import TDeleteInsertStrategyDict

    from transforms.contract import Column, Table, Type

LOADED_AS: dict[Type, str] = {
    "text": "text",
    "integer": "bigint",
    "float": "double",
    "boolean": "bool",
    "timestamp": "timestamp",
    "json": "text",
}
"""The loader's name of each type.

JSON is text: DuckDB's own JSON type is text with another name, and Arrow carries no other.
"""

REPLACE_ROWS: TDeleteInsertStrategyDict = {"disposition": "merge", "strategy": "delete-insert", "deduplicated": True}


def table_hints(table: Table, *, only_new: bool) -> dict[str, Any]:
    """How to write a table's rows: what is new is appended; else rows replace those of the same object, lists whole."""
    is_root = table.parent is None
    return {
        "table_name": table.name,
        "write_disposition": "append" if only_new else REPLACE_ROWS,
        "primary_key": table.key_names if is_root else None,
        "merge_key": None if is_root else table.object_key,
        "columns": [*map(_column, table.all_columns), LOAD_ID],
        "file_format": "parquet",
    }


def _column(column: Column) -> Any:
    # A file of the database's has no column that forbids null, and the loader would write it anew to make it so. That
    # keys are there is the flattener's promise, and a data test.
    return {
        "name": column.name,
        "data_type": LOADED_AS[column.type],
        "nullable": True,
        "description": column.description,
        **({"hard_delete": True} if column.name == "_is_removed" else {}),
    }


LOAD_ID: Any = {"name": "_dlt_load_id", "data_type": "text", "nullable": True}
"""The package a row came with; it counts once the package is in `_dlt_loads`."""

QUARANTINE_HINTS: dict[str, Any] = {
    "table_name": "quarantine",
    "write_disposition": {"disposition": "merge", "strategy": "delete-insert"},
    "primary_key": ("account_id", "object", "content_hash"),
    "columns": [*map(_column, QUARANTINE), LOAD_ID],
    "file_format": "parquet",
}
"""How to write records that could not be read. One that is read again replaces itself."""
