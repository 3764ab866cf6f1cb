"""`publish --to postgres` as it is typed: what it brings, says and never says."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from postgres_server import SCHEMA, PostgresServer, is_installed, serving_postgres

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not is_installed(), reason="no PostgreSQL server is installed (apt-get: postgresql)"),
]

WRONG = "an entirely wrong password"


@pytest.fixture(scope="module")
def database() -> Iterator[PostgresServer]:
    with serving_postgres() as server:
        yield server


def test_a_sync_brings_the_marts_along_and_the_command_does_so_by_itself(
    make_user: Callable[..., Any], database: PostgresServer
) -> None:
    user = make_user(SOCIAL_WAREHOUSE_POSTGRES_URL=database.url(), SOCIAL_WAREHOUSE_POSTGRES_SCHEMA="bi")
    synced = user.sync(SOCIAL_WAREHOUSE_POSTGRES="true")
    assert synced.exit_code == 0, synced.stderr
    counted = "SELECT count(*) FROM {}.fct_mentions"
    ((mention_count,),) = user.query(counted.format("marts"))
    assert mention_count == 350
    assert database.psql(counted.format("bi")) == "350"

    published = user.run("publish", "--to", "postgres", "--json")
    assert published.exit_code == 0, published.stderr
    told = json.loads(published.stdout)
    assert told["postgres_schema"] == "bi"
    assert database.psql("SELECT version FROM bi.published_version") == told["version"]
    plain = user.run("publish", "--to", "postgres", SOCIAL_WAREHOUSE_POSTGRES_SCHEMA=SCHEMA)
    assert f"and its marts to schema {SCHEMA} of PostgreSQL" in plain.stdout
    assert database.psql(counted.format(SCHEMA)) == "350"

    last = database.psql("SELECT version FROM bi.published_version")
    refused = user.run("publish", "--to", "postgres", SOCIAL_WAREHOUSE_POSTGRES_URL=database.url(password=WRONG))
    assert refused.exit_code == 1
    assert 'readers keep what they had: password authentication failed for user "owner"' in refused.complaint
    assert database.psql("SELECT version FROM bi.published_version") == last
    for text in (refused.stdout, refused.stderr, *map(str, files_of(user))):
        assert WRONG not in text
        assert "wrong%20password" not in text


def files_of(user: Any) -> Iterator[bytes]:
    return (file.read_bytes() for file in user.home.rglob("*") if file.is_file() and file.suffix != ".duckdb")


def test_what_it_wants_is_said_before_anything_is_done(make_user: Callable[..., Any]) -> None:
    user = make_user()
    without = user.run("publish", "--to", "postgres")
    assert without.exit_code == 2
    assert "SOCIAL_WAREHOUSE_POSTGRES_URL is not set" in without.complaint
    clear = user.run("publish", SOCIAL_WAREHOUSE_POSTGRES_URL="postgresql://loader:secret-of-mine@db.example/bi")
    assert clear.exit_code == 2
    assert "SOCIAL_WAREHOUSE_POSTGRES_URL is not encrypted" in clear.complaint
    assert "secret-of-mine" not in clear.stdout + clear.stderr
    both = user.run("publish", "--to", "postgres", "--rollback")
    assert both.exit_code == 2
