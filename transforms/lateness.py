"""How long after its `date.added` a mention comes into the warehouse: the rhythm of syncs, and the API's own delay.

Text in, text out. Only mentions added since the account is followed tell it: those that were there before are history.
"""

from __future__ import annotations

AT_MOST_SECONDS = (300, 900, 1_800, 3_600, 6 * 3_600, 24 * 3_600, 7 * 24 * 3_600)
"""Upper bounds of the classes; the last class has none."""


def followed_from(mentions: str) -> str:
    """The SELECT of each account and since when it is followed: the earliest run of which the table has a row.

    Args:
        mentions: the name of the warehouse's table.
    """
    return f"SELECT account_id, min(_loaded_at) AS followed_from FROM {mentions} GROUP BY account_id"


def lateness(rows: str, known: str | None) -> str:
    """The SELECT of the classes of lateness of mentions that are new.

    Its columns: `account_id`, `at_most_seconds` (null in the class without a bound), `mention_count`.

    Args:
        rows: the SELECT of mentions on their way into the warehouse.
        known: the SELECT of the keys of those of which it holds another version; None where all are new.

    `followed` is the table that `followed_from` gives.
    """
    bounds = f"[{', '.join(map(str, AT_MOST_SECONDS))}]"
    return f"""
        SELECT
          account_id,
          list_filter({bounds}, lambda bound: date_diff('second', added_at, _loaded_at) <= bound)[1] AS at_most_seconds,
          count(*) AS mention_count
        FROM (SELECT account_id, unique_id, added_at, _loaded_at FROM ({rows}))
        JOIN followed USING (account_id)
        {f"ANTI JOIN ({known}) AS known USING (account_id, unique_id)" if known else ""}
        WHERE added_at >= followed_from
        GROUP BY ALL
    """
