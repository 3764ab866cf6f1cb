"""Keeps secrets out of what a process says: log lines of every logger, warnings, tracebacks, messages.

Reading the settings makes every secret among them known here. From then on each log record of the process is looked at
where it is made, whichever logger it is of (ours, httpx's, dlt's, dbt's, Prefect's), so no handler sees a secret.
"""

from __future__ import annotations

import logging
import re
import sys
import traceback
import warnings
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from pydantic import BaseModel, SecretStr

from pipelines.api.scrub import writings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

PLACEHOLDER = "***"
SHORTEST_SECRET = 8
"""Characters. To take a shorter one out of every text would take ordinary words out, and no real secret is so short."""

_PASSWORD_IN_ADDRESS = re.compile(r"://[^/?#@:]*:([^/?#@]+)@")
_secrets: set[str] = set()
_known: list[re.Pattern[str]] = []
_make_record = logging.getLogRecordFactory()
_show_warning = warnings.showwarning


def secrets_of(model: BaseModel) -> Iterator[str]:
    """Every secret text in a model's fields, in lists and models inside it too."""

    def found_in(value: object) -> Iterator[str]:
        if isinstance(value, SecretStr):
            yield value.get_secret_value()
        elif isinstance(value, BaseModel):
            for name in type(value).model_fields:
                yield from found_in(getattr(value, name))
        elif isinstance(value, dict):
            for each in value.values():
                yield from found_in(each)
        elif isinstance(value, list | tuple | set | frozenset):
            for each in value:
                yield from found_in(each)

    return found_in(model)


def keep_secret(model: BaseModel) -> None:
    """Has the secrets of a model replaced in all that this process says from now on."""
    parts = (part for text in secrets_of(model) for part in (text, *_passwords_in(text)))
    found = {part for part in parts if len(part) >= SHORTEST_SECRET}
    if not found <= _secrets:
        _secrets.update(found)
        # The longest first: one may begin with another.
        _known[:] = [re.compile("|".join(map(writings, sorted(_secrets, key=len, reverse=True))))]
    logging.setLogRecordFactory(_record_without_secrets)
    warnings.showwarning = _show_without_secrets
    sys.excepthook = _say_without_secrets


def _passwords_in(text: str) -> Iterator[str]:
    """The password of an address, as written there and as meant: what is given an address may tell of its parts."""
    for password in _PASSWORD_IN_ADDRESS.findall(text):
        yield password
        yield unquote(password)


def without_secrets(text: str) -> str:
    """The text with each known secret replaced, in whatever way URLs and JSON write it."""
    return _known[0].sub(PLACEHOLDER, text) if _known else text


def _record_without_secrets(*arguments: Any, **options: Any) -> logging.LogRecord:
    record = _make_record(*arguments, **options)
    try:
        message = record.getMessage()
    except Exception:  # noqa: BLE001 - arguments that do not fit: the handler that formats it says so
        message = f"{record.msg} {record.args}"
    # A record without secrets stays as it is: some formatters want the arguments.
    if (clean := without_secrets(message)) != message:
        record.msg, record.args = clean, None
    if record.exc_info and record.exc_info[0] is not None:
        text = "".join(traceback.format_exception(*record.exc_info)).rstrip("\n")
        if (clean := without_secrets(text)) != text:
            record.exc_text, record.exc_info = clean, None
    return record


def _show_without_secrets(message: Warning | str, category: type[Warning], *where: Any, **options: Any) -> None:
    text = str(message)
    clean = without_secrets(text)
    _show_warning(message if clean == text else clean, category, *where, **options)


def _say_without_secrets(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    sys.stderr.write(without_secrets("".join(traceback.format_exception(kind, error, trace))))
