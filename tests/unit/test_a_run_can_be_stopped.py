"""What a signal does to a run: the first asks, the second ends it, and a step with nothing to keep ends at once."""

import os
import signal
import time

import pytest

from pipelines.api import StopRequested
from pipelines.stopping import Stop, stopped_by_signals


def test_a_signal_asks_and_a_second_one_ends_the_run() -> None:
    stop = Stop()
    before = signal.getsignal(signal.SIGTERM)
    with stopped_by_signals(stop):
        assert not stop.is_asked()
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop.is_asked()
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    assert signal.getsignal(signal.SIGTERM) == before


def test_who_waits_is_woken() -> None:
    stop = Stop()
    stop.ask()
    began = time.monotonic()
    stop.wait(30)
    assert time.monotonic() - began < 5


def test_a_step_that_leaves_nothing_half_done_ends_at_once() -> None:
    stop = Stop()

    def step() -> None:
        with stopped_by_signals(stop), stop.at_once_in("the transform"):
            os.kill(os.getpid(), signal.SIGTERM)
            pytest.fail("the step went on")

    with pytest.raises(StopRequested, match=r"Stopped before the transform, as asked\."):
        step()


def test_a_step_is_not_begun_when_a_stop_was_asked_for() -> None:
    stop = Stop()
    stop.ask()
    with pytest.raises(StopRequested), stop.at_once_in("the transform"):
        pytest.fail("the step has begun")


def test_what_fails_of_a_stop_is_a_stop_and_what_fails_of_itself_a_failure() -> None:
    stop = Stop()

    def step() -> None:
        with stop.at_once_in("the transform"):
            with pytest.raises(KeyboardInterrupt):
                stop.ask()
            raise ValueError("interrupted")

    with pytest.raises(StopRequested) as raised:
        step()
    assert str(raised.value.__cause__) == "interrupted"
    with pytest.raises(ValueError, match="its own"), Stop().at_once_in("the transform"):
        raise ValueError("its own")
