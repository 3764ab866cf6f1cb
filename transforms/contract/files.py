"""Reads the contract files: their YAML, what one says is `like` another, and what is wrong with them in plain words."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from pydantic import ValidationError

from transforms.contract.language import KINDS, Contract, KeyColumn, Value

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pydantic import BaseModel
    from pydantic_core import ErrorDetails

FOLDER = Path(__file__).parent

# The files are read at every start, and libyaml is several times as fast as the loader in Python.
_Loader = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader

_BY_NAME: dict[str | int, type[BaseModel]] = {kind.__name__: kind for kind in KINDS.values()}
_BY_WORD: dict[str, type[BaseModel]] = {"keyed_by": KeyColumn, "items": Value, "whole": Value, "given": Value}


class ContractError(ValueError):
    """A contract file says something the contract's language does not have: which file, where, what, what it wants."""


@cache
def contract(name: str) -> Contract:
    """The contract of one object, such as `mention`.

    Raises:
        ContractError: the file, or one it is `like`, does not follow the contract's language.
        FileNotFoundError: there is no contract of that name.
    """
    return _validated(_loaded(name), f"{name}.yml")


def contracts() -> tuple[Contract, ...]:
    """Every contract, by object name."""
    return tuple(contract(path.stem) for path in sorted(FOLDER.glob("*.yml")))


def read_contract(text: str, *, file: str) -> Contract:
    """A contract from the text of its file, whose name is for the message.

    Raises:
        ContractError: the text, or a file it is `like`, does not follow the contract's language.
    """
    return _validated(_parsed(text, file), file)


@cache
def _loaded(name: str) -> dict[str, Any]:
    return _parsed((FOLDER / f"{name}.yml").read_text(encoding="utf-8"), f"{name}.yml")


def _parsed(text: str, file: str) -> dict[str, Any]:
    try:
        declared = yaml.load(text, _Loader)  # noqa: S506 - either of the safe loaders
    except yaml.YAMLError as error:
        raise ContractError(f"{file}: is no YAML: {error}") from None
    if not isinstance(declared, dict):
        raise ContractError(f"{file}: got {_shown(declared)}; wants {_words(Contract.model_fields)}")
    return declared


# --- like ---


def _filled_in(declared: Any, own: str, within: tuple[str, ...]) -> Any:
    """A node with what it is `like`: the words beside `like` are added, or replace the other's.

    `own` is the object the node is of; `within` are the files that led here, each by a `like` in the one before.
    """
    if not isinstance(declared, dict):
        return declared
    if "like" in declared:
        beside = {word: said for word, said in declared.items() if word != "like"}
        declared = _merged(_renamed(*_other(declared["like"], within), own), beside)
    filled = dict(declared)
    for word in ("fields", "given"):
        if isinstance(fields := declared.get(word), dict):
            filled[word] = {name: _filled_in(field, own, within) for name, field in fields.items()}
    for word in ("of", "whole"):
        if word in declared:
            filled[word] = _filled_in(declared[word], own, within)
    return filled


def _other(like: Any, within: tuple[str, ...]) -> tuple[Any, str]:
    """What is at `<object>.<path>`, and the object. A path goes through lists; without one it is the whole object."""
    name, *path = str(like).split(".")
    files = (*within, f"{name}.yml")
    if files[-1] in within:
        raise ContractError(f"{within[-1]}: like: got {like!r}, which goes in a circle: {', '.join(files)}")
    try:
        fields = _loaded(name)["fields"]
        node: Any = {"fields": {path[0]: fields[path[0]]} if path else fields}
        node = _filled_in(node, name, files)
        for step in path:
            node = node.get("of", node)["fields"][step]
    except (AttributeError, FileNotFoundError, KeyError, TypeError):
        raise ContractError(
            f"{within[-1]}: like: got {like!r}; wants an object with a contract, or the path of a field in it"
        ) from None
    return node, name


def _renamed(node: Any, other: str, own: str) -> Any:
    """A node of another object as this one's: its tables are named after this one."""
    if not isinstance(node, dict):
        return node
    renamed = {
        word: {name: _renamed(field, other, own) for name, field in said.items()} if word == "fields" else said
        for word, said in node.items()
    }
    if "of" in node:
        renamed["of"] = _renamed(node["of"], other, own)
        renamed["table"] = f"{own}_{node['table'].removeprefix(f'{other}_')}"
    return renamed


def _merged(declared: Any, beside: Any) -> Any:
    if not (isinstance(declared, dict) and isinstance(beside, dict)):
        return beside
    return declared | {word: _merged(declared.get(word), said) for word, said in beside.items()}


# --- what is wrong ---


def _validated(declared: dict[str, Any], file: str) -> Contract:
    filled_in = _filled_in(declared, str(declared.get("object")), (file,))
    try:
        return Contract.model_validate(filled_in)
    except ValidationError as error:
        raise ContractError("\n".join(f"{file}: {wrong}" for wrong in _complaints(error.errors()))) from None


def _complaints(errors: Iterable[ErrorDetails]) -> Iterator[str]:
    """One line for each place where something is wrong."""
    wrong: dict[str, list[str]] = {}
    for error in errors:
        path = [str(part) for part in error["loc"] if part not in _BY_NAME]
        word = path.pop() if error["type"] in {"missing", "extra_forbidden"} else ""
        wrong.setdefault(".".join(path), []).append(_complaint(error, word))
    for path_text, complaints in wrong.items():
        yield ": ".join(filter(None, (path_text, "; ".join(complaints))))


def _complaint(error: ErrorDetails, word: str) -> str:
    found = _shown(error["input"])
    match error["type"]:
        case "missing":
            return f"got {found}; wants the word {word} too"
        case "extra_forbidden":
            return f"got the word {word}; wants {_words(_model_at(error['loc'][:-1]).model_fields)}"
        case "no_such_kind":
            return f"got {found}; {error['msg']}"
        case "value_error":
            return str(error["ctx"]["error"])
        case "literal_error":
            return f"got {found}; wants {error['ctx']['expected']}"
        case _:
            return f"got {found}: {error['msg']}"


def _model_at(location: tuple[int | str, ...]) -> type[BaseModel]:
    """What the place in a file is read as; among the words of the place are the names of the kinds that were chosen."""
    model: type[BaseModel] = Contract
    for part in location:
        model = _BY_NAME.get(str(part)) or _BY_WORD.get(str(part)) or model
    return model


def _shown(declared: Any) -> str:
    return f"the words {', '.join(map(str, declared))}" if isinstance(declared, dict) else repr(declared)


def _words(words: Iterable[str]) -> str:
    return ", ".join(words)
