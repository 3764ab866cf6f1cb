"""What people are told, and when: that a run or a data test has failed, that data is stale, and that it is over.

Each is told once until it is over. What has been told is in `notified.json` in the warehouse's folder. A message that
cannot be sent is a warning in the log, is tried again by the next run, and never changes how a run ends.
"""

from __future__ import annotations

import json
import logging
import time
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from filelock import FileLock

from pipelines.api import NotSent, SocialConnectError
from pipelines.redaction import without_secrets
from pipelines.senders import Message, MessageNotSent, send, senders_of
from pipelines.settings import SettingsInvalid
from pipelines.source import Memory, ReadingFailed
from pipelines.transform import TestsFailed, TransformFailed
from pipelines.warehouse import Warehouse, WarehouseBusy, WarehouseUntested

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
    from pathlib import Path

    from pipelines.senders import Sender
    from pipelines.settings import Settings

logger = logging.getLogger(__name__)

DATA_TESTS, DATA = "data tests", "data"
"""What may be amiss beside runs, which are named by their kind."""
LOCK_WAIT_SECONDS = 60
LONGEST_ERROR = 500


@dataclass(frozen=True)
class Problem:
    """Something that is amiss.

    `of`: what it is amiss with. `kind`: the sort of problem; another sort is told although this has been.
    """

    of: str
    kind: str
    title: str
    text: str
    at: datetime

    @property
    def message(self) -> Message:
        """What is told of it."""
        return Message(f"{self.of} {self.kind}", self.title, self.text, self.at)


