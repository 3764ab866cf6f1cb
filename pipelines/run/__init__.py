"""What a run does, as plain functions, one module per kind of run. No Prefect here."""

from pipelines.run.backfilling import BackfillReport, backfill
from pipelines.run.building import publish, roll_back, rows_per_table, transform
from pipelines.run.choosing import REFERENCE, find_account_ids
from pipelines.run.erasing import ErasureReport, erase
from pipelines.run.maintaining import MaintenanceReport, maintain
from pipelines.run.opening import connect, open_warehouse, policy_difference
from pipelines.run.reconciling import ReconcileReport, reconcile
from pipelines.run.replaying import NothingToReplay, ReplayReport, replay
from pipelines.run.syncing import Extraction, SyncReport, extract_and_load, sync
from pipelines.run.watching import Progress, Silent

__all__ = [
    "REFERENCE",
    "BackfillReport",
    "ErasureReport",
    "Extraction",
    "MaintenanceReport",
    "NothingToReplay",
    "Progress",
    "ReconcileReport",
    "ReplayReport",
    "Silent",
    "SyncReport",
    "backfill",
    "connect",
    "erase",
    "extract_and_load",
    "find_account_ids",
    "maintain",
    "open_warehouse",
    "policy_difference",
    "publish",
    "reconcile",
    "replay",
    "roll_back",
    "rows_per_table",
    "sync",
    "transform",
]
