"""Prints for people what `pipelines.health.status` has found: what matters first, then a table for each subject."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from pipelines.tables import print_table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rich.console import Console

_UNITS = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))


def print_status(console: Console, found: Mapping[str, Any]) -> None:
    """Prints a status; times are UTC."""

    def say(text: str) -> None:
        console.print(text, markup=False, highlight=False)

    published = f"{found['published_file']}, {_time(found['published_at'])}" if found["published_file"] else None
    data_age = in_words(found["data_age_seconds"])
    say(f"data as of  {_time(found['data_as_of'])} ({data_age} ago)" if found["data_as_of"] else "data as of  unknown")
    say(f"published   {published or 'nothing yet. Run ' + repr('social-warehouse sync') + ' first.'}")
    say(f"writer      {found['writer']}")
    for run in found["running"]:
        say(f"goes on     {run['kind']}, since {_time(run['started_at'])}")
    for budget in found["budgets"]:
        say(f"budget      {_budget(budget)}")
    for account_id, swept in found["sweep"].items():
        say(f"sweep       {_sweep(account_id, swept)}")
    for account_id, classes in found["lateness"].items():
        say(f"lateness    account {account_id}: {', '.join(map(_lateness, classes))}")
    for title, rows in (
        ("Lists", map(_list_row, found["streams"])),
        ("Last runs", map(_run_row, found["last_runs"].values())),
        ("Rows", ({"table": name, "rows": count} for name, count in found["row_counts"].items())),
    ):
        _print_rows(console, title, list(rows))
    if found["last_failures"]:
        console.print("\nLast failures", style="bold")
    for run in found["last_failures"]:
        say(f"  {_time(run['started_at'])} {run['kind']} {run['outcome']}: {run['error'] or 'it left no word'}")


def in_words(seconds: int | None) -> str:
    """A span of time in its two largest units; a dash where it is not known."""
    if seconds is None:
        return "-"
    parts = []
    for unit, length in _UNITS:
        count, seconds = divmod(seconds, length)
        parts += [f"{count:,} {unit}"] if count else []
    return " ".join(parts[:2]) or "0 s"


def _print_rows(console: Console, title: str, rows: Sequence[dict[str, Any]]) -> None:
    if rows:
        console.print(f"\n{title}", style="bold")
        print_table(console, pd.DataFrame(rows))


def _time(text: str | None) -> str:
    return text[:19].replace("T", " ") if text else "-"


def _budget(budget: Mapping[str, Any]) -> str:
    if budget["remaining_call_count"] is None or budget["limit_call_count"] is None:
        return f"token {budget['token']}: nothing is known yet of what it may call"
    left = f"{budget['remaining_call_count']:,} of {budget['limit_call_count']:,} calls left"
    end = f", a new frame at {_time(budget['frame_ends_at'])}" if budget["frame_ends_at"] else ""
    return f"token {budget['token']}: {left}{end}"


def _sweep(account_id: str, swept: Mapping[str, Any]) -> str:
    text = f"account {account_id}: "
    if swept["never_read_again_day_count"]:
        oldest = swept["oldest_never_read_again_day"][:10]
        text += f"{swept['never_read_again_day_count']:,} days never read again, the oldest {oldest}; "
    return text + f"longest unread of the others since {_time(swept['longest_unread_since'])}"


def _lateness(of_class: Mapping[str, Any]) -> str:
    bound, count = of_class["at_most_seconds"], of_class["mention_count"]
    return f"{count:,} later" if bound is None else f"{count:,} within {in_words(bound)}"


def _list_row(of_list: Mapping[str, Any]) -> dict[str, Any]:
    state = "refused" if of_list["refused_at"] else "late" if of_list["is_late"] else "in time"
    return {
        "stream": of_list["stream"],
        "account": of_list["account_id"],
        "read at": _time(of_list["read_at"]),
        "lag": in_words(of_list["lag_seconds"]),
        "late after": in_words(of_list["late_after_seconds"]),
        "": state,
    }


def _run_row(run: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "run": run["kind"],
        "began": _time(run["started_at"]),
        "took": in_words(None if run["seconds"] is None else round(run["seconds"])),
        "outcome": run["outcome"],
        "requests": "-" if run["request_count"] is None else f"{run['request_count']:,}",
    }
