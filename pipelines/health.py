"""Whether a set-up works, and how far it is: check and status. They change nothing but what is known of the API."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pipelines.api import SocialConnectError
from pipelines.keeping import DATASET, lateness_of, sweep_ages
from pipelines.probing import Probes, complaints, probe, write_probes
from pipelines.run import connect, find_account_ids, open_warehouse
from pipelines.source import AccountReading
from pipelines.warehouse import Warehouse, WarehouseBusy

if TYPE_CHECKING:
    from pipelines.settings import Settings


@dataclass(frozen=True)
class Finding:
    """One thing that was checked, and what to do when it is not as it should be."""

    name: str
    is_ok: bool
    message: str


def check(settings: Settings, *, as_of: datetime | None = None) -> list[Finding]:
    """Tries the settings in the order in which they are needed, then what of its parameters the API honours.

    Stops at the first that keeps the rest from being tried. What the API honours is stored, and syncs go by it.

    Args:
        settings: the options.
        as_of: the run's clock, UTC; now when not given.

    Raises:
        SettingsInvalid: there is no token.
    """
    findings = []
    try:
        warehouse = open_warehouse(settings)
        with warehouse.writer_lock("a check"):
            findings.append(
                Finding(
                    "warehouse folder", is_ok=True, message=f"{warehouse.home} can be written, and nobody else does"
                )
            )
    except WarehouseBusy as error:
        findings.append(Finding("warehouse folder", is_ok=False, message=str(error)))
    except OSError as error:
        return [Finding("warehouse folder", is_ok=False, message=str(error))]
    with connect(settings) as api:
        try:
            user = api.get("/me").data
            findings.append(
                Finding(
                    "token",
                    is_ok=True,
                    message=f"belongs to user {user.get('id')} at {settings.social_connect_base_url}",
                )
            )
            account_ids = find_account_ids(api, settings)
        except SocialConnectError as error:
            return [*findings, Finding("token", is_ok=False, message=str(error))]
        now = as_of or datetime.now(UTC)
        for account_id in account_ids:
            account = AccountReading(api, account_id, settings.start_date(now), now)
            try:
                topic_count = len(account.topic_ids())
                findings.append(
                    Finding(f"account {account_id}", is_ok=topic_count > 0, message=f"{topic_count} topics can be read")
                )
                if topic_count:
                    probes = probe(api, account)
                    write_probes(warehouse.probes_file, [probes])
                    findings += _as_findings(probes)
            except SocialConnectError as error:
                findings.append(Finding(f"account {account_id}", is_ok=False, message=str(error)))
        left = api.budget.remaining_count
        findings.append(
            Finding(
                "request budget",
                is_ok=True,
                message=f"{'unknown' if left is None else left} requests left in this frame",
            )
        )
    return findings


def _as_findings(probes: Probes) -> list[Finding]:
    found = [
        Finding(f"account {probes.account_id}, {each.question}", is_ok=True, message=f"{each.answer} ({each.detail})")
        for each in probes.found
    ]
    return [*found, *(Finding(f"account {probes.account_id}", is_ok=False, message=why) for why in complaints(probes))]


def status(settings: Settings) -> dict[str, Any]:
    """How far the warehouse has read and what it holds, in plain values; times are ISO 8601 in UTC.

    Raises:
        pipelines.warehouse.WarehouseUnreadable: nothing has been published yet.
    """
    from pipelines.load import read_cursors  # noqa: PLC0415 - dlt takes a second to import, and most commands do not need it

    warehouse = Warehouse(settings.social_warehouse_home)
    with warehouse.connect_published() as con:
        tables = con.execute(
            "SELECT table_name, estimated_size FROM duckdb_tables() WHERE schema_name = $1 ORDER BY 1", [DATASET]
        ).fetchall()
        (as_of, newest) = con.execute("SELECT max(_loaded_at), max(added_at) FROM mentions").fetchone() or (None, None)
        sweep = sweep_ages(con, day_count=settings.social_warehouse_reconcile_days)
        lateness = lateness_of(con)
    published_at = datetime.fromtimestamp(warehouse.published_file.stat().st_mtime, UTC)
    return {
        "published_file": str(warehouse.published_file),
        "published_at": published_at.isoformat(timespec="seconds"),
        "newest_change_loaded_at": as_of.isoformat() if as_of else None,
        "newest_mention_added_at": newest.isoformat() if newest else None,
        "writer": warehouse.writer() or "nobody",
        "sweep": sweep,
        "lateness": lateness,
        "cursors": read_cursors(warehouse),
        "row_counts": dict(tables),
    }
