"""A version ends when a list that was read whole does not have it, never because a list was refused or cut short."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import duckdb
import pytest

from pipelines.api import PermissionDenied, SocialConnect
from pipelines.source import STREAMS, AccountReading, StreamReader
from pipelines.source.packages import LoadTally, Manner, StreamLoader
from pipelines.warehouse import Warehouse, allow_for_large_objects
from transforms.personal_data import KEEP

Make = Callable[..., Any]

START = datetime(2026, 1, 1, tzinfo=UTC)
NOON = START + timedelta(hours=12)


class RefusingApi:
    """Gives no list."""

    def pages(self, path: str, _params: object) -> Iterator[Any]:
        """Refuses."""
        raise PermissionDenied(403, "no_permission", "not yours", path)


class Loads:
    """Loads the users of an account again and again."""

    def __init__(self, folder: Path) -> None:
        self._warehouse = Warehouse(folder)
        self._warehouse.make_folders()
        self._state: dict[str, Any] = {}
        self._con = duckdb.connect()
        self._con.execute("SET TimeZone='UTC'")

    def load(self, api: Any, at: datetime) -> list[str]:
        """Reads the list as of a time; gives the notices."""
        users = next(stream for stream in STREAMS if stream.name == "users")
        account = AccountReading(cast("SocialConnect", api), "1417", START, at)
        with self._warehouse.scratch() as scratch:
            manner = Manner(scratch.connect, allow_for_large_objects, scratch.folder, at, KEEP, keeps_payloads=False)
            loader = StreamLoader(StreamReader(users, [account]), manner)
            package = loader.read({"cursors": self._state}, most_bytes=1e9)
            package.keep(self._con, LoadTally())
            self._state |= {account_id: cursor.to_state() for account_id, cursor in package.cursors.items()}
            package.close()
        return loader.reader.notices

    def open_versions(self) -> list[str]:
        """The users of whom a version is valid."""
        rows = self._con.execute("SELECT id FROM history.users WHERE valid_to IS NULL ORDER BY id").fetchall()
        return [identifier for (identifier,) in rows]


def user(number: int) -> dict[str, Any]:
    return {"id": number, "name": f"User {number}", "date": {"added": 0}}


@pytest.fixture
def loads(tmp_path: Path) -> Loads:
    return Loads(tmp_path)


def test_a_list_that_is_refused_ends_no_version(rows_api: Make, loads: Loads) -> None:
    """Not even where a run as of the same time had read it whole; nor where that run was refused, and this is not."""
    api = rows_api(rows=[user(1), user(2)], now=NOON)
    loads.load(api, NOON)
    (notice,) = loads.load(RefusingApi(), NOON)
    assert "users of account 1417 skipped" in notice
    assert loads.open_versions() == ["1", "2"]
    api.rows = [user(2), user(3)]
    loads.load(api, NOON)
    assert loads.open_versions() == ["2", "3"]


def test_a_list_that_is_cut_short_ends_no_version(rows_api: Make, loads: Loads) -> None:
    api = rows_api(rows=[user(n) for n in range(100, 180)], now=NOON)
    loads.load(api, NOON)
    api.depth_cap = 50
    for at in (NOON, NOON + timedelta(hours=2)):
        (notice,) = loads.load(api, at)
        assert "the API lists 50 of 80 rows" in notice
        assert len(loads.open_versions()) == 80
