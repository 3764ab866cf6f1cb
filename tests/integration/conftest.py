"""A sandbox over HTTP with a warehouse beside it, and what the warehouse then has to hold."""

# ruff: noqa: S608 - names of tables and columns come from the contract or the catalogue

import functools
import importlib.util
import json
import shutil
import sys
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, cast

import pipelines.load  # isort: skip # noqa: F401 - the loader reads switches that are set there, when it is imported
import dlt.common.configuration.resolve
import dlt.common.validation
import dlt.extract.extract
import duckdb
import pyarrow as pa
import pytest
import yaml

from pipelines import run
from pipelines.run import Extraction, extract_and_load
from pipelines.settings import Settings, read_settings
from pipelines.stopping import Stop
from pipelines.transform import TransformReport
from sandbox import Sandbox, Server
from transforms.contract import Table, contract, contracts

Json = dict[str, Any]
Rows = dict[str, list[Json]]


def _load(file: Path) -> ModuleType:
    """A module of another tests folder; those are no packages."""
    spec = importlib.util.spec_from_file_location(file.stem, file)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[file.stem] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


ORACLE = _load(Path(__file__).parents[1] / "unit" / "transforms" / "oracle.py")
"""The plain-Python flattener of mentions, written by hand."""

OBJECTS = ("mention", "user", "topic")
LOADERS_COLUMNS = ("_dlt_load_id", "_dlt_id", "_content_hash", "_loaded_at")
KINDS = {
    "text": pa.string(),
    "integer": pa.int64(),
    "float": pa.float64(),
    "boolean": pa.bool_(),
    "timestamp": pa.timestamp("us", tz="UTC"),
    "json": pa.string(),
}


@dataclass
class _Site:
    """A served sandbox, the home folder of a warehouse, and the account's sync."""

    server: Server
    home: Path
    options: Json = field(default_factory=dict)
    stream_names: list[str] | None = None
    _held: dict[tuple[int, ...], list[Json]] = field(default_factory=dict)

    @property
    def box(self) -> Sandbox:
        return self.server.sandbox

    def settings(self, **options: Any) -> Settings:
        given: Json = {
            "social_connect_base_url": self.server.base_url,
            "social_connect_access_token": self.box.token,
            "social_connect_max_wait_seconds": 0,
            "social_connect_account_ids": (),
            "social_connect_start_date": None,
            "social_warehouse_home": self.home,
        }
        return read_settings(**(given | self.options | options))

    def sync(self, as_of: datetime | None = None, *, settings: Settings | None = None, **options: Any) -> Extraction:
        """Reads and loads as of the sandbox's clock: the site's streams, unless others are named."""
        options = {"stream_names": self.stream_names} | options
        # Hours of the sandbox pass in no time: what is left of one that is over must not be kept.
        (self.home / "api" / "allowances.json").unlink(missing_ok=True)
        return extract_and_load(settings or self.settings(), as_of=as_of or self.box.now, **options)

    def transform(self) -> TransformReport:
        """Builds and tests the models as of the sandbox's clock."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what dbt's imports raise is not ours to mend
            return run.transform(self.settings(), as_of=self.box.now)

    @contextmanager
    def reading(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection for several queries on the work file, which takes longer to open than most take to run."""
        with duckdb.connect(self.home / "warehouse.duckdb", read_only=True) as con:
            con.execute("SET search_path = 'social_connect'; SET TimeZone = 'UTC'")
            yield con

    def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        """Rows of a query on the work file; tables need no schema."""
        with self.reading() as con:
            return con.execute(query, values).fetchall()

    def one(self, query: str, *values: Any) -> Any:
        """The only value of a query's only row."""
        ((value,),) = self.rows(query, *values)
        return value

    def mentions(self, account_id: int) -> list[Json]:
        """What the account holds now; worked out again only when the clock or a test has changed something."""
        state = (account_id, self.box.now_seconds, self.box.accounts[account_id].revision)
        if state not in self._held:
            self._held.clear()
            self._held[state] = self.box.mentions(account_id)
        return self._held[state]

    def with_home(self, home: Path) -> "_Site":
        """The same sandbox with another home."""
        return _Site(self.server, home, self.options, self.stream_names)

    def assert_holds_the_truth(self, *objects: str) -> None:
        """Every row of every table, column by column, is what the sandbox holds; every key is unique.

        Mentions that are marked as gone are left aside.
        """
        with self.reading() as con:
            assert_keys_are_unique(con)
            for name in objects or OBJECTS:
                held: Rows = defaultdict(list)
                for account_id in self.box.account_ids:
                    for table_name, rows in _expected(self, name, account_id).items():
                        held[table_name] += rows
                for table in contract(name).tables:
                    assert_same_rows(con, table, held[table.name])

    def cases_alive(self) -> dict[str, tuple[Any, ...]]:
        """Of each case that is not marked as gone: status, sentiment, text, and the mentions in it."""
        rows = self.rows(
            "SELECT unique_id, cases.status, message_sentiment, message_content,"
            " coalesce(list_sort(list(mention_unique_id) FILTER (mention_unique_id IS NOT NULL)), [])"
            " FROM cases LEFT JOIN case_linked_mentions USING (account_id, unique_id)"
            " WHERE deleted_at IS NULL GROUP BY ALL"
        )
        return {unique_id: tuple(rest) for unique_id, *rest in rows}

    def true_cases(self, account_id: int = 1417) -> dict[str, tuple[Any, ...]]:
        """The same of the sandbox's."""
        return {
            case["unique_id"]: (
                case.get("status"),
                case["message"].get("sentiment"),
                case["message"].get("content"),
                sorted(mention["unique_id"] for mention in each["linked_mentions"]),
            )
            for each in self.box.cases(account_id)
            for case in (each["case"],)
        }

    def snapshot(self) -> dict[str, list[tuple[Any, ...]]]:
        """Every table of the contracts and the quarantine whole, the loader's columns included."""
        with self.reading() as con:
            tables = con.execute(
                "SELECT table_name FROM duckdb_tables()"
                " WHERE schema_name = 'social_connect' AND NOT starts_with(table_name, '_dlt') ORDER BY 1"
            ).fetchall()
            return {name: con.execute(f'SELECT * FROM "{name}" ORDER BY ALL').fetchall() for (name,) in tables}


