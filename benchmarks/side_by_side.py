"""What the benchmarks share: ways that run in processes of their own, in turns, and the spread of what was measured."""

from __future__ import annotations

import argparse
import subprocess
import sys
from statistics import median

ACCOUNT_ID = "1417"
PAGE_SIZE = 100


def whole_pages(text: str) -> int:
    """A number of mentions that fills its pages, from an option's text."""
    count = int(text.replace(",", "").replace("_", ""))
    if count < PAGE_SIZE or count % PAGE_SIZE:
        raise argparse.ArgumentTypeError(f"{text}: wants a multiple of {PAGE_SIZE}, the size of a page")
    return count


def run(*command: object) -> str:
    """What a script of ours prints. It runs in a process of its own."""
    # Linux lets a new process begin with its parent's peak of memory: this one imports nothing big for that reason.
    finished = subprocess.run(  # noqa: S603 - our own scripts
        [sys.executable, *map(str, command)], stdout=subprocess.PIPE, text=True, check=False
    )
    if finished.returncode:
        raise SystemExit(f"{command[0]} failed: see its message above")
    return finished.stdout


def spread(values: list[float]) -> dict[str, float]:
    """Median, least and most of some repeats."""
    return {"median": median(values), "min": min(values), "max": max(values)}


def in_words(spread: dict[str, float], how: str) -> str:
    """A spread as text."""
    low, middle, high = (format(spread[name], how) for name in ("min", "median", "max"))
    return middle if low == high else f"{middle} ({low} to {high})"


def say(text: str) -> None:
    """Tells on the side how it goes on."""
    print(text, file=sys.stderr, flush=True)
