"""A client without network and without waiting: the transport is a function, the clock and the sleep are ours."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from pipelines.api import SocialConnect

BASE_URL = "https://api.engagor.com"


class _FakeClock:
    """Unix seconds that pass only when somebody sleeps, or a test says so."""

    def __init__(self) -> None:
        self.now = 1_750_000_000.0
        self.naps: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.naps.append(seconds)
        self.now += seconds


@pytest.fixture
def clock() -> _FakeClock:
    return _FakeClock()


@pytest.fixture
def connect(clock: _FakeClock) -> Callable[..., SocialConnect]:
    """Makes a client whose requests are answered by a function, or by a list of answers in their order."""

    def make(
        answers: Any, *, base_url: str = BASE_URL, tokens: tuple[str, ...] = ("t" * 40,), **options: Any
    ) -> SocialConnect:
        if not callable(answers):
            queue = iter(answers)

            def handler(_: httpx.Request) -> httpx.Response:
                answer = next(queue)
                if isinstance(answer, Exception):
                    raise answer
                assert isinstance(answer, httpx.Response)
                return answer
        else:
            handler = answers
        return SocialConnect(
            base_url,
            [SecretStr(token) for token in tokens],
            transport=httpx.MockTransport(handler),
            clock=clock,
            **{"sleep": clock.sleep, **options},
        )

    return make


@pytest.fixture
def ok() -> Callable[..., httpx.Response]:
    """Makes a successful answer with the envelope around the data."""

    def make(data: Any, *, headers: dict[str, str] | None = None, **meta: Any) -> httpx.Response:
        return httpx.Response(200, json={"meta": {"code": 200, **meta}, "response": data}, headers=headers)

    return make
