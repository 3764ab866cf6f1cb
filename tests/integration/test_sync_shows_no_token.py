"""A token is in nothing that a run leaves or says, though the API repeats it in its answers and everything fails."""

# ruff: noqa: S608 - names of tables and columns come from the contract or the catalogue

import logging
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import dlt
import pytest

from pipelines.api import SocialConnectError
from pipelines.logs import log_to

pytestmark = pytest.mark.slow

Make = Callable[..., Any]

TOKEN = "tk-5f9+leak/me=0a3c"
CLIENT_SECRET = "cs-77+leak/me=1b2d"
SPELLINGS = (TOKEN, quote(TOKEN), quote(TOKEN, safe=""), TOKEN.replace("/", r"\/"), "leak", "access-", "refresh-")
"""Of the tokens that are set, the client's secret, and those that the sandbox makes."""


def files_with_a_token(folder: Path) -> list[str]:
    spellings = [spelling.encode() for spelling in SPELLINGS]
    files = [path for path in folder.rglob("*") if path.is_file() and path != folder / "api" / "tokens.json"]
    assert files
    return [str(path) for path in files if any(spelling in path.read_bytes() for spelling in spellings)]


def tables_with_a_token(site: Any) -> list[str]:
    """DuckDB packs its texts, so the file's bytes alone prove nothing."""
    with site.reading() as con:
        tables = con.execute("SELECT schema_name, table_name FROM duckdb_tables()").fetchall()
        assert ("social_connect", "_dlt_pipeline_state") in tables
        return [
            table
            for schema, table in tables
            for row in con.execute(f'SELECT * FROM "{schema}"."{table}"').fetchall()
            if any(spelling in str(row) for spelling in SPELLINGS)
        ]


def test_no_file_table_log_or_error_has_a_token(
    make_site: Make,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.DEBUG)
    site = make_site(
        mentions=450,
        stream_names=["topics", "users", "mentions", "contacts"],
        tokens=(TOKEN,),
        client=("app", CLIENT_SECRET),
        options={"social_connect_access_token": TOKEN, "social_connect_max_wait_seconds": 0},
    )
    site.options |= {
        "social_connect_refresh_token": site.box.refresh_token(TOKEN),
        "social_connect_client_id": "app",
        "social_connect_client_secret": CLIENT_SECRET,
    }
    settings = site.settings()
    looked_at: list[Path] = []
    load = dlt.Pipeline.load

    def look_before_loading(pipeline: dlt.Pipeline, *arguments: Any, **options: Any) -> Any:
        """The load package goes when it is loaded."""
        looked_at.extend(site.home.rglob("*.parquet"))
        assert files_with_a_token(site.home) == []
        return load(pipeline, *arguments, **options)

    monkeypatch.setattr(dlt.Pipeline, "load", look_before_loading)
    said: list[str] = []
    with log_to(site.settings()):
        for fault in ("throttle", "foreign_next_url", "looping_next_url", "expired_token", "html", "changed_type"):
            site.box.faults.add(fault, path="inbox", after=1, status=502)
            try:
                said.append(str(site.sync(settings=settings)))
            except SocialConnectError as error:
                said += [str(error), repr(error), "".join(traceback.format_exception(error))]
            site.box.faults.clear()
            site.box.expire_token(site.box.token)
            site.box.advance(hours=1)
        site.sync(settings=settings)
    site.assert_holds_the_truth("mention")

    assert any("next_url" in text for text in said), "an error about a link that carried the token"
    assert looked_at
    assert any(path.suffix == ".log" for path in site.home.rglob("*"))
    assert site.box.refresh_token(site.box.token) != site.options["social_connect_refresh_token"], "tokens were renewed"
    assert (site.home / "api" / "tokens.json").stat().st_mode & 0o777 == 0o600
    assert files_with_a_token(site.home) == []
    assert tables_with_a_token(site) == []
    captured = capfd.readouterr()
    texts = [*said, caplog.text, captured.out, captured.err, repr(site.settings())]
    assert [text for text in texts if any(spelling in text for spelling in SPELLINGS)] == []
    queries = [request.query for request in site.box.requests]
    assert any("page_token" in query for query in queries)
    assert [query for query in queries if "_token=" in query.replace("page_token=", "") or "secret" in query] == []
