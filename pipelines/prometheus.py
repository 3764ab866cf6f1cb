"""What a Prometheus server may know of the warehouse: the text format, and a small server for it.

The only importer of prometheus_client. Everything comes from `pipelines.health.status`: nothing is counted here.
"""

from __future__ import annotations

import logging
import socket
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from prometheus_client import Metric
    from starlette.requests import Request
    from starlette.responses import Response

logger = logging.getLogger(__name__)

PREFIX = "social_warehouse"


class _Status(Collector):
    """The metrics of one status; a value that is not known has no sample."""

    def __init__(self, status: Mapping[str, Any]) -> None:
        self._status = status

    def collect(self) -> Iterator[Metric]:
        """Every metric, in the order in which they are printed."""
        yield from _of_data(self._status)
        yield from _of_reading(self._status)
        yield from _of_runs(self._status)


def exposition(status: Mapping[str, Any]) -> str:
    """A status in the text format, version 0.0.4.

    Args:
        status: what `pipelines.health.status` has given.
    """
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Status(status))
    return generate_latest(registry).decode()


def serve(
    host: str, port: int, *, status: Callable[[], Mapping[str, Any]], ready: Callable[[str], None] = lambda _url: None
) -> None:
    """Serves `/metrics` and `/healthz` in this thread until interrupted.

    `/healthz` answers 200 while the warehouse's folder can be read, else 503 with the reason.

    Args:
        host: address to listen on.
        port: its port; 0 takes a free one.
        status: gives a status, at each request.
        ready: is told the server's URL once it listens.

    Raises:
        OSError: the address cannot be listened on.
    """
    import uvicorn  # noqa: PLC0415 - only serving needs it
    from starlette.applications import Starlette  # noqa: PLC0415 - as above
    from starlette.concurrency import run_in_threadpool  # noqa: PLC0415 - as above
    from starlette.responses import PlainTextResponse  # noqa: PLC0415 - as above
    from starlette.routing import Route  # noqa: PLC0415 - as above

    async def answer(request: Request) -> Response:
        try:
            found = await run_in_threadpool(status)
        except Exception as error:  # noqa: BLE001 - whatever it is, a server that goes on has to say so
            logger.warning("the status cannot be told: %s", error)
            return PlainTextResponse(f"{error}\n", status_code=503)
        if request.url.path == "/healthz":
            return PlainTextResponse("ok\n")
        return PlainTextResponse(exposition(found), media_type=CONTENT_TYPE_PLAIN_0_0_4)

    app = Starlette(routes=[Route("/metrics", answer), Route("/healthz", answer)])
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, port), family=family) as listener:
        shown = f"[{host}]" if ":" in host else host
        ready(f"http://{shown}:{listener.getsockname()[1]}")
        server = uvicorn.Server(
            uvicorn.Config(app, log_config=None, access_log=False, server_header=False, ws="none", lifespan="off")
        )
        with suppress(KeyboardInterrupt):  # which is how it is stopped at a terminal
            server.run([listener])


def _of_data(status: Mapping[str, Any]) -> Iterator[Metric]:
    yield _gauge("data_age_seconds", "Now minus what the published data is as of.", status["data_age_seconds"])
    yield _gauge("published_timestamp_seconds", "When the published copy was made.", _unix(status.get("published_at")))
    yield _gauge("published_bytes", "Size of the published copy.", status.get("published_bytes"))
    yield _gauge("quarantine_rows", "Records that could not be read.", status["row_counts"].get("quarantine"))
    yield _gauges(
        "unswept_age_seconds",
        "Now minus when the longest unread day of an account was last read again whole.",
        ("account",),
        (
            ((account_id,), _age_seconds(swept["longest_unread_since"], status["as_of"]))
            for account_id, swept in status["sweep"].items()
        ),
    )
    yield _gauges(
        "never_swept_days",
        "Days of an account that were never read again whole.",
        ("account",),
        (((account_id,), swept["never_read_again_day_count"]) for account_id, swept in status["sweep"].items()),
    )


def _of_reading(status: Mapping[str, Any]) -> Iterator[Metric]:
    lists = [((each["stream"], each["account_id"]), each) for each in status["streams"]]
    labels = ("stream", "account")
    yield _gauges(
        "stream_lag_seconds",
        "Now minus the start of the run that last read a list.",
        labels,
        ((key, each["lag_seconds"]) for key, each in lists),
    )
    yield _gauges(
        "stream_late_after_seconds",
        "The lag from which on a list is late.",
        labels,
        ((key, each["late_after_seconds"]) for key, each in lists),
    )
    yield _gauges(
        "stream_refused",
        "1 where the API last refused a list, else 0.",
        labels,
        ((key, float(each["refused_at"] is not None)) for key, each in lists),
    )
    yield _gauges(
        "budget_remaining_calls",
        "Calls that a token has left in its present frame, as far as its last answer told.",
        ("token",),
        (((str(each["token"]),), each["remaining_call_count"]) for each in status["budgets"]),
    )


def _of_runs(status: Mapping[str, Any]) -> Iterator[Metric]:
    yield _gauges(
        "last_run_success_timestamp_seconds",
        "When the last run that did all it should ended.",
        ("kind",),
        (((kind,), _unix(run["ended_at"])) for kind, run in status["last_successes"].items()),
    )
    since = " since the beginning of the UTC month."
    runs = CounterMetricFamily(f"{PREFIX}_runs", f"Runs that have ended and began{since}", labels=("kind", "outcome"))
    for each in status["run_counts"]:
        runs.add_metric((each["kind"], each["outcome"]), each["run_count"])
    yield runs
    for name, column, text in (
        ("requests", "call_count", "Requests that runs have sent, each attempt counted,"),
        ("rows_listed", "row_count", "Records that the answers listed"),
        ("retries", "retry_count", "Requests sent again because an attempt before had failed,"),
        ("throttled", "throttled_count", "Requests that the API refused because of its rate limit,"),
        ("response_bytes", "byte_count", "Size of the answers' bodies, unpacked,"),
        ("request_seconds", "seconds", "Time from sending to the answer's last byte"),
    ):
        counter = CounterMetricFamily(f"{PREFIX}_{name}", text + since, labels=("endpoint",))
        for each in status["request_counts"]:
            counter.add_metric((each["endpoint"],), each[column])
        yield counter


def _gauge(name: str, text: str, value: float | None) -> Metric:
    return _gauges(name, text, (), [((), value)])


def _gauges(
    name: str, text: str, labels: tuple[str, ...], samples: Iterable[tuple[tuple[str, ...], float | None]]
) -> Metric:
    gauge = GaugeMetricFamily(f"{PREFIX}_{name}", text, labels=labels)
    for values, value in samples:
        if value is not None:
            gauge.add_metric(values, value)
    return gauge


def _unix(text: str | None) -> float | None:
    return None if text is None else datetime.fromisoformat(text).timestamp()


def _age_seconds(text: str | None, now: str) -> float | None:
    return None if text is None else (datetime.fromisoformat(now) - datetime.fromisoformat(text)).total_seconds()
