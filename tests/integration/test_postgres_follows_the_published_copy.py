"""What is published, rolled back or erased is so in PostgreSQL too, in every mart."""

# ruff: noqa: S608 - names of tables come from the catalogue

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
from postgres_server import (
    OWNER,
    PASSWORD,
    SCHEMA,
    PostgresServer,
    assert_holds_the_copy,
    is_installed,
    serving_postgres,
    tables_of,
)
from pydantic import SecretStr

from pipelines import run
from pipelines.doctor import check
from pipelines.doctor.postgres import look_at
from pipelines.erasure import Subject
from pipelines.publishing import versions
from pipelines.run.building import bring_along
from pipelines.settings import Settings, SettingsInvalid
from pipelines.warehouse import Warehouse, WarehouseUnreadable

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not is_installed(), reason="no PostgreSQL server is installed (apt-get: postgresql)"),
]


@pytest.fixture(scope="module")
def database() -> Iterator[PostgresServer]:
    with serving_postgres() as server:
        yield server


@pytest.fixture(scope="module")
def site(make_site: Callable[..., Any], database: PostgresServer) -> Any:
    """A synced, built site, published once with PostgreSQL."""
    made = make_site(is_synced=True)
    made.transform()
    run.publish(made.settings(social_warehouse_postgres_url=database.url()), to_postgres=True)
    return made


@pytest.fixture
def settings(site: Any, database: PostgresServer) -> Settings:
    """They name the server, but no publish goes there by itself."""
    return site.settings(social_warehouse_postgres_url=database.url())


def version_in(database: PostgresServer) -> str:
    return database.psql(f"SELECT version FROM {SCHEMA}.published_version")


def test_every_mart_is_there_as_it_is_published(site: Any, database: PostgresServer, tmp_path: Path) -> None:
    assert_holds_the_copy(database, Warehouse(site.home), tmp_path)
    assert {"fct_mentions", "dim_agents", "rpt_response_times", "agg_agents_daily"} <= set(tables_of(database))
    assert int(database.psql(f"SELECT count(*) FROM {SCHEMA}.fct_mentions")) >= 150
    with_comment = database.psql(
        f"SELECT count(*) FILTER (WHERE col_description(attrelid, attnum) IS NULL) || ' of ' || count(*)"
        f" FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid WHERE relnamespace = '{SCHEMA}'::regnamespace"
        " AND relkind = 'r' AND attnum > 0"
    )
    assert with_comment.startswith("0 of "), "a column without a description"


def test_a_publish_brings_it_there_when_the_settings_say_so_and_a_rollback_always(
    settings: Settings, site: Any, database: PostgresServer, tmp_path: Path
) -> None:
    warehouse = Warehouse(site.home)
    first = version_in(database)
    each_time = settings.model_copy(update={"social_warehouse_postgres": True})
    second = run.publish(each_time).name
    assert version_in(database) == second > first
    third = run.publish(settings).name
    assert version_in(database) == second, "it was not asked for"
    run.publish(each_time)
    assert run.roll_back(settings).name == version_in(database) == third
    assert run.roll_back(settings).name == version_in(database) == second
    assert_holds_the_copy(database, warehouse, tmp_path)


def test_without_an_address_there_is_nothing_to_bring_it_to(site: Any) -> None:
    with pytest.raises(SettingsInvalid, match="SOCIAL_WAREHOUSE_POSTGRES_URL is not set"):
        run.publish(site.settings(), to_postgres=True)


def traces_in(database: PostgresServer, text: str) -> set[str]:
    """The tables of which a row holds a text anywhere, and whether the server has noted it as a frequent value."""
    rows = [
        f"SELECT '{table}' FROM {SCHEMA}.{table} AS whole WHERE whole::text LIKE '%{text}%'"
        for table in tables_of(database)
    ]
    noted = f"SELECT 'pg_stats' FROM pg_stats WHERE schemaname = '{SCHEMA}' AND most_common_vals::text LIKE '%{text}%'"
    return set(database.psql(" UNION ".join([*rows, noted])).split())


