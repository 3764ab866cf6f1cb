"""A warehouse is made with one policy for personal data and one key; another is refused before anything is asked."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from pipelines.api import SocialConnectError
from pipelines.run import replay
from pipelines.settings import SettingsInvalid
from pipelines.warehouse import Warehouse

pytestmark = pytest.mark.slow

Make = Callable[..., Any]

KEY, OTHER_KEY = "a key of the tests' own", "another key of the tests'"


@pytest.fixture(scope="module")
def make_site(make_site: Make) -> Make:
    """Sites that read what mentions need, and no more: every other stream costs each sync time."""
    return partial(make_site, stream_names=["topics", "users", "mentions"])


def policy(mode: str, key: str | None = None) -> dict[str, Any]:
    return {"social_warehouse_personal_data": mode, "social_warehouse_personal_data_key": key}


@pytest.mark.parametrize(
    ("made_with", "then", "complaint"),
    [
        (policy("keep"), policy("drop"), "SOCIAL_WAREHOUSE_PERSONAL_DATA is drop, but .* was made with keep"),
        (policy("drop"), policy("hash", KEY), "SOCIAL_WAREHOUSE_PERSONAL_DATA is hash, but .* was made with drop"),
        (policy("hash", KEY), policy("keep"), "SOCIAL_WAREHOUSE_PERSONAL_DATA is keep, but .* was made with hash"),
        (policy("hash", KEY), policy("hash", OTHER_KEY), "SOCIAL_WAREHOUSE_PERSONAL_DATA_KEY is not the key"),
    ],
)
def test_another_policy_is_refused(
    make_site: Make, made_with: dict[str, Any], then: dict[str, Any], complaint: str
) -> None:
    site = make_site(mentions=10, options=made_with)
    site.sync()
    before, request_count = site.snapshot(), len(site.box.requests)
    site.options = then
    for run in (site.sync, lambda: replay(site.settings())):
        with pytest.raises(SettingsInvalid, match=f"{complaint}.* Set it back, or set SOCIAL_WAREHOUSE_HOME") as raised:
            run()
        assert KEY not in str(raised.value)
        assert OTHER_KEY not in str(raised.value)
    assert len(site.box.requests) == request_count
    assert site.snapshot() == before
    assert KEY not in Warehouse(site.home).policy_file.read_text(encoding="utf-8")

    site.options = made_with
    assert site.sync().load.row_counts == {}


def test_a_key_that_is_not_used_makes_no_difference(make_site: Make) -> None:
    site = make_site(mentions=10, options=policy("keep", KEY))
    site.sync()
    site.options = policy("keep", OTHER_KEY)
    site.sync()


def test_until_something_is_made_the_policy_is_free(make_site: Make, tmp_path: Path) -> None:
    site = make_site(mentions=10).with_home(tmp_path)
    site.options = policy("keep") | {"social_connect_access_token": "wrong"}
    with pytest.raises(SocialConnectError):
        site.sync()
    site.options = policy("drop")
    site.sync()
    assert site.one("SELECT count(author_name) FROM mentions") == 0
