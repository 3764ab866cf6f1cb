"""Reads one page of a list: where its records are, how many there are in all, and where the next page is. Pure.

The API has three kinds of list: `paged_list` {count, data, paging{next_url}}, `cursored_list` {data, next{url, count}}
and the plain array. The end of a list is written in many ways (no `paging`, `paging: []` because an empty PHP object is
an empty list, no key, null, empty text) and all of them mean the same.
"""

from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_plus

import httpx

from pipelines.api.errors import ForeignNextUrl, PagingBroken, ResponseUnreadable

__all__ = ["ListPage", "next_address", "origin", "read_list_page", "row_count"]

_DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class ListPage:
    """One page of a list; `count` is the total over all pages, None where the list does not tell."""

    records: list[Any]
    records_path: str
    count: int | None
    next_url: str | None


def read_list_page(data: Any, path: str) -> ListPage:
    """The page in the envelope's `response`.

    Raises:
        ResponseUnreadable: `data` is no list of any kind the API has.
        PagingBroken: there is a next page, but its address is not text.
    """
    if isinstance(data, list):
        return ListPage(records=data, records_path="$.response", count=None, next_url=None)
    records = data.get("data", ...) if isinstance(data, dict) else ...
    if records is None:
        records = []
    if not isinstance(records, list):
        raise ResponseUnreadable(path, "`response` is neither a list nor an object with a list `data`", 1)
    link = _member(data.get("paging"), "next_url") or _member(data.get("next"), "url")
    if link and not isinstance(link, str):
        raise PagingBroken(path, "its next_url is not text")
    return ListPage(records, "$.response.data", _count(data.get("count")), link or None)


def row_count(data: Any) -> int | None:
    """How many records are in the envelope's `response`; None where it is no list."""
    records = data.get("data") if isinstance(data, dict) else data
    return len(records) if isinstance(records, list) else None


def next_address(next_url: str, current: httpx.URL, base: httpx.URL, path: str) -> httpx.URL:
    """The address of the next page, as given but without any token.

    Nothing else of it is rebuilt: the path may differ from the one asked for (older links carry an extra `/api`), and
    the query repeats the parameters in PHP's own writing.

    Raises:
        ForeignNextUrl: it does not lie on the base URL's scheme, host and port.
        PagingBroken: it is no URL.
    """
    bare, _, query = next_url.partition("#")[0].partition("?")
    kept = "&".join(part for part in query.split("&") if not _names_a_token(part))
    try:
        address = current.join(f"{bare}?{kept}" if kept else bare)
    except httpx.InvalidURL as error:
        raise PagingBroken(path, "its next_url is not a URL") from error
    if origin(address) != origin(base) or address.userinfo:
        raise ForeignNextUrl(path, origin(address))
    return address


def origin(url: httpx.URL) -> str:
    """Scheme, host and port, written so that two that are equal are the same place."""
    return f"{url.scheme}://{url.host}:{url.port or _DEFAULT_PORTS.get(url.scheme, 0)}"


def _names_a_token(parameter: str) -> bool:
    return unquote_plus(parameter.partition("=")[0]).lower() == "access_token"


def _member(container: Any, key: str) -> Any:
    return container.get(key) if isinstance(container, dict) else None


def _count(value: Any) -> int | None:
    if isinstance(value, str) and value.isascii() and value.isdigit():
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
