"""What `sql` writes is what the query gave: no whole number becomes a fraction, and no half file is left."""

# ruff: noqa: S608 - paths and names are of our own making

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from pipelines.answers import AnswerNotWritten, format_of, write_text, write_to_file

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TRICKY = """
    SELECT * FROM (VALUES
      (1, 9007199254740993::BIGINT, 'a, "b"' || chr(10) || 'é', TIMESTAMPTZ '2026-03-02 09:00:00.5+00:00',
       DATE '2026-03-02', true, 'nan'::DOUBLE, 1.50::DECIMAL(4, 2), ['x', NULL], {'n': 1}),
      (2, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)
    ) t(id, large, words, sent_at, day, flag, share, price, list, record) ORDER BY id
"""
LARGE = 9_007_199_254_740_993
"""One more than a float can count to."""


@pytest.fixture
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as opened:
        opened.execute("SET TimeZone = 'UTC'")
        yield opened


def text(con: duckdb.DuckDBPyConnection, query: str, form: str) -> str:
    stream = io.StringIO()
    write_text(con.execute(query), form, stream)
    return stream.getvalue()


def test_json_has_whole_numbers_nulls_and_times_in_utc(con: duckdb.DuckDBPyConnection) -> None:
    first, second = json.loads(text(con, TRICKY, "json"))
    assert first == {
        "id": 1,
        "large": LARGE,
        "words": 'a, "b"\né',
        "sent_at": "2026-03-02T09:00:00Z",
        "day": "2026-03-02",
        "flag": True,
        "share": None,
        "price": 1.5,
        "list": ["x", None],
        "record": {"n": 1},
    }
    assert second == dict.fromkeys(first) | {"id": 2}


def test_csv_has_whole_numbers_and_nothing_for_null(con: duckdb.DuckDBPyConnection) -> None:
    first, second = csv.DictReader(io.StringIO(text(con, TRICKY, "csv")))
    assert first["large"] == str(LARGE)
    assert first["words"] == 'a, "b"\né'
    assert datetime.fromisoformat(first["sent_at"]) == datetime(2026, 3, 2, 9, 0, 0, 500_000, tzinfo=UTC)
    assert (first["day"], first["price"]) == ("2026-03-02", "1.50")
    assert {value for name, value in second.items() if name != "id"} == {""}


def test_parquet_has_the_values_and_their_types(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    file = tmp_path / "answer.parquet"
    assert write_to_file(con.execute(TRICKY), "parquet", file) == 2
    row = con.execute(
        f"SELECT large, words, sent_at, day, flag, price, list, record FROM '{file}' ORDER BY id"
    ).fetchone()
    at = datetime(2026, 3, 2, 9, 0, 0, 500_000, tzinfo=UTC)
    assert row == (LARGE, 'a, "b"\né', at, date(2026, 3, 2), True, Decimal("1.50"), ["x", None], {"n": 1})
    assert con.execute(f"SELECT large, sent_at FROM '{file}' WHERE id = 2").fetchone() == (None, None)


@pytest.mark.parametrize("form", ["csv", "json", "parquet"])
def test_every_row_is_written_also_of_an_answer_in_many_parts(
    con: duckdb.DuckDBPyConnection, tmp_path: Path, form: str
) -> None:
    file = tmp_path / f"answer.{form}"
    assert write_to_file(con.execute("FROM range(25_001) t(n)"), form, file) == 25_001
    assert con.execute(f"SELECT count(*), sum(n) FROM '{file}'").fetchone() == (25_001, sum(range(25_001)))


@pytest.mark.parametrize("form", ["csv", "json", "parquet"])
def test_an_answer_without_rows_is_an_empty_list(con: duckdb.DuckDBPyConnection, tmp_path: Path, form: str) -> None:
    file = tmp_path / f"answer.{form}"
    assert write_to_file(con.execute("SELECT 1 AS n WHERE false"), form, file) == 0
    if form == "json":
        assert json.loads(file.read_text(encoding="utf-8")) == []
    else:
        assert con.execute(f"SELECT n FROM '{file}'").fetchall() == []


@pytest.mark.parametrize(
    ("query", "form", "says"),
    [
        ("SELECT 1 AS x, 2 AS x", "json", "two columns are called 'x'"),
        ("SELECT 1 AS x, 2 AS x", "parquet", "two columns are called 'x'"),
        ("SELECT INTERVAL 1 DAY AS x", "parquet", "epoch"),
    ],
)
def test_what_cannot_be_written_is_said_and_the_file_stays_as_it_was(
    con: duckdb.DuckDBPyConnection, tmp_path: Path, query: str, form: str, says: str
) -> None:
    file = tmp_path / f"answer.{form}"
    file.write_text("of yesterday", encoding="utf-8")
    with pytest.raises(AnswerNotWritten, match=says):
        write_to_file(con.execute(query), form, file)
    assert file.read_text(encoding="utf-8") == "of yesterday"
    assert list(tmp_path.iterdir()) == [file]


def test_a_query_that_fails_half_way_leaves_no_file(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    class Broken:
        """An answer that breaks off in its second part."""

        description = (("n",),)
        parts: tuple[Any, ...] = ([(1,)],)

        def fetchmany(self, _size: int) -> Any:
            if not self.parts:
                raise duckdb.OutOfMemoryException("no memory left")
            (part,), self.parts = self.parts, ()
            return part

    with pytest.raises(duckdb.OutOfMemoryException):
        write_to_file(Broken(), "csv", tmp_path / "answer.csv")  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []
    assert con.execute("SELECT 1").fetchone() == (1,)


def test_the_ending_says_the_form(tmp_path: Path) -> None:
    endings = {"a.csv": "csv", "a.JSON": "json", "a.parquet": "parquet", "a.txt": None, "a": None, "csv": None}
    assert {name: format_of(tmp_path / name) for name in endings} == endings
