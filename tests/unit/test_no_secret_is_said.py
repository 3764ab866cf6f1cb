"""Whatever logger, warning or traceback would say a secret of the settings says *** in its place."""

import io
import logging
import sys
import typing
import warnings
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from pydantic import BaseModel, SecretStr

from pipelines import redaction
from pipelines.logs import log_to
from pipelines.redaction import keep_secret, secrets_of, without_secrets
from pipelines.settings import SECRETS, Settings, read_settings

LOGGERS = (
    "pipelines",
    "httpx",
    "httpcore",
    "dlt",
    "dbt",
    "prefect",
    "prefect.flow_runs",
    "uvicorn",
    "root",
    "anything",
)
NO_SECRETS = {
    "social_warehouse_secrets_dir",
    "social_warehouse_prefect_secret",
    "social_warehouse_personal_data",
    "social_warehouse_notify_webhook_template",
}
"""Options whose names sound so."""


ADDRESSES = {
    "social_warehouse_notify_webhook_url": "https://hooks.example/",
    "social_warehouse_postgres_url": "postgresql://127.0.0.1/",
}
"""What stands before a secret that is an address."""


def secret_of(name: str) -> str:
    return f"{ADDRESSES.get(name, '')}s3cret/{name}+of=mine"


def settings_with_every_secret() -> Settings:
    return read_settings(**{name: secret_of(name) for name in SECRETS})


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    """What hangs on the process is put back."""
    before = logging.getLogRecordFactory(), warnings.showwarning, sys.excepthook
    yield
    logging.setLogRecordFactory(before[0])
    warnings.showwarning, sys.excepthook = before[1:]


def test_an_option_that_sounds_secret_is_one() -> None:
    sounding = {
        name
        for name in Settings.model_fields
        if any(word in name for word in ("token", "secret", "password", "key", "webhook", "credential"))
    }
    assert sounding - NO_SECRETS <= SECRETS
    assert len(SECRETS) >= 4


def test_every_secret_of_the_settings_is_found() -> None:
    """Independent of how the module finds them: by the fields' types."""

    def holds_a_secret(kind: object) -> bool:
        return kind is SecretStr or any(map(holds_a_secret, typing.get_args(kind)))

    secret = {name for name, option in Settings.model_fields.items() if holds_a_secret(option.annotation)}
    assert secret == SECRETS
    assert set(secrets_of(settings_with_every_secret())) == {secret_of(name) for name in secret}


def test_secrets_are_found_in_whatever_holds_them() -> None:
    class Inner(BaseModel):
        tokens: tuple[SecretStr, ...] = (SecretStr("in a tuple"),)

    class Outer(BaseModel):
        inner: Inner = Inner()
        named: dict[str, list[SecretStr]] = {"a": [SecretStr("in a list")]}
        none: SecretStr | None = None

    assert set(secrets_of(Outer())) == {"in a tuple", "in a list"}


@pytest.mark.parametrize("name", sorted(SECRETS))
@pytest.mark.parametrize("logger_name", LOGGERS)
def test_no_logger_says_a_secret(name: str, logger_name: str) -> None:
    settings_with_every_secret()
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    logger = logging.getLogger(logger_name)
    logger.addHandler(handler)
    try:
        secret = secret_of(name)
        logger.error("a message with %s", secret)
        logger.error(f"another with {quote(secret, safe='')} and no arguments")  # noqa: G004 - as careless code writes it
        try:
            int(f"https://user:{secret}@host/")
        except ValueError:
            logger.exception("it failed")
    finally:
        logger.removeHandler(handler)
    said = written.getvalue()
    assert said.count("***") == 3
    assert "ValueError" in said
    assert "s3cret" not in said


def test_a_record_without_a_secret_stays_as_it_is() -> None:
    settings_with_every_secret()
    record = logging.makeLogRecord({}) and logging.getLogRecordFactory()(
        "uvicorn.access", logging.INFO, "here", 1, '%s - "%s"', ("127.0.0.1", "GET /"), None
    )
    assert record.args == ("127.0.0.1", "GET /")
    broken = logging.getLogRecordFactory()("x", logging.INFO, "here", 1, "%d", ("no number",), None)
    assert broken.args == ("no number",), "the handler says what is wrong with it"


def test_an_uncaught_error_is_printed_without_the_secret(capsys: pytest.CaptureFixture[str]) -> None:
    settings_with_every_secret()
    secret = secret_of("social_connect_client_secret")
    try:
        try:
            int(f"inner {secret}")
        except ValueError as inner:
            raise OSError(f"outer {secret}") from inner
    except OSError as error:
        sys.excepthook(OSError, error, error.__traceback__)
    said = capsys.readouterr().err
    assert "'inner ***'" in said
    assert "outer ***" in said
    assert "s3cret" not in said


def test_a_warning_is_shown_without_the_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[str] = []
    monkeypatch.setattr(redaction, "_show_warning", lambda message, *_where, **_options: shown.append(str(message)))
    settings_with_every_secret()
    redaction._show_without_secrets(UserWarning(secret_of("social_connect_access_token")), UserWarning, "file", 1)
    assert shown == ["***"]
    assert warnings.showwarning is redaction._show_without_secrets


def test_a_word_is_no_secret() -> None:
    keep_secret(read_settings(social_connect_access_token="test, longer-test-token"))
    assert without_secrets("a test of a longer-test-token") == "a test of a ***"


def test_the_password_of_an_address_is_not_said_by_itself_either() -> None:
    """As it is written there, and as it is meant."""
    read_settings(social_warehouse_postgres_url="postgresql://loader:p%40ss%2Fword-of-mine@%2Ftmp/bi")
    said = without_secrets("user loader, p%40ss%2Fword-of-mine, p@ss/word-of-mine")
    assert said == "user loader, ***, ***"


def test_a_name_with_line_breaks_and_escape_codes_makes_one_line(tmp_path: Path) -> None:
    with log_to(read_settings(social_warehouse_home=tmp_path / "home")):
        logging.getLogger("pipelines.run").warning("unknown field %s", "a\n2026-01-01 ERROR forged\x1b[2J\u202e é 🇧🇪")
    (file,) = (tmp_path / "home" / "logs").iterdir()
    (line,) = file.read_text(encoding="utf-8").splitlines()
    assert line.endswith(r"WARNING pipelines.run: unknown field a\n2026-01-01 ERROR forged\x1b[2J\u202e é 🇧🇪")
