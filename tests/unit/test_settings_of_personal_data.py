"""What becomes of personal data is an option; to hash takes a key, and the key is never shown."""

from typing import get_args

import pytest

from pipelines import settings
from pipelines.settings import SettingsInvalid, read_settings
from transforms import personal_data

KEY = "sixteen letters!"


def read(mode: str | None, key: str | None) -> settings.Settings:
    options = {"social_warehouse_personal_data": mode, "social_warehouse_personal_data_key": key}
    return read_settings(**{name: value for name, value in options.items() if value is not None})


def test_personal_data_is_kept_unless_something_else_is_said() -> None:
    assert read(None, None).social_warehouse_personal_data == "keep"


@pytest.mark.parametrize("mode", ["keep", "drop"])
def test_without_hashes_a_key_is_not_needed(mode: str) -> None:
    for key in (None, "short", KEY):
        assert read(mode, key).social_warehouse_personal_data == mode


def test_a_hash_needs_a_long_key() -> None:
    key = read("hash", KEY).social_warehouse_personal_data_key
    assert key is not None
    assert key.get_secret_value() == KEY
    for wrong, why in ((None, "is needed to hash personal data"), (KEY[1:], "is too short")):
        with pytest.raises(SettingsInvalid) as refused:
            read("hash", wrong)
        assert str(refused.value) == (
            f"SOCIAL_WAREHOUSE_PERSONAL_DATA_KEY {why}. It wants a secret text of 16 characters or more."
        )


def test_the_key_is_not_shown() -> None:
    found = read("hash", KEY)
    for text in (repr(found), str(found), found.model_dump_json()):
        assert KEY not in text


def test_another_mode_is_refused() -> None:
    with pytest.raises(
        SettingsInvalid, match=r"SOCIAL_WAREHOUSE_PERSONAL_DATA is 'hide'.* wants one of keep, hash, drop"
    ):
        read("hide", None)


def test_the_option_offers_what_the_policy_knows() -> None:
    """They are written twice: neither part may import the other."""
    option = settings.Settings.model_fields["social_warehouse_personal_data"]
    assert get_args(option.annotation) == get_args(personal_data.Mode)
    assert settings.SHORTEST_KEY == personal_data.SHORTEST_KEY
