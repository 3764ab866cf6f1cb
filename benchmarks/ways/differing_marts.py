"""Compares the marts of two warehouses row by row, all but reports. It prints the tables that differ, one a line."""
# ruff: noqa: S608 - names in the SQL are of the catalogue

from __future__ import annotations

import argparse
from pathlib import Path

import duckdb

from pipelines.warehouse import MARTS


def main() -> None:
    """Prints each table of which the two hold other rows, or which only one has, with how many rows that are."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("one", type=Path, help="a DuckDB file")
    parser.add_argument("other", type=Path, help="another one")
    options = parser.parse_args()
    with duckdb.connect() as con:
        con.execute("SET TimeZone = 'UTC'")
        for name, file in (("one", options.one), ("other", options.other)):
            con.execute(f"ATTACH '{file}' AS {name} (READ_ONLY)")
        names = con.execute(
            "SELECT table_name, count(*) = 2 FROM ("
            " SELECT table_name FROM duckdb_tables() WHERE schema_name = $1 UNION ALL"
            " SELECT view_name FROM duckdb_views() WHERE schema_name = $1 AND starts_with(view_name, 'fct_')"
            ") GROUP BY ALL ORDER BY 1",
            [MARTS],
        ).fetchall()
        if not names:
            raise SystemExit(f"neither file has a table in {MARTS}")
        for table, is_in_both in names:
            if not is_in_both:
                print(f"{table}: only one has it")
                continue
            ours, theirs = (f"SELECT * FROM {database}.{MARTS}.{table}" for database in ("one", "other"))
            only_ours, only_theirs = (
                len(con.sql(f"({these}) EXCEPT ALL ({those})")) for these, those in ((ours, theirs), (theirs, ours))
            )
            if only_ours or only_theirs:
                print(f"{table}: {only_ours} rows only here, {only_theirs} only there")


if __name__ == "__main__":
    main()
