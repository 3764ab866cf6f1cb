"""Draws for many things at once are those of each by itself, and do not depend on the order of asking."""

import numpy as np
import pytest

from sandbox.draws import Draw, Draws

OTHERS = np.arange(2_000, dtype=np.int64) * 7


@pytest.fixture(scope="module")
def each() -> list[Draw]:
    return [Draw(3, 1417, int(number)) for number in OTHERS]


@pytest.fixture(scope="module")
def together() -> Draws:
    return Draws(3, 1417, OTHERS)


def test_numbers_are_those_of_each(each: list[Draw], together: Draws) -> None:
    assert together.numbers("x").tolist() == [draw.number("x") for draw in each]
    assert together.below(17, "y").tolist() == [draw.below(17, "y") for draw in each]
    assert together.digits(15, "id").tolist() == [int(draw.digits(15, "id")) for draw in each]
    assert len(set(together.numbers("x").tolist())) == len(OTHERS)


@pytest.mark.parametrize("share", [0.0, 0.03, 0.5, 0.97])
def test_chances_are_those_of_each_and_about_as_many(each: list[Draw], together: Draws, share: float) -> None:
    hits = together.chance(share, "z")
    assert hits.tolist() == [draw.chance(share, "z") for draw in each]
    assert hits.mean() == pytest.approx(share, abs=0.03)


def test_several_arrays_and_numbers_may_be_mixed() -> None:
    channels = np.array([4, 0, 9])
    authors = np.array([11, 12, 13])
    assert Draws(5, channels, authors).numbers("n").tolist() == [
        Draw(5, channel, author).number("n")
        for channel, author in zip(channels.tolist(), authors.tolist(), strict=True)
    ]
