"""What every run begins with: the warehouse, the personal data policy that it is made with, the API."""

from __future__ import annotations

import re
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, get_args

from pipelines import erasure
from pipelines.answers import replacing
from pipelines.api import Renewal, RequestReport, SocialConnect
from pipelines.settings import Settings, SettingsInvalid
from pipelines.stopping import Stop
from pipelines.warehouse import Warehouse, WarehouseUnreadable
from transforms.personal_data import Mode, Policy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LOCK_WAIT_SECONDS = 60
"""How long a step waits for another run's step to end."""

_FINGERPRINT = re.compile(r"keep|drop|[0-9a-f]{32}")
"""What `Policy.fingerprint` gives."""


def open_warehouse(settings: Settings) -> Warehouse:
    """The warehouse of the settings, its folders made."""
    warehouse = Warehouse(settings.social_warehouse_home)
    warehouse.make_folders()
    return warehouse


@contextmanager
def connect(
    settings: Settings,
    *,
    max_requests: int | None = None,
    reserved_count: int = 0,
    stop: Stop | None = None,
    on_request: Callable[[RequestReport], None] | None = None,
) -> Iterator[SocialConnect]:
    """A client for the API of the settings. All that share a home share each token's allowance.

    Args:
        settings: the options.
        max_requests: how many requests it may send.
        reserved_count: how many requests of each token's hourly allowance it leaves to others, at most half of it;
            fewer as the hour goes by.
        stop: whether the run has been asked to stop; no more requests are sent then.
        on_request: is told of each request that was sent.

    Raises:
        SettingsInvalid: there is no token, what it takes to renew tokens is not complete, or the base URL cannot be
            used.
    """
    stop = stop or Stop()
    if not settings.social_connect_access_token:
        raise SettingsInvalid(
            "SOCIAL_CONNECT_ACCESS_TOKEN is not set. It wants an access token, or several separated by commas: set it"
            " in the environment, in .env or in social-warehouse.toml."
        )
    try:
        client = SocialConnect(
            settings.social_connect_base_url,
            settings.social_connect_access_token,
            max_wait_seconds=settings.social_connect_max_wait_seconds,
            max_requests=max_requests,
            reserved_count=reserved_count,
            sleep=stop.wait,
            is_stopped=stop.is_asked,
            shared_folder=settings.social_warehouse_home / "api",
            renewal=_renewal(settings),
            on_request=on_request,
        )
    except ValueError as error:
        raise SettingsInvalid(
            "SOCIAL_CONNECT_BASE_URL or SOCIAL_CONNECT_ACCESS_TOKEN, or SOCIAL_CONNECT_REFRESH_TOKEN, cannot be used:"
            f" {error}"
        ) from None
    with client as api:
        yield api


def _renewal(settings: Settings) -> Renewal | None:
    client_id, client_secret = settings.social_connect_client_id, settings.social_connect_client_secret
    refresh_tokens = settings.social_connect_refresh_token
    if not refresh_tokens:
        return None
    if not client_id or client_secret is None:
        raise SettingsInvalid(
            "SOCIAL_CONNECT_REFRESH_TOKEN is set, but SOCIAL_CONNECT_CLIENT_ID or SOCIAL_CONNECT_CLIENT_SECRET is not."
            " It wants the id and the secret of the application that the tokens were given to."
        )
    return Renewal(client_id, client_secret, refresh_tokens)


def agreed_policy(settings: Settings, warehouse: Warehouse) -> Policy:
    """The personal data policy of the settings, which is also the one that the warehouse is made with.

    Raises:
        SettingsInvalid: it is another one.
        pipelines.warehouse.WarehouseUnreadable: the file that says which one the warehouse is made with is damaged.
    """
    if difference := policy_difference(settings, warehouse):
        raise SettingsInvalid(
            f"{difference} Rows of both would not fit together, and those that nothing reads again would stay as they"
            " are. Set it back, or set SOCIAL_WAREHOUSE_HOME to a new folder (docs/personal-data.md)."
        )
    policy = _policy(settings)
    if not warehouse.policy_file.exists() or _made_with(warehouse) != policy.fingerprint:
        with replacing(warehouse.policy_file) as part:
            part.write_text(policy.fingerprint, encoding="utf-8")
    return _with_erasures(policy, warehouse)


def policy_difference(settings: Settings, warehouse: Warehouse) -> str | None:
    """How the policy of the settings differs from the one that the warehouse is made with; None where it does not.

    Raises:
        pipelines.warehouse.WarehouseUnreadable: the file that says which one it is made with is damaged.
    """
    has_begun = warehouse.file.exists() or any(warehouse.dlt_folder.glob("*"))
    if not has_begun or not warehouse.policy_file.exists():
        return None
    policy, made_with = _policy(settings), _made_with(warehouse)
    if made_with == policy.fingerprint:
        return None
    if not _FINGERPRINT.fullmatch(made_with):
        raise WarehouseUnreadable(
            f"{warehouse.policy_file} is damaged or cannot be read: it does not say which personal data policy"
            f" {warehouse.home} was made with. Restore it from a copy of the folder. Without one, see that"
            " SOCIAL_WAREHOUSE_PERSONAL_DATA and SOCIAL_WAREHOUSE_PERSONAL_DATA_KEY are those that it was made with,"
            " then delete the file: the next run writes it anew."
        )
    was = made_with if made_with in get_args(Mode) else "hash"
    if was == policy.mode:
        return f"SOCIAL_WAREHOUSE_PERSONAL_DATA_KEY is not the key that {warehouse.home} was made with."
    return f"SOCIAL_WAREHOUSE_PERSONAL_DATA is {policy.mode}, but {warehouse.home} was made with {was}."


def _made_with(warehouse: Warehouse) -> str:
    """What the file says; nothing where it cannot be read."""
    try:
        return warehouse.policy_file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _policy(settings: Settings) -> Policy:
    key = settings.social_warehouse_personal_data_key
    return Policy(settings.social_warehouse_personal_data, key.get_secret_value() if key else "")


def _with_erasures(policy: Policy, warehouse: Warehouse) -> Policy:
    if not warehouse.erasure_key_file.exists():
        return policy
    with warehouse.writer_lock("the start of a run", timeout_seconds=LOCK_WAIT_SECONDS):
        return replace(policy, erasures=erasure.read_erasures(warehouse))
