"""Faults on demand: what a client may meet in production, at a chosen request."""

from dataclasses import dataclass, field
from typing import Any, Literal, get_args
from urllib.parse import parse_qsl, urlencode

Json = dict[str, Any]
FaultKind = Literal[
    "status",
    "html",
    "cut_json",
    "cut_connection",
    "delay",
    "throttle",
    "expired_token",
    "foreign_next_url",
    "looping_next_url",
    "first_page_again",
    "shifted_page",
    "wrong_count",
    "unknown_field",
    "changed_type",
    "unreadable_record",
    "empty_page",
]
KINDS: tuple[str, ...] = get_args(FaultKind)
FOREIGN_HOST = "https://collector.example.net"


@dataclass(slots=True, kw_only=True, eq=False)
class Fault:
    """One fault. It strikes requests whose path contains `path`: after the first `after` of them, `times` times.

    The path is looked at without an `/api` in front or a slash at the end.

    Attributes:
        kind: what happens. `status` is an API error with that HTTP status, `html` a gateway's page, `cut_json` a whole
            answer whose JSON stops half-way, `cut_connection` a connection that closes half-way, `empty_page` a page
            without rows that yet has a next page, `looping_next_url` a page whose next page is itself and
            `first_page_again` one whose next page is the first; the other names speak for themselves.
        times: how often; None for every time.
        status: HTTP status of `status` and `html`.
        seconds: how long a `delay` waits before the request is served.
        reset: whether a `throttle` says when the limit is lifted.
        where: where `unknown_field` adds its field: the record, its objects, the elements of its lists.
        field: the dotted path whose value `changed_type` replaces, where its parent exists.
        value: the replacement.
        amount: how much a `wrong_count` is larger than it should be, and how many rows a `shifted_page` (any but the
            first) begins too late; both may be negative.
        record: what `unreadable_record` puts among the records.
    """

    kind: FaultKind
    path: str = ""
    after: int = 0
    times: int | None = 1
    status: int = 500
    seconds: float = 0.0
    reset: bool = True
    where: tuple[Literal["top", "nested", "list"], ...] = ("top", "nested", "list")
    field: str = "timestamps.response_time"
    value: Any = "n/a"
    amount: int = 1
    record: Any = "not a record"

    def strikes(self, path: str) -> bool:
        """Whether the fault applies to this request; counts it."""
        if self.path not in path or self.times == 0:
            return False
        if self.after > 0:
            self.after -= 1
            return False
        if self.times is not None:
            self.times -= 1
        return True


@dataclass(slots=True)
class Faults:
    """The faults in waiting."""

    waiting: list[Fault] = field(default_factory=list)

    def add(self, kind: FaultKind, **options: Any) -> Fault:
        """Add a fault; the options are the attributes of `Fault`.

        Raises:
            ValueError: when the kind is not known.
        """
        if kind not in KINDS:
            raise ValueError(f"unknown fault {kind!r}: choose one of {', '.join(KINDS)}")
        fault = Fault(kind=kind, **options)
        self.waiting.append(fault)
        return fault

    def clear(self) -> None:
        """Take all faults away."""
        self.waiting.clear()

    def strike(self, path: str) -> list[Fault]:
        """The faults that apply to a request."""
        struck = [fault for fault in self.waiting if fault.strikes(path)]
        for fault in struck:
            if fault.times == 0:
                self.waiting.remove(fault)
        return struck


def spoil(response: Any, fault: Fault, url: str) -> None:
    """Change the payload of a list answer; other answers stay as they are. `url` is the request's own."""
    if not isinstance(response, dict) or not isinstance(response.get("data"), list):
        return
    records: list[Any] = response["data"]
    if fault.kind == "empty_page":
        records.clear()
    elif fault.kind == "unreadable_record":
        records.insert(min(1, len(records)), fault.record)
    elif fault.kind == "foreign_next_url":
        response["paging"] = {"next_url": f"{FOREIGN_HOST}/api{url[url.index('/', len('https://')) :]}"}
    elif fault.kind == "looping_next_url":
        response["paging"] = {"next_url": url}
    elif fault.kind == "first_page_again":
        address, _, query = url.partition("?")
        pairs = [pair for pair in parse_qsl(query, keep_blank_values=True) if pair[0] != "page_token"]
        response["paging"] = {"next_url": f"{address}?{urlencode(pairs)}"}
    elif fault.kind == "wrong_count":
        response["count"] = max(response["count"] + fault.amount, 0)
    else:
        for record in records:
            if isinstance(record, dict):
                _spoil_record(record, fault)


def _spoil_record(record: Json, fault: Fault) -> None:
    if fault.kind == "unknown_field":
        _add_unknown_field(record, fault)
    elif fault.kind == "changed_type":
        *parents, last = fault.field.split(".")
        target: Any = record
        for name in parents:
            target = target.get(name) if isinstance(target, dict) else None
        if isinstance(target, dict):
            target[last] = fault.value


def _add_unknown_field(record: Json, fault: Fault) -> None:
    children = list(record.values())
    if "nested" in fault.where:
        for child in children:
            if isinstance(child, dict):
                child["future_field"] = "nested"
    if "list" in fault.where:
        for element in (element for child in children if isinstance(child, list) for element in child):
            if isinstance(element, dict):
                element["future_field"] = "element"
    if "top" in fault.where:
        record["future_field"] = {"level": "top", "numbers": [1, 2]}
