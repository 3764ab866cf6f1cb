"""What is noted of a PostgreSQL address: the host, the database and the schema, and nothing that is secret."""

import pytest
from pydantic import SecretStr

from pipelines.postgres import Place, Server, place_of


@pytest.mark.parametrize(
    ("address", "host", "database"),
    [
        ("postgresql://loader:secret@db.example:5432/bi?sslmode=verify-full", "db.example:5432", "bi"),
        ("postgres://loader:p%40ss%2Fword@db.example/bi", "db.example", "bi"),
        ("postgresql://db.example/bi%20marts", "db.example", "bi marts"),
        ("postgresql://loader:secret@/bi?host=%2Frun%2Fpostgresql", "/run/postgresql", "bi"),
        ("postgresql://loader:secret@/?host=db.example&dbname=bi", "db.example", "bi"),
        ("postgresql://[2001:db8::1]:5432/bi", "[2001:db8::1]:5432", "bi"),
        ("postgresql://", "this machine", "of the user's name"),
    ],
)
def test_the_place_of_an_address(address: str, host: str, database: str) -> None:
    place = place_of(Server(SecretStr(address), "marts"))
    assert place == Place(host, database, "marts")
    assert not any(part in str(place) for part in ("secret", "p@ss", "p%40", "loader"))
