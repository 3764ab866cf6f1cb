"""The SQL shell: when a statement is whole, what completes a word, and what becomes of what is typed."""

# ruff: noqa: S608 - paths and names are of our own making

from __future__ import annotations

import shutil
import stat
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import TYPE_CHECKING

import duckdb
import pytest
from prompt_toolkit.application import create_app_session
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output import DummyOutput
from rich.console import Console

from pipelines.keeping import DATASET
from pipelines.publishing import publish
from pipelines.shell import SHOWN_ROWS, Catalogue, _Shell, is_complete, run_shell
from pipelines.warehouse import MARTS, Warehouse, WarehouseUnreadable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MORNING = datetime(2026, 3, 2, 9, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "select 1;",
        "select 1; ",
        "select 1;\n-- done",
        "select ';';",
        "select 1; select 2;",
        "",
        "  ",
        ".tables",
        "select 'é';",
    ],
)
def test_what_ends_with_a_semicolon_of_its_own_is_run(text: str) -> None:
    assert is_complete(text)


@pytest.mark.parametrize(
    "text",
    ["select 1", "select ';", "select ';'", "select 1 -- ;", 'select ";', "select $$;", "/* ;", "select 1; select 2"],
)
def test_what_does_not_goes_on_in_the_next_line(text: str) -> None:
    assert not is_complete(text)


@pytest.fixture
def catalogue() -> Iterator[Catalogue]:
    with duckdb.connect() as con:
        con.execute("""
            CREATE SCHEMA marts; CREATE SCHEMA history;
            CREATE TABLE marts.fct_mentions (account_id VARCHAR, topic_id VARCHAR, mention_date DATE);
            CREATE VIEW marts.dim_topics AS SELECT '1' AS account_id, 'x' AS topic_name;
            CREATE TABLE history.teams (team_id VARCHAR, valid_from DATE);
            CREATE TABLE history.dim_topics (old_name VARCHAR);
            SET search_path = 'marts,history';
        """)
        yield Catalogue(con)


@pytest.mark.parametrize(
    ("typed", "first"),
    [
        ("from fct", ["fct_mentions"]),
        ("select count(*) from dim_", ["dim_topics"]),
        ("from his", ["history"]),
        ("from history.", ["history.dim_topics", "history.teams"]),
        ("select topic_n", ["topic_name"]),
        ("from fct_mentions where to", ["topic_id"]),
        ("from fct_mentions as m where m.", ["m.account_id", "m.topic_id", "m.mention_date"]),
        ("from fct_mentions m join dim_topics t on t.", ["t.account_id", "t.topic_name"]),
        ("from history.teams where v", ["valid_from"]),
        ("from dim_topics where o", []),
        ("from fct_mentions where m", ["mention_date"]),
        ("quantile_c", ["quantile_cont"]),
        ("sele", ["select"]),
        (".sch", [".schema"]),
        (".schema fct", ["fct_mentions"]),
        ("from nothing_of_the_sort", []),
    ],
)
def test_the_likeliest_names_come_first(catalogue: Catalogue, typed: str, first: list[str]) -> None:
    found = list(catalogue.completions(typed))
    if first:
        assert found[: len(first)] == sorted(first, key=first.index)
    else:
        assert "old_name" not in found[:1]
    assert len(found) == len(set(found))


def says(warehouse: Warehouse, *lines: str) -> str:
    """What a shell says that is given these lines, and Ctrl-D."""
    out = StringIO()
    with create_pipe_input() as keys, create_app_session(input=keys, output=DummyOutput()):
        keys.send_text("".join(f"{line}\r" for line in lines) + "\x04")
        run_shell(warehouse, Console(file=out, width=120))
    return out.getvalue()


def errors(said: str) -> list[str]:
    return [line for line in said.splitlines() if line.startswith("Error: ")]


@pytest.fixture
def published(filled: Warehouse) -> Warehouse:
    publish(filled, now=MORNING, keep_count=3)
    return filled


def test_a_statement_over_several_lines_is_answered(published: Warehouse) -> None:
    assert "42" in says(published, "select count(*) + 40", "from mentions", "where true;")


def test_what_is_wrong_is_said_and_ends_nothing(published: Warehouse) -> None:
    said = says(published, "selec 1;", "from nowhere;", "delete from mentions;", ".nope", "select 40 + 2;")
    assert len(errors(said)) == 4
    assert "read-only" in said
    assert "42" in said


def test_it_reaches_nothing_but_the_copy(published: Warehouse, tmp_path: Path) -> None:
    secret = tmp_path / "secret.csv"
    secret.write_text("a\nquagga\n", encoding="utf-8")
    said = says(
        published,
        f"from read_csv('{secret}');",
        f"copy mentions to '{tmp_path}/out.csv';",
        "set enable_external_access = true;",
    )
    assert len(errors(said)) == 3
    assert "quagga" not in said
    assert not (tmp_path / "out.csv").exists()


