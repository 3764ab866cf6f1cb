"""The loader by itself, as its documentation has one use it: parsed pages in, tables made by its own normaliser."""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

# The loader reads its switches when it is imported: a benchmark calls nobody.
os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"

import dlt
from measured import measured

if TYPE_CHECKING:
    from collections.abc import Iterator

SCHEMA = "social_connect"


def main() -> None:
    """Loads the pages into a new database."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pages", type=Path, help="response bodies, one a line")
    parser.add_argument("folder", type=Path, help="empty folder for the database")
    parser.add_argument("--account-id", required=True)
    parser.add_argument("--file-format", choices=["parquet"], help="of the load package (default: the loader's own)")
    options = parser.parse_args()
    database = options.folder / "loaded.duckdb"

    @dlt.resource(
        name="mentions",
        primary_key=("account_id", "unique_id"),
        write_disposition="merge",
        file_format=options.file_format,
    )
    def mentions() -> Iterator[list[dict[str, Any]]]:
        with options.pages.open(encoding="utf-8") as bodies:
            for body in bodies:
                records = json.loads(body)["response"]["data"]
                yield [{"account_id": options.account_id, **record} for record in records]

    with measured(database, SCHEMA):
        pipeline = dlt.pipeline(
            pipeline_name="dlt_alone",
            pipelines_dir=str(options.folder / "dlt"),
            destination=dlt.destinations.duckdb(str(database)),
            dataset_name=SCHEMA,
        )
        pipeline.run(mentions())


if __name__ == "__main__":
    main()
