"""The Prefect flow does what `social-warehouse sync` does, and leaves a report."""

import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from receivers import webhook

from sandbox import Sandbox, Server

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with Sandbox(mentions=300).serve() as server:
        yield server


@pytest.fixture(scope="module")
def environment(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SOCIAL_CONNECT_BASE_URL", server.base_url)
        patch.setenv("SOCIAL_CONNECT_ACCESS_TOKEN", server.sandbox.token)
        patch.setenv("SOCIAL_WAREHOUSE_HOME", str(home / "data"))
        patch.chdir(home)
        yield home


@pytest.fixture(scope="module")
def prefect(environment: Path) -> Iterator[None]:  # noqa: ARG001 - Prefect reads the environment when it is imported
    from prefect.testing.utilities import prefect_test_harness  # noqa: PLC0415 - as above

    from pipelines import flows  # noqa: F401, PLC0415 - sets Prefect's switches before Prefect is imported

    logger = logging.getLogger("pipelines")
    handlers = list(logger.handlers)
    with prefect_test_harness(server_startup_timeout=180):
        yield
    # Prefect's handlers stay on our logger, and refuse what is said outside of a flow, as in other tests.
    logger.handlers[:] = handlers


@pytest.mark.usefixtures("prefect")
def test_two_runs_of_the_flow_publish_the_same_as_two_syncs(server: Server) -> None:
    from prefect.client.orchestration import get_client  # noqa: PLC0415 - as above

    from pipelines import flows, health  # noqa: PLC0415 - after the fixture
    from pipelines.settings import read_settings  # noqa: PLC0415 - as above
    from pipelines.warehouse import Warehouse  # noqa: PLC0415 - as above

    box = server.sandbox
    stream_names = ["topics", "users", "mentions"]
    first = flows.sync(as_of=box.now, stream_names=stream_names)
    assert first["record_counts"]["mentions"] == len(box.mentions(1417))
    box.advance(hours=6)
    second = flows.sync(as_of=box.now, stream_names=stream_names)
    assert set(first["record_counts"]) == set(second["record_counts"]) == set(stream_names)
    assert 0 < second["row_counts"]["mentions"] < first["row_counts"]["mentions"]
    with Warehouse(read_settings().social_warehouse_home).connect_published() as con:
        assert con.execute("SELECT count(*) FROM fct_mentions").fetchone() == (len(box.mentions(1417)),)
    runs = health.status(read_settings())["run_counts"]
    assert runs == [{"kind": "sync", "outcome": "done", "run_count": 2}], "a flow with its steps is one run"
    with get_client(sync_client=True) as client:
        reports = [artifact for artifact in client.read_artifacts() if artifact.key == "sync-report"]
    assert len(reports) == 2
    texts = [str(report.data) for report in reports]
    assert sum(f"| mentions read | {first['record_counts']['mentions']:,} |" in text for text in texts) == 1
    assert all(box.token not in text for text in texts)


@pytest.mark.usefixtures("prefect")
def test_the_token_may_be_in_a_secret_block(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    from prefect.blocks.system import Secret  # noqa: PLC0415 - as above

    from pipelines import flows  # noqa: PLC0415 - after the fixture
    from pipelines.redaction import without_secrets  # noqa: PLC0415 - as above
    from pipelines.settings import SettingsInvalid  # noqa: PLC0415 - as above

    monkeypatch.delenv("SOCIAL_CONNECT_ACCESS_TOKEN")
    monkeypatch.setenv("SOCIAL_WAREHOUSE_PREFECT_SECRET", "social-connect-token")
    with pytest.raises(
        SettingsInvalid, match="SOCIAL_WAREHOUSE_PREFECT_SECRET is 'social-connect-token', which cannot"
    ):
        flows._settings()
    Secret(value=f"{server.sandbox.token},another-token").save("social-connect-token")
    tokens = [token.get_secret_value() for token in flows._settings().social_connect_access_token]
    assert tokens == [server.sandbox.token, "another-token"]
    assert without_secrets("an another-token") == "an ***"


@pytest.mark.usefixtures("prefect")
def test_the_flow_of_a_reconciliation_marks_what_is_gone_and_leaves_a_report(server: Server) -> None:
    from prefect.client.orchestration import get_client  # noqa: PLC0415 - as above

    from pipelines import flows  # noqa: PLC0415 - after the fixture

    box = server.sandbox
    box.delete_mention(1417, box.mentions(1417)[10]["unique_id"])
    (account,) = flows.reconcile(as_of=box.now)["accounts"]
    assert account["deleted_count"] == 1
    with get_client(sync_client=True) as client:
        (report,) = [artifact for artifact in client.read_artifacts() if artifact.key == "reconcile-report"]
    assert f"| 1417 | {account['day_count']} |" in str(report.data)


@pytest.mark.usefixtures("prefect")
@pytest.mark.parametrize("report_cron", [None, "0 7 * * 1"])
def test_a_schedule_never_piles_up_runs(report_cron: str | None) -> None:
    from pipelines import flows  # noqa: PLC0415 - after the fixture

    periods = {"sync": timedelta(minutes=15), "reconcile": timedelta(hours=1)}
    crons = {"reference": "5 3 * * *", "maintain": "35 3 * * 0"} | ({"report": report_cron} if report_cron else {})
    deployments = {
        deployment.flow_name: deployment
        for deployment in flows.deployments(
            every=periods["sync"],
            reconcile_every=periods["reconcile"],
            reference_cron=crons["reference"],
            maintain_cron=crons["maintain"],
            report_cron=report_cron,
            time_zone="Europe/Brussels",
        )
    }
    assert list(deployments) == ["sync", "reconcile", "reference", "backfill", "maintain", "report"]
    for name, deployment in deployments.items():
        schedules = [each.schedule for each in deployment.schedules or ()]
        assert [getattr(each, "interval", None) for each in schedules if name in periods] == list(
            filter(None, [periods.get(name)])
        )
        assert [getattr(each, "cron", None) for each in schedules if name in crons] == list(
            filter(None, [crons.get(name)])
        )
        assert all(each.timezone == "Europe/Brussels" for each in schedules)
        assert bool(schedules) == (name in periods | crons)
        assert deployment.concurrency_limit == 1
        assert deployment.concurrency_options is not None
        strategy = "ENQUEUE" if name == "backfill" else "CANCEL_NEW"
        assert deployment.concurrency_options.collision_strategy.value == strategy


@pytest.mark.usefixtures("prefect")
def test_the_other_flows_leave_their_reports_and_failing_tests_are_named(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    from prefect.client.orchestration import get_client  # noqa: PLC0415 - as above

    from pipelines import flows  # noqa: PLC0415 - after the fixture
    from pipelines.transform import TestsFailed  # noqa: PLC0415 - as above

    box = server.sandbox
    report = flows.reference(as_of=box.now)
    assert set(report["record_counts"]) == set(flows.run.REFERENCE)
    assert set(flows.maintain(as_of=box.now)) >= {"before_bytes", "after_bytes"}

    def failing(*_: object, **__: object) -> None:
        raise TestsFailed("1 data tests failed", (("unique_mentions", "Got 2 results"),))

    monkeypatch.setattr(flows.run, "transform", failing)
    with pytest.raises(TestsFailed):
        flows.sync(as_of=box.now, stream_names=["topics", "mentions"])
    with get_client(sync_client=True) as client:
        artifacts = client.read_artifacts()
    keys = {artifact.key for artifact in artifacts}
    assert keys >= {"reference-report", "maintain-report", "rows-per-table", "request-budget", "failing-tests"}
    texts = [str(artifact.data) for artifact in artifacts if artifact.key == "failing-tests"]
    assert sum("unique_mentions" in text and "Got 2 results" in text for text in texts) == 1


@pytest.mark.usefixtures("prefect")
def test_the_flow_of_a_report_sends_what_the_command_prints(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    from prefect.client.orchestration import get_client  # noqa: PLC0415 - as above

    from pipelines import flows  # noqa: PLC0415 - after the fixture
    from pipelines.settings import SettingsInvalid  # noqa: PLC0415 - as above

    with pytest.raises(SettingsInvalid, match="SOCIAL_WAREHOUSE_NOTIFY"):
        flows.report()
    flows.sync(as_of=server.sandbox.now, stream_names=["topics", "users", "mentions"])
    with webhook() as received:
        monkeypatch.setenv("SOCIAL_WAREHOUSE_NOTIFY_WEBHOOK_URL", received.url)
        monkeypatch.setenv("SOCIAL_WAREHOUSE_NOTIFY_WEBHOOK_TEMPLATE", "json")
        told = flows.report(day_count=5)
        command = [str(Path(sys.executable).with_name("social-warehouse")), "report", "--days", "5", "--json"]
        printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert told == json.loads(printed) | {"sent_count": 1}
    assert Path(told["file"]).stat().st_size > 10_000
    (text,) = [str(each["text"]) for each in received.received if each["event"] == "report"]
    assert f"{told['numbers']['mention_count']['now']:,}" in text
    with get_client(sync_client=True) as client:
        (artifact,) = [each for each in client.read_artifacts() if each.key == "period-report"]
    assert told["first_date"] in str(artifact.data)


def test_only_what_may_pass_is_tried_again(environment: Path) -> None:  # noqa: ARG001 - as for the fixture prefect
    from pipelines import flows  # noqa: PLC0415 - after the fixture
    from pipelines.api import AuthenticationFailed, ServerFailed  # noqa: PLC0415 - as above
    from pipelines.warehouse import WarehouseBusy  # noqa: PLC0415 - as above

    assert issubclass(ServerFailed, flows.PASSING)
    assert issubclass(WarehouseBusy, flows.PASSING)
    assert not issubclass(AuthenticationFailed, flows.PASSING)


def test_nothing_is_reported_to_the_makers_of_prefect(environment: Path) -> None:  # noqa: ARG001 - as for the fixture prefect
    from pipelines import flows  # noqa: F401, PLC0415 - sets the switches

    assert os.environ["PREFECT_SERVER_ANALYTICS_ENABLED"] == "false"
    assert os.environ["DO_NOT_TRACK"] == "1"