def _expected(site: _Site, name: str, account_id: int) -> Rows:
    """The rows that an object of the account has to have, by table, without the loader's columns."""
    if name == "mention":
        return cast("Rows", ORACLE.flatten(site.mentions(account_id), account_id=str(account_id), loaded_at=None))
    if name == "user":
        return {"users": [_of_account(account_id, user) for user in site.box.users(account_id)]}
    topics = site.box.topics(account_id)
    profiles = [
        _of_account(
            account_id,
            {name: value for name, value in profile.items() if name != "filters"}
            | {f"filters_{name}": value for name, value in (profile.get("filters") or {}).items()}
            | {"topic_id": str(topic["id"]), "position": position},
        )
        for topic in topics
        for position, profile in enumerate(topic.pop("monitoredprofiles", ()))
    ]
    for topic in topics:
        if "searchkeywords" in topic:
            topic["searchkeywords"] = json.dumps(topic["searchkeywords"], ensure_ascii=False)
    return {"topics": [_of_account(account_id, topic) for topic in topics], "topic_monitored_profiles": profiles}


def _of_account(account_id: int, record: Json) -> Json:
    """A flat record as a row: identifiers are text."""
    return {"account_id": str(account_id)} | {
        name: str(value) if name.endswith("id") and value is not None else value for name, value in record.items()
    }


def assert_same_rows(con: duckdb.DuckDBPyConnection, table: Table, expected: list[Json]) -> None:
    """No row more or less, and none different, in the columns of key, values and `_extra`."""
    columns = [column for column in table.all_columns if column.name not in LOADERS_COLUMNS]
    unknown = set().union(*map(set, expected[:1000])) - {column.name for column in table.all_columns}
    assert not unknown, f"{table.name}: {unknown} are no columns"
    truth = pa.table(
        {column.name: pa.array([row.get(column.name) for row in expected], KINDS[column.type]) for column in columns}
    )
    names = ", ".join(f'"{column.name}"' for column in columns)
    con.register("truth", truth)
    gone = "SELECT account_id, unique_id FROM social_connect.mentions WHERE deleted_at IS NOT NULL"
    is_of_mention = table.object_key == ("account_id", "unique_id") and table.name.startswith("mention")
    rows = f"social_connect.{table.name}" + f" WHERE (account_id, unique_id) NOT IN ({gone})" * is_of_mention
    here, there = f"SELECT {names} FROM {rows}", f"SELECT {names} FROM truth"
    differences = {"too many": f"{here} EXCEPT ALL {there}"}
    (row_count,) = con.execute(f"SELECT count(*) FROM {rows}").fetchone() or (0,)
    if row_count != len(expected):  # of as many as there have to be, none is missing if none is too many
        differences["missing"] = f"{there} EXCEPT ALL {here}"
    for what, query in differences.items():
        found = con.execute(f"{query} LIMIT 3").to_arrow_table().to_pylist()
        readable = [{name: value for name, value in row.items() if value is not None} for row in found]
        assert not found, f"{table.name}: rows {what}: {readable}"


