"""What a run tells of itself while it goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from pipelines.api import Page


class Progress(Protocol):
    """Is told how a run goes on."""

    def step(self, name: str) -> None:
        """A step of the run begins."""

    def expect(self, row_counts: dict[str, int]) -> None:
        """About so many rows of some streams will be read."""

    def page(self, stream: str, page: Page, remaining_count: int | None) -> None:
        """A page of a stream has been read; `remaining_count` is what the API still allows in its present frame."""


class Silent:
    """Progress that nobody watches."""

    def step(self, name: str) -> None:
        """Does nothing."""

    def expect(self, row_counts: dict[str, int]) -> None:
        """Does nothing."""

    def page(self, stream: str, page: Page, remaining_count: int | None) -> None:
        """Does nothing."""
