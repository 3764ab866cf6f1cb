"""Flattens API objects into relational rows, with DuckDB in process.

Python does not loop over records, but for the few that differ from the contract:

1. The bodies are cut into records, each JSON text untouched, and looked at once by a strict reader of the declared
   shape. Records that it refuses are made to fit, and carry what did not under `_extra` (`transforms.drift`).
2. One typed read of the texts (`json_transform`); where personal data is not to be kept, of texts without.
3. What the warehouse holds unchanged is left out.
4. One SELECT per table makes the rows (`transforms.selects`).
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

import pyarrow as pa

from transforms import selects
from transforms.drift import fit, is_as_declared, read
from transforms.personal_data import KEEP, Policy, shape_of
from transforms.tables import QUARANTINE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    import duckdb

    from transforms.contract import Contract, Table
    from transforms.drift import Drift

# The database reads an Arrow table in parallel by its chunks.
_RECORDS_PER_CHUNK = 256
_RECORDS_PER_LOOK = 100


class Flattening:
    """Objects of one kind on their way from response bodies to the rows of the contract's tables.

    Read any number of bodies, leave out what is known, then take the rows: `con` runs the SELECT of each table.

    Args:
        contract: what the objects are declared to hold.
        con: a connection of its own to an in-process database whose TimeZone is UTC; it holds the work in temporary
            tables until it is closed.
        loaded_at: start of the run, UTC; stored as `_loaded_at`.
        policy: what becomes of personal data. What is not to be kept is in none of the tables, temporary or not.
        keeps_payload: whether `payloads` will be asked for.
    """

    def __init__(
        self,
        contract: Contract,
        con: duckdb.DuckDBPyConnection,
        *,
        loaded_at: datetime,
        policy: Policy = KEEP,
        keeps_payload: bool = False,
    ) -> None:
        self.contract = contract
        self.con = con
        self.drift: set[Drift] = set()
        self._loaded_at = loaded_at
        self._policy = policy
        self._keeps_payload = keeps_payload
        self._read_count = 0
        self._has_rewritten = False
        columns = ", ".join(f"{column.name} {selects.STORED_AS[column.type]}" for column in QUARANTINE)
        con.execute(f"CREATE TEMP TABLE unreadable ({columns}, PRIMARY KEY (account_id, content_hash))")
        texts = dict.fromkeys((*(f"_{name}" for name in ("account_id", *contract.given)), "j", "fitted"), pa.string())
        nothing = pa.schema({"_sequence": pa.int64(), **texts}).empty_table()
        self._store(nothing, statement="CREATE TEMP TABLE typed AS")

    def read(
        self,
        bodies: Sequence[str | bytes],
        *,
        records_path: str,
        account_id: str,
        given: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        """Reads the records of some response bodies, in the order in which they came.

        Args:
            bodies: JSON texts.
            records_path: JSON path of the record list inside each body, such as `$.response.data`.
            account_id: the account the objects belong to; the first column of every table.
            given: values of the contract's given columns, the same for all these bodies.

        Raises:
            msgspec.DecodeError: a body is not JSON, or has no list at `records_path` (the API client has refused such
            bodies already).
        """
        sent: list[bytes] = []
        fitted: list[bytes | None] = []
        for body in bodies:
            reading = read(self.contract, body, records_path, keeps_undeclared=self._policy.keeps)
            sent.extend(reading.sent)
            fitted.extend(reading.fitted)
            self.drift |= reading.drift
            for text, reason in reading.unreadable:
                self._set_apart(account_id, self._kept(text), reason)
        beside = {"account_id": account_id, **given}
        first = self._read_count
        self._read_count += len(sent)
        self._store(
            pa.table(
                {
                    "_sequence": pa.array(range(first, self._read_count), pa.int64()),
                    **{f"_{name}": pa.array([value] * len(sent), pa.string()) for name, value in beside.items()},
                    "j": _texts(sent),
                    "fitted": _texts(fitted),
                }
            )
        )

    def read_kept(self, payloads: str) -> None:
        """Reads objects from texts that `payloads` gave, of this flattening or an earlier one; each object once.

        Args:
            payloads: a SELECT for `con` to run, with the columns of the object's key and `payload`.
        """
        beside = ", ".join(f"{name} AS _{name}" for name in ("account_id", *self.contract.given))
        records = self.con.execute(
            f"SELECT {self._read_count} + row_number() OVER () AS _sequence, {beside}, payload AS j FROM ({payloads})"
        ).to_arrow_table()
        self._read_count += records.num_rows
        fitted: list[bytes | None] = [None] * records.num_rows
        is_readable = [True] * records.num_rows
        for first in range(0, records.num_rows, _RECORDS_PER_LOOK):
            texts = records["j"].slice(first, _RECORDS_PER_LOOK).to_pylist()
            if is_as_declared(self.contract, f'{{"kept":[{",".join(texts)}]}}', "$.kept"):
                continue
            for place, text in enumerate(texts, first):
                reading = fit(self.contract, [text.encode()], keeps_undeclared=self._policy.keeps)
                self.drift |= reading.drift
                for _, reason in reading.unreadable:
                    is_readable[place] = False
                    self._set_apart(records["_account_id"][place].as_py(), self._kept(text.encode()), reason)
                if reading.fitted:
                    (fitted[place],) = reading.fitted
        records = records.append_column("fitted", _texts(fitted))
        self._store(records if all(is_readable) else records.filter(pa.array(is_readable)))

    def take_over(self, account_id: str, unreadable: Iterable[tuple[str, str]], drift: Iterable[Drift]) -> None:
        """Takes over what an earlier flattening of the same records found, and their payloads do not show.

        Args:
            account_id: the account the records belong to.
            unreadable: `raw_text` and `reason` of those that could not be read, as `quarantine` gave them.
            drift: its differences from the contract.
        """
        self.drift |= set(drift)
        for text, reason in unreadable:
            self._set_apart(account_id, text, reason)

    def objects(self) -> pa.Table:
        """The keys of the objects read so far, as the object's table names them; each once.

        Of two readings of one object the later counts, with its lists; the earlier is dropped here.
        """
        key = ", ".join(selects.object_key(self.contract))
        names = ", ".join(map(selects.quoted, self.contract.root.object_key))
        keys = self.con.execute(f"SELECT DISTINCT {key} FROM typed AS e").to_arrow_table()
        if keys.num_rows < self.object_count:
            self.con.execute(
                "DELETE FROM typed WHERE _sequence NOT IN"
                f" (SELECT max(_sequence) FROM (SELECT _sequence, {key} FROM typed AS e) GROUP BY {names})"
            )
        return keys

    def leave_out(self, known: pa.Table) -> None:
        """Leaves out objects the warehouse holds unchanged, with their lists.

        A list's table is replaced whole for each object that is written again: see `rows_with_removals`.

        Args:
            known: the warehouse's version of these objects: the key's columns and `_content_hash`, which is null for a
                row whose load did not end, so that it is written again whatever it holds.
        """
        if known.num_rows == 0:
            return
        names = ", ".join(map(selects.quoted, self.contract.root.object_key))
        key = ", ".join(selects.object_key(self.contract))
        self.con.register("known", known)
        self.con.execute(
            "CREATE TEMP TABLE unchanged AS SELECT _sequence"
            f" FROM (SELECT _sequence, _content_hash, {key} FROM typed AS e) JOIN known USING ({names}, _content_hash)"
        )
        self.con.execute("DELETE FROM typed WHERE _sequence IN (FROM unchanged)")
        self.con.execute(
            f"CREATE TEMP TABLE rewritten AS SELECT {names} FROM (SELECT {key} FROM typed AS e)"
            f" SEMI JOIN known USING ({names})"
        )
        self.con.unregister("known")
        self._has_rewritten = self._row_count("rewritten") > 0

    @property
    def are_new(self) -> bool:
        """Whether the warehouse holds none of the objects that are left."""
        return not self._has_rewritten

    def rows(self, table: Table) -> str:
        """The SELECT that makes a table's rows, for `con` to run."""
        return selects.rows(table, self.contract, loaded_at=self._loaded_at)

    def rows_with_removals(self, table: Table, held: pa.Table) -> str:
        """The same of a list's table, and a row for each list that is empty now.

        The loader deletes by the object's key, so an object that has no rows in the table now, but had some, gets one
        with `_is_removed` set (`hard_delete` in the loader's words).

        Args:
            table: a list's.
            held: those of `rewritten(table)` of which the warehouse has rows in the table.
        """
        name = f"held_{table.name}"
        self.con.register(name, held)
        return selects.rows_with_removals(table, self.contract, held=name, loaded_at=self._loaded_at)

    def rewritten(self, table: Table) -> str:
        """The SELECT of the objects of which the warehouse holds another version, for `con` to run.

        Its columns are the object's key, as the table names it. Only when not `are_new`.
        """
        return selects.rewritten(table, self.contract)

    @property
    def object_count(self) -> int:
        """How many objects are left."""
        return self._row_count("typed")

    def payloads(self) -> str:
        """The SELECT of the texts of the objects that are left, for `con` to run; only with `keeps_payload`.

        Its columns: the object's key, `_content_hash`, `payload` (the record as sent; where personal data is not kept,
        a record that is read into the same rows), `_loaded_at`.
        """
        return selects.payloads(self.contract, loaded_at=self._loaded_at)

    def quarantine(self) -> str:
        """The SELECT of the records that could not be read, each text once; for `con` to run."""
        return "FROM unreadable"

    def _store(self, records: pa.Table, *, statement: str = "INSERT INTO typed") -> None:
        chunks = records.to_batches(max_chunksize=_RECORDS_PER_CHUNK)
        self.con.register("records", pa.Table.from_batches(chunks, records.schema))
        made_by = (
            self.contract.fingerprint
            if self._policy.mode == "keep"
            else f"{self.contract.fingerprint}/{self._policy.fingerprint}"
        )
        select = selects.typed(self.contract, self._policy, keeps_payload=self._keeps_payload)
        erasures = self._policy.erasures if selects.can_be_erased(self.contract) else None
        self.con.execute(
            f"{statement} {select}",
            {"contract": made_by, **self._policy.parameters, **(erasures.parameters if erasures else {})},
        )
        self.con.unregister("records")

    def _row_count(self, name: str) -> int:
        (count,) = self.con.execute(f"SELECT count(*) FROM {name}").fetchone() or (0,)
        return int(count)

    def _kept(self, sent: bytes) -> str:
        """What is kept of a record that cannot be read. Nobody can tell whether it is about somebody who was erased."""
        keeps = self._policy.keeps and not self._policy.erasures
        return sent.decode() if keeps else shape_of(sent.decode())

    def _set_apart(self, account_id: str, text: str, reason: str) -> None:
        self.con.execute(
            "INSERT OR IGNORE INTO unreadable"
            " SELECT $account_id, $object, md5(concat_ws('/', $account_id, $object, $text)), $reason, $text,"
            f" {selects.moment(self._loaded_at)}",
            {"account_id": account_id, "object": self.contract.object, "text": text, "reason": reason},
        )


def _texts(texts: Sequence[bytes | None]) -> pa.Array:
    return pa.array(texts, pa.binary()).cast(pa.string())
