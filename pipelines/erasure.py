"""Takes a person or a mention out of the work file, and keeps a list so that neither comes back with a later reading.

Objects that are about the person stay as rows, with their identifiers, times and counts, and lose every value that
their contract marks as personal: docs/decisions/erasure.md.
"""

from __future__ import annotations

import secrets
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, get_args

import pyarrow as pa

from pipelines.keeping import DATASET, HISTORY, RAW, has_table, make_history, transaction
from pipelines.traces import SHORTEST_TEXT, Texts, values_in
from transforms.contract import contract
from transforms.erasure import SUBJECTS, Erasures, Kind, subject_hash
from transforms.flatten import Flattening
from transforms.personal_data import DROP
from transforms.selects import moment, quoted

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    import duckdb

    from pipelines.warehouse import Warehouse
    from transforms.contract import Contract, Table
    from transforms.personal_data import Policy

PAYLOADS_AT_ONCE = 2_000
BUILT_SCHEMAS = "SELECT DISTINCT schema_name FROM duckdb_tables() UNION SELECT DISTINCT schema_name FROM duckdb_views()"
SHORTEST_SENTENCE = 16
"""Characters from which on a text is looked for inside of others, too."""
OF_THE_AUTHOR = ("author_id", "author_name", "author_fullname", "author_url", "author_img")
NAMES = {
    "mentions": OF_THE_AUTHOR,
    "cases": OF_THE_AUTHOR,
    "contacts": ("name", "email", "phone"),
    "contact_social_profiles": ("service_id", "username", "displayname", "avatar", "url"),
    "mention_service_details": ("author_phone",),
    "case_service_details": ("author_phone",),
}
"""By table: the columns by which somebody is known."""


class ErasuresUnreadable(Exception):
    """What was erased cannot be told, so nothing may be loaded."""


@dataclass(frozen=True)
class Subject:
    """Whom or what to erase: an author by the identifier of its service, or a mention by `unique_id`.

    `account_id`: in which account; None for every account, of now and later.
    """

    author_id: str | None = None
    mention_id: str | None = None
    account_id: str | None = None


@dataclass(frozen=True)
class Found:
    """What the warehouse has of a subject.

    Attributes:
        identifiers: account, kind and identifier of everybody and everything that goes; authors as they are stored.
        keys: by object: account and key of each that is about the subject.
        texts: what is to be nowhere afterwards.
        shared_count: texts that others' objects have too, or that stay as something else: they prove nothing.
    """

    identifiers: frozenset[tuple[str, str, str]]
    keys: dict[str, frozenset[tuple[str, ...]]]
    texts: Texts
    shared_count: int

    @property
    def object_counts(self) -> dict[str, int]:
        """How many objects are about the subject, by the table that they are in."""
        return {contract(name).table: len(keys) for name, keys in self.keys.items() if keys}


def read_erasures(warehouse: Warehouse) -> Erasures | None:
    """What has been erased; None when nothing has. The caller holds the writer lock.

    Raises:
        ErasuresUnreadable: there is a key of the list, and no list.
    """
    if not warehouse.erasure_key_file.exists():
        return None
    if warehouse.file.exists():
        with warehouse.connect() as con:
            if has_table(con, HISTORY, "erasures"):
                rows = con.execute(f"SELECT coalesce(account_id, ''), id_hash FROM {HISTORY}.erasures").fetchall()
                return Erasures(warehouse.erasure_key_file.read_text(encoding="ascii"), frozenset(rows))
    raise ErasuresUnreadable(
        f"{warehouse.erasure_key_file} says that people were erased, but {warehouse.file} has no list of them, so they"
        f" would come back. Restore {warehouse.file}; or delete that key, if they may be read again."
    )


