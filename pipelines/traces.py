"""Looks for texts in everything that a warehouse's home holds: the proof of an erasure.

Databases are read table by table, since they pack their texts; all files, those too, also byte by byte.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

from transforms.selects import quoted

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    import duckdb

    from pipelines.warehouse import Warehouse

SHORTEST_TEXT = 4
"""Characters of a text that is looked for at all: a shorter one is found anywhere."""
SHORTEST_PACKED_BYTES = 8
"""What is looked for in the bytes of a database, where a shorter text is found by chance."""
TEXTS_AT_ONCE = 100
SAMPLE = 60
"""Characters of each text with which rows are looked through, before those that are found are looked at whole."""
TABLE_SUFFIXES = {".duckdb", ".parquet"}


@dataclass(frozen=True)
class Texts:
    """What is looked for.

    Attributes:
        anywhere: texts that are found inside of others too, from the beginning of a word to the end of one.
        alone: texts that say nothing inside of others (a word, such as a first name): found as a whole value only.
    """

    anywhere: frozenset[str] = frozenset()
    alone: frozenset[str] = frozenset()

    def __len__(self) -> int:
        return len(self.anywhere) + len(self.alone)


@dataclass(frozen=True)
class Trace:
    """A place where something was found: which file, which column of which table, and how many rows."""

    file: str
    place: str
    row_count: int
    examples: tuple[str, ...] = ()
    """`unique_id` of the first of these rows, where they have one."""

    def __str__(self) -> str:
        where = f"{self.file}: {self.place}, {self.row_count:,} times"
        return f"{where} ({', '.join(self.examples)})" if self.examples else where


def find(warehouse: Warehouse, texts: Texts) -> list[Trace]:
    """Every place under the home where one of the texts is."""
    found = []
    for file in sorted(path for path in warehouse.home.rglob("*") if path.is_file() and not path.is_symlink()):
        name = str(file.relative_to(warehouse.home))
        there: set[str] = set()
        if file.suffix in TABLE_SUFFIXES:
            with warehouse.tables_in(file) as con:
                for table in _tables(con):
                    inside, traces = _find_in_table(con, name, table, texts)
                    there |= inside
                    found += traces
        content = file.read_bytes()
        is_packed = file.suffix in TABLE_SUFFIXES
        count = sum(_is_in(content, text, is_packed=is_packed) for text in texts.anywhere - there)
        if count:
            found.append(Trace(name, "its bytes", count))
    return found


def values_in(con: duckdb.DuckDBPyConnection, rows: str, texts: Collection[str]) -> set[str]:
    """Those texts that are, as a whole or inside, in a text of some rows; `rows` is what stands after FROM."""
    columns = [name for name, kind, *_ in con.execute(f"DESCRIBE FROM {rows}").fetchall() if kind == "VARCHAR"]
    return _contained(con, rows, columns, texts) if columns else set()


def written(text: str) -> set[str]:
    """A text as it is, and in the ways that JSON and the HTML of reports write it."""
    in_html = escape(text).replace("&#x27;", "&#39;").replace("&quot;", "&#34;")
    ways = {text, in_html, json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1]}
    return ways | {way.replace("/", "\\/") for way in ways}


def _tables(con: duckdb.DuckDBPyConnection) -> list[tuple[str, str]]:
    return con.execute("SELECT schema_name, table_name FROM duckdb_tables() WHERE NOT internal ORDER BY ALL").fetchall()


def _find_in_table(
    con: duckdb.DuckDBPyConnection, file: str, table: tuple[str, str], texts: Texts
) -> tuple[set[str], list[Trace]]:
    """The texts that are anywhere in the table, inside of words too, and the places where they stand by themselves."""
    rows = ".".join(map(quoted, table))
    about = con.execute(f"DESCRIBE FROM {rows}").fetchall()
    columns = [name for name, kind, *_ in about if kind not in _WITHOUT_TEXT]
    if not columns:
        return set(), []
    ways = {way: text for text in texts.anywhere for way in written(text)}
    inside = _contained(con, rows, columns, ways)
    patterns = "|".join(_pattern(way) for way in inside)
    example = "unique_id" if "unique_id" in {name for name, *_ in about} else "NULL"
    traces = []
    for column in columns:
        value = f"CAST({quoted(column)} AS VARCHAR)"
        conditions = [f"{value} IN (SELECT unnest($alone))"]
        parameters: dict[str, object] = {"alone": sorted(texts.alone)}
        if patterns:
            conditions.append(f"regexp_matches({value}, $patterns)")
            parameters["patterns"] = patterns
        query = f"SELECT count(*), list(DISTINCT {example})[:3] FROM {rows} WHERE {' OR '.join(conditions)}"
        row_count, examples = con.execute(query, parameters).fetchone() or (0, None)
        if row_count:
            place = ".".join((*table, column))
            traces.append(Trace(file, place, row_count, tuple(each for each in examples or () if each)))
    return {ways[way] for way in inside}, traces


def _contained(con: duckdb.DuckDBPyConnection, rows: str, columns: Collection[str], texts: Collection[str]) -> set[str]:
    line = f"concat_ws(chr(31), {', '.join(map(quoted, columns))})"
    found = set()
    for some in _some_at_once(sorted(texts)):
        samples = "|".join(f"(?:{_escaped(text[:SAMPLE])})" for text in some)
        found |= {
            text
            for (text,) in con.execute(
                f"SELECT DISTINCT text FROM (SELECT {line} AS line FROM {rows} WHERE regexp_matches({line}, $samples)),"
                " (SELECT unnest($texts) AS text) WHERE contains(line, text)",
                {"samples": samples, "texts": some},
            ).fetchall()
        }
    return found


def _some_at_once(texts: list[str]) -> Iterator[list[str]]:
    for first in range(0, len(texts), TEXTS_AT_ONCE):
        yield texts[first : first + TEXTS_AT_ONCE]


def _pattern(text: str) -> str:
    """A text that neither begins nor ends within a word."""
    begins, ends = (r"\b" if re.match(r"[A-Za-z0-9_]", end) else "" for end in (text[0], text[-1]))
    return f"{begins}(?:{_escaped(text)}){ends}"


def _escaped(text: str) -> str:
    """As the database's regular expressions take any text."""
    return "".join(each if each.isalnum() or not each.isascii() else f"\\x{{{ord(each):x}}}" for each in text)


def _is_in(content: bytes, text: str, *, is_packed: bool) -> bool:
    if is_packed:  # where texts of several rows may stand side by side
        return len(text.encode()) >= SHORTEST_PACKED_BYTES and text.encode() in content
    return any(
        way.encode() in content and re.search(_pattern_of_bytes(way), content) is not None for way in written(text)
    )


def _pattern_of_bytes(text: str) -> bytes:
    begins, ends = (rb"\b" if re.match(r"[A-Za-z0-9_]", end) else b"" for end in (text[0], text[-1]))
    return begins + re.escape(text.encode()) + ends


_WITHOUT_TEXT = {"BOOLEAN", "TINYINT", "SMALLINT", "INTEGER", "DOUBLE", "FLOAT", "DATE", "TIMESTAMP WITH TIME ZONE"}
