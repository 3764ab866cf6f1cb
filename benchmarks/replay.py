"""How fast a replay makes the tables of raw mentions, and in how much memory, beside DuckDB alone on the same mentions.

Each way runs in a process of its own and is timed there after its imports; the ways take turns, and ratios are of the
same repeat. The payloads are loaded once, by a sync's own loader, which is not timed.

python benchmarks/replay.py
python benchmarks/replay.py --mentions 1000000 --repeat 1
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import tempfile
from pathlib import Path
from typing import Any

from side_by_side import ACCOUNT_ID, in_words, run, say, spread, whole_pages

FOLDER = Path(__file__).parent
WAYS = ("replay", "duckdb-alone")


def main() -> None:
    """Measures and prints."""
    options = _options()
    with tempfile.TemporaryDirectory(prefix="replay-") as name:
        folder = Path(name)
        say(f"making {options.mentions:,} mentions")
        run(FOLDER / "made_mentions.py", folder, "--mentions", options.mentions)
        (folder / "changed.jsonl").unlink()
        say("keeping their payloads")
        run(FOLDER / "ways/this_project.py", folder / "pages.jsonl", folder / "home", "--account-id", ACCOUNT_ID)
        (folder / "pages.jsonl").unlink()
        repeats = [_measure_both(folder, options, number) for number in range(1, options.repeat + 1)]
    report = _report(repeats, options.mentions)
    print(json.dumps(report, indent=2) if options.json else _as_text(report))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mentions", type=whole_pages, default=50_000, help="to replay (default 50,000)")
    parser.add_argument("--repeat", type=int, default=3, help="how often each way runs (default 3)")
    parser.add_argument("--json", action="store_true", help="print JSON, every single run included")
    options = parser.parse_args()
    if options.repeat < 1:
        parser.error("--repeat: wants 1 or more")
    return options


def _measure_both(folder: Path, options: argparse.Namespace, number: int) -> dict[str, Any]:
    say(f"repeat {number} of {options.repeat}: replay")
    replayed = json.loads(run(FOLDER / "ways/replay_raw.py", folder / "home"))
    say(f"repeat {number} of {options.repeat}: duckdb-alone")
    database = folder / "database"
    shutil.rmtree(database, ignore_errors=True)
    database.mkdir()
    alone = json.loads(
        run(FOLDER / "ways/duckdb_alone.py", folder / "mentions.ndjson", database, "--account-id", ACCOUNT_ID)
    )
    # A way that makes less than the other would be no comparison.
    differing = [
        f"{table}: {replayed['row_counts'].get(table)} and {count}"
        for table, count in alone["row_counts"].items()
        if replayed["row_counts"].get(table) != count
    ]
    if differing or alone["row_counts"]["mentions"] != options.mentions:
        raise SystemExit(f"replay and duckdb-alone hold different rows: {', '.join(differing)}")
    return {"replay": replayed, "duckdb-alone": alone}


def _report(repeats: list[dict[str, Any]], mention_count: int) -> dict[str, Any]:
    return {
        "machine": f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}",
        "mention_count": mention_count,
        "repeats": len(repeats),
        "replay_is_times_as_fast": spread(
            [each["duckdb-alone"]["seconds"] / each["replay"]["seconds"] for each in repeats]
        ),
        "ways": [
            {
                "way": way,
                "seconds": spread([each[way]["seconds"] for each in repeats]),
                "mentions_per_second": spread([mention_count / each[way]["seconds"] for each in repeats]),
                "peak_megabytes": spread([each[way]["peak_megabytes"] for each in repeats]),
                "runs": [each[way] for each in repeats],
            }
            for way in WAYS
        ],
    }


def _as_text(report: dict[str, Any]) -> str:
    lines = [
        f"{report['machine']}; {report['mention_count']:,} mentions; median (min to max) of {report['repeats']}",
        "",
        "| way | seconds | mentions/s | peak MB |",
        "|---|---:|---:|---:|",
        *(
            f"| {row['way']} | {in_words(row['seconds'], '.2f')} | {in_words(row['mentions_per_second'], ',.0f')}"
            f" | {in_words(row['peak_megabytes'], ',.0f')} |"
            for row in report["ways"]
        ),
        "",
        f"The replay is {in_words(report['replay_is_times_as_fast'], '.2f')} times as fast as DuckDB alone.",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
