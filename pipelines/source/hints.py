"""How the loader is to write each table: its name, disposition, keys and columns, from the contract."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import dlt
import pyarrow as pa

from transforms.flatten import QUARANTINE

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


def rows_of(table: Table, rows: pa.Table, *, only_new: bool) -> Any:
    """Rows with their hints, as a dlt resource yields them.

    New objects are appended; else rows replace those of the same object, a list's rows as a whole.
    """
    is_root = table.parent is None
    hints = dlt.mark.make_hints(
        table_name=table.name,
        write_disposition="append" if only_new else REPLACE_ROWS,
        primary_key=table.key_names if is_root else None,
        merge_key=None if is_root else table.object_key,
        columns=[_column(column) for column in table.all_columns],
    )
    return dlt.mark.with_hints(rows, hints, create_table_variant=True)


def quarantine_of(rows: pa.Table) -> Any:
    """Records that could not be read, with their hints. One that is read again replaces itself."""
    hints = dlt.mark.make_hints(
        table_name="quarantine",
        write_disposition={"disposition": "merge", "strategy": "delete-insert"},
        primary_key=("account_id", "object", "content_hash"),
        columns=[
            {
                "name": field.name,
                "data_type": "timestamp" if pa.types.is_timestamp(field.type) else "text",
                "nullable": field.nullable,
            }
            for field in QUARANTINE
        ],
    )
    return dlt.mark.with_hints(rows, hints, create_table_variant=True)


def _column(column: Column) -> Any:
    return {
        "name": column.name,
        "data_type": LOADED_AS[column.type],
        "nullable": not column.is_required,
        "description": column.description,
        **({"hard_delete": True} if column.name == "_is_removed" else {}),
    }
