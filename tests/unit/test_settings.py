"""Each option says what it got and what it wants; a token is never shown."""

import tomllib
import traceback
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pipelines.run import connect
from pipelines.settings import Settings, SettingsInvalid, read_settings, toml_template

TOKEN = "sc-secret-4f1d9a"

pytestmark = pytest.mark.usefixtures("nothing_is_set")


@pytest.mark.parametrize(
    ("option", "got", "wants"),
    [
        ("SOCIAL_CONNECT_ACCOUNT_IDS", "1417,acme", "account ids separated by commas"),
        ("SOCIAL_CONNECT_START_DATE", "last tuesday", "an ISO 8601 date or time, such as 2026-01-31"),
        ("SOCIAL_CONNECT_START_DATE", "31/01/2026", "an ISO 8601 date or time, such as 2026-01-31"),
        ("SOCIAL_CONNECT_MAX_WAIT_SECONDS", "-1", "a number of seconds, 0 or more"),
        ("SOCIAL_CONNECT_MAX_WAIT_SECONDS", "soon", "a number of seconds, 0 or more"),
        ("SOCIAL_WAREHOUSE_REPORTING_TIME_ZONE", "Brussels", "an IANA time zone, such as Europe/Brussels"),
    ],
)
def test_what_cannot_be_read_is_named_with_what_it_got_and_what_it_wants(
    option: str, got: str, wants: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(option, got)
    with pytest.raises(SettingsInvalid) as error:
        read_settings()
    (line,) = str(error.value).splitlines()
    assert line.startswith(option)
    assert wants in line
    assert got.rpartition(",")[2] in line


def test_every_wrong_option_has_its_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOCIAL_CONNECT_START_DATE", "x")
    monkeypatch.setenv("SOCIAL_CONNECT_MAX_WAIT_SECONDS", "y")
    with pytest.raises(SettingsInvalid) as error:
        read_settings()
    first, second = str(error.value).splitlines()
    assert first.startswith("SOCIAL_CONNECT_START_DATE is 'x'")
    assert second.startswith("SOCIAL_CONNECT_MAX_WAIT_SECONDS is 'y'")


def test_a_day_without_dashes_is_a_day_or_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody who writes 20260131 does not mean so many seconds after 1970."""
    monkeypatch.setenv("SOCIAL_CONNECT_START_DATE", "20260131")
    try:
        start_date = read_settings().social_connect_start_date
    except SettingsInvalid:
        return
    assert start_date == datetime(2026, 1, 31, tzinfo=UTC)


def test_no_text_shows_a_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOCIAL_CONNECT_ACCESS_TOKEN", f"{TOKEN}-1, {TOKEN}-2")
    settings = read_settings()
    assert [token.get_secret_value() for token in settings.social_connect_access_token] == [f"{TOKEN}-1", f"{TOKEN}-2"]
    for text in (repr(settings), str(settings), settings.model_dump_json(), repr(settings.model_dump())):
        assert TOKEN not in text


@pytest.mark.parametrize("option", ["REFRESH_TOKEN", "CLIENT_SECRET"])
def test_no_text_shows_what_renews_a_token(option: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"SOCIAL_CONNECT_{option}", TOKEN)
    settings = read_settings()
    for text in (repr(settings), str(settings), settings.model_dump_json(), repr(settings.model_dump())):
        assert TOKEN not in text
    with pytest.raises(SettingsInvalid) as error:
        read_settings(**{f"social_connect_{option.lower()}": {TOKEN: 1}})
    assert TOKEN not in "".join(traceback.format_exception(error.value))


@pytest.mark.parametrize(
    ("options", "wants"),
    [
        ({}, "SOCIAL_CONNECT_CLIENT_ID or SOCIAL_CONNECT_CLIENT_SECRET is not"),
        ({"social_connect_client_id": "app"}, "SOCIAL_CONNECT_CLIENT_ID or SOCIAL_CONNECT_CLIENT_SECRET is not"),
        (
            {"social_connect_client_id": "app", "social_connect_client_secret": f"{TOKEN}-secret"},
            "2 access tokens, but 1 refresh tokens are given",
        ),
    ],
)
def test_what_renews_a_token_has_to_be_complete(tmp_path: Path, options: dict[str, str], wants: str) -> None:
    settings = read_settings(
        social_connect_access_token=f"{TOKEN}-1,{TOKEN}-2",
        social_connect_refresh_token=f"{TOKEN}-refresh",
        social_warehouse_home=tmp_path,
        **options,
    )
    with pytest.raises(SettingsInvalid, match=wants) as error, connect(settings):
        pass
    assert TOKEN not in "".join(traceback.format_exception(error.value))


def test_no_error_shows_a_token(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither of the token's own line, nor of another option's."""
    for wrong in ({TOKEN: 1}, [[TOKEN]], 7):
        with pytest.raises(SettingsInvalid) as error:
            read_settings(social_connect_access_token=wrong)
        assert str(error.value).startswith("SOCIAL_CONNECT_ACCESS_TOKEN")
        assert TOKEN not in "".join(traceback.format_exception(error.value)), "as the interpreter would print it"
    monkeypatch.setenv("SOCIAL_CONNECT_ACCESS_TOKEN", TOKEN)
    with pytest.raises(SettingsInvalid) as error:
        read_settings(social_connect_start_date="x")
    assert TOKEN not in "".join(traceback.format_exception(error.value))


@pytest.fixture
def in_three_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The option of account ids in the environment, `.env` and the TOML file, the strongest first."""
    monkeypatch.setenv("SOCIAL_CONNECT_ACCOUNT_IDS", "1")
    (tmp_path / ".env").write_text("SOCIAL_CONNECT_ACCOUNT_IDS=2\n", encoding="utf-8")
    (tmp_path / "social-warehouse.toml").write_text('social_connect_account_ids = "3"\n', encoding="utf-8")
    return ["1", "2", "3"]


def test_the_environment_wins_over_env_file_over_toml(
    in_three_places: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert read_settings(social_connect_account_ids="0").social_connect_account_ids == ("0",)
    found = [*read_settings().social_connect_account_ids]
    monkeypatch.delenv("SOCIAL_CONNECT_ACCOUNT_IDS")
    found += read_settings().social_connect_account_ids
    (tmp_path / ".env").unlink()
    found += read_settings().social_connect_account_ids
    assert found == in_three_places
    (tmp_path / "social-warehouse.toml").unlink()
    assert read_settings().social_connect_account_ids == ()


def test_a_toml_file_takes_toml_values(tmp_path: Path) -> None:
    (tmp_path / "social-warehouse.toml").write_text(
        'social_connect_account_ids = ["1417", "1418"]\n'
        "social_connect_start_date = 2026-01-31\n"
        "social_connect_max_wait_seconds = 5\n",
        encoding="utf-8",
    )
    settings = read_settings()
    assert settings.social_connect_account_ids == ("1417", "1418")
    assert settings.social_connect_start_date == datetime(2026, 1, 31, tzinfo=UTC)
    assert settings.social_connect_max_wait_seconds == 5


@pytest.mark.parametrize("text", ["social_connect_account_ids = 1417, 1418", "[half", "\x00"])
def test_an_unreadable_toml_file_is_named_with_the_place(text: str, tmp_path: Path) -> None:
    (tmp_path / "social-warehouse.toml").write_text(text, encoding="utf-8")
    with pytest.raises(
        SettingsInvalid, match=r"social-warehouse\.toml cannot be read: .*(line 1|end of document).*Mend that line"
    ):
        read_settings()


def test_a_toml_file_that_is_not_text_is_named_too(tmp_path: Path) -> None:
    (tmp_path / "social-warehouse.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SettingsInvalid, match=r"social-warehouse\.toml cannot be read"):
        read_settings()


def test_an_unreadable_toml_file_does_not_show_its_token(tmp_path: Path) -> None:
    (tmp_path / "social-warehouse.toml").write_text(f"social_connect_access_token = {TOKEN}\n", encoding="utf-8")
    with pytest.raises(SettingsInvalid) as error:
        read_settings()
    assert TOKEN not in str(error.value)


@pytest.mark.parametrize(
    ("text", "start_date"),
    [
        ("2026-01-31", datetime(2026, 1, 31, tzinfo=UTC)),
        ("2026-01-31T08:00:00", datetime(2026, 1, 31, 8, tzinfo=UTC)),
        ("2026-01-31T08:00:00+02:00", datetime(2026, 1, 31, 6, tzinfo=UTC)),
        ("2026-01-31T08:00:00Z", datetime(2026, 1, 31, 8, tzinfo=UTC)),
    ],
)
def test_a_start_date_is_utc_unless_it_says_otherwise(text: str, start_date: datetime) -> None:
    settings = read_settings(social_connect_start_date=text)
    assert settings.social_connect_start_date == start_date
    assert settings.start_date(datetime(2026, 6, 1, tzinfo=UTC)) == start_date


def test_the_first_sync_reaches_28_days_back_unless_told() -> None:
    assert read_settings().start_date(datetime(2026, 3, 1, tzinfo=UTC)) == datetime(2026, 2, 1, tzinfo=UTC)


def test_the_template_sets_nothing_and_names_every_option(tmp_path: Path) -> None:
    template = toml_template()
    assert tomllib.loads(template) == {}
    for name, option in Settings.model_fields.items():
        assert f"# {name} = " in template
        assert option.description
        assert option.description in template
    before = read_settings()
    (tmp_path / "social-warehouse.toml").write_text(template, encoding="utf-8")
    assert read_settings() == before


@pytest.mark.parametrize("name", Settings.model_fields)
def test_an_empty_variable_is_one_that_is_not_set(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A container or service file that passes a variable on has it empty where the user has not set it."""
    monkeypatch.setenv(name.upper(), "")
    assert read_settings() == Settings.model_construct()
