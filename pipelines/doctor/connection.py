"""What a run needs of the API: an answer, a token that may read, accounts, and what it honours of its parameters."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

from pipelines.api import BudgetUsedUp, SocialConnectError, reach
from pipelines.api.errors import ApiError, AuthenticationFailed
from pipelines.doctor.finding import Finding
from pipelines.probing import complaints, probe, write_probes
from pipelines.run import connect, find_account_ids
from pipelines.settings import SettingsInvalid
from pipelines.source import AccountReading

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from pipelines.api import Reach, Response, SocialConnect
    from pipelines.probing import Probes
    from pipelines.settings import Settings

MOST_SKEW = timedelta(seconds=60)
_AUTHORISE = "set another SOCIAL_CONNECT_ACCESS_TOKEN (docs/operate.md), then run 'social-warehouse check' again"
_UNREACHED = {
    "DNS": "correct SOCIAL_CONNECT_BASE_URL, or the machine's name server",
    "TCP": "let the firewall pass connections to it, or set HTTPS_PROXY; if it is open, the API is down: wait",
    "TLS": "see that nothing stands in the API's place; set SSL_CERT_FILE where your network has its own certificates",
}


def look_at(settings: Settings, *, now: datetime, as_of: datetime, probes_file: Path | None) -> Iterator[Finding]:
    """Everything about the API, in the order in which it is needed; it stops where nothing further can be tried.

    Args:
        settings: the options; their folder is where the allowance is shared.
        now: the machine's clock, UTC.
        as_of: the clock of the probes, UTC.
        probes_file: where what the API honours is stored; None where it cannot be.
    """
    if not settings.social_connect_access_token:
        step = "put one into social-warehouse.toml ('social-warehouse init' makes it), or into the environment"
        yield Finding("token", "FAIL", "SOCIAL_CONNECT_ACCESS_TOKEN is not set", step)
        return
    try:
        with connect(settings):
            pass
    except SettingsInvalid as error:
        yield Finding("API", "FAIL", str(error), "correct the setting that is named (docs/settings.md)")
        return
    reached = reached_api(reach(settings.social_connect_base_url))
    yield reached
    if reached.severity == "FAIL":
        return
    for number in range(len(settings.social_connect_access_token)):
        yield from _token(_with_token(settings, number), number, now=now, is_first=number == 0)
    with connect(settings) as api:
        try:
            yield from _accounts(api, settings, as_of=as_of, probes_file=probes_file)
        except SocialConnectError as error:
            yield _not_read("account", error)
        yield budget(api.budget.remaining_count, api.budget.resume_at)


def reached_api(found: Reach) -> Finding:
    """Whether the API's host answers, and else which step fails."""
    if found.failed_at is None:
        return Finding("API", "ok", f"{found.host} can be reached, {found.detail}")
    words = {"DNS": "has no address (DNS)", "TCP": "takes no connection (TCP)", "TLS": "is not trusted (TLS)"}
    message = f"{found.host} {words[found.failed_at]}: {found.detail}"
    return Finding("API", "FAIL", message, _UNREACHED[found.failed_at])


def _with_token(settings: Settings, number: int) -> Settings:
    """The settings with one of the tokens alone."""
    each = slice(number, number + 1)
    return settings.model_copy(
        update={
            "social_connect_access_token": settings.social_connect_access_token[each],
            "social_connect_refresh_token": settings.social_connect_refresh_token[each],
        }
    )


def _token(settings: Settings, number: int, *, now: datetime, is_first: bool) -> Iterator[Finding]:
    about = "" if is_first else str(number + 1)
    with connect(settings) as api:
        try:
            me = api.get("/me")
        except SocialConnectError as error:
            if isinstance(error, ApiError):
                error.token_number = number + 1  # it knows of one only, and its owner has given several
            yield _not_read("token", error, about)
            return
        user = me.data if isinstance(me.data, dict) else {}
        if is_first:
            yield _clock(me)
        yield Finding("token", "ok", f"belongs to user {user.get('id')}", about=about)
        try:
            accounts = next(api.pages("/me/accounts", {"limit": 1}))
            yield scope(user, accounts.count, about)
        except SocialConnectError as error:
            yield _not_read("token scope", error, about)
        (expires_at,) = api.tokens_expire_at
        is_renewed = bool(settings.social_connect_refresh_token)
        at = None if expires_at is None else datetime.fromtimestamp(expires_at, UTC)
        yield expiry(at, now=now, is_renewed=is_renewed, about=about)


def _clock(answer: Response) -> Finding:
    if answer.answered_at is None:
        return Finding("clock", "ok", "the API does not tell its time")
    return clock(timedelta(seconds=answer.received_at - answer.answered_at))


