"""How long each page of the dashboard takes, for the last 28 days and for two years, at some size.

A warehouse is filled by SQL, without a loader, transformed and published. Then each page is made as the server makes it
for a viewer: first when nothing of it has been asked since the version was published, then again. A browser's own work
is not in it.

python benchmarks/dashboard.py
python benchmarks/dashboard.py --mentions 100000
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from pathlib import Path

from side_by_side import in_words, run, say, spread

FOLDER = Path(__file__).parent
# As of when made_warehouse.py makes the tables, and of which dates.
MADE_AS_OF, FIRST_DATE, LAST_DATE = "2026-03-01T00:00:00+00:00", "2024-03-01", "2026-03-01"
SPANS: dict[str, tuple[str, ...]] = {"28 days": (), "two years": ("--from", FIRST_DATE, "--to", LAST_DATE)}


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mentions", type=int, default=1_000_000, help="how many (default 1000000)")
    parser.add_argument("--repeat", type=int, default=3, help="how often each page is made anew (default 3)")
    options = parser.parse_args()
    os.environ["STREAMLIT_LOGGER_LEVEL"] = "error"  # it warns of being run without its server
    with tempfile.TemporaryDirectory(prefix="dashboard-") as name:
        home = Path(name)
        say(f"{options.mentions:,} mentions: making them")
        run(FOLDER / "made_warehouse.py", home / "warehouse.duckdb", "--mentions", options.mentions)
        say("transform, test and publish")
        run(FOLDER / "ways/transform_warehouse.py", home, "--as-of", MADE_AS_OF, "--publish")
        told = {
            span: [json.loads(run(FOLDER / "ways/dashboard_pages.py", home, *dates)) for _ in range(options.repeat)]
            for span, dates in SPANS.items()
        }
    print("| page | " + " | ".join(f"{span}, s | again, s" for span in SPANS) + " |")
    print("| --- |" + " ---: | ---: |" * len(SPANS))
    for page in told["28 days"][0]:
        cells = (
            in_words(spread([repeat[page][place] for repeat in told[span]]), ".2f")
            for span in SPANS
            for place in (0, 1)
        )
        print(f"| {page or 'overview'} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
