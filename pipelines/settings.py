"""Every option of the warehouse, once: name, meaning, default.

A value is looked for in the environment, then in the folder of secrets, then in `.env`, then in `social-warehouse.toml`
(both in the working folder); names are the same everywhere, in any case. A file that holds a secret and can be read by
others is refused. docs/settings.md is generated from this file.
"""

from __future__ import annotations

import os
import re
import shlex
import stat
from datetime import UTC, date, datetime, timedelta
from functools import partial
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal
from urllib.parse import parse_qs, urlsplit
from zoneinfo import ZoneInfo, available_timezones

from pydantic import Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SecretsSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from pipelines.redaction import keep_secret

if TYPE_CHECKING:
    from collections.abc import Collection

ENV_FILE = ".env"
TOML_FILE = "social-warehouse.toml"
DEFAULT_HISTORY = timedelta(days=28)
SHORTEST_KEY = 16  # as transforms.personal_data wants it


class SettingsInvalid(Exception):
    """An option is missing or cannot be read.

    Its text names the option, what it got and what it wants, one line per option.
    """


class Settings(BaseSettings):
    """The options, read and checked."""

    model_config: ClassVar[SettingsConfigDict] = SettingsConfigDict(
        env_file=ENV_FILE, env_ignore_empty=True, toml_file=TOML_FILE, extra="ignore"
    )

    social_connect_base_url: str = Field(
        "https://api.engagor.com",
        description="Root of the API. The EU host is the default; US accounts use https://api-us.engagor.com.",
    )
    social_connect_access_token: Annotated[tuple[SecretStr, ...], NoDecode] = Field(
        (),
        description=(
            "Access token, or several separated by commas: the API counts calls per user, so each user's token adds its"
            " allowance."
        ),
    )
    social_connect_refresh_token: Annotated[tuple[SecretStr, ...], NoDecode] = Field(
        (),
        description=(
            "Refresh token of the access token, or of each, in the same order, separated by commas: with it a token"
            " that has expired is renewed. Renewed tokens are stored in SOCIAL_WAREHOUSE_HOME, for the owner only."
        ),
    )
    social_connect_client_id: str | None = Field(
        None, description="Id of the application that the tokens were given to; needed to renew them."
    )
    social_connect_client_secret: SecretStr | None = Field(
        None, description="Secret of that application; needed to renew tokens."
    )
    social_connect_account_ids: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Accounts to read, separated by commas. Default: every account the token sees."
    )
    social_connect_start_date: datetime | None = Field(
        None,
        description=(
            "How far back the first sync reaches: an ISO 8601 date or time, UTC unless it says otherwise. Default: 28"
            " days."
        ),
    )
    social_connect_max_wait_seconds: float = Field(
        60,
        ge=0,
        description="How long a run waits for the API's request limit to be lifted before it saves its place and ends.",
    )
    social_connect_context_calls: int = Field(
        0,
        ge=0,
        description=(
            "Of how many mentions a run may read the notes, the longest waiting first; a call each, so none unless set."
        ),
    )
    social_connect_reserved_calls: int = Field(
        50,
        ge=0,
        description=(
            "How many calls of each user's hourly allowance a backfill leaves to the syncs that run beside it; at most"
            " half of it. A quarter less with each quarter of the hour: of 50, it leaves 13 in the last."
        ),
    )
    social_warehouse_reconcile_days: int = Field(
        35,
        ge=1,
        le=366,
        description=(
            "How many days back `reconcile` compares the warehouse with the API's counts. The API credits handling up"
            " to 28 days after a mention."
        ),
    )
    social_warehouse_sweep_calls: int = Field(
        20,
        ge=0,
        description=(
            "How many calls a `reconcile` may spend on reading days again whose counts agree, the longest unread first:"
            " it finds what no count shows."
        ),
    )
    social_warehouse_raw_payloads: bool = Field(
        default=True,
        description=(
            "Whether each object's JSON is kept as it was last read, so that `replay` can make the tables from it"
            " without a call. It doubles the size of the work file."
        ),
    )
    social_warehouse_run_history_days: int = Field(
        400,
        ge=31,
        description="How many days the history of runs is kept (docs/status.md).",
    )
    social_warehouse_stale_after_seconds: int = Field(
        3600,
        ge=60,
        description=(
            "How old the newest data may become before somebody is told, and `check` calls the schedule dead. Four"
            " times as long as what lies between two syncs leaves room for one that is busy and one that waits for its"
            " allowance."
        ),
    )
    social_warehouse_home: Path = Field(Path("data"), description="Folder of everything a run writes.")
    social_warehouse_published_versions: int = Field(
        3,
        ge=1,
        description=(
            "How many versions of the published copy are kept for `publish --rollback`, the published one among them."
            " Each takes the space of a copy."
        ),
    )
    social_warehouse_parquet: bool = Field(
        default=False,
        description="Whether each publish also exports the marts as Parquet, beside the copy (docs/publishing.md).",
    )
    social_warehouse_postgres_url: SecretStr | None = Field(
        None,
        description=(
            "Address of a PostgreSQL database that `publish --to postgres` keeps the marts in (docs/publishing.md):"
            " postgresql://user:password@host:5432/database?sslmode=verify-full. A host other than this machine wants"
            " an encrypted connection."
        ),
    )
    social_warehouse_postgres: bool = Field(
        default=False,
        validate_default=True,
        description="Whether each publish also brings the marts to that PostgreSQL database.",
    )
    social_warehouse_postgres_schema: str = Field(
        "social_connect_marts", description="Name of the schema there that the marts are kept in."
    )
    social_warehouse_postgres_reader: str | None = Field(
        None, description="Role there that may read the schema: each publish grants it USAGE and SELECT. Default: none."
    )
    social_warehouse_secrets_dir: Path | None = Field(
        None,
        description=(
            "Folder of secret files, each named as an option and holding its value, as Docker and Kubernetes mount"
            " them. See docs/security.md."
        ),
    )
    social_warehouse_prefect_secret: str | None = Field(
        None,
        description=(
            "Name of a Prefect Secret block that holds the access token, or several separated by commas; for runs of"
            " the flows only. It takes the place of SOCIAL_CONNECT_ACCESS_TOKEN."
        ),
    )
    social_warehouse_rules: Path | None = Field(
        None,
        description=(
            "Folder of your rules for metrics: holidays, whose business hours count, targets (docs/rules.md). Default:"
            " `rules` in SOCIAL_WAREHOUSE_HOME."
        ),
    )
    social_warehouse_reporting_time_zone: str = Field(
        "UTC", description="IANA time zone in which reports cut their days."
    )
    social_warehouse_personal_data: Literal["keep", "hash", "drop"] = Field(
        "keep",
        description=(
            "What becomes of personal data: `keep` it, `hash` texts with a key (the same text gives the same hash"
            " everywhere), or `drop` it. See docs/personal-data.md."
        ),
    )
    social_warehouse_personal_data_key: SecretStr | None = Field(
        None,
        validate_default=True,
        description=(
            f"Secret key of the hashes, {SHORTEST_KEY} characters or more; for `hash` only. Keep it away from the"
            " warehouse."
        ),
    )
    social_warehouse_log_days: int = Field(
        30, ge=1, description="How many days `maintain` keeps log files, and what dbt has left of models."
    )
    social_warehouse_notify_webhook_url: SecretStr | None = Field(
        None,
        description=(
            "Incoming webhook that is told when a run or a data test has failed and when data is stale"
            " (docs/schedules.md). https, or http on this machine."
        ),
    )
    social_warehouse_notify_webhook_template: Literal["slack", "teams", "json"] = Field(
        "json", description="What the webhook takes: Slack's message, a Teams workflow's card, or plain JSON."
    )
    social_warehouse_notify_smtp_host: str | None = Field(
        None, description="Mail server over which the same is told by e-mail."
    )
    social_warehouse_notify_smtp_port: int = Field(587, ge=1, le=65535, description="Its port.")
    social_warehouse_notify_smtp_starttls: bool = Field(
        default=True, description="Whether the connection to it is encrypted (STARTTLS)."
    )
    social_warehouse_notify_smtp_user: str | None = Field(None, description="User to log in to it with, if it asks.")
    social_warehouse_notify_smtp_password: SecretStr | None = Field(
        None, description="That user's password; sent over an encrypted connection only."
    )
    social_warehouse_notify_from: str | None = Field(None, description="Sender of the e-mails.")
    social_warehouse_notify_to: Annotated[tuple[str, ...], NoDecode] = Field(
        (), validate_default=True, description="Who gets the e-mails: addresses, separated by commas."
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the base class fixes the signature
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Environment before the folder of secrets before `.env` before the TOML file."""
        toml_settings = TomlConfigSettingsSource(settings_cls)
        for file, source in ((Path(ENV_FILE), dotenv_settings), (Path(TOML_FILE), toml_settings)):
            if names := sorted(name for name, value in source().items() if name.lower() in SECRETS and value):
                _check_is_the_owners(file, f"it holds {', '.join(names).upper()}")
        others = (init_settings, env_settings, dotenv_settings, toml_settings)
        folder = next(filter(None, (source().get("social_warehouse_secrets_dir") for source in others)), None)
        if folder is None:
            return others
        files = _secret_files(Path(folder), settings_cls.model_fields)
        return init_settings, env_settings, files(settings_cls), dotenv_settings, toml_settings

    @field_validator(
        "social_connect_access_token",
        "social_connect_refresh_token",
        "social_connect_account_ids",
        "social_warehouse_notify_to",
        mode="before",
    )
    @classmethod
    def _split_at_commas(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator("social_connect_account_ids")
    @classmethod
    def _are_account_ids(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for account_id in value:
            if not account_id.isdecimal():
                raise ValueError(f"{account_id!r} is not an account id: a whole number")
        return value

    @field_validator("social_connect_start_date", mode="before")
    @classmethod
    def _in_utc(cls, value: object) -> datetime | None:
        if value is None:
            return None
        # TOML has dates of its own. A number is no date: pydantic would take 20260131 for seconds since 1970.
        time = datetime.fromisoformat(str(value)) if isinstance(value, str | date) else None
        if time is None:
            raise ValueError("no date")
        return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)

    @field_validator("social_warehouse_reporting_time_zone")
    @classmethod
    def _is_a_zone(cls, value: str) -> str:
        if value not in available_timezones():
            raise ValueError("no such IANA time zone")
        return value

    @field_validator("social_warehouse_personal_data_key")
    @classmethod
    def _is_there_to_hash_with(cls, value: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        length = len(value.get_secret_value()) if value else 0
        if info.data.get("social_warehouse_personal_data") == "hash" and length < SHORTEST_KEY:
            raise ValueError("is too short" if length else "is needed to hash personal data")
        return value

    @field_validator("social_warehouse_notify_webhook_url")
    @classmethod
    def _can_be_posted_to(cls, value: SecretStr | None) -> SecretStr | None:
        url = urlsplit(value.get_secret_value()) if value else None
        if url is None:
            return value
        try:
            is_address = bool(url.hostname) and url.port != 0
        except ValueError:  # its port is no number; the text would show it
            is_address = False
        if not is_address or not value or not re.fullmatch(r"[!-~]+", value.get_secret_value()):
            raise ValueError("is no address")
        if url.scheme != "https" and not (url.scheme == "http" and is_this_machine(url.hostname or "")):
            raise ValueError("is not encrypted")
        return value

    @field_validator("social_warehouse_postgres_url")
    @classmethod
    def _is_an_address_of_postgres(cls, value: SecretStr | None) -> SecretStr | None:
        """Refuses what the driver would take for another address, and show a part of the password in saying so."""
        if value is None:
            return value
        text = value.get_secret_value()
        url = urlsplit(text)
        try:
            host = url.hostname or parse_qs(url.query).get("host", [""])[-1]
            is_address = url.scheme in {"postgresql", "postgres"} and url.port != 0
        except ValueError:  # its port is no number; the text would show it
            is_address = False
        is_cut_right = text.count("@") == url.netloc.count("@") <= 1 and not url.fragment
        if not is_address or not is_cut_right or not re.fullmatch(r"(?!.*%00)(%[0-9A-Fa-f]{2}|[!-$&-~])+", text):
            raise ValueError("is no address")
        options = parse_qs(url.query)
        if "password" in options:
            raise ValueError("has its password among the options after ?")
        is_here = not host or host.startswith(("/", "%2F", "%2f")) or is_this_machine(host)
        if not is_here and options.get("sslmode", [""])[-1] not in {"require", "verify-ca", "verify-full"}:
            raise ValueError("is not encrypted")
        return value

    @field_validator("social_warehouse_postgres")
    @classmethod
    def _has_an_address(cls, value: bool, info: ValidationInfo) -> bool:
        if value and info.data.get("social_warehouse_postgres_url") is None:
            raise ValueError("needs SOCIAL_WAREHOUSE_POSTGRES_URL")
        return value

    @field_validator("social_warehouse_postgres_schema")
    @classmethod
    def _is_a_plain_name(cls, value: str) -> str:
        if not re.fullmatch(r"(?!pg_)[a-z_][a-z0-9_]{0,62}", value):
            raise ValueError("is no plain name")
        return value

    @field_validator("social_warehouse_notify_from", "social_warehouse_notify_to")
    @classmethod
    def _are_addresses(cls, value: tuple[str, ...] | str | None) -> tuple[str, ...] | str | None:
        for address in (value,) if isinstance(value, str) else value or ():
            if not re.fullmatch(r"[^@\s<>,;]+@[^@\s<>,;]+", address):
                raise ValueError(f"{address!r} is no e-mail address")
        return value

    @field_validator("social_warehouse_notify_smtp_password")
    @classmethod
    def _is_sent_encrypted(cls, value: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        is_encrypted = info.data.get("social_warehouse_notify_smtp_starttls")
        if value and not is_encrypted and not is_this_machine(info.data.get("social_warehouse_notify_smtp_host") or ""):
            raise ValueError("is not sent unencrypted, and SOCIAL_WAREHOUSE_NOTIFY_SMTP_STARTTLS is false")
        return value

    @field_validator("social_warehouse_notify_to")
    @classmethod
    def _are_there_to_write_to(cls, value: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        has_ends = value and info.data.get("social_warehouse_notify_from")
        if info.data.get("social_warehouse_notify_smtp_host") and not has_ends:
            raise ValueError("it and SOCIAL_WAREHOUSE_NOTIFY_FROM are needed where a mail server is given")
        return value

    @property
    def reporting_time_zone(self) -> ZoneInfo:
        """The zone in which reports cut their days."""
        return ZoneInfo(self.social_warehouse_reporting_time_zone)

    def start_date(self, now: datetime) -> datetime:
        """Where the first sync starts, UTC."""
        return self.social_connect_start_date or now - DEFAULT_HISTORY


def is_this_machine(host: str) -> bool:
    """Whether a host is the loopback address, which nobody else can listen to."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


_WANTS = {
    "social_connect_base_url": "the API's address, such as https://api.engagor.com",
    "social_connect_access_token": "an access token, or several separated by commas",
    "social_connect_refresh_token": "a refresh token, or one for each access token, separated by commas",
    "social_connect_client_id": "the id of the application",
    "social_connect_client_secret": "the secret of the application",
    "social_connect_account_ids": "account ids separated by commas, such as 1417,1418",
    "social_connect_start_date": "an ISO 8601 date or time, such as 2026-01-31 or 2026-01-31T08:00:00Z",
    "social_connect_max_wait_seconds": "a number of seconds, 0 or more",
    "social_connect_context_calls": "a whole number, 0 or more",
    "social_connect_reserved_calls": "a whole number, 0 or more",
    "social_warehouse_reconcile_days": "a whole number of days, 1 to 366",
    "social_warehouse_sweep_calls": "a whole number, 0 or more",
    "social_warehouse_raw_payloads": "true or false",
    "social_warehouse_run_history_days": "a whole number of days, 31 or more",
    "social_warehouse_stale_after_seconds": "a whole number of seconds, 60 or more",
    "social_warehouse_home": "the path of a folder",
    "social_warehouse_published_versions": "a whole number, 1 or more",
    "social_warehouse_parquet": "true or false",
    "social_warehouse_postgres_url": (
        "the address of a PostgreSQL database, such as postgresql://loader:password@db.example:5432/bi?sslmode=verify-full,"
        " in the password %40 for @, %2F for /, %3F for ?, %23 for #, %25 for %; and on another machine an sslmode of"
        " require, verify-ca or verify-full"
    ),
    "social_warehouse_postgres": "true or false, and an address with true",
    "social_warehouse_postgres_schema": (
        "a name of lower-case letters, digits and underscores, 63 characters or fewer, that does not begin with pg_"
    ),
    "social_warehouse_postgres_reader": "the name of a role",
    "social_warehouse_secrets_dir": "the path of a folder with a file for each option",
    "social_warehouse_prefect_secret": "the name of a Prefect Secret block",
    "social_warehouse_reporting_time_zone": "an IANA time zone, such as Europe/Brussels",
    "social_warehouse_personal_data": "one of keep, hash, drop",
    "social_warehouse_personal_data_key": f"a secret text of {SHORTEST_KEY} characters or more",
    "social_warehouse_log_days": "a whole number of days, 1 or more",
    "social_warehouse_notify_webhook_url": "the https address of an incoming webhook, or http on this machine",
    "social_warehouse_notify_webhook_template": "one of slack, teams, json",
    "social_warehouse_notify_smtp_host": "the name of a mail server",
    "social_warehouse_notify_smtp_port": "a port, 1 to 65535",
    "social_warehouse_notify_smtp_starttls": "true or false",
    "social_warehouse_notify_smtp_user": "the name of a user of the mail server",
    "social_warehouse_notify_smtp_password": "that user's password",
    "social_warehouse_notify_from": "an e-mail address",
    "social_warehouse_notify_to": "e-mail addresses separated by commas",
}
SECRETS = frozenset(name for name, option in Settings.model_fields.items() if "SecretStr" in str(option.annotation))
"""Names of the options that are secret."""


def read_settings(**overrides: Any) -> Settings:
    """The settings from environment, `.env` and TOML file; `overrides` (by option name) win.

    Raises:
        SettingsInvalid: an option cannot be read, the TOML file is not TOML, or others than the owner can read a file
            that holds a secret.
    """
    try:
        settings = Settings(**overrides)
    except ValidationError as error:
        raise SettingsInvalid("\n".join(_explain(problem) for problem in error.errors())) from None
    except ValueError as error:  # tomllib's TOMLDecodeError
        raise SettingsInvalid(f"{TOML_FILE} cannot be read: {error}. Mend that line, or remove the file.") from None
    keep_secret(settings)
    return settings


def _secret_files(folder: Path, options: Collection[str]) -> partial[SecretsSettingsSource]:
    """The source of what the files of a folder hold, each file checked."""
    if not folder.is_dir():
        raise SettingsInvalid(
            f"SOCIAL_WAREHOUSE_SECRETS_DIR is {str(folder)!r}: there is no such folder. It wants"
            f" {_WANTS['social_warehouse_secrets_dir']}."
        )
    for file in folder.iterdir():
        if file.name.lower() in options and file.is_file():
            _check_is_the_owners(file, "it holds a secret")
    return partial(SecretsSettingsSource, secrets_dir=folder)


def _check_is_the_owners(file: Path, why: str) -> None:
    """Refuses a file that others than its owner can read.

    Kubernetes and Docker mount secrets read-only, as files of root that everybody may read: everybody is who runs in
    the container, and nobody there could change the mode. So such a file is taken as it is.
    """
    if os.name != "posix":
        return
    about = file.stat()
    others = stat.S_IMODE(about.st_mode) & 0o077
    if others and not (about.st_uid == 0 and _is_mounted_read_only(file)):
        raise SettingsInvalid(
            f"{file} can be read by others than its owner (mode {stat.S_IMODE(about.st_mode):04o}), and {why}."
            f" Run: chmod 600 {shlex.quote(str(file))}"
        )


def _is_mounted_read_only(file: Path) -> bool:
    return bool(os.statvfs(file).f_flag & os.ST_RDONLY)


def _explain(problem: Any) -> str:
    name = str(problem["loc"][0])
    # A secret must not be shown, not even a wrong one.
    got = "" if name in SECRETS else f" is {problem['input']!r}:"
    return f"{name.upper()}{got} {problem['msg'].removeprefix('Value error, ')}. It wants {_WANTS[name]}."


def toml_template() -> str:
    """The text of a settings file that sets nothing: each option with its meaning, commented out."""
    lines = ["# Settings of the Social Connect warehouse. The environment and .env win over this file.", ""]
    for name, option in Settings.model_fields.items():
        lines += [f"# {option.description}", f'# {name} = ""', ""]
    return "\n".join(lines)
