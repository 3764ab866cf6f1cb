"""The command `social-warehouse`: reads options, calls one function per command, prints, and sets the exit code.

Exit codes: 0 done, 1 failed, 2 usage, 3 busy (another run holds the warehouse), 4 data tests failed (nothing
published), 5 request budget used up (what was read is loaded, its place is saved), 143 stopped as asked (as 5).
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console

from pipelines import doctor, health, run
from pipelines.answers import FORMATS, AnswerNotWritten, format_of, stoppable, write_text, write_to_file
from pipelines.api import BudgetUsedUp, SocialConnectError, StopRequested
from pipelines.dashboard import extras
from pipelines.erasure import ErasuresUnreadable, Subject
from pipelines.logs import log_to
from pipelines.notifications import data_as_of, send_test, senders_asked_for, staleness_of, tell, telling
from pipelines.postgres import PostgresFailed
from pipelines.progress import progress_on
from pipelines.publishing import NothingToRollBackTo, versions
from pipelines.redaction import without_secrets
from pipelines.run_history import recorded
from pipelines.senders import MessageNotSent
from pipelines.settings import TOML_FILE, SettingsInvalid, read_settings, toml_template
from pipelines.status_text import print_status
from pipelines.stopping import Stop, stopped_by_signals
from pipelines.tables import print_table
from pipelines.warehouse import CompactionFailed, Warehouse, WarehouseBusy, WarehouseUnreadable, WarehouseUntested

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipelines.backfill import Estimate
    from pipelines.publishing import Version

FAILED, USAGE, BUSY, TESTS_FAILED, BUDGET_USED_UP = 1, 2, 3, 4, 5
STOPPED = 143
"""What systems take for an answer to SIGTERM."""
LARGEST_PORT = 65_535

# Rich takes a file for 80 columns wide; tables in a log may be wider.
stdout = Console(soft_wrap=True, width=None if sys.stdout.isatty() else 160)
stderr = Console(stderr=True, soft_wrap=True)


class _Time(click.ParamType[datetime]):
    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        if isinstance(value, datetime):
            return value
        try:
            time = datetime.fromisoformat(value)
        except ValueError:
            self.fail(
                f"{value!r} is not a date or time. It wants ISO 8601, such as 2026-01-31 or 2026-01-31T08:00:00Z.",
                param,
                ctx,
            )
        return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)


class _Names(click.ParamType[tuple[str, ...]]):
    name = "names"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, ...]:  # noqa: ARG002 - click's signature
        return value if isinstance(value, tuple) else tuple(name.strip() for name in value.split(",") if name.strip())


class _Address(click.ParamType[tuple[str, int]]):
    name = "address"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, int]:
        if isinstance(value, tuple):
            return value
        host, _, port = value.rpartition(":")
        if not port.isdecimal() or int(port) > LARGEST_PORT:
            self.fail(f"{value!r} has no port. It wants a port or a host and a port, such as 0.0.0.0:9464.", param, ctx)
        return host.strip("[]") or "127.0.0.1", int(port)


_DATE = click.DateTime(["%Y-%m-%d"])
as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON, for scripts.")
as_of = click.option(
    "--as-of",
    type=_Time(),
    metavar="TIME",
    help="The run's clock (ISO 8601), so that a run can be repeated. Default: now.",
)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="social-connect-warehouse")
def cli() -> None:
    """Keeps a DuckDB warehouse in step with Qualtrics Social Connect.

    \b
    First steps:
      social-warehouse demo                  the whole way on made-up data, no account needed
      social-warehouse init                  makes the settings file to put your token in
      social-warehouse check                 looks at all that a run needs
      social-warehouse sync                  reads what is new and publishes it
      social-warehouse sql "from rpt_response_times"

    Exit codes: 0 done, 1 failed, 2 usage, 3 busy, 4 data tests failed, 5 request budget used up,
    143 stopped as asked.
    """


@cli.command()
def init() -> None:
    """Makes the warehouse's folders and a settings file to fill in.

    \b
    Example:
      social-warehouse init
    """
    warehouse = run.open_warehouse(read_settings())
    toml = Path(TOML_FILE)
    if toml.exists():
        stdout.print(f"{toml} is there already and stays as it is.")
    else:
        toml.touch(mode=0o600)
        toml.write_text(toml_template(), encoding="utf-8")
        stdout.print(f"Made {toml}: put your access token there. Only you can read it.")
    stdout.print(f"The warehouse will be in {warehouse.home}. Next: social-warehouse check")


@cli.command()
@as_of
@click.option("--offline", "is_offline", is_flag=True, help="Leave the API out.")
@as_json
def check(as_of: datetime | None, is_offline: bool, as_json: bool) -> None:
    """Looks at everything a run needs, in the order it needs it, and says the next step for what is amiss.

    The machine, the folder, its locks and files, the schedule, the API, the token, the accounts. It also asks, in some
    fifteen calls per account, what of its parameters the API honours; syncs go by what it finds. Exit code 1 means
    that a line says FAIL; docs/operate.md says more about each.

    \b
    Examples:
      social-warehouse check
      social-warehouse check --offline --json
    """
    findings = doctor.check(read_settings(), as_of=as_of, is_offline=is_offline)
    if as_json:
        _print_json([finding.as_json() for finding in findings])
    else:
        for finding in findings:
            stdout.print(f"{finding.severity:4}  {finding.title}: {finding.message}", markup=False, highlight=False)
            if finding.next_step is not None:
                stdout.print(f"      next: {finding.next_step}", markup=False, highlight=False)
    if any(finding.severity == "FAIL" for finding in findings):
        sys.exit(FAILED)


@cli.command()
@as_of
@click.option("--streams", type=_Names(), metavar="A,B", help="Read only these streams.")
@click.option("--max-requests", type=click.IntRange(min=1), metavar="N", help="Send no more than N requests.")
@as_json
def sync(as_of: datetime | None, streams: Sequence[str] | None, max_requests: int | None, as_json: bool) -> None:
    """Reads new and changed rows of every stream, then transforms, tests and publishes.

    \b
    Examples:
      social-warehouse sync
      social-warehouse sync --streams mentions --max-requests 100 --json
    """
    settings, stop = read_settings(), Stop()
    with (
        log_to(settings),
        telling(settings, "sync", now=as_of),
        stopped_by_signals(stop),
        progress_on(stderr, is_quiet=as_json) as progress,
    ):
        report = run.sync(
            settings, as_of=as_of, stream_names=streams, max_requests=max_requests, progress=progress, stop=stop
        )
    if as_json:
        _print_json(report.as_json())
    else:
        _print_sync_report(report, Warehouse(settings.social_warehouse_home))
    if report.extraction.budget_was_used_up:
        stderr.print(
            f"{report.extraction.load.stopped_by} What was read is loaded; the next sync goes on from there.",
            markup=False,
        )
        sys.exit(BUDGET_USED_UP)


@cli.command()
@as_of
@click.option("--max-requests", type=click.IntRange(min=1), metavar="N", help="Send no more than N requests.")
@as_json
def reconcile(as_of: datetime | None, max_requests: int | None, as_json: bool) -> None:
    """Compares mentions and cases with the API's own counts, reads the days again that differ, marks what is gone.

    Then transforms, tests and publishes.

    \b
    Examples:
      social-warehouse reconcile
      social-warehouse reconcile --max-requests 50 --json
      social-warehouse sql "from reconciliations where action <> 'none' order by reconciled_at desc"
    """
    settings, stop = read_settings(), Stop()
    with (
        log_to(settings),
        telling(settings, "reconcile", now=as_of),
        stopped_by_signals(stop),
        progress_on(stderr, is_quiet=as_json) as progress,
        recorded(settings, "reconcile"),
    ):
        report = run.reconcile(settings, as_of=as_of, max_requests=max_requests, progress=progress, stop=stop)
        run.transform(settings, as_of=as_of, stop=stop)
        run.publish(settings)
    if as_json:
        _print_json(report.as_json())
    else:
        for account in report.accounts:
            stdout.print(
                f"Account {account.account_id}: {account.compared_count:,} numbers of {account.day_count} days"
                f" compared, {account.different_count:,} differed; {account.read_again_count} days read again,"
                f" {account.still_different_count:,} numbers differ still; {account.deleted_count:,} gone,"
                f" {account.restored_count:,} back; {account.swept_count} days swept."
            )
            for notice in account.notices:
                stdout.print(f"- {notice}", markup=False)
    if report.stopped_by is not None:
        stderr.print(f"{report.stopped_by} What was read is loaded; run it again to go on.", markup=False)
        sys.exit(BUDGET_USED_UP)


@cli.command()
@click.option("--from", "start", type=_Time(), required=True, metavar="TIME", help="Read what was added from then on.")
@click.option("--to", "end", type=_Time(), required=True, metavar="TIME", help="Read what was added before then.")
@click.option("--dry-run", "is_dry_run", is_flag=True, help="Only say what it would take.")
@click.option("--wait", "waits", is_flag=True, help="Wait where the API allows no more calls, rather than end.")
@as_of
@click.option("--max-requests", type=click.IntRange(min=1), metavar="N", help="Send no more than N requests.")
@as_json
def backfill(
    start: datetime,
    end: datetime,
    is_dry_run: bool,
    waits: bool,
    as_of: datetime | None,
    max_requests: int | None,
    as_json: bool,
) -> None:
    """Reads the mentions and cases that were added in a span of the past, newest first, beside the syncs.

    It leaves SOCIAL_CONNECT_RESERVED_CALLS of the hourly allowance to them. Run it again after any stop: it goes on
    where it was. Then transforms, tests and publishes.

    \b
    Examples:
      social-warehouse backfill --from 2025-01-01 --to 2026-01-01 --dry-run
      social-warehouse backfill --from 2025-01-01 --to 2026-01-01 --wait
    """
    settings, stop = read_settings(), Stop()
    kind = "backfill_dry_run" if is_dry_run else "backfill"
    with (
        log_to(settings),
        nullcontext() if is_dry_run else telling(settings, "backfill", now=as_of),
        stopped_by_signals(stop),
        progress_on(stderr, is_quiet=as_json) as progress,
        recorded(settings, kind),
    ):
        report = run.backfill(
            settings,
            start=start,
            end=end,
            as_of=as_of,
            max_requests=max_requests,
            is_dry_run=is_dry_run,
            waits=waits,
            progress=progress,
            stop=stop,
            on_estimate=lambda estimate: None if as_json else _print_estimate(estimate),
        )
        if not is_dry_run and Warehouse(settings.social_warehouse_home).file.exists():
            progress.step("transform, test and publish")
            run.transform(settings, as_of=as_of, stop=stop)
            run.publish(settings)
    if as_json:
        _print_json(report.as_json())
    elif not is_dry_run:
        _print_backfill_report(report)
    if report.outcome.stopped_by is not None:
        stderr.print(
            f"{report.outcome.stopped_by} What was read is loaded; run the backfill again to go on.", markup=False
        )
        sys.exit(BUDGET_USED_UP)


@cli.command()
@as_of
@click.option("--streams", type=_Names(), metavar="A,B", help="Make only the tables of these streams.")
@as_json
def replay(as_of: datetime | None, streams: Sequence[str] | None, as_json: bool) -> None:
    """Makes the normalised tables from the raw payloads again, without a call to the API.

    Do so after a change of a contract. Records in quarantine are tried again.

    \b
    Examples:
      social-warehouse replay
      social-warehouse replay --streams mentions,cases
    """
    settings = read_settings()
    with log_to(settings):
        report = run.replay(settings, as_of=as_of, stream_names=streams)
    if as_json:
        _print_json(report.as_json())
        return
    stdout.print(
        f"Read {sum(report.payloads.record_counts.values()):,} payloads and"
        f" {sum(report.read_from_quarantine_counts.values()):,} records of the quarantine,"
        f" wrote {sum(report.row_counts.values()):,} rows."
    )
    for line in report.drift:
        stdout.print(f"- {line}")
    stdout.print("Next: social-warehouse transform, then social-warehouse publish")


@cli.command()
@click.option("--author", "author_id", metavar="ID", help="Erase whoever has this author_id in mentions, with contact.")
@click.option("--mention", "mention_id", metavar="UNIQUE_ID", help="Erase this mention.")
@click.option(
    "--account", "account_id", metavar="ID", help="In this account only. Default: in every one, later ones too."
)
@click.option("--reason", metavar="TEXT", help="Why, for the list history.erasures.")
@click.option("--dry-run", "is_dry_run", is_flag=True, help="Only say what it would erase.")
@click.option("--yes", "is_agreed", is_flag=True, help="Do not ask.")
@as_of
@as_json
def erase(
    author_id: str | None,
    mention_id: str | None,
    account_id: str | None,
    reason: str | None,
    is_dry_run: bool,
    is_agreed: bool,
    as_of: datetime | None,
    as_json: bool,
) -> None:
    """Takes a person or a mention out of everything under the warehouse's folder, for good, and proves it.

    Rows stay with identifiers of Social Connect, times and counts; names, texts and all else that is personal go.
    Ends with exit code 1 where something is left, and says where.

    \b
    Examples:
      social-warehouse erase --author 2873645510 --dry-run
      social-warehouse erase --author 2873645510 --reason "request of 3 March" --yes
      social-warehouse erase --mention 2001_55231 --account 1417 --yes
    """
    if (author_id is None) == (mention_id is None):
        raise click.UsageError("Say whom or what to erase: --author ID or --mention UNIQUE_ID.")
    settings = read_settings()
    subject = Subject(author_id, mention_id, account_id)
    if not (is_dry_run or is_agreed):
        click.confirm("This cannot be undone. Erase?", abort=True, err=True)
    with log_to(settings), progress_on(stderr, is_quiet=as_json) as progress:
        report = run.erase(settings, subject, reason=reason, is_dry_run=is_dry_run, as_of=as_of, progress=progress)
    if as_json:
        _print_json(report.as_json())
    else:
        _print_erasure(report)
    if report.traces or report.not_reached:
        sys.exit(FAILED)


def _print_erasure(report: run.ErasureReport) -> None:
    about = ", ".join(f"{count:,} {table}" for table, count in report.object_counts.items()) or "nothing"
    lines = [f"about      {about}"]
    lines += [f"erased     {count:,} rows of {table}" for table, count in report.row_counts.items()]
    lines += [f"note       {notice}" for notice in report.notices]
    if report.shared_count:
        lines.append(f"note       {report.shared_count:,} texts were not looked for: others have them too")
    if not report.is_dry_run:
        lines += [f"left       {trace}" for trace in report.traces]
        lines += [f"left       {report.not_reached}"] if report.not_reached else []
        looked = f"{report.text_count:,} texts looked for in every file"
        lines.append(f"proof      {looked}: " + ("see above" if report.traces else "nothing found"))
    for line in lines:
        stdout.print(line, markup=False, highlight=False)


@cli.command()
@as_of
@as_json
def transform(as_of: datetime | None, as_json: bool) -> None:
    """Builds and tests the models from the tables that are there, without a request to the API.

    \b
    Example:
      social-warehouse transform && social-warehouse publish
    """
    settings = read_settings()
    with log_to(settings):
        report = run.transform(settings, as_of=as_of)
    if as_json:
        _print_json(vars(report))
    else:
        stdout.print(
            f"{report.model_count} models built, {report.passed_test_count} tests passed in {report.seconds} s."
        )
        for warning in report.warnings:
            stdout.print(f"warning: {warning}", markup=False)


@cli.command()
@click.option("--rollback", "rolls_back", is_flag=True, help="Publish the version before the published one again.")
@click.option("--list", "lists", is_flag=True, help="List the versions that are kept; publish nothing.")
@click.option("--parquet", "exports_parquet", is_flag=True, help="Export the marts as Parquet too.")
@click.option(
    "--to",
    "target",
    type=click.Choice(["postgres"]),
    help="Bring the marts to the database of SOCIAL_WAREHOUSE_POSTGRES_URL too.",
)
@as_json
def publish(rolls_back: bool, lists: bool, exports_parquet: bool, target: str | None, as_json: bool) -> None:
    """Replaces the copy that readers open by the work file's present tables and marts, once their tests have passed.

    The last SOCIAL_WAREHOUSE_PUBLISHED_VERSIONS versions are kept. A rollback goes one back each time; the next publish
    or sync replaces what it has published.

    \b
    Examples:
      social-warehouse publish --parquet
      social-warehouse publish --to postgres
      social-warehouse publish --list
      social-warehouse publish --rollback
    """
    if rolls_back + lists + (exports_parquet or target is not None) > 1:
        raise click.UsageError("--rollback, --list, and --parquet or --to are three things to do: give one of them.")
    settings = read_settings()
    warehouse = Warehouse(settings.social_warehouse_home)
    if lists:
        _print_versions(versions(warehouse), as_json=as_json)
        return
    with log_to(settings):
        version = (
            run.roll_back(settings)
            if rolls_back
            else run.publish(settings, exports_parquet=exports_parquet, to_postgres=target is not None)
        )
    goes_there = not rolls_back and (target is not None or settings.social_warehouse_postgres)
    schema = settings.social_warehouse_postgres_schema if goes_there else None
    if as_json:
        told = {
            "published_file": str(warehouse.published_file),
            "published_bytes": version.byte_count,
            "postgres_schema": schema,
        }
        _print_json(told | version.as_json())
        return
    there = f", and its marts to schema {schema} of PostgreSQL" if schema else ""
    stdout.print(f"Published {warehouse.published_file} ({_version_in_words(version)}){there}.", highlight=False)
    if rolls_back:
        stdout.print("The next publish or sync replaces it. What is wrong with the newer data is there until mended.")


def _print_versions(kept: Sequence[Version], *, as_json: bool) -> None:
    if as_json:
        _print_json([version.as_json() for version in kept])
    elif not kept:
        stdout.print("No version has been published yet. Next: social-warehouse sync")
    else:
        for version in kept:
            mark = "published" if version.is_published else ""
            stdout.print(f"{mark:10} {_version_in_words(version)}", highlight=False)


def _version_in_words(version: Version) -> str:
    as_of = f"data as of {version.as_of:%Y-%m-%d %H:%M:%S} UTC" if version.as_of else "data of an unknown time"
    if not version.is_readable:
        as_of = "cannot be read"
    return f"version {version.name}, {as_of}, {version.byte_count / 1e6:,.1f} MB"


@cli.command()
@as_of
@as_json
def maintain(as_of: datetime | None, as_json: bool) -> None:
    """Compacts the work file where much of it is free, and removes logs older than SOCIAL_WAREHOUSE_LOG_DAYS.

    What is published stays as it is.

    \b
    Example:
      social-warehouse maintain
    """
    settings = read_settings()
    with log_to(settings), telling(settings, "maintain", tests_data=False, now=as_of):
        report = run.maintain(settings, as_of=as_of)
    if as_json:
        _print_json(report.as_json())
    else:
        size = report.compaction
        stdout.print(
            f"The work file has {size.after_bytes / 1e6:,.1f} MB and had {size.before_bytes / 1e6:,.1f};"
            f" {report.removed_log_count} logs and {report.removed_dbt_file_count} files of dbt removed."
        )


@cli.command()
@click.option("--test", "is_test", is_flag=True, help="Send a message that says it is a test.")
@as_of
@as_json
def alert(is_test: bool, as_of: datetime | None, as_json: bool) -> None:
    """Says how old the published data is; where it is too old, tells those whom the settings name, once.

    Every run does so when it ends. This is for a time when none runs: call it from another scheduler than theirs.
    Ends with exit code 1 where the data is older than SOCIAL_WAREHOUSE_STALE_AFTER_SECONDS, or there is none yet.

    \b
    Examples:
      social-warehouse alert --test
      social-warehouse alert
    """
    settings = read_settings()
    now = as_of or datetime.now(UTC)
    with log_to(settings):
        if is_test:
            way_count = send_test(settings, now)
            stdout.print(f"Sent {way_count} of {way_count}: look whether it has arrived.")
            return
        data_at, stale = data_as_of(settings), staleness_of(settings, now)
        tell(settings, (), (), now=now)
    if as_json:
        _print_json({"data_as_of": data_at.isoformat() if data_at else None, "is_stale": stale is not None})
    elif stale is not None:
        stdout.print(stale.text, markup=False, highlight=False)
    else:
        stdout.print(f"Data as of {data_at:%Y-%m-%d %H:%M} UTC." if data_at else "Nothing has been published yet.")
    if stale is not None or data_at is None:
        sys.exit(FAILED)


@cli.command()
@as_of
@as_json
def status(as_of: datetime | None, as_json: bool) -> None:
    """Says how old the data is, which lists are late, what the last runs did, and who is writing. Asks the API nothing.

    \b
    Examples:
      social-warehouse status
      social-warehouse status --json
    """
    found = health.status(read_settings(), as_of=as_of)
    if as_json:
        _print_json(found)
    else:
        print_status(stdout, found)


@cli.command()
@click.option("--listen", type=_Address(), metavar="[HOST:]PORT", help="Serve them at /metrics, until stopped.")
def metrics(listen: tuple[str, int] | None) -> None:
    """Prints what a Prometheus server may scrape: age of the data, lag of lists, runs, requests. Asks the API nothing.

    With --listen it serves them over HTTP instead, on this machine's own address unless a host is given, with
    /healthz beside.

    \b
    Examples:
      social-warehouse metrics
      social-warehouse metrics --listen 9464
    """
    settings = read_settings()
    from pipelines import prometheus  # noqa: PLC0415 - only this command needs it

    if listen is None:
        click.echo(prometheus.exposition(health.status(settings)), nl=False)
        return
    host, port = listen
    prometheus.serve(
        host,
        port,
        status=lambda: health.status(settings),
        ready=lambda url: stdout.print(f"Metrics at {url}/metrics, health at {url}/healthz", highlight=False),
    )


@cli.command()
@click.argument("query", required=False)
@click.option(
    "--format",
    "form",
    type=click.Choice(("table", *FORMATS)),
    help="What to print or write. Default: what the ending of --output says, else a table.",
)
@click.option(
    "--output", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Write the answer to this file."
)
@click.option("--csv", "form", flag_value="csv", help="Print CSV, as --format csv.")
@click.option("--json", "form", flag_value="json", help="Print JSON, as --format json.")
@click.option("--allow-files", "allows_files", is_flag=True, help="Let the query read and write other files.")
def sql(query: str | None, form: str | None, output: Path | None, allows_files: bool) -> None:
    """Answers a query from the published copy, read-only. Tables of marts and social_connect need no schema.

    Without a query, a terminal becomes a shell with completion and history; else the query is read from standard
    input. It reaches nothing but that copy, unless you allow it files.

    \b
    Examples:
      social-warehouse sql
      social-warehouse sql "from rpt_response_times limit 10"
      social-warehouse sql "select status, count(*) from mentions group by all" --csv
      social-warehouse sql "from fct_mentions" --output mentions.parquet
      social-warehouse sql --json < query.sql
      social-warehouse sql "copy fct_mentions to 'mentions.parquet'" --allow-files
    """
    form = form or (format_of(output) if output else None)
    if output and form in {None, "table"}:
        raise click.UsageError(f"--output writes {', '.join(FORMATS)}: end the file's name so, or add --format.")
    if form == "parquet" and not output:
        raise click.UsageError("Parquet is written to a file: add --output FILE.")
    warehouse = Warehouse(read_settings().social_warehouse_home)
    if query is None and sys.stdin.isatty():
        if form or not sys.stdout.isatty():
            raise click.UsageError("there is no query. Give one as the argument or on standard input.")
        from pipelines.shell import run_shell  # noqa: PLC0415 - only a terminal needs it

        run_shell(warehouse, stdout, allows_files=allows_files)
        return
    query = sys.stdin.read() if query is None else query
    if not query.strip():
        raise click.UsageError("there is no query. Give one as the argument or on standard input.")
    with warehouse.connect_published(allows_files=allows_files) as con, stoppable(con):
        answer = con.execute(query)
        if output and form:
            count = write_to_file(answer, form, output)
            stderr.print(f"Wrote {count:,} rows to {output}.", markup=False, highlight=False)
        elif form in FORMATS:
            write_text(answer, form, sys.stdout)
        else:
            print_table(stdout, answer.df())


@cli.command()
@click.option(
    "--every",
    "every_minutes",
    type=click.IntRange(min=1),
    default=15,
    show_default=True,
    metavar="MINUTES",
    help="How often to sync.",
)
@click.option(
    "--reconcile-every",
    "reconcile_every_minutes",
    type=click.IntRange(min=1),
    default=60,
    show_default=True,
    metavar="MINUTES",
    help="How often to reconcile.",
)
@click.option(
    "--reference",
    "reference_cron",
    default="5 3 * * *",
    show_default=True,
    metavar="CRON",
    help="When to read the reference data.",
)
@click.option(
    "--maintain",
    "maintain_cron",
    default="35 3 * * *",
    show_default=True,
    metavar="CRON",
    help="When to maintain the work file.",
)
@click.option(
    "--report", "report_cron", default=None, metavar="CRON", help="When to send a report of a week.  [default: never]"
)
def serve(
    every_minutes: int, reconcile_every_minutes: int, reference_cron: str, maintain_cron: str, report_cron: str | None
) -> None:
    """Runs sync, reconcile, reference and maintain on a schedule, and backfills on demand, until stopped.

    Crons are in SOCIAL_WAREHOUSE_REPORTING_TIME_ZONE. It needs a Prefect server. A run that is late or due while
    another of its kind goes on is dropped: the next does its work.

    \b
    Examples:
      prefect server start --background
      PREFECT_API_URL=http://127.0.0.1:4200/api social-warehouse serve --every 15 --reference "0 4 * * *"
      PREFECT_API_URL=http://127.0.0.1:4200/api social-warehouse serve --report "0 7 * * 1"
    """
    if not os.environ.get("PREFECT_API_URL"):
        raise click.UsageError(
            "PREFECT_API_URL is not set: a schedule needs a Prefect server. Start one with"
            " 'prefect server start --background' and set PREFECT_API_URL=http://127.0.0.1:4200/api."
        )
    read_settings()
    from pipelines import flows  # noqa: PLC0415 - Prefect takes two seconds to import, and only this command and the demo need it

    flows.serve(
        every=timedelta(minutes=every_minutes),
        reconcile_every=timedelta(minutes=reconcile_every_minutes),
        reference_cron=reference_cron,
        maintain_cron=maintain_cron,
        report_cron=report_cron,
    )


@cli.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to serve on.")
@click.option("--port", type=click.IntRange(1, LARGEST_PORT), default=8501, show_default=True, help="Port to serve on.")
@click.option("--open", "opens_browser", is_flag=True, help="Open a browser too.")
def dashboard(host: str, port: int, opens_browser: bool) -> None:
    """Serves pages of the published copy to browsers, until stopped: are we keeping up, response times, backlog, ...

    It reads nothing else, asks the API nothing, and sends nothing to others. Whoever reaches the address sees
    everything: docs/dashboard.md says how to put a sign-in before it. It needs the extra: pip install '.[dashboard]'

    \b
    Examples:
      social-warehouse dashboard --open
      social-warehouse dashboard --host 0.0.0.0 --port 8080
    """
    from pipelines.dashboard import serving  # noqa: PLC0415 - only this command needs it

    serving.serve(Warehouse(read_settings().social_warehouse_home), host=host, port=port, opens_browser=opens_browser)


@cli.command()
@click.option("--from", "first", type=_DATE, metavar="DATE", help="First date. Default: as --days says.")
@click.option(
    "--to", "last", type=_DATE, metavar="DATE", help="Last date, in the report itself. Default: the last that is over."
)
@click.option("--days", type=click.IntRange(min=1), help="How many days, instead of --from.  [default: 28]")
@click.option("--account", multiple=True, help="Only this account; may be given several times, as all below.")
@click.option("--project", multiple=True, help="Only the topics of this project: its name or identifier.")
@click.option("--topic", multiple=True, help="Only this topic: its name or identifier.")
@click.option("--channel", multiple=True, help="Only this channel.")
@click.option("--team", multiple=True, help="Only this team: its name or identifier.")
@click.option("--tag", multiple=True, help="Only this tag.")
@click.option(
    "--output", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Write it to this file."
)
@click.option("--send", "sends", is_flag=True, help="Send it to those whom the settings name.")
@as_json
def report(
    first: datetime | None,
    last: datetime | None,
    days: int | None,
    output: Path | None,
    sends: bool,
    as_json: bool,
    **chosen: tuple[str, ...],
) -> None:
    """Writes the main numbers and charts of a period as one HTML file, which opens without a network.

    It reads the published copy only. Dates are in SOCIAL_WAREHOUSE_REPORTING_TIME_ZONE. Without --output the file is in
    reports/ of the warehouse's folder, and the next one of the same dates takes its place. --send attaches it to an
    e-mail; a webhook gets the main numbers as text. It needs the extra: pip install '.[report]'

    \b
    Examples:
      social-warehouse report
      social-warehouse report --days 7 --send
      social-warehouse report --from 2026-02-01 --to 2026-02-28 --channel facebook --output february.html
    """
    if first and days:
        raise click.UsageError("--from and --days both say where the period begins: give one of them.")
    settings = read_settings()
    extras.need("report")
    from pipelines.dashboard import report as reports  # noqa: PLC0415 - only this command needs it

    if sends:
        senders_asked_for(settings)
    with log_to(settings):
        try:
            made = reports.make_report(
                Warehouse(settings.social_warehouse_home),
                first_date=first.date() if first else None,
                last_date=last.date() if last else None,
                chosen=chosen,
                **({"day_count": days} if days else {}),
            )
        except reports.NoSuchValue as error:
            raise click.UsageError(str(error)) from None
        page = reports.html(made)
        if output:
            reports.write(page, output)
        file = output or reports.keep(page, made, run.open_warehouse(settings))
        if not as_json:
            stdout.print(f"{made.title}: {file}\n\n{reports.in_words(made)}", markup=False, highlight=False)
        way_count = reports.send(settings, made, page, now=datetime.now(UTC)) if sends else 0
    if as_json:
        _print_json({"file": str(file.resolve()), "sent_count": way_count, **made.as_json()})
    elif sends:
        stdout.print(f"\nSent {way_count} of {way_count}.")


@cli.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to serve on.")
@click.option("--port", type=int, default=8350, show_default=True, help="0 takes a free port.")
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed gives the same history.")
@click.option(
    "--mentions",
    type=click.IntRange(min=0),
    default=2000,
    show_default=True,
    help="Mentions in the 28 days before its clock.",
)
@click.option(
    "--requests-per-hour", type=click.IntRange(min=1), default=350, show_default=True, help="Rate limit per token."
)
@click.option(
    "--real-time", is_flag=True, help="Start its clock now and let it run; else it stands still until it is moved."
)
@click.option(
    "--restless",
    is_flag=True,
    help="Let mentions also be edited, erased, deleted and moved without any list telling, and come late.",
)
def sandbox(
    host: str, port: int, seed: int, mentions: int, requests_per_hour: int, real_time: bool, restless: bool
) -> None:
    """Serves a made-up Social Connect API, until stopped.

    \b
    Example:
      social-warehouse sandbox --real-time --restless &
      SOCIAL_CONNECT_BASE_URL=http://127.0.0.1:8350 SOCIAL_CONNECT_ACCESS_TOKEN=sandbox-token social-warehouse sync
    """
    from sandbox import DEFAULT_NOW, RESTLESS, Sandbox  # noqa: PLC0415 - its server takes a moment to import, and most commands do not need it

    now = datetime.now(UTC).replace(microsecond=0) if real_time else DEFAULT_NOW
    box = Sandbox(
        seed=seed,
        mentions=mentions,
        rate_limit_per_hour=requests_per_hour,
        real_time=real_time,
        now=now,
        daily=RESTLESS if restless else None,
    )

    def say(base_url: str) -> None:
        stdout.print(
            f"Sandbox at {base_url}, token {box.token}, accounts {', '.join(map(str, box.account_ids))},"
            f" clock {box.now.isoformat()}"
        )

    box.serve_forever(host, port, ready=say)


@cli.command()
@click.option(
    "--mentions",
    type=click.IntRange(min=1),
    default=2000,
    show_default=True,
    help="How many mentions the sandbox starts with.",
)
def demo(mentions: int) -> None:
    """Shows the whole way on made-up data: sandbox, two runs of the Prefect flow, response times.

    \b
    Example:
      social-warehouse demo
    """
    from sandbox import Sandbox  # noqa: PLC0415 - only the sandbox command and the demo need it

    home = read_settings().social_warehouse_home / "demo"
    shutil.rmtree(home, ignore_errors=True)
    Warehouse(home).make_folders()
    prefect_home = home.resolve() / "prefect"
    prefect_home.mkdir(mode=0o700)
    with Sandbox(mentions=mentions).serve() as server:
        box = server.sandbox
        os.environ |= {
            "SOCIAL_CONNECT_BASE_URL": server.base_url,
            "SOCIAL_CONNECT_ACCESS_TOKEN": box.token,
            "SOCIAL_WAREHOUSE_HOME": str(home),
            "PREFECT_HOME": str(prefect_home),
            "PREFECT_LOGGING_LEVEL": "WARNING",
        }
        os.environ.pop("SOCIAL_CONNECT_ACCOUNT_IDS", None)
        os.environ.pop("SOCIAL_CONNECT_START_DATE", None)
        os.environ.pop("PREFECT_API_URL", None)
        stdout.print(
            f"A made-up Social Connect account is at {server.base_url}. Starting Prefect (some ten seconds) ..."
        )
        from pipelines import flows  # noqa: PLC0415 - it reads the environment above when it is imported

        first = flows.sync(as_of=box.now)
        _print_demo_run("First sync", first, box.now)
        box.advance(hours=6)
        second = flows.sync(as_of=box.now)
        _print_demo_run("Six hours later", second, box.now)
    warehouse = Warehouse(home)
    with warehouse.connect_published() as con:
        frame = con.execute(DEMO_QUERY).df()
    stdout.print("\nResponse times by channel, from marts.rpt_response_times:\n")
    print_table(stdout, frame)
    stdout.print(f"\nThe published warehouse: {warehouse.published_file}")
    stdout.print(
        f'Ask it anything:  SOCIAL_WAREHOUSE_HOME={home} {sys.argv[0]} sql "from fct_mentions limit 5"', markup=False
    )
    stdout.print(
        f"Look at it:       SOCIAL_WAREHOUSE_HOME={home} {sys.argv[0]} dashboard --open", markup=False, highlight=False
    )


DEMO_QUERY = """
SELECT
  channel,
  mention_count AS mentions,
  round(100 * replied_share) AS "replied %",
  first_response_p50_minutes AS "reply p50 min",
  first_response_p90_minutes AS "p90 min",
  resolve_p50_hours AS "resolve p50 h",
  resolve_p90_hours AS "p90 h"
