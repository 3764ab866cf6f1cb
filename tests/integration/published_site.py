"""A sandbox whose warehouse is synced, transformed with a target of the team's own, and published."""

from __future__ import annotations

import shutil
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from pipelines import run

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import date

ZONE = "Europe/Brussels"
POLICY = "answer in two hours"
TARGET_SECONDS = 7200
RULES = Path(__file__).parents[2] / "sql" / "rules"


def published_site(
    make_site: Callable[..., Any], *, then: Callable[[Any, Path], None] | None = None, **sandbox: Any
) -> Any:
    """Makes a site with a published copy, whose days are those of ZONE.

    Args:
        make_site: the fixture of that name.
        then: what is done to the site and its folder of rules between reading and transforming.
        sandbox: arguments of the sandbox.
    """
    site = make_site(is_synced=True, **sandbox)
    rules = Path(shutil.copytree(RULES, site.home / "targets"))
    with (rules / "sla_policies.csv").open("a", encoding="utf-8") as file:
        file.write(f"{POLICY},,mention,first_response,{TARGET_SECONDS},calendar,,,,,,false,,\n")
    site.options |= {"social_warehouse_rules": rules, "social_warehouse_reporting_time_zone": ZONE}
    if then is not None:
        then(site, rules)
    publish(site)
    return site


def publish(site: Any) -> None:
    """Transforms and publishes what the site has read."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what dbt's imports raise is not ours to mend
        run.transform(site.settings(), as_of=site.box.now)
    run.publish(site.settings())


def mention_count(site: Any, first_date: date, last_date: date, condition: str = "true", *, zone: str = ZONE) -> str:
    """How many mentions of customers the published copy has of these dates, as people read it.

    By another way than the dashboard's: from the rows as they were loaded.
    """
    with duckdb.connect(site.home / "published" / "warehouse.duckdb", read_only=True) as con:
        ((count,),) = con.execute(
            "select count(*) from social_connect.mentions where deleted_at is null and author_managed is not true"  # noqa: S608 - written in tests
            f" and cast(timezone('{zone}', coalesce(published_at, added_at)) as date)"
            f" between date '{first_date}' and date '{last_date}' and {condition}"
        ).fetchall()
    return f"{count:,}"
