"""A file that holds a secret is read if nobody else can read it, and refused otherwise with what to do."""

import os
from pathlib import Path

import pytest

from pipelines import settings
from pipelines.settings import SettingsInvalid, read_settings

TOKEN = "sc-secret-4f1d9a"
TEXTS = {
    ".env": f"Social_Connect_Access_Token={TOKEN}\n",
    "social-warehouse.toml": f'social_connect_access_token = "{TOKEN}"\n',
    "secrets/social_connect_access_token": f"{TOKEN}\n",
    "secrets/SOCIAL_CONNECT_ACCESS_TOKEN": f"{TOKEN}\n",
}

pytestmark = [
    pytest.mark.skipif(os.name != "posix", reason="other systems have no such modes"),
    pytest.mark.usefixtures("nothing_is_set"),
]


def write(name: str, mode: int, text: str) -> Path:
    file = Path(name)
    if name.startswith("secrets/"):
        file.parent.mkdir(mode=0o700)
        os.environ["SOCIAL_WAREHOUSE_SECRETS_DIR"] = "secrets"  # put back by the fixture
    file.write_text(text, encoding="utf-8")
    file.chmod(mode)
    return file


@pytest.fixture(autouse=True)
def _environment_is_put_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOCIAL_WAREHOUSE_SECRETS_DIR", "")


@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize("mode", [0o600, 0o400])
def test_a_file_of_the_owners_is_read(name: str, mode: int) -> None:
    write(name, mode, TEXTS[name])
    (token,) = read_settings().social_connect_access_token
    assert token.get_secret_value() == TOKEN


@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o620, 0o602])
def test_a_file_that_others_can_read_or_write_is_refused(name: str, mode: int) -> None:
    file = write(name, mode, TEXTS[name])
    with pytest.raises(SettingsInvalid) as refused:
        read_settings()
    message = str(refused.value)
    assert message.startswith(f"{file} can be read by others than its owner (mode {mode:04o})")
    assert message.endswith(f"Run: chmod 600 {file}")
    assert TOKEN not in message
    file.chmod(0o600)
    assert read_settings().social_connect_access_token


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (".env", "SOCIAL_CONNECT_ACCOUNT_IDS=1417\nSOCIAL_CONNECT_ACCESS_TOKEN=\n"),
        ("social-warehouse.toml", 'social_connect_account_ids = "1417"\n'),
    ],
)
def test_a_file_without_a_secret_may_be_read_by_all(name: str, text: str) -> None:
    write(name, 0o644, text)
    assert read_settings().social_connect_account_ids == ("1417",)


def test_a_secret_that_another_place_overrides_is_refused_too(monkeypatch: pytest.MonkeyPatch) -> None:
    write(".env", 0o644, TEXTS[".env"])
    monkeypatch.setenv("SOCIAL_CONNECT_ACCESS_TOKEN", "another-token")
    with pytest.raises(SettingsInvalid, match="chmod 600"):
        read_settings()


def test_a_secret_that_root_has_mounted_read_only_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """As Kubernetes and Docker do; nobody in the container could change its mode."""
    file = write("secrets/social_connect_access_token", 0o444, TOKEN)
    with pytest.raises(SettingsInvalid, match="chmod 600"):
        read_settings()
    monkeypatch.setattr(settings, "_is_mounted_read_only", lambda path: path.name == file.name)
    stat = Path.stat
    for owner, is_read in ((0, True), (1000, False)):
        fields = list(stat(file))
        fields[4] = owner
        monkeypatch.setattr(
            Path,
            "stat",
            lambda path, fields=fields, **options: (
                os.stat_result(fields) if path.name == file.name else stat(path, **options)
            ),
        )
        if is_read:
            assert read_settings().social_connect_access_token
        else:
            with pytest.raises(SettingsInvalid, match="chmod 600"):
                read_settings()
        monkeypatch.setattr(Path, "stat", stat)


def test_the_environment_wins_over_the_folder_and_the_folder_over_env_file(monkeypatch: pytest.MonkeyPatch) -> None:
    write("secrets/social_connect_access_token", 0o600, "from-the-folder")
    write(".env", 0o600, "SOCIAL_CONNECT_ACCESS_TOKEN=from-env-file\n")
    (token,) = read_settings().social_connect_access_token
    assert token.get_secret_value() == "from-the-folder"
    monkeypatch.setenv("SOCIAL_CONNECT_ACCESS_TOKEN", "from-the-environment")
    (token,) = read_settings().social_connect_access_token
    assert token.get_secret_value() == "from-the-environment"


def test_a_folder_of_secrets_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOCIAL_WAREHOUSE_SECRETS_DIR", "nowhere")
    with pytest.raises(SettingsInvalid, match="SOCIAL_WAREHOUSE_SECRETS_DIR is 'nowhere': there is no such folder"):
        read_settings()


def test_no_command_takes_a_secret_as_an_option() -> None:
    """The process list shows everybody what a command was started with."""
    from pipelines.cli import cli  # noqa: PLC0415 - only this one needs it

    names = {option for command in cli.commands.values() for each in command.params for option in each.opts}
    assert len(names) > 15
    assert [name for name in names if any(word in name for word in ("token", "secret", "password", "key"))] == []