@contextmanager
def telling(
    settings: Settings,
    run_kind: str,
    *,
    tests_data: bool = True,
    now: datetime | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[None]:
    """Tells how the run inside ends, where there is news, and whether the data is stale then.

    That another run holds the warehouse, that the request budget is used up, or that somebody stops it, is no failure:
    the next run goes on. Should that last, the data gets stale.

    Args:
        settings: the options.
        run_kind: what is run, in a word.
        tests_data: whether a run of this kind, when it ends well, has tested the data.
        now: the run's clock, UTC; the time of its end when not given.
        sleep: waits so many seconds.
    """
    try:
        yield
    except (WarehouseBusy, NotSent):
        tell(settings, (), (), now=now, sleep=sleep)
        raise
    except Exception as error:
        tell(settings, [failure_of(run_kind, error, now or datetime.now(UTC))], (), now=now, sleep=sleep)
        raise
    tell(settings, (), {run_kind, DATA_TESTS} if tests_data else {run_kind}, now=now, sleep=sleep)


def failure_of(run_kind: str, error: Exception, at: datetime) -> Problem:
    """What is told of a run that failed.

    Texts of errors that are not ours may quote rows, and so personal data: of those, only the sort is told.
    """
    when = f"{at:%Y-%m-%d %H:%M} UTC"
    if isinstance(error, TestsFailed):
        names = "; ".join(name for name, _ in error.failing)
        text = (
            f"In the {run_kind} of {when}, {len(error.failing)} data tests failed: {names}.\n"
            "Nothing was published; readers keep the last good copy.\n"
            "Next: 'social-warehouse transform' runs them again and says where their SQL is."
        )
        return Problem(DATA_TESTS, names, "Data tests failed", text, at)
    if isinstance(error, TransformFailed):
        said = f"{len(error.model_names)} models could not be built: {', '.join(error.model_names)}."
        said += " Next: 'social-warehouse transform' says why."
    elif isinstance(error, SocialConnectError | ReadingFailed | SettingsInvalid | WarehouseUntested):
        said = " ".join(str(error).split())[:LONGEST_ERROR]
    else:
        said = f"{type(error).__name__}. Next: its text is in the run's own output."
    text = f"The {run_kind} of {when} failed: {said}\nReaders keep the last good copy; the next run goes on from there."
    return Problem(run_kind, type(error).__name__, f"{run_kind.capitalize()} failed", text, at)


def crash_of(run_kind: str, at: datetime) -> Problem:
    """What is told of a run whose process ended without a word."""
    text = (
        f"The {run_kind} that was found dead at {at:%Y-%m-%d %H:%M} UTC ended without a word: it was killed, by hand or"
        " for want of memory.\nNothing is lost; the next run goes on from there. Next: look at the machine's log."
    )
    return Problem(run_kind, "crashed", f"{run_kind.capitalize()} crashed", text, at)


def staleness_of(settings: Settings, now: datetime) -> Problem | None:
    """What is told where the newest published data is too old; None where it is not, or nothing was published yet."""
    as_of = data_as_of(settings)
    allowed = timedelta(seconds=settings.social_warehouse_stale_after_seconds)
    if as_of is None or now - as_of <= allowed:
        return None
    text = (
        f"Readers have the data as of {as_of:%Y-%m-%d %H:%M} UTC, {_in_words(now - as_of)} ago; {_in_words(allowed)}"
        " are allowed (SOCIAL_WAREHOUSE_STALE_AFTER_SECONDS).\n"
        "Next: 'social-warehouse status' says how far it has read; look whether syncs run, and how they end."
    )
    return Problem(DATA, "stale", "Data is stale", text, now)


def data_as_of(settings: Settings) -> datetime | None:
    """The instant up to which the published copy holds the inbox of every account, UTC; None before there is any."""
    from pipelines.load import make_pipeline, read_state  # noqa: PLC0415 - dlt takes a second to import

    warehouse = Warehouse(settings.social_warehouse_home)
    if not warehouse.published_file.exists():
        return None
    published_at = datetime.fromtimestamp(warehouse.published_file.stat().st_mtime, UTC)
    state = read_state(make_pipeline(warehouse))
    account_ids = settings.social_connect_account_ids or Memory(state).account_ids()
    inboxes = state.get("mentions", {}).get("cursors", {})
    read = [
        datetime.fromisoformat(inbox["seen_through"])
        for account_id, inbox in inboxes.items()
        if "seen_through" in inbox and (account_ids is None or account_id in account_ids)
    ]
    return min(published_at, *read) if read else None


def tell(
    settings: Settings,
    found: Sequence[Problem],
    over: Collection[str],
    *,
    now: datetime | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Tells what is news of what was found and of what is over, and of the age of the data. It never raises.

    Args:
        settings: the options; where they name nobody to tell, nothing is done.
        found: what is amiss.
        over: with what nothing is amiss any more.
        now: the instant to which ages are reckoned, UTC.
        sleep: waits so many seconds.
    """
    senders = senders_of(settings)
    if not senders:
        return
    try:
        now = now or datetime.now(UTC)
        stale = staleness_of(settings, now)
        found, over = ([*found, stale], over) if stale else (found, {*over, DATA})
        file = settings.social_warehouse_home / "notified.json"
        with FileLock(file.with_suffix(".lock"), timeout=LOCK_WAIT_SECONDS):
            told = _read_told(file)
            for of, message, after in news(told, found, over, now):
                failures = send(senders, scrubbed(message), sleep=sleep)
                for failure in failures:
                    logger.warning("'%s' was not told: %s", message.title, failure)
                if len(failures) < len(senders):
                    told = {**told, of: after} if after else {key: told[key] for key in told if key != of}
                    _write_told(file, told)
    except Exception as error:  # noqa: BLE001 - a notification never changes how a run ends
        logger.warning(
            "nobody could be told (%s); how the run ended is not changed by it. If it comes again, remove %s",
            type(error).__name__,
            settings.social_warehouse_home / "notified.json",
        )


def news(
    told: Mapping[str, Mapping[str, str]], found: Sequence[Problem], over: Collection[str], now: datetime
) -> list[tuple[str, Message, dict[str, str] | None]]:
    """What has to be told: of what, the message, and what has been told of it then (None when it is over)."""
    fresh: list[tuple[str, Message, dict[str, str] | None]] = [
        (each.of, each.message, {"kind": each.kind, "title": each.title, "since": each.at.isoformat()})
        for each in found
        if told.get(each.of, {}).get("kind") != each.kind
    ]
    for of in sorted(over):
        if of in told:
            since = datetime.fromisoformat(told[of]["since"])
            text = f"'{told[of]['title']}', told {since:%Y-%m-%d %H:%M} UTC, is over since {now:%Y-%m-%d %H:%M} UTC."
            fresh.append((of, Message(f"{of} recovered", f"Over: {told[of]['title']}", text, now), None))
    return fresh


def send_test(settings: Settings, now: datetime, *, sleep: Callable[[float], None] = time.sleep) -> int:
    """Sends a message that says that it is a test; what it gives and raises is as for `send_as_asked`."""
    text = (
        f"Sent at {now:%Y-%m-%d %H:%M} UTC by 'social-warehouse alert --test'. Failures and stale data are told here."
    )
    return send_as_asked(settings, Message("test", "Test of the notifications", text, now), sleep=sleep)


def send_as_asked(settings: Settings, message: Message, *, sleep: Callable[[float], None] = time.sleep) -> int:
    """Sends a message that somebody has asked for, whatever has been told; gives the number of ways that it went.

    Raises:
        SettingsInvalid: the settings name nobody to tell.
        pipelines.senders.MessageNotSent: it did not get through one of the ways.
    """
    senders = senders_asked_for(settings)
    if failures := send(senders, scrubbed(message), sleep=sleep):
        raise MessageNotSent("; ".join(map(str, failures)))
    return len(senders)


def senders_asked_for(settings: Settings) -> tuple[Sender, ...]:
    """Every way that the settings name.

    Raises:
        SettingsInvalid: they name none.
    """
    if senders := senders_of(settings):
        return senders
    raise SettingsInvalid(
        "Neither SOCIAL_WAREHOUSE_NOTIFY_WEBHOOK_URL nor SOCIAL_WAREHOUSE_NOTIFY_SMTP_HOST is set, so nobody is"
        " told anything (docs/schedules.md)."
    )


def scrubbed(message: Message) -> Message:
    """The message without any secret of the settings."""
    attachment = message.attachment
    return replace(
        message,
        title=without_secrets(message.title),
        text=without_secrets(message.text),
        attachment=attachment and replace(attachment, html=without_secrets(attachment.html)),
    )


def _read_told(file: Path) -> dict[str, dict[str, str]]:
    if not file.exists():
        return {}
    told: dict[str, dict[str, str]] = json.loads(file.read_text(encoding="utf-8"))
    return told


def _write_told(file: Path, told: Mapping[str, Any]) -> None:
    written = file.with_suffix(".new")
    written.write_text(json.dumps(told, indent=2), encoding="utf-8")
    written.replace(file)


def _in_words(span: timedelta) -> str:
    minutes = round(span / timedelta(minutes=1))
    return f"{minutes} minutes" if span < timedelta(hours=2) else f"{span / timedelta(hours=1):.1f} hours"