FROM rpt_response_times
WHERE level = 'channel'
ORDER BY mention_count DESC
"""


def main() -> None:
    """Runs the command line; every failure becomes one clear text and its exit code."""
    try:
        cli.main(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        stderr.print("Stopped. What was loaded is kept; the next run goes on from there.")
        sys.exit(FAILED)
    except SettingsInvalid as error:
        _fail(error, USAGE)
    except WarehouseBusy as error:
        _fail(error, BUSY)
    except WarehouseUntested as error:
        _fail(error, TESTS_FAILED)
    except StopRequested as error:
        stderr.print(str(error), markup=False, highlight=False)
        sys.exit(STOPPED)
    except BudgetUsedUp as error:
        _fail(error, BUDGET_USED_UP)
    except Exception as error:  # noqa: BLE001 - the outermost place: what is known gets its line, the rest keeps its traceback
        _fail_by_kind(error)


def _fail_by_kind(error: Exception) -> None:
    from duckdb import Error as DuckDBError  # noqa: PLC0415 - only a failure needs them

    from pipelines.source import ReadingFailed  # noqa: PLC0415 - as above
    from pipelines.transform import TestsFailed, TransformFailed  # noqa: PLC0415 - as above

    if isinstance(error, TestsFailed):
        _fail(error, TESTS_FAILED)
    if isinstance(
        error,
        SocialConnectError
        | ReadingFailed
        | WarehouseUnreadable
        | run.NothingToReplay
        | NothingToRollBackTo
        | ErasuresUnreadable
        | MessageNotSent
        | PostgresFailed
        | CompactionFailed
        | AnswerNotWritten
        | extras.ExtraNotInstalled
        | TransformFailed
        | DuckDBError
        | OSError,
    ):
        _fail(error, FAILED)
    raise error


def _fail(error: Exception, exit_code: int) -> None:
    stderr.print(f"Error: {without_secrets(str(error))}", markup=False, highlight=False)
    sys.exit(exit_code)


def _print_json(value: Any) -> None:
    click.echo(json.dumps(value, indent=2, default=str))


def _print_sync_report(report: run.SyncReport, warehouse: Warehouse) -> None:
    load = report.extraction.load
    read = ", ".join(f"{count:,} {stream}" for stream, count in load.record_counts.items())
    written = (
        ", ".join(f"{count:,} {table}" for table, count in load.row_counts.items()) or "nothing: no row has changed"
    )
    lines = [
        f"read       {read} in {report.extraction.request_count:,} requests",
        f"written    {written}",
        f"tested     {report.transform.model_count} models, {report.transform.passed_test_count} tests passed",
        f"published  {warehouse.published_file} ({report.published_bytes / 1e6:,.1f} MB)",
        f"data as of {report.as_of:%Y-%m-%d %H:%M:%S} UTC",
        f"took       {report.seconds:,.1f} s",
    ]
    if load.quarantined_count:
        lines.append(
            f"set aside  {load.quarantined_count:,} records that could not be read:"
            ' social-warehouse sql "from quarantine"'
        )
    lines += [f"note       {note}" for note in (*load.drift, *report.transform.warnings)]
    for line in lines:
        stdout.print(line, markup=False, highlight=False)


def _print_estimate(estimate: Estimate) -> None:
    rows = ", ".join(f"{count:,} {stream}" for stream, count in estimate.row_counts.items())
    stdout.print(
        f"to read    {rows}: {estimate.call_count:,} calls, {estimate.hour_count:,} hours at what the API allows",
        markup=False,
        highlight=False,
    )


def _print_backfill_report(report: run.BackfillReport) -> None:
    outcome = report.outcome
    read = ", ".join(f"{count:,} {stream}" for stream, count in outcome.record_counts.items()) or "nothing"
    written = ", ".join(f"{count:,} {table}" for table, count in outcome.row_counts.items()) or "nothing"
    windows = f"{outcome.read_count:,} of {outcome.planned_count:,} windows"
    lines = [
        f"read       {read} in {report.request_count:,} requests, {windows}",
        f"written    {written}",
    ]
    if outcome.quarantined_count:
        lines.append(f"set aside  {outcome.quarantined_count:,} records that could not be read")
    lines += [f"note       {note}" for note in (*sorted(outcome.drift), *outcome.notices)]
    for line in lines:
        stdout.print(line, markup=False, highlight=False)


def _print_demo_run(title: str, report: dict[str, Any], now: datetime) -> None:
    rows = report["row_counts"]
    stdout.print(
        f"{title} ({now:%Y-%m-%d %H:%M} UTC): {report['request_count']} requests,"
        f" {report['record_counts']['mentions']:,} mentions read, {rows.get('mentions', 0):,} new or changed,"
        f" {report['model_count']} models built, {report['passed_test_count']} tests passed."
    )