def find(con: duckdb.DuckDBPyConnection, subject: Subject, policy: Policy) -> Found:
    """Looks up what is about somebody, or about a mention. Nothing is changed but temporary tables.

    Whoever has a contact is all of that contact's profiles. A case is about everybody whose mention it holds.
    """
    con.execute("CREATE OR REPLACE TEMP TABLE found (object VARCHAR, account_id VARCHAR, key VARCHAR[])")
    if subject.author_id is not None:
        stored = policy.stored_text(subject.author_id)
        accounts = " UNION ".join(
            f"SELECT account_id FROM {DATASET}.{name}" for name in _roots() if has_table(con, DATASET, name)
        )
        if accounts:
            chosen = "$account IS NULL OR account_id = $account"
            con.execute(
                f"INSERT INTO found SELECT 'author', account_id, [$id] FROM ({accounts}) WHERE {chosen}",
                {"id": stored, "account": subject.account_id},
            )
        _add(con, "contact", "contact_social_profiles", "contact_id", [("service_id", "author")])
        while _add_profiles(con):
            _add(con, "contact", "contact_social_profiles", "contact_id", [("service_id", "author")])
        of_author = [("author_id", "author"), ("original_author_id", "author")]
        _add(con, "mention", "mentions", "unique_id", of_author)
        _add(con, "case", "cases", "unique_id", [*of_author, ("contact_id", "contact")])
        _add(con, "case", "case_linked_mentions", "unique_id", [("author_id", "author")])
    elif has_table(con, DATASET, "mentions"):
        con.execute(
            f"INSERT INTO found SELECT 'mention', account_id, [unique_id] FROM {DATASET}.mentions"
            " WHERE unique_id = $id AND ($account IS NULL OR account_id = $account)",
            {"id": subject.mention_id, "account": subject.account_id},
        )
    _add(con, "case", "case_linked_mentions", "unique_id", [("mention_unique_id", "mention")])
    in_object = "json_extract_string(object, '$.author.id')"
    around = [("unique_id", "mention"), ("object_unique_id", "mention"), (in_object, "author")]
    _add(con, "context_item", "mention_context_items", "unique_id, id", around)
    in_reply = "json_extract_string(in_reply_to, '$.author.id')"
    _add(con, "publisher_post", "publisher_posts", "id", [("in_reply_to_unique_id", "mention"), (in_reply, "author")])
    found = con.execute("SELECT DISTINCT object, account_id, key FROM found").fetchall()
    keys = {
        name: frozenset((account, *key) for object_name, account, key in found if object_name == name)
        for name in SUBJECTS
    }
    identifiers = {(account, name, key[-1]) for name, account, key in found if name != "context_item"}
    texts, shared_count = _texts(con, subject, policy)
    return Found(frozenset(identifiers), keys, texts, shared_count)


def erase(
    con: duckdb.DuckDBPyConnection,
    warehouse: Warehouse,
    subject: Subject,
    found: Found,
    policy: Policy,
    *,
    reason: str | None,
    at: datetime,
) -> dict[str, int]:
    """Takes out of the work file what `find` has found, and puts it on the list. All of it, or nothing.

    The models go as a whole: they are built anew from what is left.

    Args:
        con: the connection that `find` used; it may write.
        warehouse: whose work file it is.
        subject: whom or what.
        found: what `find` gave.
        policy: what becomes of personal data.
        reason: why, for the list.
        at: when, UTC.

    Returns:
        How many rows had something taken out, by table.
    """
    make_history(con)  # before there is a key, which says that there is a list
    key = _key(warehouse)
    row_counts: Counter[str] = Counter()
    payloads = {name: list(_masked_payloads(con, contract(name), at)) for name in SUBJECTS}
    with transaction(con):
        for name in SUBJECTS:
            declared = contract(name)
            for table in declared.tables:
                if has_table(con, DATASET, table.name):
                    row_counts[f"{DATASET}.{table.name}"] += _blank(con, declared, table)
            for masked in payloads[name]:
                row_counts[f"{RAW}.{declared.root.name}"] += _replace_payloads(con, declared, masked)
        if has_table(con, DATASET, "quarantine"):
            row_counts[f"{DATASET}.quarantine"] += _forget_set_aside(con, found.texts)
        _list(con, subject, found, policy, key, reason=reason, at=at)
        for (schema,) in con.execute(BUILT_SCHEMAS).fetchall():
            if schema == f"{DATASET}_staging":  # what the loader merged last
                for table_name in _table_names(con, schema):
                    con.execute(f"DELETE FROM {schema}.{quoted(table_name)}")
            elif schema not in {DATASET, HISTORY, RAW, "main", "information_schema", "pg_catalog"}:
                con.execute(f"DROP SCHEMA {quoted(schema)} CASCADE")
    return {name: count for name, count in row_counts.items() if count}


def _table_names(con: duckdb.DuckDBPyConnection, schema: str) -> list[str]:
    """The tables of a schema but for the loader's own."""
    found = con.execute(
        "SELECT table_name FROM duckdb_tables() WHERE schema_name = $1 AND NOT starts_with(table_name, '_dlt')",
        [schema],
    ).fetchall()
    return [name for (name,) in found]


def _roots() -> list[str]:
    return [contract(name).root.name for name in SUBJECTS]