def clock(ahead: timedelta) -> Finding:
    """Whether this machine's clock agrees with the API's; by how much it is ahead."""
    seconds = ahead.total_seconds()
    if abs(ahead) <= MOST_SKEW:
        return Finding("clock", "ok", f"differs from the API's by {abs(seconds):,.0f} s")
    return Finding(
        "clock",
        "warn",
        f"is {abs(seconds):,.0f} s {'ahead of' if seconds > 0 else 'behind'} the API's: runs have wrong times",
        "set the machine's clock by a time server (timedatectl set-ntp true)",
    )


def scope(user: dict[str, Any], account_count: int | None, about: str = "") -> Finding:
    """What the token may read, by what it has read: accounts take `accounts_read`, addresses of users `email`."""
    email = "email" if user.get("email") else "no email: addresses of users stay empty"
    return Finding("token scope", "ok", f"accounts_read ({account_count} accounts), {email}", about=about)


def expiry(expires_at: datetime | None, *, now: datetime, is_renewed: bool, about: str = "") -> Finding:
    """Until when the token is good, and what happens then."""
    then = "it is renewed by itself" if is_renewed else "somebody has to replace it"
    if expires_at is not None:
        return Finding(
            "token expiry", "ok", f"in {(expires_at - now).days} days, {expires_at:%Y-%m-%d}; {then}", about=about
        )
    if is_renewed:
        return Finding("token expiry", "ok", f"not known before the first renewal; {then}", about=about)
    told = "not known: tokens live three months; set SOCIAL_CONNECT_REFRESH_TOKEN, and it is renewed by itself"
    return Finding("token expiry", "ok", told, about=about)


def _accounts(
    api: SocialConnect, settings: Settings, *, as_of: datetime, probes_file: Path | None
) -> Iterator[Finding]:
    everything = settings.model_copy(update={"social_connect_account_ids": ()})
    visible = find_account_ids(api, everything)
    for account_id in settings.social_connect_account_ids or visible:
        if account_id not in visible:
            yield unseen(account_id, visible)
            continue
        account = AccountReading(api, account_id, settings.start_date(as_of), as_of)
        try:
            topic_count = len(account.topic_ids())
            yield topics(account_id, topic_count)
            if topic_count:
                probes = probe(api, account)
                if probes_file is not None:
                    write_probes(probes_file, [probes])
                yield from _as_findings(probes)
        except BudgetUsedUp:
            raise
        except SocialConnectError as error:
            yield _not_read("account", error, account_id)


def unseen(account_id: str, visible: Sequence[str]) -> Finding:
    """An account that is to be read, and that the token does not see."""
    return Finding(
        "account",
        "FAIL",
        f"the token does not see it; it sees {', '.join(visible) or 'none'}",
        "correct SOCIAL_CONNECT_ACCOUNT_IDS, or have the token's user invited to the account",
        about=account_id,
    )


def topics(account_id: str, topic_count: int) -> Finding:
    """Whether there is anything to read of an account: mentions are of topics."""
    if topic_count:
        return Finding("account", "ok", f"{topic_count} topics can be read", about=account_id)
    return Finding(
        "account",
        "FAIL",
        "no topic can be read, so no mention either",
        "give the token's user access to its topics, or name the other accounts in SOCIAL_CONNECT_ACCOUNT_IDS",
        about=account_id,
    )


def _as_findings(probes: Probes) -> Iterator[Finding]:
    for each in probes.found:
        yield Finding("probe", "ok", f"{each.answer} ({each.detail})", about=f"{probes.account_id} {each.question}")
    for why in complaints(probes):
        step = "nothing at once: syncs go by it (docs/api-behaviour.md); ask the vendor whether it is meant to be so"
        yield Finding("probe", "warn", why, step, about=probes.account_id)


def budget(left_count: int | None, resume_at: float | None) -> Finding:
    """What is left of the allowance in its present frame."""
    if resume_at is None:
        return Finding("budget", "ok", f"{'unknown' if left_count is None else left_count} requests left in this frame")
    at = datetime.fromtimestamp(resume_at, UTC)
    return Finding(
        "budget",
        "warn",
        f"no request is left before {at:%Y-%m-%d %H:%M:%S} UTC",
        "wait until then; if it happens often, give this user's token to no other program, or add another user's token",
    )


def _not_read(name: Literal["token", "token scope", "account"], error: SocialConnectError, about: str = "") -> Finding:
    """What keeps something from being read, by kind. Its own text says what happened, where, and what about it."""
    if isinstance(error, BudgetUsedUp):
        return Finding(name, "warn", f"not tried: {error}", "run 'social-warehouse check' again then", about=about)
    if isinstance(error, AuthenticationFailed):
        return Finding(name, "FAIL", str(error), _AUTHORISE, about=about)
    if isinstance(error, ApiError):
        step = "give the token's user the permission, and the token the scope accounts_read; a fault of the API passes"
        return Finding(name, "FAIL", str(error), step, about=about)
    step = "see what stands between here and the API (proxy, firewall), then run 'social-warehouse check' again"
    return Finding("API", "FAIL", str(error), step, about=about)
