"""Reads what the API puts around its data: the success envelope, or the flat error body. Pure."""

from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import orjson

from pipelines.api.errors import ApiError, ResponseUnreadable, api_error

__all__ = ["Envelope", "is_rate_limit", "read_envelope", "read_refusal"]

_LONGEST_DESCRIPTION = 500


@dataclass(frozen=True)
class Envelope:
    """`data` is the envelope's `response`; `messages` (warnings and deprecations) and `etag` are of its `meta`."""

    data: Any
    messages: tuple[Any, ...]
    etag: str | None


def read_envelope(status: int, body: str, path: str, token_number: int, attempt_count: int) -> Envelope:
    """The data of a successful answer.

    Raises:
        ApiError: by HTTP status, by a flat error body, or by an error code in the envelope under HTTP status 200.
        ResponseUnreadable: the status is a success but the body is not the envelope.
    """
    parsed = _parsed(body)
    answer = parsed if isinstance(parsed, dict) else {}
    meta = answer["meta"] if isinstance(answer.get("meta"), dict) else {}
    messages = tuple(meta["messages"]) if isinstance(meta.get("messages"), list) else ()

    error_id = answer["error"] if isinstance(answer.get("error"), str) else None
    if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        raise api_error(status, error_id, "a redirect, which is not followed with a token in hand", path, token_number)
    code = answer.get("code", meta.get("code"))
    told = code if isinstance(code, int) and status == HTTPStatus.OK else status
    if told >= HTTPStatus.BAD_REQUEST or error_id:
        raise api_error(told, error_id, _description(answer, messages), path, token_number)
    if not meta or "response" not in answer:
        raise ResponseUnreadable(path, _what_it_is(body, parsed), attempt_count)
    etag = meta["etag"] if isinstance(meta.get("etag"), str) else None
    return Envelope(data=answer["response"], messages=messages, etag=etag)


def read_refusal(body: str) -> tuple[str | None, str]:
    """The identifier and the description of a flat error body, which may as well be something else."""
    answer = parsed if isinstance(parsed := _parsed(body), dict) else {}
    error_id = answer["error"] if isinstance(answer.get("error"), str) else None
    return error_id, _description(answer, ()) or ("" if answer else _what_it_is(body, parsed))


def is_rate_limit(error: ApiError) -> bool:
    """Whether the API refused because of its rate limit: documented as 400 with an identifier, 429 elsewhere."""
    return error.error_id == "rate_limit_reached" or error.status == HTTPStatus.TOO_MANY_REQUESTS


def _parsed(body: str) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return None


def _description(answer: dict[str, Any], messages: tuple[Any, ...]) -> str:
    parts = [answer.get("error_description"), answer.get("error_details")]
    parts += [message.get("description") for message in messages if isinstance(message, dict)]
    words = (part if isinstance(part, str) else orjson.dumps(part).decode() for part in parts if part)
    return " ".join(words)[:_LONGEST_DESCRIPTION]


def _what_it_is(body: str, parsed: Any) -> str:
    if not body.strip():
        return "it is empty"
    if body.lstrip().startswith("<"):
        return "it is an HTML or XML page"
    if parsed is None:
        return f"it is not whole JSON, {len(body)} characters"
    return "it is JSON, but without the envelope's `meta` and `response`"