def _add(con: duckdb.DuckDBPyConnection, kind: str, table: str, key: str, named: list[tuple[str, str]]) -> None:
    """Finds the objects of a table that name, in one of some columns, what has been found of a kind."""
    if has_table(con, DATASET, table):
        for column, other in named:
            con.execute(
                f"INSERT INTO found SELECT DISTINCT '{kind}', named.account_id, [{key}] FROM {DATASET}.{table} AS named"
                f" WHERE (account_id, {column}) IN (SELECT (account_id, key[-1]) FROM found WHERE object = '{other}')"
            )


def _add_profiles(con: duckdb.DuckDBPyConnection) -> bool:
    """Finds the other profiles of the contacts that have been found; whether there were any."""
    if not has_table(con, DATASET, "contact_social_profiles"):
        return False
    (count,) = con.execute(
        f"INSERT INTO found SELECT DISTINCT 'author', account_id, [service_id] FROM {DATASET}.contact_social_profiles"
        " WHERE (account_id, contact_id) IN (SELECT (account_id, key[-1]) FROM found WHERE object = 'contact')"
        " AND service_id <> '' AND (account_id, service_id) NOT IN"
        " (SELECT (account_id, key[-1]) FROM found WHERE object = 'author')"
    ).fetchone() or (0,)
    return bool(count)


def _is_about(declared: Contract, table: Table) -> str:
    key = ", ".join(map(quoted, table.object_key[1:]))
    return f"(account_id, [{key}]) IN (SELECT (account_id, key) FROM found WHERE object = '{declared.object}')"


def _texts(con: duckdb.DuckDBPyConnection, subject: Subject, policy: Policy) -> tuple[Texts, int]:
    """What is to be nowhere afterwards, and of how many texts that cannot be asked, since others have them too."""
    authors = {key for (key,) in con.execute("SELECT DISTINCT key[-1] FROM found WHERE object = 'author'").fetchall()}
    if subject.author_id is not None:
        authors |= {subject.author_id, policy.stored_text(subject.author_id)}
    names: set[str] = set()
    others: set[str] = set()
    staying: set[str] = set()
    tables = list(_tables_of_people(con))
    for declared, table in tables:
        for column in table.all_columns:
            if column.type != "text":
                continue
            is_name = column.name in NAMES.get(table.name, ())
            where = _is_about(declared, table)
            if is_name and "author_id" in NAMES[table.name]:  # a case may be about others than its author
                where += (
                    " AND (account_id, author_id) IN (SELECT (account_id, key[-1]) FROM found WHERE object = 'author')"
                )
            value = quoted(column.name)
            query = f"SELECT DISTINCT {value} FROM {DATASET}.{table.name} WHERE length({value}) >= {SHORTEST_TEXT}"
            values = {text for (text,) in con.execute(f"{query} AND {where}").fetchall()}
            if not column.personal:  # such as a case's identifier, which is its message's identifier too
                staying |= values
            elif is_name:
                names |= values
            else:
                others |= values
    looked_for = (names | others) - authors
    shared = _shared(con, tables, looked_for) | (looked_for & staying)
    anywhere = {
        text for text in looked_for - shared if (text in names and not text.isalpha()) or len(text) >= SHORTEST_SENTENCE
    }
    authors = {text for text in authors if len(text) >= SHORTEST_TEXT}
    return Texts(frozenset(anywhere | authors), frozenset(looked_for - shared - anywhere)), len(shared)


def _tables_of_people(con: duckdb.DuckDBPyConnection) -> Iterator[tuple[Contract, Table]]:
    for name in SUBJECTS:
        declared = contract(name)
        for table in declared.tables:
            if has_table(con, DATASET, table.name):
                yield declared, table


def _shared(con: duckdb.DuckDBPyConnection, tables: list[tuple[Contract, Table]], texts: set[str]) -> set[str]:
    """Those of some texts that objects about others have in a text of theirs: a whole name, or inside of a message."""
    shared: set[str] = set()
    of_people = {table.name: (declared, table) for declared, table in tables}
    for name in _table_names(con, DATASET):
        rows = f"{DATASET}.{quoted(name)}"
        if name in of_people:
            rows = f"(FROM {rows} WHERE NOT {_is_about(*of_people[name])})"
        shared |= values_in(con, rows, texts - shared)
    return shared


