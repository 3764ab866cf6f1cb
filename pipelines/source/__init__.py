"""The dlt source: the streams' pages in, load-ready files out, and the cursors that are committed with them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import dlt

from pipelines.source.packages import LoadTally, Package, StreamLoader
from pipelines.source.reading import AccountReading, ReadingFailed, StreamReader
from pipelines.source.streams import STREAMS, Reading, Stream

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dlt.extract import DltResource, DltSource

__all__ = [
    "STREAMS",
    "AccountReading",
    "LoadTally",
    "Package",
    "Reading",
    "ReadingFailed",
    "Stream",
    "StreamLoader",
    "StreamReader",
    "social_connect",
]


def social_connect(packages: Sequence[Package], state: dict[str, Any], **options: Any) -> DltSource:
    """The streams' packages as one dlt source.

    Args:
        packages: one for each stream.
        state: by stream, as the loader keeps it.
        options: see `Package.resources`.
    """

    @dlt.source(name="social_connect", max_table_nesting=0)
    def source() -> Iterator[DltResource]:
        for package in packages:
            yield from package.resources(state.get(package.name, {}), **options)

    return source()
