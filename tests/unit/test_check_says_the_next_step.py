"""Each finding by what it is made from: when it passes, when it does not, and that it then says what to do."""

import stat
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, get_args

import pytest

from pipelines.api import Reach
from pipelines.doctor import connection, holdings, machine, postgres
from pipelines.doctor.finding import Finding, Name
from pipelines.keeping import DATASET
from pipelines.postgres import Failure, Standing
from pipelines.settings import Settings
from pipelines.warehouse import Holder, Warehouse, described_tables
from transforms.selects import STORED_AS

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
HOME = Path("/srv/warehouse")
GB = 1_000_000_000
MOUNTS = """\
21 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw
30 21 0:44 / /srv rw,relatime shared:1 - nfs4 files.example:/srv rw
31 30 8:17 / /srv/fast\\040disk rw - xfs /dev/sdb1 rw
"""


def declared_columns() -> list[tuple[str, str, str, str]]:
    """What a work file with every table has, as DuckDB names it."""
    names = {"TIMESTAMPTZ": "TIMESTAMP WITH TIME ZONE"}
    return [
        (schema, table, column.name, names.get(STORED_AS[column.type], STORED_AS[column.type]))
        for schema, table, _, columns in described_tables()
        for column in columns
    ]


def with_type(table: str, column: str, kind: str) -> list[tuple[str, str, str, str]]:
    return [
        (schema, name, each, kind if (schema, name, each) == (DATASET, table, column) else declared)
        for schema, name, each, declared in declared_columns()
    ]


def held(name: str, hours: float) -> Finding:
    return holdings.locks({name: Holder("a sync", 71, NOW - timedelta(hours=hours))}, now=NOW)


def version_of(**other: str) -> Callable[[str], str | None]:
    return (dict.fromkeys(machine.ENGINES, "1.5") | other).get


def loaded(seconds: int) -> Finding:
    return holdings.schedule(NOW - timedelta(seconds=seconds), now=NOW, stale_after=timedelta(hours=1))


FIRST, SECOND = "20260302T090000Z", "20260302T100000Z"


def in_postgres(
    version: str | None, published: str | None, *lacks: str, comes_with_each_publish: bool = False
) -> Finding:
    return postgres.marts(Standing(version, lacks), published, comes_with_each_publish=comes_with_each_publish)


