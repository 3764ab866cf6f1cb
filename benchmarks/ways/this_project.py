"""This project: `pipelines.load.load` over pages that are there already, with everything it does in a sync."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from measured import measured

from pipelines.load import load
from pipelines.source import STREAMS
from pipelines.source.reading import BATCH_PAGES, Batch, Reader
from pipelines.source.windows import Cursor
from pipelines.warehouse import DATASET, Warehouse
from sandbox.sandbox import DEFAULT_NOW

if TYPE_CHECKING:
    from collections.abc import Iterator

MENTIONS = next(stream for stream in STREAMS if stream.name == "mentions")


class FileReader(Reader):
    """Gives the pages of a file in place of the API's, in batches of the size a sync has."""

    def __init__(self, pages: Path, *, account_id: str) -> None:
        super().__init__(MENTIONS)
        self._pages = pages
        self._account_id = account_id

    def _read(self, state: dict[str, Any]) -> Iterator[Batch]:  # noqa: ARG002 - a file is read from its start
        cursor = Cursor(history_from=DEFAULT_NOW, added_through=DEFAULT_NOW, acted_through=DEFAULT_NOW)
        with self._pages.open("rb") as lines:
            empty = batch = Batch(self._account_id, (), "$.response.data", 0, cursor)
            for body in lines:
                batch = replace(
                    batch, bodies=(*batch.bodies, body), record_count=batch.record_count + MENTIONS.page_size
                )
                if batch.is_full(BATCH_PAGES):
                    yield batch
                    batch = empty
            if batch.bodies:
                yield batch


def main() -> None:
    """Loads the pages into the warehouse of the folder, which may hold them already."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pages", type=Path, help="response bodies, one a line")
    parser.add_argument("folder", type=Path, help="the warehouse's home")
    parser.add_argument("--account-id", required=True)
    parser.add_argument("--without-payloads", action="store_true", help="as SOCIAL_WAREHOUSE_RAW_PAYLOADS=false")
    options = parser.parse_args()
    warehouse = Warehouse(options.folder)
    warehouse.make_folders()
    with measured(warehouse.file, DATASET):
        load(
            warehouse,
            [FileReader(options.pages, account_id=options.account_id)],
            loaded_at=DEFAULT_NOW,
            keeps_payloads=not options.without_payloads,
        )


if __name__ == "__main__":
    main()
