"""This project's transform: every model and data test of the dbt project over a warehouse, dbt's own start included."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from pathlib import Path

from measured import measured

from pipelines.publishing import publish
from pipelines.transform import transform
from pipelines.warehouse import MARTS, Warehouse


def main() -> None:
    """Builds and tests the models in the warehouse of the folder, which may have them already."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="the warehouse's home")
    parser.add_argument("--as-of", required=True, help="the instant that ages are reckoned to")
    parser.add_argument("--rules", type=Path, help="folder of the user's rules (default: none)")
    parser.add_argument("--publish", action="store_true", help="publish them then, which is not measured")
    options = parser.parse_args()
    warehouse = Warehouse(options.folder)
    warehouse.make_folders()
    with measured(warehouse.file, MARTS):
        # In a zone whose clocks change, dates take longest to find.
        transform(
            warehouse,
            reporting_time_zone="Europe/Brussels",
            as_of=datetime.fromisoformat(options.as_of),
            rules_folder=options.rules,
        )
    if options.publish:
        publish(warehouse, now=datetime.now(UTC), keep_count=1)


if __name__ == "__main__":
    main()