def test_ctrl_c_leaves_the_statement_and_not_the_shell(published: Warehouse) -> None:
    said = says(published, "select 'gone'\x03select 40 + 2;")
    assert "42" in said
    assert "gone" not in said


def test_quit_leaves_and_what_follows_is_not_run(published: Warehouse) -> None:
    assert "42" not in says(published, ".quit", "select 40 + 2;")


def test_a_new_version_is_read_by_the_next_statement(published: Warehouse, tmp_path: Path) -> None:
    # Published by another process in life: in this one, DuckDB would share the copy that is open.
    later = Warehouse(tmp_path / "later")
    shutil.copytree(published.home, later.home)
    with duckdb.connect(later.file) as con:
        con.execute(f"INSERT INTO {DATASET}.mentions BY NAME SELECT 'more' || n AS unique_id FROM range(5) t(n)")
    publish(later, now=MORNING + timedelta(hours=5), keep_count=3)
    out = StringIO()
    with ExitStack() as stack:
        shell = _Shell(published, Console(file=out, width=120), stack, allows_files=False)
        for _ in range(2):
            shell.follow()
            shell.take("select count(*) from mentions;")
        later.published_file.replace(published.published_file)
        shell.follow()
        shell.take("select count(*) from mentions;")
    before, notice, after = out.getvalue().partition("Another version has been published")
    assert notice
    assert before.split()[-1] == "2"
    assert "20260302T140000Z" in after
    assert after.split()[-1] == "7"


def test_schema_says_what_columns_mean_and_tables_names_them_all(published: Warehouse) -> None:
    said = says(published, ".schema mentions", ".tables", ".schema nowhere")
    assert "unique_id" in said
    assert "Identifier of the" in said
    assert all(name in said for name in ("fct_mentions", "mention_tags", MARTS, DATASET))
    assert "there is no table 'nowhere'" in said


def test_a_long_answer_is_cut_and_saved_whole(published: Warehouse, tmp_path: Path) -> None:
    file = tmp_path / "answer.parquet"
    said = says(published, "from range(5000) t(n);", f".save {file}", ".save answer.txt")
    assert str(SHOWN_ROWS - 1) in said.split()
    assert str(SHOWN_ROWS) not in said.replace(f"first {SHOWN_ROWS} rows", "").split()
    assert "Wrote 5,000 rows" in said
    assert "has to end with .csv, .json, .parquet" in said
    assert duckdb.connect().execute(f"SELECT count(*), max(n) FROM '{file}'").fetchone() == (5_000, 4_999)


def test_a_home_folder_that_there_is_not_ends_nothing(published: Warehouse) -> None:
    said = says(published, "select 40 + 2;", ".save ~nobody-of-that-name.csv", "select 40 + 3;")
    (error,) = errors(said)
    assert "~nobody-of-that-name.csv cannot be written" in error
    assert "Write the folder out" in said
    assert "43" in said


def test_a_copy_that_does_not_say_its_version_is_read(warehouse: Warehouse) -> None:
    with duckdb.connect(warehouse.published_file) as con:
        con.execute(f"CREATE SCHEMA {MARTS}; CREATE SCHEMA {DATASET}; CREATE SCHEMA history")
    said = says(warehouse, "select 40 + 2;")
    assert "of an earlier program" in said
    assert "42" in said


def test_what_was_typed_is_kept_for_the_owner_only(published: Warehouse) -> None:
    says(published, "select 40 + 2;")
    assert stat.S_IMODE(published.sql_history_file.stat().st_mode) == 0o600
    published.sql_history_file.chmod(0o644)
    says(published, "select 'again';")
    assert stat.S_IMODE(published.sql_history_file.stat().st_mode) == 0o600
    kept = published.sql_history_file.read_text(encoding="utf-8")
    assert "+select 40 + 2;" in kept
    assert "+select 'again';" in kept


def test_up_brings_back_what_was_typed_in_an_earlier_shell(published: Warehouse) -> None:
    says(published, "select 40 + 2;")
    assert "42" in says(published, "\x1b[A")


def test_where_the_folder_cannot_be_written_the_shell_goes_on(
    published: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr("pathlib.Path.touch", refuse)
    said = says(published, "select 40 + 2;")
    assert "What you type is not kept" in said
    assert "42" in said


def test_before_the_first_publish_the_next_step_is_named(warehouse: Warehouse) -> None:
    with pytest.raises(WarehouseUnreadable, match="Run 'social-warehouse sync' first"):
        says(warehouse)
