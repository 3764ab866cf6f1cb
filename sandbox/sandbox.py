"""The sandbox: accounts whose history follows from a seed, a clock, and what a test does to them."""

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Literal

from sandbox.account import Account, State, merged
from sandbox.acts import ACTION_KINDS, PRIORITIES, Act, user_assignee
from sandbox.behaviour import Behaviour
from sandbox.faults import Faults
from sandbox.limits import RateLimit
from sandbox.mentions import Json
from sandbox.organisation import SENTIMENTS, User, establish, schedule_json, topic_json, user_json
from sandbox.server import Server

if TYPE_CHECKING:
    from sandbox.requests import LoggedRequest

DEFAULT_NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
DEFAULT_TOKENS = ("sandbox-token",)
DEFAULT_SCOPES = ("identify", "accounts_read", "email")

# What a kind of act cannot do without.
_NEEDED = {
    "status": "status",
    "tag": "tags_added or tags_removed",
    "sentiment": "sentiment",
    "property": "priority",
    "csat_reply": "score",
}


class Sandbox:
    """A local Social Connect API with a history of its own.

    The same arguments give the same answers, byte for byte, in any process. The clock stands still until it is moved,
    unless `real_time`. All instants are UTC.

    Args:
        seed: chooses the history.
        now: where the clock starts.
        accounts: ids of the accounts; each has an organisation and a history of its own.
        mentions: visible mentions of each account at the start; they keep coming at this rate as the clock moves.
        days: how many days before `now` those mentions were added.
        real_time: lets the clock run along with the machine's.
        tokens: valid access tokens; each belongs to another user of the first account, and each user has an allowance.
        expired_tokens: tokens that were valid once.
        scopes: what the tokens may see; users show their email only with `email`.
        rate_limit_per_hour: calls an hour for each user.
        behaviour: switches for what is not known about the API.
    """

    def __init__(
        self,
        *,
        seed: int = 1,
        now: datetime = DEFAULT_NOW,
        accounts: Sequence[int] = (1417,),
        mentions: int = 2_000,
        days: int = 28,
        real_time: bool = False,
        tokens: Sequence[str] = DEFAULT_TOKENS,
        expired_tokens: Sequence[str] = (),
        scopes: Sequence[str] = DEFAULT_SCOPES,
        rate_limit_per_hour: int = 350,
        behaviour: Behaviour | None = None,
    ) -> None:
        if now.tzinfo is None:
            raise ValueError(f"now={now} has no time zone: pass a datetime with tzinfo, for example UTC")
        self._start_seconds = int(now.timestamp())
        self._moved_seconds = 0.0
        self._started = time.monotonic() if real_time else None
        self.lock = threading.RLock()
        self.accounts: dict[int, Account] = {}
        for position, account_id in enumerate(accounts):
            organisation = establish(account_id, position, self._start_seconds)
            self.accounts[account_id] = Account(
                organisation, seed=seed, now=self._start_seconds, mentions=mentions, days=days
            )
        self.tokens = tuple(token for token in tokens if token not in expired_tokens)
        self.scopes = tuple(scopes)
        self.rate_limit = RateLimit(rate_limit_per_hour)
        self.behaviour = behaviour or Behaviour()
        self.faults = Faults()
        self.requests: list[LoggedRequest] = []

    # --- what is there ---

    @property
    def token(self) -> str:
        """A valid access token."""
        return self.tokens[0]

    @property
    def account_ids(self) -> tuple[int, ...]:
        """The ids of the accounts."""
        return tuple(self.accounts)

    @property
    def rate_limit_per_hour(self) -> int:
        """Calls an hour for each user."""
        return self.rate_limit.per_hour

    @rate_limit_per_hour.setter
    def rate_limit_per_hour(self, calls: int) -> None:
        self.rate_limit.per_hour = calls

    def mentions(self, account_id: int) -> list[Json]:
        """Every visible mention of an account as of now, oldest first: the truth to compare with."""
        with self.lock:
            state = self._state(account_id)
            rows = (int(row) for row in state.added_at.argsort(kind="stable"))
            return [state.mention(row) for row in rows if state.alive[row]]

    def mention(self, account_id: int, unique_id: str) -> Json:
        """One visible mention as of now.

        Raises:
            KeyError: when there is no such mention, or not yet, or no more.
        """
        with self.lock:
            return self._state(account_id).mention(self._row(account_id, unique_id))

    def users(self, account_id: int) -> list[Json]:
        """The users of an account as of now."""
        organisation = self.accounts[account_id].organisation
        return [user_json(user, self.now_seconds, with_email="email" in self.scopes) for user in organisation.users]

    def topics(self, account_id: int) -> list[Json]:
        """The topics of an account."""
        return [topic_json(topic) for topic in self.accounts[account_id].organisation.topics]

    def schedules(self, account_id: int) -> list[Json]:
        """The business hours schedules of an account as of now."""
        organisation = self.accounts[account_id].organisation
        return [schedule_json(organisation, schedule, self.now_seconds) for schedule in organisation.schedules]

    def user_of(self, token: str) -> User | None:
        """The user behind a valid token."""
        if token not in self.tokens:
            return None
        users = next(iter(self.accounts.values())).organisation.users
        return users[self.tokens.index(token) % len(users)]

    # --- the clock ---

    @property
    def now_seconds(self) -> int:
        """The clock, in whole unix seconds."""
        running = 0.0 if self._started is None else time.monotonic() - self._started
        return self._start_seconds + int(self._moved_seconds + running)

    @property
    def now(self) -> datetime:
        """The clock, UTC, in whole seconds."""
        return datetime.fromtimestamp(self.now_seconds, tz=UTC)

    def advance(self, *, days: float = 0, hours: float = 0, minutes: float = 0, seconds: float = 0) -> datetime:
        """Move the clock on, and with it the history; returns the new time.

        Raises:
            ValueError: when it would go back.
        """
        step = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds).total_seconds()
        if step < 0:
            raise ValueError(f"the clock cannot go back ({step} seconds): start another sandbox with an earlier now")
        with self.lock:
            self._moved_seconds += step
        return self.now

    # --- what a test does ---

    def act(
        self,
        account_id: int,
        unique_id: str,
        *,
        kind: str,
        user_id: int | None = None,
        text: str | None = None,
        status: Literal["new", "pending", "done"] | None = None,
        tags_added: Iterable[str] = (),
        tags_removed: Iterable[str] = (),
        assignee_ids: Iterable[int] = (),
        sentiment: str | None = None,
        priority: str | None = None,
        score: int | None = None,
        handle_seconds: int = 0,
    ) -> Json:
        """Do something to a visible mention now; returns it as the API then shows it.

        Args:
            account_id: the account.
            unique_id: the mention.
            kind: a documented action type, such as `reply`, `status`, `tag`, `assign`, `note`, `sentiment`, `property`.
            user_id: who does it; None for automation.
            text: the note, reply or comment.
            status: for `status`.
            tags_added: for `tag`.
            tags_removed: for `tag`.
            assignee_ids: for `assign`: ids of users or teams; none takes the assignment away.
            sentiment: for `sentiment`.
            priority: for `property`.
            score: for `csat_reply`.
            handle_seconds: time that it took; added to `timestamps.handle_time`.

        Raises:
            KeyError: when there is no such mention or user.
            ValueError: when the kind is not known or lacks what it needs.
        """
        with self.lock:
            account = self.accounts[account_id]
            self._row(account_id, unique_id)
            act = Act(
                kind=kind,
                at=self.now_seconds,
                user=None if user_id is None else self._user(account, user_id),
                text=text,
                status=status,
                tags_added=tuple(tags_added),
                tags_removed=tuple(tags_removed),
                assignees=tuple(self._assignee(account, assignee_id) for assignee_id in assignee_ids),
                sentiment=sentiment,
                priority=priority,
                score=score,
                handle_seconds=handle_seconds,
            )
            _check(act)
            account.acts.setdefault(unique_id, []).append(act)
            account.revision += 1
            return self.mention(account_id, unique_id)

    def add_mention(self, account_id: int, raw: Json, added_at: datetime | None = None) -> None:
        """Add a mention that is served exactly as given, from `added_at` on (default: its own `date.added`).

        Raises:
            ValueError: when it lacks what a request can ask it by, or is there already.
        """
        unique_id, topic_id = raw.get("unique_id"), (raw.get("topic") or {}).get("id")
        if not isinstance(unique_id, str) or not isinstance(topic_id, int):
            raise ValueError("the mention needs a text unique_id and a whole number topic.id")  # noqa: TRY004 - JSON is a value
        added = (raw.get("date") or {}).get("added") if added_at is None else int(added_at.timestamp())
        if not isinstance(added, int):
            raise ValueError(f"mention {unique_id} has no date.added: pass added_at")  # noqa: TRY004 - JSON is a value
        with self.lock:
            account = self.accounts[account_id]
            if topic_id not in {topic.id for topic in account.organisation.topics}:
                raise ValueError(f"topic {topic_id} of mention {unique_id} is not one of account {account_id}")
            taken = account.planned_row(unique_id) is not None
            if taken or any(mention["unique_id"] == unique_id for _, mention in account.added):
                raise ValueError(f"mention {unique_id} is there already: use edit_mention to change it")
            account.added.append((added, deepcopy(raw)))
            account.revision += 1

    def edit_mention(self, account_id: int, unique_id: str, changes: Json) -> Json:
        """Change a visible mention without any action telling of it; objects are merged, all else is replaced.

        Raises:
            KeyError: when there is no such mention.
        """
        with self.lock:
            self._row(account_id, unique_id)
            account = self.accounts[account_id]
            account.edits[unique_id] = merged(account.edits.get(unique_id, {}), changes)
            account.revision += 1
            return self.mention(account_id, unique_id)

    def delete_mention(self, account_id: int, unique_id: str) -> None:
        """Take a visible mention away for good.

        Raises:
            KeyError: when there is no such mention.
        """
        with self.lock:
            self._row(account_id, unique_id)
            account = self.accounts[account_id]
            account.deleted.add(unique_id)
            account.revision += 1

    # --- serving ---

    def serve(self, host: str = "127.0.0.1", port: int = 0) -> Server:
        """A server for a `with` block; port 0 takes a free one."""
        return Server(self, host, port)

    def serve_forever(
        self, host: str = "127.0.0.1", port: int = 8350, ready: Callable[[str], None] | None = None
    ) -> None:
        """Serve in the foreground until interrupted. `ready` is called with the base URL once the port is bound."""
        Server(self, host, port).run(ready)

    def _state(self, account_id: int) -> State:
        return self.accounts[account_id].state(self.now_seconds)

    def _row(self, account_id: int, unique_id: str) -> int:
        state = self._state(account_id)
        row = state.row(unique_id)
        if row is None or not state.alive[row]:
            raise KeyError(f"account {account_id} has no visible mention {unique_id} at {self.now:%Y-%m-%dT%H:%M:%SZ}")
        return row

    @staticmethod
    def _user(account: Account, user_id: int) -> User:
        user = account.user(user_id)
        if user is None:
            raise KeyError(f"account {account.id} has no user {user_id}")
        return user

    @staticmethod
    def _assignee(account: Account, assignee_id: int) -> Json:
        for team in account.organisation.teams:
            if team.id == assignee_id:
                return {"id": str(team.id), "type": "team", "display_name": team.name}
        return user_assignee(Sandbox._user(account, assignee_id))


def _check(act: Act) -> None:
    if act.kind not in ACTION_KINDS:
        raise ValueError(f"unknown kind {act.kind!r}: choose one of {', '.join(ACTION_KINDS)}")
    given = {
        "status": act.status in {"new", "pending", "done"},
        "tag": bool(act.tags_added or act.tags_removed),
        "sentiment": act.sentiment in SENTIMENTS,
        "property": act.priority in PRIORITIES,
        "csat_reply": act.score is not None,
    }
    if not given.get(act.kind, True):
        raise ValueError(f"an act of kind {act.kind!r} needs a valid {_NEEDED[act.kind]}")
