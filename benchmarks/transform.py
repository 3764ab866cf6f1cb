"""How long the dbt project takes, model by model, and in how much memory: built whole, and again after few changes.

A warehouse is filled by SQL, without a loader. Its models are built; then some mentions get one more action each, and
the models are built again. Each build runs in a process of its own, and is what the command `transform` does: rules,
models and data tests.

python benchmarks/transform.py
python benchmarks/transform.py --mentions 10000000
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from side_by_side import in_words, run, say, spread

FOLDER = Path(__file__).parent
FULL, INCREMENTAL = "full", "incremental"
# As of when made_warehouse.py makes the tables, and touches them. It is not imported: its imports would weigh on the
# memory that is measured (see side_by_side.run).
MADE_AS_OF, TOUCHED_AS_OF = "2026-03-01T00:00:00+00:00", "2026-03-01T01:00:00+00:00"
SHOWN_MODEL_COUNT = 10


@dataclass(frozen=True)
class Build:
    """What one build took.

    `processor_seconds` are of all threads, and say most when others use the machine.
    """

    model_seconds: dict[str, float]
    test_seconds: float
    wall_seconds: float
    processor_seconds: float
    peak_megabytes: float

    @property
    def all_model_seconds(self) -> float:
        """Of all models together."""
        return sum(self.model_seconds.values())


def main() -> None:
    """Measures and prints."""
    options = _options()
    sizes = sorted(options.mentions)
    with tempfile.TemporaryDirectory(prefix="transform-") as name:
        builds = {size: _measure_size(Path(name), size, options, compares=size == sizes[0]) for size in sizes}
    print(json.dumps(_as_json(builds), indent=2) if options.json else _as_text(builds, options.touched))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--mentions", type=int, nargs="+", default=[100_000, 1_000_000], help="sizes (default 100000 1000000)"
    )
    parser.add_argument("--touched", type=int, default=2_000, help="mentions that change between (default 2,000)")
    parser.add_argument("--repeat", type=int, default=1, help="how often each size is built (default 1)")
    parser.add_argument("--rules", type=Path, help="folder of the user's files (default: the empty ones)")
    parser.add_argument("--json", action="store_true", help="print JSON, every single build included")
    options = parser.parse_args()
    if options.repeat < 1:
        parser.error("--repeat: wants 1 or more")
    if min(options.mentions) < 20 * options.touched:
        parser.error("--touched: wants a twentieth of the mentions at most")
    return options


def _measure_size(
    folder: Path, mention_count: int, options: argparse.Namespace, *, compares: bool
) -> dict[str, list[Build]]:
    """The builds of one size, by kind; each repeat begins with the same file, which has no model yet."""
    say(f"{mention_count:,} mentions: making them")
    made = folder / "made.duckdb"
    run(FOLDER / "made_warehouse.py", made, "--mentions", mention_count)
    builds: dict[str, list[Build]] = {FULL: [], INCREMENTAL: []}
    home = folder / "home"
    for number in range(1, options.repeat + 1):
        say(f"{mention_count:,} mentions: build {number} of {options.repeat}")
        file = _begin(home, made)
        builds[FULL].append(_build(home, MADE_AS_OF, options.rules))
        say(f"{mention_count:,} mentions: build {number} of {options.repeat}, {options.touched:,} touched")
        run(FOLDER / "made_warehouse.py", file, "--touch", options.touched)
        builds[INCREMENTAL].append(_build(home, TOUCHED_AS_OF, options.rules))
    if compares:
        _compare(folder, made, home / "warehouse.duckdb", options)
    shutil.rmtree(home)
    made.unlink()
    return builds


def _begin(home: Path, made: Path) -> Path:
    """The work file of a new home."""
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir()
    return Path(shutil.copy(made, home / "warehouse.duckdb"))


def _build(home: Path, as_of: str, rules: Path | None) -> Build:
    before = _processor_seconds()
    chosen = ("--rules", rules) if rules else ()
    measured = json.loads(run(FOLDER / "ways/transform_warehouse.py", home, "--as-of", as_of, *chosen))
    processor_seconds = _processor_seconds() - before
    results = json.loads((home / "dbt/target/run_results.json").read_text(encoding="utf-8"))["results"]
    seconds: dict[str, dict[str, float]] = {"model": {}, "test": {}}
    for result in results:
        kind, _, name = result["unique_id"].split(".", 2)
        seconds.setdefault(kind, {})[name] = result["execution_time"]
    return Build(
        model_seconds=seconds["model"],
        test_seconds=sum(seconds["test"].values()),
        wall_seconds=measured["seconds"],
        processor_seconds=processor_seconds,
        peak_megabytes=measured["peak_megabytes"],
    )


def _processor_seconds() -> float:
    """Of all processes that this one has started and that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _compare(folder: Path, made: Path, built: Path, options: argparse.Namespace) -> None:
    """Fails unless the marts are as if the touched mentions had been built whole, and never before."""
    say("building the same whole, to compare")
    whole = folder / "whole"
    file = _begin(whole, made)
    run(FOLDER / "made_warehouse.py", file, "--touch", options.touched)
    _build(whole, TOUCHED_AS_OF, options.rules)
    differing = run(FOLDER / "ways/differing_marts.py", built, file)
    shutil.rmtree(whole)
    if differing:
        raise SystemExit(f"an incremental build and a whole one hold different rows:\n{differing}")


