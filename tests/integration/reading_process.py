"""A reader of the published copy: `python reading_process.py FILE STOP_FILE`.

Until the stop file is there it opens the copy again and again, at times holds it open while the next is published, and
checks that what it sees belongs together. It prints how often it has read, and what went wrong.
"""

import json
import random
import sys
import time
from pathlib import Path
from typing import Any

import duckdb

CHECKS = {
    "each mention is a fact": "SELECT (SELECT count(*) FROM social_connect.mentions), count(*) FROM marts.fct_mentions",
    "daily sums add up to the facts": (
        "SELECT (SELECT coalesce(sum(mention_count), 0) FROM marts.agg_response_times_daily), count(*)"
        " FROM marts.fct_mentions WHERE is_in_response_metrics AND mention_date IS NOT NULL"
    ),
    "the summary counts the facts": (
        "SELECT (SELECT coalesce(sum(mention_count), 0) FROM marts.agg_account_summary), count(*)"
        " FROM marts.fct_mentions WHERE is_in_response_metrics"
    ),
    "actions belong to mentions": (
        "SELECT count(*), 0 FROM marts.fct_mention_actions ANTI JOIN marts.fct_mentions USING (account_id, unique_id)"
    ),
}


def look(con: duckdb.DuckDBPyConnection) -> tuple[dict[str, Any], list[Any]]:
    """What the copy says, and what of it does not fit together."""
    seen = {name: con.execute(query).fetchall()[0] for name, query in CHECKS.items()}
    return seen, [(name, pair) for name, pair in seen.items() if pair[0] != pair[1]]


def main(file: str, stop_file: str) -> None:
    read_count, problems = 0, []
    while not Path(stop_file).exists():
        try:
            with duckdb.connect(file, read_only=True) as con:
                seen, wrong = look(con)
                problems += [str(each) for each in wrong]
                if random.random() < 0.3:
                    time.sleep(random.uniform(0, 5))
                    again, _ = look(con)
                    if again != seen:
                        problems.append(f"a copy that was held open changed: {seen} {again}")
            read_count += 1
        except Exception as error:  # noqa: BLE001 - whatever a reader meets is what the test looks for
            problems.append(f"{type(error).__name__}: {error}")
        time.sleep(0.2)
    print(json.dumps({"read_count": read_count, "problems": problems[:20]}))  # noqa: T201 - to the test


main(*sys.argv[1:])
