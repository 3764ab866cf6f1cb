"""This project's replay: the normalised tables of a warehouse are dropped, and made anew from its raw payloads."""

from __future__ import annotations

import argparse
from pathlib import Path

import duckdb
from measured import measured

import pipelines.load  # noqa: F401 - imported by the replay itself, which is timed after its imports
from pipelines.run import replay
from pipelines.settings import read_settings
from pipelines.warehouse import DATASET, Warehouse


def main() -> None:
    """Drops the tables of the warehouse in the folder and replays."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="the warehouse's home")
    options = parser.parse_args()
    settings = read_settings(social_warehouse_home=options.folder)
    file = Warehouse(options.folder).file
    with duckdb.connect(file) as con:
        con.execute(f"DROP SCHEMA {DATASET} CASCADE")
    with measured(file, DATASET):
        replay(settings)


if __name__ == "__main__":
    main()