def _machine() -> str:
    return f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}"


def _as_json(builds: dict[int, dict[str, list[Build]]]) -> dict[str, Any]:
    return {
        "machine": _machine(),
        "sizes": [
            {"mention_count": size, **{kind: [vars(build) for build in each] for kind, each in of_size.items()}}
            for size, of_size in builds.items()
        ],
    }


def _as_text(builds: dict[int, dict[str, list[Build]]], touched_count: int) -> str:
    lines = [
        f"{_machine()}; {touched_count:,} mentions touched before an incremental build",
        "",
        "| mentions | build | model seconds | test seconds | wall seconds | processor seconds | peak MB |",
        "|---:|---|---:|---:|---:|---:|---:|",
    ]
    for size, of_size in builds.items():
        for kind, each in of_size.items():
            figures = (
                in_words(spread([build.all_model_seconds for build in each]), ".1f"),
                in_words(spread([build.test_seconds for build in each]), ".1f"),
                in_words(spread([build.wall_seconds for build in each]), ".1f"),
                in_words(spread([build.processor_seconds for build in each]), ".1f"),
                in_words(spread([build.peak_megabytes for build in each]), ",.0f"),
            )
            lines.append(f"| {size:,} | {kind} | {' | '.join(figures)} |")
    for size, of_size in builds.items():
        lines += ["", f"The slowest models of {size:,} mentions, in seconds:", "", *_slowest(of_size)]
    return "\n".join(lines)


def _slowest(of_size: dict[str, list[Build]]) -> list[str]:
    """Table rows of the models that take longest in one build or the other, by how long they take in a full one."""
    medians = {
        kind: {
            model: spread([build.model_seconds[model] for build in each if model in build.model_seconds])
            for model in each[0].model_seconds
        }
        for kind, each in of_size.items()
    }
    slowest: set[str] = set()
    for of_kind in medians.values():
        slowest.update(sorted(of_kind, key=lambda model: -of_kind[model]["median"])[:SHOWN_MODEL_COUNT])
    in_order = sorted(slowest, key=lambda model: -medians[FULL][model]["median"])
    rows = [
        f"| `{model}` | " + " | ".join(in_words(of_kind[model], ".2f") for of_kind in medians.values()) + " |"
        for model in in_order
    ]
    return [f"| model | {' | '.join(medians)} |", "|---|" + "---:|" * len(medians), *rows]


if __name__ == "__main__":
    main()
