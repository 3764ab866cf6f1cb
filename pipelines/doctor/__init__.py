"""Whether a set-up works: one finding for each thing that runs need, in the order in which they need it.

A look changes nothing but what is known of the API, and the folders that a first run would make.
"""

from __future__ import annotations

import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.doctor import connection, holdings, machine, postgres
from pipelines.doctor.finding import Finding
from pipelines.warehouse import Warehouse

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipelines.settings import Settings

__all__ = ["Finding", "check"]


def _utc_now() -> datetime:
    return datetime.now(UTC)


def check(
    settings: Settings,
    *,
    as_of: datetime | None = None,
    is_offline: bool = False,
    clock: Callable[[], datetime] = _utc_now,
) -> list[Finding]:
    """Looks at the machine, the folder, PostgreSQL where it is set, and the API.

    What is wrong with one hides nothing of the others. What the API honours is stored, and syncs go by it.

    Args:
        settings: the options.
        as_of: the clock of what is asked of the API, UTC; now when not given.
        is_offline: whether to leave out what is not here: PostgreSQL and the API.
        clock: the machine's, UTC.
    """
    now = clock()
    warehouse = Warehouse(settings.social_warehouse_home)
    findings = list(machine.look_at(warehouse))
    is_usable = not any(each.name == "home folder" and each.severity == "FAIL" for each in findings)
    if is_usable:
        findings += holdings.look_at(warehouse, settings, now=now)
    if is_offline:
        return findings
    findings += postgres.look_at(warehouse, settings)
    with tempfile.TemporaryDirectory() as elsewhere:  # where the folder is no use, the allowance is shared with nobody
        reading = settings if is_usable else settings.model_copy(update={"social_warehouse_home": Path(elsewhere)})
        probes_file = warehouse.probes_file if is_usable else None
        findings += connection.look_at(reading, now=now, as_of=as_of or now, probes_file=probes_file)
    return findings
