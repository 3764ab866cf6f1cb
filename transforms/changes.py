"""Keeps of a flattened batch only what the warehouse does not have yet, and says which child rows have to go."""

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb

from transforms.flatten import arrow_schema

if TYPE_CHECKING:
    import pyarrow as pa

    from transforms.contract import Contract, Table


def only_changes(contract: Contract, tables: dict[str, pa.Table], known: pa.Table) -> dict[str, pa.Table]:
    """Leaves out objects the warehouse holds unchanged, with their children.

    A child table is replaced whole for each object that is written again. The loader deletes by the object's key, so an
    object that has no rows in a child table now, but may have had some, gets one row there with `_is_removed` set
    (`hard_delete` in the loader's words).

    Args:
        contract: what the tables were flattened by.
        tables: Arrow tables by name, as `flatten` returned them: one row per object in the root table.
        known: the warehouse's version of these objects: the key's columns and `_content_hash`, which is null for a row
            whose load did
            not end, so that it is written again whatever it holds.

    Returns:
        Arrow tables by name with the same columns as came in.
    """
    if known.num_rows == 0:
        return tables
    root = contract.root
    key = _names(root.object_key)
    with duckdb.connect() as con:
        con.execute("SET TimeZone = 'UTC'")
        con.register("known", known)
        for name, rows in tables.items():
            con.register(f"new_{name}", rows)
        con.execute(
            f"CREATE TEMP TABLE unchanged AS SELECT {key} FROM new_{root.name} JOIN known USING ({key}, _content_hash)"
        )
        con.execute(
            f"CREATE TEMP TABLE rewritten AS"
            f" SELECT {key}, _loaded_at FROM new_{root.name} SEMI JOIN known USING ({key})"
            f" ANTI JOIN unchanged USING ({key})"
        )
        return {
            table.name: con.execute(_changed_rows(table, root)).to_arrow_table().cast(arrow_schema(table))
            for table in contract.tables
        }


def _changed_rows(table: Table, root: Table) -> str:
    same_object = " AND ".join(
        f'object."{ours}" = row."{theirs}"' for ours, theirs in zip(root.object_key, table.object_key, strict=True)
    )
    changed = f"SELECT row.* FROM new_{table.name} AS row ANTI JOIN unchanged AS object ON {same_object}"
    if table.parent is None:
        return changed
    key = ", ".join(f'"{ours}" AS "{theirs}"' for ours, theirs in zip(root.object_key, table.object_key, strict=True))
    positions = ", ".join(f'-1 AS "{name}"' for name in table.key_names if name.endswith("position"))
    emptied = (
        f"SELECT {key}, {positions}, _loaded_at, TRUE AS _is_removed"
        f" FROM rewritten AS object ANTI JOIN new_{table.name} AS row ON {same_object}"
    )
    return f"{changed} UNION ALL BY NAME {emptied}"


def _names(columns: tuple[str, ...]) -> str:
    return ", ".join(f'"{name}"' for name in columns)
