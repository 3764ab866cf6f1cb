"""The SQL shell on the published copy: statements end with a semicolon, commands of the shell begin with a dot."""

from __future__ import annotations

import re
from collections import defaultdict
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
from prompt_toolkit import PromptSession
from prompt_toolkit.auto_suggest import AutoSuggestFromHistory
from prompt_toolkit.completion import Completer, Completion
from prompt_toolkit.filters import Condition
from prompt_toolkit.history import FileHistory, History, InMemoryHistory
from prompt_toolkit.lexers import PygmentsLexer
from pygments.lexers.sql import SqlLexer
from rich import box
from rich.columns import Columns
from rich.table import Table

from pipelines.answers import FORMATS, AnswerNotWritten, format_of, stoppable, write_to_file
from pipelines.keeping import has_table
from pipelines.publishing import PUBLISHED_VERSION
from pipelines.tables import print_table
from pipelines.warehouse import MARTS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prompt_toolkit.completion import CompleteEvent
    from prompt_toolkit.document import Document
    from rich.console import Console

    from pipelines.warehouse import Warehouse

SHOWN_ROWS = 100
"""How many rows of an answer are printed. More of them nobody reads, and `.save` writes all."""
HELP = """\
A statement ends with ; and may go over several lines. Tab completes, the up arrow brings back what was typed,
Ctrl-C leaves a statement.
  .tables          the tables and views, by schema
  .schema TABLE    the columns of one, with their meaning
  .save FILE       writes the last answer, all of it, as .csv, .json or .parquet
  .help            this
  .quit            leaves, as does Ctrl-D"""
COMMANDS = (".help", ".quit", ".save", ".schema", ".tables")

_NAME = r'(?:[\w.]+|"[^"]+")'
_WORD_BEFORE_CURSOR = re.compile(r"\.?[\w.]*$")
_AFTER_FROM = re.compile(r"(?:\b(?:from|join|into|describe|summarize|table)\s+|^\.schema\s+)[\w.]*$", re.IGNORECASE)
_READ_TABLES = re.compile(
    rf"\b(?:from|join)\s+({_NAME})(?:\s+(?:as\s+)?(?!on\b|using\b|where\b|join\b|left\b|inner\b|group\b|order\b)(\w+))?",
    re.IGNORECASE,
)


def is_complete(text: str) -> bool:
    """Whether what was typed can be run: a statement that ends with a semicolon of its own, a command, or nothing."""
    if not text.strip() or text.lstrip().startswith("."):
        return True
    tokens = duckdb.tokenize(text)
    # Positions are in bytes. A string or comment that is not closed yet has no token after it.
    return bool(tokens) and text.encode()[tokens[-1][0] :].startswith(b";")


