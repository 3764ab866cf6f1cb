"""Writes what the code already says: settings, command line, streams, data dictionary, diagrams, queries, dbt sources.

`make docs` runs it; a test compares its output with the files, so they cannot drift.
"""

from __future__ import annotations

import json
import re
import textwrap
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import yaml
from jinja2 import Environment

from pipelines.cli import cli
from pipelines.keeping import DATASET, HISTORY, RAW
from pipelines.settings import TOML_FILE, Settings
from pipelines.source import STREAMS, Reading
from pipelines.source.streams import FACETS
from pipelines.warehouse import MARTS, described_tables
from transforms.contract import contract, contracts
from transforms.tables import STATISTICS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipelines.source import Stream
    from transforms.contract import Column, Table

ROOT = Path(__file__).parents[1]
SQL_TYPES = {
    "text": "varchar",
    "integer": "bigint",
    "float": "double",
    "boolean": "boolean",
    "timestamp": "timestamptz",
    "json": "varchar",
}
SCHEMAS = {
    MARTS: ("Facts, dimensions and reports, made to be read", True),
    DATASET: ("The API's objects as relational tables, as the loader writes them", True),
    HISTORY: (
        "What the API forgets: versions of reference data, changes of shape, what was gone; and the runs",
        True,
    ),
    RAW: ("The payload of each object as it was last read, from which a replay makes the tables", False),
    "rules": ("Rules of whoever uses the warehouse: holidays, whose hours, targets", False),
    "intermediate": ("Steps that several marts share", False),
    "staging": ("Views on the tables that models read: renamed, housekeeping left out", False),
}
"""What each schema holds, and whether it is in the published copy; in the order of the dictionary."""
MODEL_SCHEMAS = (MARTS, "rules", "intermediate", "staging")
OTHER_KEYS = {
    (DATASET, STATISTICS.name): STATISTICS.key_names,
    (DATASET, "quarantine"): ("account_id", "object", "content_hash"),
    (HISTORY, "schema_changes"): ("table_name", "path", "expected", "found"),
    (HISTORY, "reconciliations"): ("reconciled_at", "account_id", "day_start_at", "measure", "segment"),
    (HISTORY, "deletions"): ("account_id", "object", "unique_id", "deleted_at"),
    (HISTORY, "days_read"): ("account_id", "object", "day_start_at"),
    (HISTORY, "erasures"): ("account_id", "id_hash"),
    (HISTORY, "lateness"): ("loaded_at", "account_id", "at_most_seconds"),
    (HISTORY, "runs"): ("run_id",),
    (HISTORY, "run_streams"): ("run_id", "stream"),
    (HISTORY, "run_requests"): ("run_id", "endpoint"),
    (HISTORY, "layout"): ("version",),
}
"""Keys of the tables that no contract declares."""
FOUND_OUT = {table for schema, table in OTHER_KEYS if schema == HISTORY}
"""What the history holds beside versions."""


def pages() -> dict[Path, str]:
    """Every generated file and its text."""
    return {
        ROOT / "docs" / "settings.md": settings_page(),
        ROOT / "docs" / "command-line.md": command_line_page(),
        ROOT / "docs" / "streams.md": streams_page(),
        ROOT / "docs" / "data-dictionary.md": data_dictionary_page(),
        ROOT / "docs" / "diagram.md": diagram_page(),
        ROOT / "docs" / "analysts.md": analysts_page(),
        ROOT / "sql" / "models" / "staging" / "sources.yml": dbt_sources(),
    }


def settings_page() -> str:
    """The options, from `pipelines/settings.py`."""
    lines = [
        "# Settings",
        "",
        "Looked for in the environment, then in the folder of secrets (SOCIAL_WAREHOUSE_SECRETS_DIR), then in `.env`,",
        f"then in `{TOML_FILE}`. Names are the same everywhere.",
        "",
        "| name | meaning | default |",
        "| --- | --- | --- |",
    ]
    for name, option in Settings.model_fields.items():
        default = "" if option.default in (None, ()) else f"`{option.default}`"
        lines.append(f"| `{name.upper()}` | {option.description} | {default} |")
    lines += [
        "",
        "A token is never printed or logged: messages name the option, not its value. What is set is not stored;",
        "access tokens that were renewed lie in `api/tokens.json` in the warehouse's folder, for its owner only.",
        "",
        "A file that holds a secret and can be read by others is refused: [security](security.md).",
        "",
        f"`social-warehouse init` makes a `{TOML_FILE}` to fill in, readable by its owner only.",
        "",
    ]
    return "\n".join(lines)


