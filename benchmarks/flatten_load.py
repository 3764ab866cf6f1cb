"""How fast nested mentions become tables in a DuckDB file, and in how much memory: this project beside other ways.

Every way gets the same mentions, runs in a process of its own, and is timed there after its imports. The ways take
turns, so that a slow minute of the machine falls on all of them; medians are of the repeats, ratios of the same repeat.

python benchmarks/flatten_load.py
python benchmarks/flatten_load.py --mentions 500000 --only this-project
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import tempfile
from dataclasses import dataclass
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from typing import Any

from side_by_side import ACCOUNT_ID, PAGE_SIZE, in_words, run, say, spread, whole_pages

FOLDER = Path(__file__).parent
PACKAGES = ("dlt", "duckdb", "pyarrow", "msgspec")


@dataclass(frozen=True)
class Way:
    """One way to load: a script beside this one, and the file of `made_mentions.py` that it reads.

    `after`: the way whose database it starts from; without, it starts from an empty folder.
    """

    name: str
    script: str
    reads: str
    arguments: tuple[str, ...] = ()
    after: str | None = None
    is_dlt_alone: bool = False


THIS_PROJECT = "this-project"
WAYS = (
    Way("dlt-defaults", "dlt_alone.py", "few_pages.jsonl", is_dlt_alone=True),
    Way("dlt-parquet", "dlt_alone.py", "few_pages.jsonl", ("--file-format", "parquet"), is_dlt_alone=True),
    Way(THIS_PROJECT, "this_project.py", "pages.jsonl", ("--without-payloads",)),
    Way("this-project-again", "this_project.py", "changed.jsonl", ("--without-payloads",), after=THIS_PROJECT),
    Way("this-project-and-payloads", "this_project.py", "pages.jsonl"),
    Way("duckdb-alone", "duckdb_alone.py", "mentions.ndjson"),
)


@dataclass(frozen=True)
class Measurement:
    """One run of one way; seconds are wall time, rows by table are what is in the database afterwards."""

    way: str
    mention_count: int
    seconds: float
    peak_megabytes: float
    row_counts: dict[str, int]

    @property
    def mentions_per_second(self) -> float:
        """Mentions loaded in a second of wall time."""
        return self.mention_count / self.seconds


def main() -> None:
    """Measures and prints."""
    options = _options()
    ways = [way for way in WAYS if not options.only or way.name in options.only]
    with tempfile.TemporaryDirectory(prefix="flatten-load-") as name:
        folder = Path(name)
        say(f"making {options.mentions:,} mentions")
        run(FOLDER / "made_mentions.py", folder, "--mentions", options.mentions)
        _write_few_pages(folder, options.dlt_mentions // PAGE_SIZE)
        repeats = [_measure_each(ways, folder, options, repeat) for repeat in range(options.repeat)]
    for measurements in repeats:
        _demand_same_rows(measurements)
    report = _report(ways, repeats)
    print(json.dumps(report, indent=2) if options.json else _as_text(report))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mentions", type=whole_pages, default=50_000, help="to load (default 50,000)")
    parser.add_argument(
        "--dlt-mentions", type=whole_pages, default=5_000, help="for dlt alone, which is slow (default 5,000)"
    )
    parser.add_argument("--repeat", type=int, default=3, help="how often each way runs (default 3)")
    parser.add_argument("--only", nargs="+", choices=[way.name for way in WAYS], help="these ways")
    parser.add_argument("--json", action="store_true", help="print JSON, every single run included")
    options = parser.parse_args()
    if options.dlt_mentions > options.mentions:
        parser.error("--dlt-mentions: they are the first of --mentions, so there cannot be more of them")
    if options.repeat < 1:
        parser.error("--repeat: wants 1 or more")
    return options


def _measure_each(ways: list[Way], folder: Path, options: argparse.Namespace, repeat: int) -> list[Measurement]:
    measurements = []
    for way in ways:
        say(f"repeat {repeat + 1} of {options.repeat}: {way.name}")
        database = folder / "database"
        shutil.rmtree(database, ignore_errors=True)
        database.mkdir()
        for first in WAYS:
            if first.name == way.after:
                _load(first, folder, database)
        measured = json.loads(_load(way, folder, database))
        mention_count = options.dlt_mentions if way.is_dlt_alone else options.mentions
        measurements.append(Measurement(way.name, mention_count, **measured))
    return measurements


def _load(way: Way, folder: Path, database: Path) -> str:
    return run(
        FOLDER / "ways" / way.script, folder / way.reads, database, "--account-id", ACCOUNT_ID, *way.arguments
    ).splitlines()[-1]


def _write_few_pages(folder: Path, page_count: int) -> None:
    with (folder / "pages.jsonl").open("rb") as pages, (folder / "few_pages.jsonl").open("wb") as few:
        few.writelines(islice(pages, page_count))


def _demand_same_rows(measurements: list[Measurement]) -> None:
    """A way that loads less than another would be no comparison."""
    by_way = {measured.way: measured for measured in measurements}
    for measured in measurements:
        if measured.row_counts.get("mentions") != measured.mention_count:
            raise SystemExit(f"{measured.way} loaded {measured.row_counts.get('mentions')} mentions")
    ours, floor = by_way.get(THIS_PROJECT), by_way.get("duckdb-alone")
    if ours and floor:
        differing = [
            f"{name}: {ours.row_counts.get(name)} and {count}"
            for name, count in floor.row_counts.items()
            if ours.row_counts.get(name) != count
        ]
        if differing:
            raise SystemExit(f"{THIS_PROJECT} and duckdb-alone hold different rows: {', '.join(differing)}")


def _report(ways: list[Way], repeats: list[list[Measurement]]) -> dict[str, Any]:
    rows = []
    for place, way in enumerate(ways):
        runs = [measurements[place] for measurements in repeats]
        ratios = [
            ours.mentions_per_second / measurements[place].mentions_per_second
            for measurements in repeats
            for ours in measurements
            if ours.way == THIS_PROJECT
        ]
        rows.append(
            {
                "way": way.name,
                "mention_count": runs[0].mention_count,
                "seconds": spread([run.seconds for run in runs]),
                "mentions_per_second": spread([run.mentions_per_second for run in runs]),
                "this_project_is_times_as_fast": spread(ratios) if ratios else None,
                "peak_megabytes": spread([run.peak_megabytes for run in runs]),
                "row_count": sum(runs[0].row_counts.values()),
                "runs": [vars(run) for run in runs],
            }
        )
    return {
        "machine": f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}",
        "versions": {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}},
        "repeats": len(repeats),
        "ways": rows,
    }


def _as_text(report: dict[str, Any]) -> str:
    versions = ", ".join(f"{name} {number}" for name, number in report["versions"].items())
    lines = [
        f"{report['machine']}; {versions}; median (min to max) of {report['repeats']}",
        "",
        "| way | mentions | seconds | mentions/s | this project is, times as fast | peak MB |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for row in report["ways"]:
        ratio = row["this_project_is_times_as_fast"]
        lines.append(
            f"| {row['way']} | {row['mention_count']:,} | {in_words(row['seconds'], '.2f')}"
            f" | {in_words(row['mentions_per_second'], ',.0f')} | {in_words(ratio, '.2f') if ratio else ''}"
            f" | {in_words(row['peak_megabytes'], ',.0f')} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
