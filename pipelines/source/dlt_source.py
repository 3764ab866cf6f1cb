"""The dlt source: packages in, load-ready files and the cursors that are committed with them out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import dlt

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from dlt.extract import DltResource, DltSource

    from pipelines.source.packages import LoadTally, Package
    from pipelines.source.statistics import StatisticsPackage


def social_connect(
    packages: Sequence[Package | StatisticsPackage], state: dict[str, Any], tally: LoadTally
) -> DltSource:
    """What is loaded at once as one dlt source.

    Args:
        packages: one for each stream, and for the statistics.
        state: by stream, as the loader keeps it.
        tally: is told what goes into the packages.
    """

    @dlt.source(name="social_connect", max_table_nesting=0)
    def source() -> Iterator[DltResource]:
        for package in packages:
            yield from package.resources(state.get(package.name, {}), tally)

    return source()


def cursors_alone(cursors: Mapping[str, dict[str, dict[str, str]]]) -> DltSource:
    """Cursors by stream and account as a dlt source without a table, in place of all that the loader keeps."""

    @dlt.source(name="social_connect", max_table_nesting=0)
    def source() -> DltResource:
        return dlt.resource(remember(), name="cursors")

    def remember() -> Iterator[Any]:
        state = dlt.current.source_state()
        state.clear()
        state.update({stream: {"cursors": by_account} for stream, by_account in cursors.items()})
        yield from ()

    return source()
