"""What a run reads: which streams, and of which accounts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.keeping import noted_mentions
from pipelines.probing import honoured, read_probes
from pipelines.settings import Settings, SettingsInvalid
from pipelines.source import STREAMS, AccountReading, Memory, Reading, Stream
from pipelines.source.memory import NOTHING_KNOWN
from pipelines.source.reading import ids_in
from pipelines.source.streams import FACETS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from pipelines.api import Page, SocialConnect
    from pipelines.run.watching import Progress
    from pipelines.warehouse import Warehouse

REFERENCE = tuple(stream.name for stream in STREAMS if stream.reading is Reading.SNAPSHOT)
"""The lists that are read whole, each time that their turn comes: users, teams, tags, schedules, ..."""


def chosen_streams(names: Sequence[str] | None) -> list[Stream]:
    """The streams of these names; all when None. Statistics, which are no stream, may be among the names.

    Raises:
        SettingsInvalid: there is none of such a name.
    """
    known = [*(stream.name for stream in STREAMS), FACETS.name]
    if unknown := set(names or ()) - set(known):
        raise SettingsInvalid(
            f"--streams: {', '.join(sorted(unknown))} unknown. It wants some of {', '.join(known)}, comma between;"
            " reference stands for all lists of reference data."
        )
    return [stream for stream in STREAMS if names is None or stream.name in names]


def account_readings(
    settings: Settings,
    api: SocialConnect,
    warehouse: Warehouse,
    *,
    as_of: datetime,
    progress: Progress,
    memory: Memory = NOTHING_KNOWN,
) -> list[AccountReading]:
    """How each account of the settings is to be read; one request finds them where `memory` does not know them."""
    snapshots: dict[str, list[Page]] = {}
    probes = read_probes(warehouse.probes_file)
    return [
        AccountReading(
            api=api,
            account_id=account_id,
            start_date=settings.start_date(as_of),
            now=as_of,
            on_page=lambda stream, page: progress.page(stream.name, page, api.budget.remaining_count),
            snapshots=snapshots,
            known_topic_ids=memory.topic_ids(account_id),
            noted_mentions=lambda account_id, after: _noted_mentions(warehouse, settings, account_id, after),
            honoured=honoured(probes.get(account_id)),
        )
        for account_id in find_account_ids(api, settings, snapshots, memory)
    ]


def find_account_ids(
    api: SocialConnect,
    settings: Settings,
    snapshots: dict[str, list[Page]] | None = None,
    memory: Memory = NOTHING_KNOWN,
) -> tuple[str, ...]:
    """The accounts to read: those of the settings, or every account the token sees.

    Where `memory` does not know them they are listed, and `snapshots` then has the list.
    """
    if settings.social_connect_account_ids:
        return settings.social_connect_account_ids
    if (known := memory.account_ids()) is not None:
        return known
    accounts = next(stream for stream in STREAMS if stream.name == "accounts")
    path = f"/{accounts.path}"
    pages = list(api.pages(path, {"limit": accounts.page_size or 0}))
    if snapshots is not None:
        snapshots[path] = pages
    return ids_in(pages)


def _noted_mentions(
    warehouse: Warehouse, settings: Settings, account_id: str, after: datetime | None
) -> list[tuple[datetime, str]]:
    if not settings.social_connect_context_calls or not warehouse.file.exists():
        return []
    with warehouse.connect() as con:
        return noted_mentions(con, account_id, after, at_most=settings.social_connect_context_calls)
