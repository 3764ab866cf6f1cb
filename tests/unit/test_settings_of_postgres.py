"""The address of a PostgreSQL database is taken only where the driver reads it as meant, and it goes encrypted."""

import pytest

from pipelines.settings import SettingsInvalid, read_settings

pytestmark = pytest.mark.usefixtures("nothing_is_set")

SECRET = "s3cret"


@pytest.mark.parametrize(
    "address",
    [
        f"postgresql://loader:{SECRET}@db.example:5432/bi?sslmode=verify-full",
        f"postgres://loader:{SECRET}@db.example/bi?sslmode=require&connect_timeout=5",
        f"postgresql://loader:{SECRET}@127.0.0.1/bi",
        f"postgresql://loader:{SECRET}@[::1]:5433/bi",
        f"postgresql://loader:{SECRET}%40%2F%3F%23%25@localhost/bi",
        f"postgresql://loader:{SECRET}@/bi?host=/var/run/postgresql",
        f"postgresql://loader:{SECRET}@%2Fvar%2Frun%2Fpostgresql/bi",
        "postgresql:///bi",
    ],
)
def test_an_address_that_is_of_this_machine_or_encrypted_is_taken(address: str) -> None:
    found = read_settings(social_warehouse_postgres_url=address).social_warehouse_postgres_url
    assert found is not None
    assert found.get_secret_value() == address


@pytest.mark.parametrize(
    ("address", "problem"),
    [
        (f"mysql://loader:{SECRET}@localhost/bi", "is no address"),
        (f"host=localhost password={SECRET}", "is no address"),
        (f"postgresql://loader:x@{SECRET}@localhost/bi", "is no address"),
        (f"postgresql://loader:x/{SECRET}@localhost/bi", "is no address"),
        (f"postgresql://loader:1/{SECRET}@localhost/bi", "is no address"),
        (f"postgresql://loader:1?{SECRET}@localhost/bi", "is no address"),
        (f"postgresql://loader:1#{SECRET}@localhost/bi", "is no address"),
        (f"postgresql://loader:x%{SECRET}@localhost/bi", "is no address"),
        (f"postgresql://loader:x%00{SECRET}@localhost/bi", "is no address"),
        (f"postgresql://loader:{SECRET} @localhost/bi", "is no address"),
        (f"postgresql://loader:{SECRET}@localhost:port/bi", "is no address"),
        (f"postgresql://loader@localhost/bi?password={SECRET}", "has its password among the options"),
        (f"postgresql://loader:{SECRET}@db.example/bi", "is not encrypted"),
        (f"postgresql://loader:{SECRET}@db.example/bi?sslmode=prefer", "is not encrypted"),
        (f"postgresql://loader:{SECRET}@/bi?host=db.example", "is not encrypted"),
    ],
)
def test_any_other_is_refused_and_not_shown(address: str, problem: str) -> None:
    with pytest.raises(SettingsInvalid) as error:
        read_settings(social_warehouse_postgres_url=address)
    (line,) = str(error.value).splitlines()
    assert line.startswith(f"SOCIAL_WAREHOUSE_POSTGRES_URL {problem}")
    assert "postgresql://loader:password@db.example:5432/bi?sslmode=verify-full" in line
    assert SECRET not in line


def test_to_publish_there_each_time_wants_an_address() -> None:
    with pytest.raises(SettingsInvalid, match="SOCIAL_WAREHOUSE_POSTGRES is True: needs SOCIAL_WAREHOUSE_POSTGRES_URL"):
        read_settings(social_warehouse_postgres=True)
    assert read_settings(social_warehouse_postgres=True, social_warehouse_postgres_url="postgresql:///bi")


@pytest.mark.parametrize("name", ["", "Marts", "pg_marts", "1marts", "marts; drop schema public", 'ma"rts', "m" * 64])
def test_the_schema_has_a_plain_name(name: str) -> None:
    with pytest.raises(SettingsInvalid, match="SOCIAL_WAREHOUSE_POSTGRES_SCHEMA"):
        read_settings(social_warehouse_postgres_schema=name)
