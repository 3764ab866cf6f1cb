"""What a publish to PostgreSQL says when somebody is in its way."""

from dataclasses import dataclass

import pytest

from pipelines.postgres import _explain


@dataclass
class _Refusal(Exception):
    """What the driver raises, as far as it is looked at."""

    said: str
    sqlstate: str

    def __str__(self) -> str:
        return self.said


@pytest.mark.parametrize(
    ("said", "step"),
    [
        ("tables are being read that the publish has to replace", "Their columns have changed, and somebody has read"),
        ("canceling statement due to lock timeout", "Somebody holds a lock on a table of the schema: end that"),
    ],
)
def test_who_is_in_the_way_of_a_publish_is_told_by_what_it_waits_for(said: str, step: str) -> None:
    told = _explain(_Refusal(f"[libpq] ERROR:  {said}", "55P03"), is_connected=True)
    assert f"{said}. {step}" in told
