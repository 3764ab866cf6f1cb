"""How a run is asked to stop: by SIGTERM, as schedulers and systems do, or by SIGINT, which is Ctrl-C.

The first signal lets the run load what it has read. A second one, or one that comes while nothing has to be loaded,
ends it at once.
"""

from __future__ import annotations

import logging
import signal
from contextlib import contextmanager
from threading import Event
from typing import TYPE_CHECKING

from pipelines.api import StopRequested

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

logger = logging.getLogger(__name__)


class Stop:
    """Whether a run has been asked to stop."""

    def __init__(self) -> None:
        self._event = Event()
        self._ends_at_once = False

    def ask(self) -> None:
        """Asks for a stop.

        Raises:
            KeyboardInterrupt: this is the second time, or nothing of what is under way has to be kept.
        """
        if self._event.is_set() or self._ends_at_once:
            self._event.set()
            raise KeyboardInterrupt
        self._event.set()

    def is_asked(self) -> bool:
        """Whether it has been asked for."""
        return self._event.is_set()

    def wait(self, seconds: float) -> None:
        """Sleeps, but no longer than until a stop is asked for."""
        self._event.wait(seconds)

    @contextmanager
    def at_once_in(self, step: str) -> Iterator[None]:
        """Has a step end at once when a stop is asked for: one that can be done anew, and leaves nothing half done.

        Raises:
            StopRequested: it has been asked for, before or during the step.
        """
        if self.is_asked():
            raise StopRequested(step)
        self._ends_at_once = True
        try:
            yield
        except KeyboardInterrupt:
            raise StopRequested(step) from None
        except Exception as error:
            if not self.is_asked():
                raise
            # What the step is made of may take the interruption for a failure of its own.
            logger.info("%s ended as it was stopped: %s: %s", step, type(error).__name__, error)
            raise StopRequested(step) from error
        finally:
            self._ends_at_once = False


@contextmanager
def stopped_by_signals(stop: Stop) -> Iterator[None]:
    """Takes SIGTERM and SIGINT for a wish to stop, until it ends. For the main thread only, as Python wants it."""

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        stop.ask()

    before = {number: signal.signal(number, on_signal) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