def command_line_page() -> str:
    """What `--help` says, of every command."""
    lines = ["# Command line", "", "What `social-warehouse COMMAND --help` says.", ""]
    context = click.Context(cli, info_name="social-warehouse", terminal_width=100, **cli.context_settings)
    lines += ["```text", cli.get_help(context), "```", ""]
    for name, command in cli.commands.items():
        inner = click.Context(command, info_name=name, parent=context, terminal_width=100)
        lines += [f"## {name}", "", "```text", command.get_help(inner), "```", ""]
    return "\n".join(lines)


def streams_page() -> str:
    """What is read of the API, from `pipelines/source/streams.py`."""
    needed = ", ".join(f"`{stream.name}`" for stream in STREAMS if stream.is_needed)
    lines = [
        "# Streams",
        "",
        "A stream is one list of the API. The order is the priority: what stands first is read first, should the",
        "request budget run out. `social-warehouse sync --streams a,b` reads these only, however lately.",
        "",
        "Mentions and cases are read in every sync. The other lists that are due share two calls for each quarter",
        "of an hour since the last sync, the oldest for its rhythm first, so that a sync stays cheap: synced every 15",
        "minutes, none becomes half as old again as its rhythm. A list that was never read is read at once. A new",
        "topic is found when the topics are read, and its mentions are then read from the start.",
        "",
        "| stream | endpoint | read | how often | versions | tables |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for stream in STREAMS:
        keeps = "kept" if stream.keeps_versions else ""
        tables = ", ".join(_dictionary_link(DATASET, table.name) for table in stream.contract.tables)
        lines.append(f"| {_reading_of(stream)} | {keeps} | {tables} |")
    lines += [
        f"| {_reading_of(FACETS)} |  | {_dictionary_link(DATASET, STATISTICS.name)} |",
        "",
        "| read | |",
        "| --- | --- |",
        *(f"| {reading.name.lower()} | {reading.value} |" for reading in Reading),
        "",
        f"Only a stream that the rest rests on ({needed}) ends the sync when the API refuses it; any other",
        "is skipped with a notice. Notes on mentions (`mention_context_items`) take a call each, so none are",
        "read unless `SOCIAL_CONNECT_CONTEXT_CALLS` allows it. More: [statistics](statistics.md),",
        "[how lists are read](decisions/reading.md), [add a stream](add-a-stream.md).",
        "",
    ]
    return "\n".join(lines)


def _reading_of(stream: Stream) -> str:
    return f"`{stream.name}` | `{stream.path}` | {stream.reading.name.lower()} | {_rhythm(stream)}"


def _rhythm(stream: Stream) -> str:
    hours = stream.rhythm.total_seconds() / 3600
    return "every sync" if not hours else f"every {f'{hours:g} hours' if hours > 1 else 'hour'}"


def _dictionary_link(schema: str, table: str) -> str:
    return f"[{table}](data-dictionary.md#{schema}{table})"


def data_dictionary_page() -> str:
    """Every table and column: the models from their yml, all else from the contracts."""
    lines = [
        "# Data dictionary",
        "",
        "Every table and column of the warehouse. In the published copy a client shows the same texts as comments.",
        "Times are in UTC. Columns say what they are by their ends: `_at` an instant, `_seconds`, `_count`, `_id`.",
        "",
        "`path` is where the API's object has the value, as a JSON path; `[*]` is each element of a list. A column",
        "without is made here. `personal` marks columns that can hold [personal data](personal-data.md).",
        "Listed values are those that are known; another is stored too, and told of in `history.schema_changes`.",
        "",
        "| schema | what it holds | in the published copy |",
        "| --- | --- | --- |",
        *(
            f"| [{schema}](#{schema}) | {what} | {'yes' if is_published else 'no'} |"
            for schema, (what, is_published) in SCHEMAS.items()
        ),
        "",
        "## Index",
        "",
        "| object | tables | versions |",
        "| --- | --- | --- |",
    ]
    versioned = _versioned_objects()
    for declared in contracts():
        tables = ", ".join(_link(DATASET, table.name) for table in declared.tables)
        versions = ", ".join(_link(HISTORY, table.name) for table in declared.tables if declared.object in versioned)
        lines.append(f"| {declared.object} | {tables} | {versions} |")
    lines += [
        f"| statistics | {_link(DATASET, STATISTICS.name)} | |",
        f"| what could not be read | {_link(DATASET, 'quarantine')} | {_link(HISTORY, 'schema_changes')} |",
        "",
        f"Models: {', '.join(_link(MARTS, model['name']) for model in _models(MARTS))}.",
        "",
    ]
    described = list(_loaded_tables())
    for schema, (what, _) in SCHEMAS.items():
        lines += [f"## {schema}", "", f"{what}.", ""]
        for of, name, description, columns in described:
            if of == schema:
                lines += _dictionary_of(schema, name, description, columns)
        if schema in MODEL_SCHEMAS:
            for model in _models(schema):
                lines += _dictionary_of_model(schema, model)
    return "\n".join(lines)


def _link(schema: str, table: str) -> str:
    return f"[{table}](#{schema}{table})"


def _versioned_objects() -> set[str]:
    return {stream.object for stream in STREAMS if stream.keeps_versions}


def _loaded_tables() -> Iterator[tuple[str, str, str, tuple[Column, ...]]]:
    """Every table that the streams as they are declared make."""
    versioned = {table.name for of in _versioned_objects() for table in contract(of).tables} | FOUND_OUT
    for described in described_tables():
        if described[0] != HISTORY or described[1] in versioned:
            yield described


def _dictionary_of(schema: str, name: str, description: str, columns: tuple[Column, ...]) -> Iterator[str]:
    table = {table.name: table for declared in contracts() for table in declared.tables}.get(name)
    yield from (f"### {schema}.{name}", "", description, "")
    if schema == DATASET and table is not None:
        yield from (f"Key: {', '.join(table.key_names)}.", "")
    elif (schema, name) in OTHER_KEYS:
        yield from (f"Key: {', '.join(OTHER_KEYS[schema, name])}.", "")
    elif schema == HISTORY:
        yield from ("Key: account_id, _version_hash, valid_from.", "")
    elif schema == RAW and table is not None:
        yield from (f"Key: {', '.join(table.object_key)}.", "")
    yield from ("| column | type | meaning | path | personal |", "| --- | --- | --- | --- | --- |")
    for column in columns:
        values = f" One of {', '.join(column.values)}." if column.values else ""
        path = f"`{found}`" if table is not None and (found := _path(table, column)) else ""
        personal = "personal" if column.personal else ""
        meaning = f"{column.description}{values}".replace("|", "\\|")
        yield f"| {column.name} | {SQL_TYPES[column.type]} | {meaning} | {path} | {personal} |"
    yield ""


def _path(table: Table, column: Column) -> str:
    """Where the API's object has a column's value, as a JSON path; empty for a column that is made here."""
    if column in table.columns:
        if table.keyed_by and column.name == table.keyed_by.column:
            return f"keys of {_list_path(table)}"
        if not (column.path or table.parent):
            return ""
        place = "" if column.item is None else f"[{column.item}]"
        return ".".join([_element_path(table), *column.path, *column.inside]) + place
    return ".".join(["$", *column.path]) if column in table.key and column.path else ""


def _element_path(table: Table) -> str:
    return "$" if table.parent is None else f"{_list_path(table)}[*]"


def _list_path(table: Table) -> str:
    return ".".join([_element_path(table.parent) if table.parent else "$", *table.path])


def _dictionary_of_model(schema: str, model: dict[str, Any]) -> Iterator[str]:
    yield from (f"### {schema}.{model['name']}", "", model["description"].strip(), "")
    yield from ("| column | type | meaning | personal |", "| --- | --- | --- | --- |")
    for column in model["columns"]:
        is_personal = column.get("config", {}).get("meta", {}).get("personal", False)
        yield (
            f"| {column['name']} | {column.get('data_type', '')} | {column['description'].strip()} |"
            f" {'personal' if is_personal else ''} |"
        )
    yield ""


AREAS = {
    "Facts, dimensions and bridges": ("fct_", "dim_", "bridge_"),
    "Daily sums": ("agg_",),
    "Reports": ("rpt_",),
}
"""The diagrams of the marts: by the beginnings of the models' names."""


def diagram_page() -> str:
    """How tables hang together: marts from their tests of keys and references, normalised tables from the contracts."""
    lines = [
        "# Diagram",
        "",
        "Which table points to which, and the columns that do it. Every arrow of the marts is a data test that runs at",
        "each build, those of reports (`rpt_`) at each that builds everything; every arrow of the normalised tables is",
        "a list inside of an object. All other columns are in the [data dictionary](data-dictionary.md).",
        "",
        "`PK` are the columns that together are unique in the table, `FK` those that point elsewhere. References go",
        "with `account_id`, which is not repeated on the arrow. A bar at the end of an arrow is one row, a circle may",
        "be none, a crow's foot may be many. A table without columns here has them in another diagram.",
        "",
        "## Marts",
        "",
    ]
    models = {model["name"]: model for model in _models(MARTS)}
    for title, beginnings in AREAS.items():
        drawn = [name for name in models if name.startswith(beginnings)]
        relations = [relation for name in drawn for relation in _references(models[name]) if relation[1] in models]
        entities = {name: _entity(models[name], relations) for name in drawn}
        lines += [f"### {title}", "", *_mermaid(entities, [_arrow(models, *relation) for relation in relations]), ""]
    lines += ["## Normalised tables", "", "Objects of one table have no diagram.", ""]
    for declared in contracts():
        tables = declared.tables
        if len(tables) > 1:
            entities = {
                table.name: [f"{SQL_TYPES[column.type]} {column.name} PK" for column in table.key] for table in tables
            }
            arrows = [
                f'{table.parent.name} ||--o{{ {table.name} : "{".".join(table.path)}"'
                for table in tables
                if table.parent is not None
            ]
            lines += [f"### {declared.object}", "", *_mermaid(entities, arrows), ""]
    return "\n".join(lines)


def _mermaid(entities: dict[str, list[str]], arrows: list[str]) -> Iterator[str]:
    yield from ("```mermaid", "erDiagram")
    for name, attributes in entities.items():
        yield from (f"    {name} {{", *(f"        {attribute}" for attribute in attributes), "    }")
    yield from (*(f"    {arrow}" for arrow in arrows), "```")


def _tests(model: dict[str, Any], name: str) -> Iterator[dict[str, Any]]:
    yield from (test[name] for test in model.get("data_tests", []) if name in test)


def _key(model: dict[str, Any]) -> list[str]:
    (test,) = _tests(model, "unique_combination")
    return list(test["arguments"]["columns"])


def _references(model: dict[str, Any]) -> Iterator[tuple[str, str, tuple[str, ...], str]]:
    """Of each reference: the table, where it points to, by which columns, and of which rows (empty: of all)."""
    for test in _tests(model, "foreign_key"):
        to = test["arguments"]["to"].removeprefix("ref('").removesuffix("')")
        yield model["name"], to, tuple(test["arguments"]["columns"]), test.get("config", {}).get("where", "")


def _entity(model: dict[str, Any], relations: list[tuple[str, str, tuple[str, ...], str]]) -> list[str]:
    key = _key(model)
    pointing = {
        column
        for table, _, columns, _ in relations
        if table == model["name"]
        for column in columns
        if column != "account_id"
    }
    attributes = []
    for column in model["columns"]:
        marks = [mark for mark, names in (("PK", key), ("FK", pointing)) if column["name"] in names]
        if marks:
            kind = column["data_type"].replace("timestamp with time zone", "timestamptz")
            attributes.append(f"{kind} {column['name']} {', '.join(marks)}")
    return attributes


def _arrow(models: dict[str, dict[str, Any]], table: str, to: str, columns: tuple[str, ...], where: str) -> str:
    key = _key(models[table])
    always = set(columns) <= set(key) and not where
    by = ", ".join(column for column in columns if column != "account_id") or "account_id"
    label = f"{by} where {where}" if where else by
    return f'{to} {"||" if always else "|o"}--{"o|" if set(columns) == set(key) else "o{"} {table} : "{label}"'


def analysts_page() -> str:
    """The page with its queries anew, from `sql/analyses`: each stands under a comment that names its file."""
    text = (ROOT / "docs" / "analysts.md").read_text(encoding="utf-8")
    queries = analyses()
    return re.sub(
        r"<!-- sql/analyses/(\w+)\.sql -->\n(?:```sql\n.*?\n```\n)?",
        lambda found: f"{found[0].splitlines()[0]}\n```sql\n{queries[found[1]]}\n```\n",
        text,
        flags=re.DOTALL,
    )


def analyses() -> dict[str, str]:
    """The ready queries by name, as plain SQL for the published copy, with days in UTC: macros and refs filled in."""
    jinja = Environment(extensions=["jinja2.ext.do"], keep_trailing_newline=False, autoescape=False)  # noqa: S701 - SQL, not HTML
    jinja.globals.update(ref=lambda name: name, var={"reporting_time_zone": "UTC"}.__getitem__)
    for file in sorted((ROOT / "sql" / "macros").glob("*.sql")):
        if not file.stem.startswith("test_") and file.stem != "relations":  # Those need dbt.
            macros = vars(jinja.from_string(file.read_text(encoding="utf-8")).module)
            jinja.globals.update({name: macro for name, macro in macros.items() if not name.startswith("_")})
    queries = {}
    for file in sorted((ROOT / "sql" / "analyses").glob("*.sql")):
        query = jinja.from_string(file.read_text(encoding="utf-8")).render()
        queries[file.stem] = re.sub(r"\(\n\s*\n", "(\n", query)
    return queries


ALWAYS_COMING = {(DATASET, "mentions"), (DATASET, "statistics")}
"""Tables to which rows come every day, so that a day without any is worth a look: `dbt source freshness`."""
FRESHNESS = [
    "        config:",
    "          loaded_at_field: _loaded_at",
    "          freshness: {warn_after: {count: 24, period: hour}, error_after: {count: 72, period: hour}}",
]


def dbt_sources() -> str:
    """The dbt sources, from the contracts: the normalised tables, and the versions."""
    lines = [
        "# Generated from transforms/contract by docs/generate.py: change it there, then run make docs.",
        "version: 2",
        "",
        "sources:",
    ]
    for schema in (DATASET, HISTORY):
        lines += [
            f"  - name: {schema}",
            f"    schema: {schema}",
            f"    description: {json.dumps(SCHEMAS[schema][0] + '.')}",
            "    tables:",
        ]
        for of, name, description, columns in _loaded_tables():
            if of == schema:
                lines += [f"      - name: {name}", "        description: >-"]
                lines += textwrap.wrap(description, 108, initial_indent=" " * 10, subsequent_indent=" " * 10)
                lines += FRESHNESS if (schema, name) in ALWAYS_COMING else []
                lines += ["        columns:", *(f"          - {_source_column(column)}" for column in columns)]
    return "\n".join([*lines, ""])


def _source_column(column: Column) -> str:
    return (
        f"{{name: {column.name}, data_type: {SQL_TYPES[column.type]}, description: {json.dumps(column.description)}}}"
    )


@cache
def _models(folder: str) -> list[dict[str, Any]]:
    files = sorted((ROOT / "sql" / "models" / folder).glob("*.yml"))
    return [model for file in files for model in yaml.safe_load(file.read_text(encoding="utf-8")).get("models", [])]


def main() -> None:
    """Writes the pages."""
    for file, text in pages().items():
        file.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