PASSES = {
    "versions": machine.packages(["duckdb==1.5", 'pytest>8; extra == "dev"'], ">=3.11", version_of()),
    "local_disk": machine.file_system(Path("/home/data"), MOUNTS),
    "local_disk_in_a_network_folder": machine.file_system(Path("/srv/fast disk/data"), MOUNTS),
    "no_table_of_mounts": machine.file_system(HOME, None),
    "room": machine.disk(2 * GB, GB, HOME),
    "no_lock": holdings.locks({}, now=NOW),
    "a_lock": held("run", 1.9),
    "a_long_backfill": held("backfill", 50),
    "policy": holdings.personal_data(None),
    "schema": holdings.schema(declared_columns()),
    "schema_without_a_column": holdings.schema([each for each in declared_columns() if each[2] != "status"]),
    "schema_of_others": holdings.schema([("marts", "mentions", "status", "INTEGER")]),
    "fresh": loaded(3600),
    "same_version_in_postgres": in_postgres(FIRST, FIRST, comes_with_each_publish=True),
    "nothing_to_bring_to_postgres": in_postgres(None, None),
    "reached": connection.reached_api(Reach("api.example:443", None, "TLSv1.3")),
    "in_time": connection.clock(timedelta(seconds=-60)),
    "scope": connection.scope({"id": 1, "email": "a@example.org"}, 1),
    "scope_without_email": connection.scope({"id": 1}, 1),
    "expiry": connection.expiry(NOW + timedelta(days=80), now=NOW, is_renewed=True),
    "expiry_unknown": connection.expiry(None, now=NOW, is_renewed=False),
    "topics": connection.topics("1417", 3),
    "budget": connection.budget(12, None),
    "budget_unknown": connection.budget(None, None),
}
DOES_NOT: dict[str, tuple[Finding, str, str, str]] = {
    "old_python": (machine.packages([], ">=4", version_of()), "FAIL", "Python is 3.", "make setup"),
    "other_duckdb": (
        machine.packages(["duckdb==1.5"], ">=3", version_of(duckdb="2.0")),
        "FAIL",
        "duckdb is 2.0, wanted ==1.5",
        "requirements.lock",
    ),
    "no_prefect": (machine.packages(["rich>=1"], ">=3", version_of()), "FAIL", "rich is not installed", "make setup"),
    "network_disk": (machine.file_system(HOME, MOUNTS), "FAIL", "nfs4, a network file system", "local disk"),
    "no_room": (machine.disk(2 * GB - 1, GB, HOME), "FAIL", "may need 2.0 GB", "on the disk of /srv/warehouse"),
    "no_room_at_first": (machine.disk(GB // 2, 0, HOME), "FAIL", "may need 1.0 GB", "free 0.5 GB"),
    "a_long_lock": (held("writer", 2.1), "warn", "a sync (process 71, since", "whether process 71 is still at work"),
    "other_policy": (
        holdings.personal_data("SOCIAL_WAREHOUSE_PERSONAL_DATA is keep, but it was made with drop."),
        "FAIL",
        "made with drop",
        "set it back",
    ),
    "other_type": (
        holdings.schema(with_type("mentions", "added_at", "VARCHAR")),
        "FAIL",
        "social_connect.mentions.added_at is VARCHAR, declared TIMESTAMP WITH TIME ZONE",
        "social-warehouse replay",
    ),
    "stale": (loaded(3601), "FAIL", "1:00:01 ago, longer than SOCIAL_WAREHOUSE_STALE_AFTER_SECONDS (3,600)", "timer"),
    "never": (holdings.schedule(None, now=NOW, stale_after=timedelta(1)), "warn", "nothing", "social-warehouse sync"),
    "postgres_behind": (
        in_postgres(FIRST, SECOND, comes_with_each_publish=True),
        "FAIL",
        f"of version {FIRST}, behind the published version {SECOND}",
        "publish --to postgres",
    ),
    "postgres_behind_as_nobody_asked": (in_postgres(FIRST, SECOND), "warn", "behind", "publish --to postgres"),
    "postgres_ahead": (in_postgres(SECOND, FIRST), "warn", f"not of the published version {FIRST}", "publish --to"),
    "postgres_beside_an_unknown_copy": (
        postgres.unknown(HOME / "published.duckdb"),
        "warn",
        "/srv/warehouse/published.duckdb is none of the versions",
        "publish --to postgres",
    ),
    "postgres_empty": (in_postgres(None, FIRST), "warn", "no marts have been brought", "publish --to postgres"),
    "postgres_rights": (
        in_postgres(FIRST, FIRST, "the right to sing", "the role of a reader"),
        "FAIL",
        "would lack the right to sing, the role of a reader",
        "docs/publishing.md",
    ),
    "no_driver": (postgres.unusable("package"), "FAIL", "driver", "pip install"),
    "no_server": (postgres.unusable("unreached"), "FAIL", "no server", "SOCIAL_WAREHOUSE_POSTGRES_URL"),
    "not_let_in": (postgres.unusable("refused"), "FAIL", "does not let this user", "password"),
    "old_server": (postgres.unusable("version"), "FAIL", "older than version 15", "upgrade"),
    "no_answer": (postgres.unusable("statement"), "FAIL", "did not answer", "log"),
    "no_name": (connection.reached_api(Reach("a:443", "DNS", "unknown")), "FAIL", "DNS", "SOCIAL_CONNECT_BASE_URL"),
    "no_port": (connection.reached_api(Reach("a:443", "TCP", "refused")), "FAIL", "TCP", "firewall"),
    "no_trust": (connection.reached_api(Reach("a:443", "TLS", "self-signed")), "FAIL", "TLS", "SSL_CERT_FILE"),
    "ahead": (connection.clock(timedelta(seconds=61)), "warn", "61 s ahead of", "time server"),
    "behind": (connection.clock(timedelta(seconds=-61)), "warn", "61 s behind", "time server"),
    "unseen": (connection.unseen("9", ["1417"]), "FAIL", "it sees 1417", "SOCIAL_CONNECT_ACCOUNT_IDS"),
    "no_topics": (connection.topics("9", 0), "FAIL", "no topic", "access to its topics"),
    "no_budget": (connection.budget(0, NOW.timestamp()), "warn", "before 2026-03-02 12:00:00 UTC", "wait until then"),
}


@pytest.mark.parametrize("finding", PASSES.values(), ids=PASSES)
def test_it_passes(finding: Finding) -> None:
    assert (finding.severity, finding.next_step) == ("ok", None)


@pytest.mark.parametrize(("finding", "severity", "seen", "step"), DOES_NOT.values(), ids=DOES_NOT)
def test_it_says_what_was_seen_and_what_to_do(finding: Finding, severity: str, seen: str, step: str) -> None:
    assert finding.severity == severity
    assert seen in finding.message
    assert finding.next_step is not None
    assert step in finding.next_step


def test_each_way_to_fail_at_postgres_is_told() -> None:
    for failure in get_args(Failure):
        assert postgres.unusable(failure).next_step


def test_a_copy_of_no_known_version_is_not_said_to_be_no_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Such as one of an earlier program, or beside a publish that is faster than the look."""
    monkeypatch.setattr(postgres, "standing", lambda _server: Standing(FIRST))
    settings = Settings(_env_file=None, social_warehouse_postgres_url="postgresql://db.example/bi?sslmode=require")
    warehouse = Warehouse(tmp_path)
    (before,) = postgres.look_at(warehouse, settings)
    assert "nothing has been published yet" in before.message
    warehouse.published_folder.mkdir()
    warehouse.published_file.touch()
    assert [*postgres.look_at(warehouse, settings)] == [postgres.unknown(warehouse.published_file)]


def test_new_columns_are_counted() -> None:
    without_status = [each for each in declared_columns() if each[:3] != (DATASET, "mentions", "status")]
    assert "1 new columns" in holdings.schema(without_status).message


@pytest.mark.parametrize(
    ("modes", "severity", "named"),
    [
        ({".": 0o700, "warehouse.duckdb": 0o644}, "ok", ()),
        ({".": 0o711, "warehouse.duckdb": 0o600, "published": 0o755}, "ok", ()),
        ({".": 0o711, "warehouse.duckdb": 0o640}, "warn", ("warehouse.duckdb",)),
        ({".": 0o750, "warehouse.duckdb": 0o600}, "warn", (".",)),
        ({".": 0o770, "warehouse.duckdb": 0o644}, "FAIL", (".",)),
        ({".": 0o700, "social-warehouse.toml": 0o640}, "warn", ("social-warehouse.toml",)),
    ],
)
def test_what_others_can_read_is_named(
    tmp_path: Path, modes: dict[str, int], severity: str, named: tuple[str, ...]
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    places: dict[str, Path] = {}
    for name, mode in modes.items():
        place = places[name] = tmp_path / name if name.endswith(".toml") else home / name
        if name == "published":
            place.mkdir()
        elif name != ".":
            place.touch()
        place.chmod(mode)
    finding = machine.permissions(home, tmp_path)
    home.chmod(0o700)
    assert finding.severity == severity
    wanted = "chmod go= " + " ".join(str(places[name]) for name in named)
    assert finding.next_step == (wanted if named else None)
    assert all(stat.S_IMODE(place.stat().st_mode) for place in places.values())


def test_every_finding_is_on_the_page_for_operators() -> None:
    page = (Path(__file__).parents[2] / "docs" / "operate.md").read_text(encoding="utf-8")
    for name in get_args(Name):
        assert f"| `{name}`" in page, f"docs/operate.md: say what to do when `{name}` fails, in the table of check"


def test_the_names_are_those_that_the_code_uses() -> None:
    used: set[Any] = {finding.name for finding in (*PASSES.values(), *(each for each, *_ in DOES_NOT.values()))}
    elsewhere = {"home folder", "permissions", "work file", "models", "published copy", "token", "probe"}
    assert used | elsewhere == set(get_args(Name))
    assert not used & elsewhere