def test_where_marts_are_is_known_when_the_settings_name_it_no_more(
    settings: Settings, site: Any, database: PostgresServer, caplog: pytest.LogCaptureFixture
) -> None:
    """Without a word of the address that is secret."""
    warehouse = Warehouse(site.home)
    run.publish(settings, to_postgres=True)
    run.publish(settings)
    noted = json.loads(warehouse.postgres_file.read_text(encoding="utf-8"))
    assert noted == [{"host": str(database.folder), "database": "postgres", "schema": SCHEMA}]
    assert warehouse.postgres_file.stat().st_mode & 0o777 == 0o600
    there = f"schema {SCHEMA} of database postgres on {database.folder}"
    before = version_in(database)
    for elsewhere in (site.settings(), settings.model_copy(update={"social_warehouse_postgres_schema": "elsewhere"})):
        left = bring_along(elsewhere)
        assert left is not None
        assert there in left
        assert "SOCIAL_WAREHOUSE_POSTGRES_URL" in left
    with caplog.at_level("WARNING", "pipelines"):
        version = run.roll_back(site.settings()).name
    assert [there in record.message for record in caplog.records] == [True]
    assert version_in(database) == before, "the first publish, which the rollback has published here again"
    assert before == version
    assert bring_along(settings) is None

    database.psql(f"DROP SCHEMA {SCHEMA} CASCADE")
    assert bring_along(settings) is None, "there are none any more"
    assert bring_along(site.settings()) is None
    run.publish(settings, to_postgres=True)
    assert bring_along(site.settings()) is not None
    whole = warehouse.postgres_file.read_text(encoding="utf-8")
    warehouse.postgres_file.write_text(whole[:-5], encoding="utf-8")
    with pytest.raises(WarehouseUnreadable, match=r"postgres\.json cannot be read.*mend it"):
        bring_along(site.settings())
    warehouse.postgres_file.write_text(whole, encoding="utf-8")


def looked_at(site: Any, **options: Any) -> tuple[str, str, str]:
    """How `check` finds PostgreSQL, what it saw, and the next step; nothing of the address is in it."""
    (finding,) = look_at(Warehouse(site.home), site.settings(**options))
    said = f"{finding.message} {finding.next_step}"
    assert not any(part in said for part in (PASSWORD, "p%40ss", "not this one", "loads the marts", "postgres-"))
    assert not re.search(rf"\b({OWNER}|loader)\b", said)
    assert finding.name == "PostgreSQL"
    return finding.severity, finding.message, finding.next_step or ""


def test_a_check_says_which_version_is_there(settings: Settings, site: Any, database: PostgresServer) -> None:
    version = run.publish(settings, to_postgres=True).name
    url = database.url()
    assert looked_at(site, social_warehouse_postgres_url=url) == (
        "ok",
        f"its marts are of version {version}, which is the published one",
        "",
    )
    later = run.publish(settings).name
    for is_each_time, severity in ((False, "warn"), (True, "FAIL")):
        found = looked_at(site, social_warehouse_postgres_url=url, social_warehouse_postgres=is_each_time)
        assert found[0] == severity
        assert f"{version}, behind the published version {later}" in found[1]
        assert "publish --to postgres" in found[2]
    elsewhere = looked_at(site, social_warehouse_postgres_url=url, social_warehouse_postgres_schema="elsewhere")
    assert elsewhere[:2] == ("warn", "no marts have been brought there yet")
    assert database.psql("SELECT count(*) FROM pg_namespace WHERE nspname = 'elsewhere'") == "0", "a look makes nothing"
    assert [*look_at(Warehouse(site.home), site.settings())] == []
    with_it = [finding.name for finding in check(settings)]
    assert with_it.index("schedule") < with_it.index("PostgreSQL") < with_it.index("API")
    assert "PostgreSQL" not in {finding.name for finding in check(settings, is_offline=True)}


