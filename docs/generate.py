"""Writes the pages that say what the code already says: settings, command line, data dictionary, dbt sources.

`make docs` runs it; a test compares its output with the files, so they cannot drift.
"""

from __future__ import annotations

import json
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import yaml

from pipelines.cli import cli
from pipelines.settings import TOML_FILE, Settings
from transforms.contract import contracts

if TYPE_CHECKING:
    from collections.abc import Iterator

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


def pages() -> dict[Path, str]:
    """Every generated file and its text."""
    return {
        ROOT / "docs" / "settings.md": settings_page(),
        ROOT / "docs" / "command-line.md": command_line_page(),
        ROOT / "docs" / "data-dictionary.md": data_dictionary_page(),
        ROOT / "sql" / "models" / "staging" / "social_connect.yml": dbt_sources(),
    }


def settings_page() -> str:
    """The options, from `pipelines/settings.py`."""
    lines = [
        "# Settings",
        "",
        f"Looked for in the environment, then in `.env`, then in `{TOML_FILE}`. Names are the same everywhere.",
        "",
        "| name | meaning | default |",
        "| --- | --- | --- |",
    ]
    for name, option in Settings.model_fields.items():
        default = "" if option.default in (None, ()) else f"`{option.default}`"
        lines.append(f"| `{name.upper()}` | {option.description} | {default} |")
    lines += [
        "",
        "A token is never printed, logged or stored: messages name the option, not its value.",
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


def data_dictionary_page() -> str:
    """The normalised tables from the contracts, the models from their yml."""
    lines = [
        "# Data dictionary",
        "",
        "`marts` is made to be read; `social_connect` holds the API's objects as tables. Times are in UTC.",
        "",
        "`personal` marks columns that can hold personal data.",
        "",
        "## marts",
        "",
    ]
    for model in _models("marts"):
        lines += [
            f"### {model['name']}",
            "",
            model["description"].strip(),
            "",
            "| column | type | meaning |",
            "| --- | --- | --- |",
        ]
        lines += [
            f"| {column['name']} | {column['data_type']} | {column['description'].strip()} |"
            for column in model["columns"]
        ]
        lines.append("")
    lines += ["## social_connect", ""]
    for contract in contracts():
        for table in contract.tables:
            lines += _dictionary_of(table)
    lines += [
        "### quarantine",
        "",
        "One row per record that could not be read: its text, and why. Its key is account_id, object and content_hash.",
        "",
    ]
    return "\n".join(lines)


def _dictionary_of(table: Table) -> Iterator[str]:
    yield from (f"### {table.name}", "", table.description, "", f"Key: {', '.join(table.key_names)}.", "")
    yield from ("| column | type | meaning | personal |", "| --- | --- | --- | --- |")
    for column in table.all_columns:
        values = f" One of {', '.join(column.values)}." if column.values else ""
        personal = "personal" if column.personal else ""
        yield f"| {column.name} | {SQL_TYPES[column.type]} | {column.description}{values} | {personal} |"
    yield ""


def dbt_sources() -> str:
    """The dbt source of the normalised tables, from the contracts."""
    lines = [
        "# Generated from transforms/contract by docs/generate.py: change it there, then run make docs.",
        "version: 2",
        "",
        "sources:",
        "  - name: social_connect",
        "    schema: social_connect",
        "    description: The API's objects as relational tables, as the loader writes them.",
        "    tables:",
    ]
    for contract in contracts():
        for table in contract.tables:
            lines += [f"      - name: {table.name}", "        description: >-"]
            lines += textwrap.wrap(table.description, 108, initial_indent=" " * 10, subsequent_indent=" " * 10)
            lines += ["        columns:", *(f"          - {_source_column(column)}" for column in table.all_columns)]
    return "\n".join([*lines, ""])


def _source_column(column: Column) -> str:
    return (
        f"{{name: {column.name}, data_type: {SQL_TYPES[column.type]}, description: {json.dumps(column.description)}}}"
    )


def _models(folder: str) -> list[dict[str, Any]]:
    files = sorted((ROOT / "sql" / "models" / folder).glob("*.yml"))
    return [model for file in files for model in yaml.safe_load(file.read_text(encoding="utf-8"))["models"]]


def main() -> None:
    """Writes the pages."""
    for file, text in pages().items():
        file.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