def _masked_payloads(con: duckdb.DuckDBPyConnection, declared: Contract, at: datetime) -> Iterator[pa.Table]:
    """The payloads that have been found, as the mode `drop` makes them, some thousand at a time."""
    table = f"{RAW}.{declared.root.name}"
    if not has_table(con, RAW, declared.root.name):
        return
    key = ", ".join(map(quoted, declared.root.object_key))
    found = con.execute(f"SELECT rowid FROM {table} WHERE {_is_about(declared, declared.root)}").fetchall()
    rowids = [rowid for (rowid,) in found]
    for first in range(0, len(rowids), PAYLOADS_AT_ONCE):
        some = ", ".join(map(str, rowids[first : first + PAYLOADS_AT_ONCE]))
        with con.cursor() as at_once:
            at_once.execute("SET TimeZone = 'UTC'")
            flattening = Flattening(declared, at_once, loaded_at=at, policy=DROP, keeps_payload=True)
            flattening.read_kept(f"SELECT {key}, payload FROM {table} WHERE rowid IN ({some})")
            yield at_once.execute(flattening.payloads()).to_arrow_table()


def _replace_payloads(con: duckdb.DuckDBPyConnection, declared: Contract, masked: pa.Table) -> int:
    same = " AND ".join(f"kept.{quoted(name)} = masked.{quoted(name)}" for name in declared.root.object_key)
    con.register("masked", masked)
    (count,) = con.execute(
        f"UPDATE {RAW}.{declared.root.name} AS kept SET payload = masked.payload, _content_hash = masked._content_hash"
        f" FROM masked WHERE {same} AND kept.payload <> masked.payload"
    ).fetchone() or (0,)
    con.unregister("masked")
    return int(count)


def _blank(con: duckdb.DuckDBPyConnection, declared: Contract, table: Table) -> int:
    """Takes the personal values out of rows; their version goes too, so that the next reading writes them anew."""
    personal = [quoted(column.name) for column in table.all_columns if column.personal or column.name == "_extra"]
    version = ["_content_hash"] if table.parent is None else []
    there = con.execute(
        "SELECT column_name FROM duckdb_columns() WHERE schema_name = $1 AND table_name = $2", [DATASET, table.name]
    ).fetchall()
    personal = [name for name in personal if (name[1:-1],) in there]
    nothing = ", ".join(f"{name} = NULL" for name in (*personal, *version))
    holds_some = " OR ".join(f"{name} IS NOT NULL" for name in personal) or "false"
    (count,) = con.execute(
        f"UPDATE {DATASET}.{table.name} SET {nothing} WHERE ({holds_some}) AND {_is_about(declared, table)}"
    ).fetchone() or (0,)
    return int(count)


def _forget_set_aside(con: duckdb.DuckDBPyConnection, texts: Texts) -> int:
    """Removes the records that could not be read and hold one of the texts."""
    con.execute("CREATE OR REPLACE TEMP TABLE sought AS SELECT unnest($1::VARCHAR[]) AS text", [sorted(texts.anywhere)])
    (count,) = con.execute(
        f"DELETE FROM {DATASET}.quarantine AS record WHERE EXISTS (FROM sought WHERE contains(record.raw_text, text))"
    ).fetchone() or (0,)
    return int(count)


def _list(
    con: duckdb.DuckDBPyConnection,
    subject: Subject,
    found: Found,
    policy: Policy,
    key: str,
    *,
    reason: str | None,
    at: datetime,
) -> None:
    stored = policy.stored_text(subject.author_id) if subject.author_id is not None else None
    own: tuple[Kind, str] = ("author", stored) if stored is not None else ("mention", subject.mention_id or "")
    named = {(subject.account_id, *own), *found.identifiers}
    entries = [
        {"account_id": account_id, "kind": kind, "id_hash": subject_hash(key, kind, identifier), "reason": reason}
        for account_id, name, identifier in named
        for kind in get_args(Kind)
        if kind == name
    ]
    columns = pa.schema([(name, pa.string()) for name in ("account_id", "kind", "id_hash", "reason")])
    con.register("entries", pa.Table.from_pylist(entries, columns))
    con.execute(
        f"INSERT INTO {HISTORY}.erasures BY NAME SELECT *, {moment(at)} AS erased_at FROM entries AS new"
        f" WHERE NOT EXISTS (FROM {HISTORY}.erasures AS known WHERE known.id_hash = new.id_hash"
        " AND known.account_id IS NOT DISTINCT FROM new.account_id) ORDER BY id_hash"
    )
    con.unregister("entries")


def _key(warehouse: Warehouse) -> str:
    file = warehouse.erasure_key_file
    if not file.exists():
        file.touch(mode=0o600)
        file.write_text(secrets.token_hex(32), encoding="ascii")
    return file.read_text(encoding="ascii")