@pytest.mark.usefixtures("settings")
def test_a_check_says_what_a_publish_would_lack(
    site: Any, database: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for address, said in (
        (database.url(password="not this one"), "does not let this user into this database"),
        (database.url(database="nowhere"), "does not let this user into this database"),
        (database.url().replace("?host=", "?port=1&host="), "no server can be reached"),
    ):
        severity, message, _ = looked_at(site, social_warehouse_postgres_url=address)
        assert severity == "FAIL"
        assert said in message
    database.psql("CREATE ROLE loader LOGIN PASSWORD 'loads the marts'; CREATE SCHEMA theirs; CREATE SCHEMA mine"
                  " AUTHORIZATION loader")  # fmt: skip
    weak = database.url("loader", "loads the marts")
    for schema, lacks in (
        (SCHEMA, f"the rights USAGE and CREATE on schema {SCHEMA}, the ownership of the tables"),
        ("theirs", "the rights USAGE and CREATE on schema theirs"),
        ("elsewhere", "schema elsewhere, or the right to make it"),
    ):
        severity, message, _ = looked_at(
            site, social_warehouse_postgres_url=weak, social_warehouse_postgres_schema=schema
        )
        assert severity == "FAIL"
        assert f"a publish would lack {lacks}" in message
    mine = {"social_warehouse_postgres_url": weak, "social_warehouse_postgres_schema": "mine"}
    assert looked_at(site, **mine)[0] == "warn", "nothing is lacking but the marts"
    assert (
        "SOCIAL_WAREHOUSE_POSTGRES_READER" in looked_at(site, **mine, social_warehouse_postgres_reader="nobody_yet")[1]
    )
    database.psql("REVOKE TEMPORARY ON DATABASE postgres FROM public")
    assert "lack the right to make temporary tables" in looked_at(site, **mine)[1]
    database.psql("GRANT TEMPORARY ON DATABASE postgres TO public; DROP SCHEMA theirs, mine; DROP ROLE loader")
    monkeypatch.setattr("pipelines.postgres.OLDEST_SERVER", 1000)
    severity, message, _ = looked_at(site, social_warehouse_postgres_url=database.url())
    assert (severity, message) == ("FAIL", "the server is older than version 15")


@pytest.mark.filterwarnings("ignore")  # what dbt's imports raise is not ours to mend
def test_who_is_erased_is_erased_there_and_where_the_server_is_gone_that_is_told(
    settings: Settings, site: Any, database: PostgresServer, tmp_path: Path
) -> None:
    """Also where no publish goes there by itself."""
    warehouse = Warehouse(site.home)
    with duckdb.connect(warehouse.published_file, read_only=True) as con:
        busiest = con.execute(
            "SELECT author_id FROM marts.fct_mentions WHERE length(author_id) >= 8 AND author_id NOT LIKE '%.%'"
            " GROUP BY ALL HAVING count(*) >= 2 ORDER BY count(*) DESC, author_id LIMIT 1"
        ).fetchall()
    ((author_id,),) = busiest
    assert traces_in(database, author_id) >= {"fct_mentions", "pg_stats"}
    before = version_in(database)
    report = run.erase(site.settings(), Subject(author_id, None, None), as_of=site.box.now)
    assert report.not_reached is not None
    assert f"schema {SCHEMA} of database postgres" in report.not_reached
    assert version_in(database) == before, "the settings do not name it"
    gone = settings.model_copy(
        update={"social_warehouse_postgres_url": SecretStr(database.url(password="changed since"))}
    )
    report = run.erase(gone, Subject(author_id, None, None), as_of=site.box.now)
    assert report.not_reached is not None
    assert "password authentication failed" in report.not_reached
    assert version_in(database) == before
    assert len(versions(warehouse)) == 1, "all else is done"
    report = run.erase(settings, Subject(author_id, None, None), as_of=site.box.now)
    assert report.not_reached is None
    assert traces_in(database, author_id) == set()
    assert_holds_the_copy(database, warehouse, tmp_path)
