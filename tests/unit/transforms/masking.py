"""Flattening under a policy, as the tests of personal data use it: objects in, rows and payloads out."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import duckdb

from transforms.contract import Contract
from transforms.drift import Drift
from transforms.flatten import Flattening
from transforms.personal_data import Policy

Row = dict[str, Any]

KEEP = Policy()
HASH = Policy("hash", "sixteen letters, or more")
DROP = Policy("drop")
LOADED_AT = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


@dataclass(frozen=True)
class Masked:
    """What objects became under a policy."""

    tables: dict[str, list[Row]]
    payloads: list[Row]
    quarantine: list[Row]
    drift: set[Drift]
    typed: list[Row]

    def values(self) -> dict[str, list[Row]]:
        """The rows without the hash of the object's content, which is of the text that was read; in a fixed order."""
        return {
            name: sorted(
                ({column: value for column, value in row.items() if column != "_content_hash"} for row in rows),
                key=repr,
            )
            for name, rows in self.tables.items()
        }


def flatten(
    contract: Contract, records: Iterable[Any], policy: Policy, *, given: dict[str, str] | None = None
) -> Masked:
    """The rows of records, given as Python values."""
    return flatten_texts(contract, map(json.dumps, records), policy, given=given)


def flatten_texts(
    contract: Contract, records: Iterable[str], policy: Policy, *, given: dict[str, str] | None = None
) -> Masked:
    """The rows of records, given as JSON texts."""
    with duckdb.connect(config={"threads": 1}) as con:
        con.execute("SET TimeZone = 'UTC'")
        flattening = Flattening(contract, con, loaded_at=LOADED_AT, policy=policy, keeps_payload=True)
        body = f'{{"data": [{", ".join(records)}]}}'
        flattening.read([body], records_path="$.data", account_id="1417", given=given or {})

        def rows(select: str) -> list[Row]:
            return con.execute(select).to_arrow_table().to_pylist()

        flattening.objects()
        return Masked(
            {table.name: rows(flattening.rows(table)) for table in contract.tables},
            rows(flattening.payloads()),
            rows(flattening.quarantine()),
            flattening.drift,
            rows("FROM typed"),
        )


def read_again(contract: Contract, masked: Masked, *, given: dict[str, str] | None = None) -> Masked:
    """The rows of the payloads that were kept."""
    return flatten_texts(contract, [row["payload"] for row in masked.payloads], KEEP, given=given)