class Catalogue:
    """The names of the published copy: of schemas, tables, columns, functions and keywords."""

    def __init__(self, con: duckdb.DuckDBPyConnection) -> None:
        self.columns: dict[str, list[str]] = defaultdict(list)
        """Of each table, by its name and by its name with the schema."""
        self.tables: dict[str, list[str]] = defaultdict(list)
        """Names by schema, in the order in which the schemas are searched."""
        rows = con.execute(
            "SELECT schema_name, table_name, column_name FROM duckdb_columns()"
            " WHERE database_name = current_database() AND NOT internal"
            " ORDER BY list_position(current_schemas(false), schema_name), schema_name, table_name, column_index"
        ).fetchall()
        unqualified: dict[str, str] = {}
        for schema, table, column in rows:
            if not self.columns[f"{schema}.{table}"]:
                self.tables[schema].append(table)
                unqualified.setdefault(table, schema)
            self.columns[f"{schema}.{table}"].append(column)
        for table, schema in unqualified.items():
            self.columns[table] = self.columns[f"{schema}.{table}"]
        words = con.execute(
            "SELECT keyword_name FROM duckdb_keywords()"
            r" UNION SELECT function_name FROM duckdb_functions() WHERE regexp_full_match(function_name, '[a-z]\w+')"
            " ORDER BY ALL"
        ).fetchall()
        self.words = [word for (word,) in words]

    def names_of_tables(self) -> list[str]:
        """Names that need no schema, then schemas."""
        return [*dict.fromkeys(name for names in self.tables.values() for name in names), *self.tables]

    def completions(self, text: str) -> Iterator[str]:
        """What the last word of a text may become, likeliest first; each begins as the word does."""
        found = _WORD_BEFORE_CURSOR.search(text)
        word = found[0] if found else ""
        seen: set[str] = set()
        for name in self._candidates(text, word):
            if name.lower().startswith(word.lower()) and name.lower() not in seen:
                seen.add(name.lower())
                yield name

    def _candidates(self, text: str, word: str) -> Iterator[str]:
        if text.lstrip().startswith(".") and text.strip() == word:
            yield from COMMANDS
            return
        read = {alias or table: table for table, alias in _READ_TABLES.findall(text)}
        if "." in word:
            before = word.rpartition(".")[0]
            yield from (f"{before}.{name}" for name in self.tables.get(before, ()))
            yield from (f"{before}.{name}" for name in self.columns.get(read.get(before, before), ()))
            return
        if not _AFTER_FROM.search(text):
            for table in read.values():
                yield from self.columns.get(table, ())
            yield from read
        yield from self.names_of_tables()
        if not _AFTER_FROM.search(text):
            yield from self.words
            yield from (column for columns in self.columns.values() for column in columns)


class _ByCatalogue(Completer):
    def __init__(self, shell: _Shell) -> None:
        self._shell = shell

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterator[Completion]:  # noqa: ARG002 - the library's signature
        found = _WORD_BEFORE_CURSOR.search(document.text_before_cursor)
        length = len(found[0]) if found else 0
        if length:
            # What follows the cursor says which tables are read, too: `select | from mentions`.
            after = document.text_after_cursor
            names = self._shell.catalogue.completions(f"{after}\n{document.text_before_cursor}")
            yield from (Completion(name, start_position=-length) for name in names)