def assert_keys_are_unique(con: duckdb.DuckDBPyConnection) -> None:
    """Every table of every contract that was loaded has a key, and no two rows share it."""
    tables = con.execute("SELECT table_name FROM duckdb_tables() WHERE schema_name = 'social_connect'").fetchall()
    loaded = {name for (name,) in tables}
    for table in (table for declared in contracts() for table in declared.tables if table.name in loaded):
        key = ", ".join(f'"{name}"' for name in table.key_names)
        assert key
        query = f"SELECT {key}, count(*) FROM {table.name} GROUP BY ALL HAVING count(*) > 1 LIMIT 3"
        twice = con.execute(query).fetchall()
        assert not twice, f"{table.name}: keys in several rows: {twice}"


@pytest.fixture(scope="session", autouse=True)
def quick_loader() -> Iterator[None]:
    """Takes a sixth off every load: what the loader works out over and over is kept.

    It is what its own types say, for each of its settings and tables, and a printout of each table for its trace, which
    nobody reads. Nothing that is loaded depends on either. In processes of their own (the commands, those that are
    killed) the loader is as it comes.
    """
    type_hints, known = dlt.common.validation.get_type_hints, {}

    def known_type_hints(spec: Any, **options: Any) -> Json:
        if id(spec) not in known:
            known[id(spec)] = spec, type_hints(spec, **options)
        return cast("Json", known[id(spec)][1])

    is_secret = functools.cache(dlt.common.configuration.resolve.is_secret_hint)
    dump = functools.partial(yaml.dump, Dumper=getattr(yaml, "CDumper", yaml.Dumper))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("dlt.common.validation.get_type_hints", known_type_hints)
        patch.setattr("dlt.common.configuration.resolve.is_secret_hint", is_secret)
        patch.setattr("dlt.common.configuration.providers.environ.is_secret_hint", is_secret)
        patch.setattr("dlt.extract.extract.yaml", SimpleNamespace(dump=dump))
        yield


@pytest.fixture(scope="session", autouse=True)
def projects_read() -> Iterator[dict[tuple[str, ...], Any]]:
    """What dbt has read of the project, by what it was read with: reading it takes a third of most transforms.

    It offers that itself, to programs that call it several times. Whoever tests the reading empties this.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what dbt's imports raise is not ours to mend
        import dbt.cli.main  # noqa: PLC0415 - as above
        import dbt.cli.requires  # noqa: PLC0415 - as above
    projects: dict[tuple[str, ...], Any] = {}
    runner, parse = dbt.cli.main.dbtRunner, dbt.cli.requires.parse_manifest
    last_read: list[Any] = []

    def parse_and_keep(*arguments: Any) -> Any:
        last_read[:] = [parse(*arguments)]
        return last_read[0]

    def reading_once(arguments: list[str]) -> Any:
        read_with = tuple(arguments[arguments.index(name) + 1] for name in ("--project-dir", "--vars"))
        last_read.clear()
        outcome = runner(manifest=projects.get(read_with)).invoke(arguments)
        if last_read:
            projects[read_with] = last_read[0]
        return outcome

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("dbt.cli.requires.parse_manifest", parse_and_keep)
        patch.setattr("dbt.cli.main.dbtRunner", lambda: SimpleNamespace(invoke=reading_once))
        yield projects


@pytest.fixture(autouse=True)
def without_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """A request that failed is repeated at once."""
    monkeypatch.setattr(Stop, "wait", lambda _stop, _seconds: None)


@pytest.fixture(scope="session")
def synced_homes() -> dict[str, Path]:
    """Homes as a first sync has left them, by the arguments of their sites. Copying one takes less than a sync."""
    return {}


@pytest.fixture(scope="module")
def make_site(
    tmp_path_factory: pytest.TempPathFactory, synced_homes: dict[str, Path]
) -> Iterator[Callable[..., _Site]]:
    """Makes a served sandbox with a home; all of them go when the module's tests are done.

    Arguments are the sandbox's own, but `options`: settings that differ, `stream_names`: what its syncs read, and
    `is_synced`: whether the home is as a first sync has left it. That sync was another sandbox's of the same arguments,
    and so of the same history: this one has not been asked anything yet.
    """
    with ExitStack() as stack:

        def make(
            *,
            options: Json | None = None,
            stream_names: list[str] | None = None,
            is_synced: bool = False,
            **sandbox: Any,
        ) -> _Site:
            box = Sandbox(**({"mentions": 150, "rate_limit_per_hour": 100_000} | sandbox))
            home = tmp_path_factory.mktemp("home")
            if is_synced:
                arguments = repr((options, stream_names, sorted(sandbox.items())))
                if arguments not in synced_homes:
                    synced_homes[arguments] = first_sync(options=options, stream_names=stream_names, **sandbox)
                shutil.copytree(synced_homes[arguments], home, dirs_exist_ok=True)
            return _Site(stack.enter_context(box.serve()), home, options or {}, stream_names)

        def first_sync(**arguments: Any) -> Path:
            site = make(**arguments)
            site.sync()
            (site.home / "api" / "allowances.json").unlink()
            return site.home

        yield make
