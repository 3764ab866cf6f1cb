"""A mistake in a file of rules stops the build and is named; nothing is built from a guess."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest
from dbt_commands import PROJECT, dbt

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow

MISTAKES = {
    "a_date_nobody_can_read": (
        "holidays.csv",
        "account_id,schedule_id,holiday_date,start_time,end_time,name\n,,25.12.2026,,,Christmas\n",
        '"25.12.2026", expected format is (YYYY-MM-DD) when casting from source column holiday_date',
    ),
    "a_column_that_is_not_there": (
        "holidays.csv",
        "account_id,schedule_id,date,start_time,end_time,name\n,,2026-12-25,,,Christmas\n",
        'does not have a column named "holiday_date"',
    ),
    "a_time_that_is_none": (
        "holidays.csv",
        "account_id,schedule_id,holiday_date,start_time,end_time,name\n,,2026-12-25,12:00,,Christmas\n",
        "four_digits_holidays_start_time",
    ),
    "a_word_that_means_nothing": (
        "business_hours_assignments.csv",
        "account_id,scope,scope_id,schedule_id\n1417,crew,1,311\n",
        "accepted_values_business_hours_assignments_scope",
    ),
    "two_schedules_for_one_account": (
        "business_hours_assignments.csv",
        "account_id,scope,scope_id,schedule_id\n1417,account,,311\n1417,account,,312\n",
        "unique_combination_business_hours_assignments",
    ),
    "a_target_that_is_no_number": (
        "sla_policies.csv",
        (PROJECT / "rules" / "sla_policies.csv").read_text(encoding="utf-8")
        + "quick,,mention,first_response,an hour,calendar,,,,,,,,\n",
        "Could not convert string 'an hour' to INT64 when casting from source column target_seconds",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_it_is_named(mistake: str, tmp_path: Path) -> None:
    name, text, said = MISTAKES[mistake]
    rules = tmp_path / "rules"
    shutil.copytree(PROJECT / "rules", rules)
    (rules / name).write_text(text, encoding="utf-8")
    with pytest.raises(AssertionError) as failed:
        dbt(tmp_path / "warehouse.duckdb", ["build", "--select", "path:models/rules"], rules=rules)
    assert said in str(failed.value)