class _Shell:
    """What one person asks, from the first prompt to the last."""

    def __init__(self, warehouse: Warehouse, console: Console, stack: ExitStack, *, allows_files: bool) -> None:
        self._warehouse = warehouse
        self._console = console
        self._stack = stack
        self._allows_files = allows_files
        self._last_query: str | None = None
        self._open()

    def _open(self) -> None:
        self._signature = self._warehouse.published_signature
        self._con = self._stack.enter_context(self._warehouse.connect_published(allows_files=self._allows_files))
        self.catalogue = Catalogue(self._con)
        if not has_table(self._con, MARTS, PUBLISHED_VERSION):
            self._say("The copy is of an earlier program and does not say which version it is.")
            return
        version, as_of = self._con.execute("SELECT version, as_of FROM published_version").fetchone() or (None, None)
        self._say(f"Version {version}, data as of {f'{as_of:%Y-%m-%d %H:%M} UTC' if as_of else 'nobody knows when'}.")

    def follow(self) -> None:
        """Reads another version of the copy, where one has been published."""
        if self._warehouse.published_signature != self._signature:
            self._stack.close()  # DuckDB would give the file that is open under that name.
            self._say("Another version has been published; temporary tables and settings are gone.")
            self._open()

    def take(self, text: str) -> None:
        """Does what was typed. What is wrong with it is said, and ends nothing."""
        try:
            with stoppable(self._con):
                if text.lstrip().startswith("."):
                    self._command(*text.split(maxsplit=1))
                    return
                for statement in self._con.extract_statements(text):
                    self._ask(statement)
        except (duckdb.Error, AnswerNotWritten, OSError) as error:
            self._say(f"Error: {error}")
        except KeyboardInterrupt:
            self._say("Stopped.")

    def _ask(self, statement: duckdb.Statement) -> None:
        answer = self._con.execute(statement)
        if duckdb.ExpectedResultType.QUERY_RESULT not in statement.expected_result_type:
            self._say("done")
            return
        self._last_query = statement.query
        frame = answer.fetch_df_chunk()
        print_table(self._console, frame.head(SHOWN_ROWS))
        if len(frame) > SHOWN_ROWS:
            self._say(f"These are the first {SHOWN_ROWS} rows. '.save FILE' writes all of them.")

    def _command(self, name: str, argument: str = "") -> None:
        argument = argument.strip().removesuffix(";").strip()
        match name.removesuffix(";"):
            case ".help":
                self._say(HELP)
            case ".tables":
                for schema, tables in self.catalogue.tables.items():
                    self._console.print(schema, style="bold")
                    self._console.print(Columns(tables, padding=(0, 2), equal=True, column_first=True))
            case ".schema":
                self._describe(argument)
            case ".save":
                self._save(argument)
            case _:
                self._say(f"Error: there is no {name}. '.help' says what there is.")

    def _describe(self, name: str) -> None:
        schema, _, table = name.rpartition(".")
        rows = self._con.execute(
            "SELECT schema_name, column_name, data_type, coalesce(comment, '') FROM duckdb_columns()"
            " WHERE database_name = current_database() AND table_name = $table AND $schema IN ('', schema_name)"
            " ORDER BY list_position(current_schemas(false), schema_name), schema_name, column_index",
            {"table": table, "schema": schema},
        ).fetchall()
        if not rows:
            self._say(f"Error: there is no table {name!r}. '.tables' says which there are.")
            return
        printed = Table(box=box.SIMPLE, show_edge=False, title=f"{rows[0][0]}.{table}", title_justify="left")
        printed.add_column("column", no_wrap=True)
        printed.add_column("type")
        printed.add_column("meaning")
        for row in rows:
            if row[0] == rows[0][0]:
                printed.add_row(*row[1:])
        self._console.print(printed, markup=False, soft_wrap=False)

    def _save(self, name: str) -> None:
        try:
            file = Path(name).expanduser()
        except RuntimeError as error:
            raise AnswerNotWritten(f"{name} cannot be written: {error} Write the folder out in full.") from error
        form = format_of(file)
        if self._last_query is None:
            self._say("Error: nothing has been asked yet.")
        elif form is None:
            self._say(f"Error: the file's name has to end with {', '.join(f'.{form}' for form in FORMATS)}.")
        else:
            count = write_to_file(self._con.execute(self._last_query), form, file)
            self._say(f"Wrote {count:,} rows to {file}.")

    def _say(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False)


def run_shell(warehouse: Warehouse, console: Console, *, allows_files: bool = False) -> None:
    """Asks and answers until whoever is there leaves. What is wrong with a statement is said, and ends nothing.

    Args:
        warehouse: whose published copy is read; a newer version is opened before the next statement.
        console: where answers go: a terminal.
        allows_files: as for `Warehouse.connect_published`.

    Raises:
        WarehouseUnreadable: nothing has been published yet, or the file is damaged.
    """
    with ExitStack() as stack:
        shell = _Shell(warehouse, console, stack, allows_files=allows_files)
        console.print("'.help' says what there is.", markup=False, highlight=False)
        session: PromptSession[str] = PromptSession(
            history=_history(warehouse.sql_history_file, console),
            lexer=PygmentsLexer(SqlLexer),
            completer=_ByCatalogue(shell),
            complete_while_typing=False,
            auto_suggest=AutoSuggestFromHistory(),
            multiline=Condition(lambda: not is_complete(session.default_buffer.text)),
            prompt_continuation=lambda width, _line, _wraps: "...".ljust(width),
        )
        while True:
            try:
                text = session.prompt("sql> ")
            except KeyboardInterrupt:
                continue
            except EOFError:
                return
            if text.strip().rstrip(";") == ".quit":
                return
            if text.strip():
                shell.follow()
                shell.take(text)


def _history(file: Path, console: Console) -> History:
    """What was typed before, in a file for the owner only: queries can name people."""
    try:
        file.touch(mode=0o600)
        file.chmod(0o600)
    except OSError as error:
        console.print(f"What you type is not kept: {error}.", markup=False, highlight=False)
        return InMemoryHistory()
    return FileHistory(file)
