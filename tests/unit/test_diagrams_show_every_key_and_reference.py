"""The diagrams are Mermaid that a renderer takes, and show what the tests of the marts and the contracts say."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml

from transforms.contract import contracts

ROOT = Path(__file__).parents[2]
MARTS = sorted((ROOT / "sql" / "models" / "marts").glob("*.yml"))
ENTITY = re.compile(r" {4}(\w+) \{")
ATTRIBUTE = re.compile(r" {8}(\w+) (\w+) ((?:PK|FK)(?:, FK)?)")
ARROW = re.compile(r' {4}(\w+) (\|\||\|o)--(o\||o\{) (\w+) : "([^"]+)"')


@dataclass
class _Diagram:
    """A diagram: the marked columns of each table that has them, and its arrows."""

    entities: dict[str, dict[str, str]] = field(default_factory=dict)
    arrows: list[tuple[str, str, str, str, str]] = field(default_factory=list)


def diagrams(part: str) -> dict[str, _Diagram]:
    """The diagrams under a heading of the page, by title; every line of them has to be one that Mermaid knows."""
    page = (ROOT / "docs" / "diagram.md").read_text(encoding="utf-8")
    (text,) = re.findall(rf"^## {part}$(.*?)(?=^## |\Z)", page, re.MULTILINE | re.DOTALL)
    found = {}
    for title, lines in re.findall(r"^### (.+?)\n\n```mermaid\nerDiagram\n(.*?)\n```$", text, re.MULTILINE | re.DOTALL):
        diagram, entity = found.setdefault(title, _Diagram()), ""
        for line in lines.splitlines():
            if opening := ENTITY.fullmatch(line):
                entity = opening[1]
                assert entity not in diagram.entities, entity
                diagram.entities[entity] = {}
            elif attribute := ATTRIBUTE.fullmatch(line):
                diagram.entities[entity][attribute[2]] = attribute[3]
            elif arrow := ARROW.fullmatch(line):
                diagram.arrows.append((arrow[1], arrow[2], arrow[3], arrow[4], arrow[5]))
            else:
                assert line == "    }", line
    return found


@pytest.fixture(scope="module")
def marts() -> dict[str, _Diagram]:
    return diagrams("Marts")


def test_every_mart_is_in_one_diagram_with_its_key(marts: dict[str, _Diagram]) -> None:
    drawn = {name: columns for diagram in marts.values() for name, columns in diagram.entities.items()}
    assert sorted(drawn) == [file.stem for file in MARTS]
    assert sum(len(diagram.entities) for diagram in marts.values()) == len(drawn)
    for file in MARTS:
        # As it stands in the file, without reading it as the generator does.
        keys = re.search(r"unique_combination:.*?columns: \[([^\]]+)\]", file.read_text(encoding="utf-8"), re.DOTALL)
        assert keys is not None, file
        marked = {name for name, marks in drawn[file.stem].items() if "PK" in marks}
        assert marked == set(keys[1].split(", ")), file.stem


def test_every_tested_reference_between_marts_is_an_arrow(marts: dict[str, _Diagram]) -> None:
    published = {file.stem for file in MARTS}
    tested = Counter(
        (to, file.stem)
        for file in MARTS
        for to in re.findall(r"foreign_key:.*?to: ref\('(\w+)'\)", file.read_text(encoding="utf-8"), re.DOTALL)
        if to in published
    )
    drawn = Counter((to, table) for diagram in marts.values() for to, _, _, table, _ in diagram.arrows)
    assert drawn == tested
    assert drawn["fct_mentions", "fct_replies"] == drawn["fct_cases", "fct_replies"] == 1


def test_the_ends_of_arrows_say_how_many(marts: dict[str, _Diagram]) -> None:
    arrows = {(to, table, by): (one, many) for d in marts.values() for to, one, many, table, by in d.arrows}
    assert arrows["dim_tags", "bridge_mention_tags", "tag"] == ("||", "o{")
    assert arrows["fct_mentions", "fct_replies", "unique_id where object = 'mention'"] == ("|o", "o{")
    assert arrows["dim_agents", "fct_mentions", "first_human_reply_agent_id"] == ("|o", "o{")


def test_an_area_can_be_read(marts: dict[str, _Diagram]) -> None:
    for title, diagram in (marts | diagrams("Normalised tables")).items():
        assert len(diagram.entities) <= 20, title


def test_every_normalised_table_of_a_larger_object_hangs_on_its_parent() -> None:
    drawn = diagrams("Normalised tables")
    assert sorted(drawn) == sorted(declared.object for declared in contracts() if len(declared.tables) > 1)
    for declared in contracts():
        if len(declared.tables) == 1:
            continue
        diagram = drawn[declared.object]
        assert {name: sorted(columns) for name, columns in diagram.entities.items()} == {
            table.name: sorted(table.key_names) for table in declared.tables
        }
        root = declared.table
        children = [table for *_, table, _ in diagram.arrows]
        assert sorted([root, *children]) == sorted(diagram.entities), "each table but the first has one parent"
        parents = {table: to for to, _, _, table, _ in diagram.arrows}
        for table in children:
            way = [table]
            while way[-1] != root:
                way.append(parents[way[-1]])
            # Who hangs on another has its key, be it by another name, and something of its own.
            assert len(diagram.entities[parents[table]]) < len(diagram.entities[table]), table


def test_the_files_of_the_marts_have_one_model_each() -> None:
    for file in MARTS:
        (model,) = yaml.safe_load(file.read_text(encoding="utf-8"))["models"]
        assert model["name"] == file.stem
