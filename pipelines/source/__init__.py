"""What is read of the API, and how it becomes load packages.

`streams` says which list is read how, `rhythm` and `memory` when, `reading` reads it (`payloads` reads what was kept,
in its place), `packages` and `statistics` make load packages, which `dlt_source` hands to dlt. What needs dlt is
imported by its own name: dlt reads its switches when it is imported, and takes a second.
"""

from pipelines.source.memory import Memory
from pipelines.source.reading import AccountReading, ReadingFailed, StreamReader
from pipelines.source.set_aside import SetAsideReader
from pipelines.source.streams import INBOX, STREAMS, Reading, Stream

__all__ = [
    "INBOX",
    "STREAMS",
    "AccountReading",
    "Memory",
    "Reading",
    "ReadingFailed",
    "SetAsideReader",
    "Stream",
    "StreamReader",
]
