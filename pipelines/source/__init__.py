"""The dlt source: the streams' pages in, load-ready Arrow tables out, and the cursors that are committed with them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import dlt

from pipelines.source.packages import LoadTally, StreamLoader
from pipelines.source.reading import AccountReading, ReadingFailed, StreamReader
from pipelines.source.streams import STREAMS, Reading, Stream

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dlt.extract import DltResource, DltSource

__all__ = [
    "STREAMS",
    "AccountReading",
    "LoadTally",
    "Reading",
    "ReadingFailed",
    "Stream",
    "StreamLoader",
    "StreamReader",
    "social_connect",
]


def social_connect(loaders: Sequence[StreamLoader]) -> DltSource:
    """The next load package as a dlt source, a resource per stream. Extracting it reads the API."""

    @dlt.source(name="social_connect", max_table_nesting=0)
    def source() -> Iterator[DltResource]:
        for loader in loaders:
            yield loader.resource()

    return source()
