"""The help of every command shows how to call it."""

import re

import click
import pytest
from click.testing import CliRunner

from pipelines.cli import cli


@pytest.mark.parametrize("name", cli.commands)
def test_help_has_an_example(name: str) -> None:
    answer = CliRunner().invoke(cli, [name, "--help"])
    assert answer.exit_code == 0
    assert re.search(rf"^\s+Examples?:\n(.*\n)*?.*social-warehouse {name}\b", answer.output, re.MULTILINE), (
        answer.output
    )
    for option in cli.commands[name].params:
        assert option.help or not isinstance(option, click.Option), f"--{option.name} is not described"


def test_the_first_help_names_every_command_and_exit_code() -> None:
    answer = CliRunner().invoke(cli, ["--help"])
    assert answer.exit_code == 0
    for name in cli.commands:
        assert re.search(rf"^  {name} ", answer.output, re.MULTILINE)
    for code in ("0 done", "1 failed", "2 usage", "3 busy", "4 data tests failed", "5 request budget used up"):
        assert code in " ".join(answer.output.split())
