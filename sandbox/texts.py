"""What people write, in eight languages; the words are in `texts.json`."""

import json
from functools import cache
from importlib.resources import files
from typing import Any

from sandbox.draws import Draw


@cache
def words() -> dict[str, Any]:
    """The stock of phrases and names."""
    content: dict[str, Any] = json.loads(files("sandbox").joinpath("texts.json").read_text(encoding="utf-8"))
    return content


def message(draw: Draw, language: str, sentiment: str) -> str:
    """A message of one to four sentences, some over several lines."""
    phrases = words()["languages"][language]
    tone = sentiment if sentiment in phrases else "neutral"
    parts = [draw.pick(phrases["greetings"], "greeting"), draw.pick(phrases[tone], "body")]
    if draw.chance(0.35, "second sentence"):
        parts.append(draw.pick(phrases["neutral"], "second body"))
    parts.append(draw.pick(phrases["closings"], "closing"))
    separator = "\n" if draw.chance(0.25, "lines") else " "
    return _filled(separator.join(part for part in parts if part), draw, language)


def title(draw: Draw, language: str) -> str:
    """The subject of an email or the headline of an article."""
    return _filled(draw.pick(words()["languages"][language]["titles"], "title"), draw, language)


def reply(draw: Draw, language: str, name: str) -> str:
    """What the care team answers."""
    text: str = draw.pick(words()["languages"][language]["replies"], name)
    return text


def person(draw: Draw) -> str:
    """A first and last name."""
    return f"{draw.pick(words()['first_names'], 'first name')} {draw.pick(words()['last_names'], 'last name')}"


def internal(draw: Draw, kind: str, name: str) -> str:
    """What colleagues write to each other: `notes`, `assignment_comments` or `todos`."""
    text: str = draw.pick(words()[kind], name)
    return text


def _filled(text: str, draw: Draw, language: str) -> str:
    if "{" not in text:
        return text
    return text.replace("{order}", "#" + draw.digits(6, "order")).replace(
        "{day}", draw.pick(words()["days"][language], "day")
    )
