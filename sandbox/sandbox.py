"""The sandbox: accounts whose history follows from a seed, a clock, and what a test does to them."""

import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import deepcopy
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

from sandbox.account import Account, Added, Messages, State, merged
from sandbox.account_changes import MENTION_CHANGES, AccountChanges
from sandbox.acts import ACTION_KINDS, PRIORITIES, Act, user_assignee
from sandbox.behaviour import Behaviour
from sandbox.contacts import Contacts, ContactState
from sandbox.conversations import case_conversation, context
from sandbox.faults import Faults
from sandbox.founding import Id
from sandbox.later_changes import DailyChanges
from sandbox.limits import RateLimit
from sandbox.mentions import Json, identifier_json
from sandbox.organisation import SENTIMENTS, User, establish
from sandbox.publisher import Publisher
from sandbox.reference import Change, Reference
from sandbox.security_audit import SecurityAudit
from sandbox.server import Server
from sandbox.tokens import Grant, Tokens

if TYPE_CHECKING:
    from sandbox.requests import LoggedRequest

DEFAULT_NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
DEFAULT_TOKENS = ("sandbox-token",)
DEFAULT_SCOPES = ("identify", "accounts_read", "email")
DEFAULT_CLIENT = ("sandbox-client", "sandbox-secret")

# What a kind of act cannot do without.
_NEEDED = {
    "status": "status",
    "tag": "tags_added or tags_removed",
    "sentiment": "sentiment",
    "property": "priority",
    "csat_reply": "score",
    "case_linked": "case_unique_id",
    "case_unlinked": "case_unique_id",
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
        daily: what else becomes of the mentions of each account as the clock moves; nothing unless given.
        real_time: lets the clock run along with the machine's.
        tokens: valid access tokens; each belongs to another user of the first account, or to the user with the number
            that is given with it (0 is the first), and each user has an allowance.
        expired_tokens: tokens that were valid once.
        access_token_lifetime_seconds: how long an access token lives, those of the start included.
        refresh_token_lifetime_seconds: how long a refresh token can be used; None for ever.
        client: id and secret of the application that may refresh tokens, at `/oauth/access_token`.
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
        daily: DailyChanges | None = None,
        real_time: bool = False,
        tokens: Sequence[str] | Mapping[str, int] = DEFAULT_TOKENS,
        expired_tokens: Sequence[str] = (),
        access_token_lifetime_seconds: int = 90 * 86_400,
        refresh_token_lifetime_seconds: int | None = None,
        client: tuple[str, str] = DEFAULT_CLIENT,
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
        self.references: dict[int, Reference] = {}
        self.address_books: dict[int, Contacts] = {}
        self.publishers: dict[int, Publisher] = {}
        self.change_logs: dict[int, AccountChanges] = {}
        self.security_audits: dict[int, SecurityAudit] = {}
        for position, account_id in enumerate(accounts):
            organisation = establish(account_id, position, self._start_seconds)
            account = self.accounts[account_id] = Account(
                organisation,
                seed=seed,
                now=self._start_seconds,
                mentions=mentions,
                days=days,
                daily=daily or DailyChanges(),
            )
            reference = self.references[account_id] = Reference(organisation, self._start_seconds)
            self.address_books[account_id] = Contacts(account)
            self.publishers[account_id] = Publisher(account, self._start_seconds)
            self.change_logs[account_id] = AccountChanges(account, reference, seed, self._start_seconds)
            self.security_audits[account_id] = SecurityAudit(organisation, seed, self._start_seconds)
        self.scopes = tuple(scopes)
        self.client = client
        self.tokens = Tokens(
            seed=seed,
            client=client,
            tokens=tokens,
            expired=expired_tokens,
            scopes=self.scopes,
            lifetime_seconds=access_token_lifetime_seconds,
            refresh_lifetime_seconds=refresh_token_lifetime_seconds,
            now=self._start_seconds,
        )
        self.rate_limit = RateLimit(rate_limit_per_hour)
        self.behaviour = behaviour or Behaviour()
        self.faults = Faults()
        self.requests: list[LoggedRequest] = []
        self.before_request: Callable[[str], None] | None = None
        """Called with the path before a request is answered: what it does to the sandbox shows in the answer."""

    # --- what is there ---

    @property
    def token(self) -> str:
        """The valid access token that was issued first.

        Raises:
            IndexError: when none is valid any more.
        """
        return self.tokens.valid(self.now_seconds)[0]

    def refresh_token(self, access_token: str) -> str:
        """The refresh token that came with an access token.

        Raises:
            KeyError: when there is no such access token.
        """
        return self.tokens.refresh_token(access_token)

    def expire_token(self, access_token: str) -> None:
        """End the life of an access token now; its refresh token stays good.

        Raises:
            KeyError: when there is no such access token.
        """
        with self.lock:
            self.tokens.expire(access_token)

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
        """One visible mention, or the mention of a case, as of now.

        Raises:
            KeyError: when there is no such mention, or not yet, or no more.
        """
        with self.lock:
            messages, row = self._found(account_id, unique_id)
            return messages.state(self.now_seconds).mention(row)

    def cases(self, account_id: int) -> list[Json]:
        """Every visible case of an account as of now, oldest first, with its mentions and its contact."""
        with self.lock:
            account, attributes = self.accounts[account_id], self.objects(account_id, "customattributes")
            alive = account.cases.state(self.now_seconds).alive.tolist()
            return [
                case_conversation(account, self.address_books[account_id], row, self.now_seconds, attributes)
                for row, is_alive in enumerate(alive)
                if is_alive
            ]

    def contacts(self, account_id: int) -> list[Json]:
        """Every contact of an account as of now."""
        with self.lock:
            people, attributes = self._people(account_id), self.objects(account_id, "customattributes")
            return [people.contact(position, attributes) for position in people.alive.nonzero()[0].tolist()]

    def context(self, account_id: int, unique_id: str, context_type: str = "conversation") -> list[Json]:
        """What stands around a visible mention as of now, whatever its date.

        Raises:
            KeyError: when there is no such mention.
        """
        with self.lock:
            account = self.accounts[account_id]
            messages, row = self._found(account_id, unique_id)
            if messages is not account:
                raise KeyError(f"{unique_id} is a case: only mentions have a context")

            def user_json(user_id: int) -> Json | None:
                return self._reference(account_id).one("users", user_id, self.now_seconds, with_email=self._with_email)

            return context(account, row, self.now_seconds, context_type, lambda _instant: True, user_json)

    def publisher_posts(self, account_id: int) -> list[Json]:
        """Every post of an account's publisher as of now, oldest first."""
        with self.lock:
            publisher = self.publishers[account_id]
            return [publisher.post(post, self.now_seconds) for post in publisher.posts(self.now_seconds)]

    def account_changes(self, account_id: int) -> list[Json]:
        """Every change of an account (`settings/history`) up to now, oldest first."""
        with self.lock:
            log = self.change_logs[account_id]
            names = self.behaviour.history_names_mention
            return [
                log.item(change, with_email=self._with_email, names_mention=names)
                for change in log.until(self.now_seconds)
            ]

    def security_events(self, account_id: int) -> list[Json]:
        """Every security event of an account (`security/audit`) up to now, oldest first."""
        with self.lock:
            audit = self.security_audits[account_id]
            return [audit.item(event, with_email=self._with_email) for event in audit.until(self.now_seconds)]

    def objects(self, account_id: int, list_name: str) -> list[Json]:
        """The objects of a reference list as of now, as the API shows them: the truth to compare with.

        Raises:
            KeyError: when there is no such list; its message names them all.
        """
        with self.lock:
            return self.references[account_id].objects(list_name, self.now_seconds, with_email=self._with_email)

    def users(self, account_id: int) -> list[Json]:
        """The users of an account as of now."""
        return self.objects(account_id, "users")

    def topics(self, account_id: int) -> list[Json]:
        """The topics of an account as of now."""
        return self.objects(account_id, "topics")

    def schedules(self, account_id: int) -> list[Json]:
        """The business hours schedules of an account as of now."""
        return self.objects(account_id, "businesshoursschedules")

    def connected_profiles(self, token: str) -> list[Json]:
        """The profiles that the user behind a token has connected, in whatever account, as of now.

        In accounts after the first, that is the user who stands at the same place in the list of users.

        Raises:
            KeyError: when the token is not valid.
        """
        with self.lock:
            grant = self.tokens.grant(token, self.now_seconds)
            if grant is None:
                raise KeyError("the access token is not valid")
            position = grant.user_number
            shown = []
            for account_id, reference in self.references.items():
                users = reference.organisation.users
                owner_id = users[position % len(users)].id
                profiles = self.objects(account_id, "connectedprofiles")
                records = reference.records("connectedprofiles")
                shown += [profile for profile in profiles if records[profile["id"]].get("connected_by") == owner_id]
            return shown

    def reference_changes(self, account_id: int) -> list[Change]:
        """What happened to the reference lists of an account from the start until now, oldest first."""
        with self.lock:
            return list(self._reference(account_id).changes)

    def user_of(self, grant: Grant) -> User | None:
        """The user who has granted a token; None when that user was removed."""
        reference = next(iter(self.references.values()))
        reference.catch_up(self.now_seconds)
        users = reference.organisation.users
        return reference.user(users[grant.user_number % len(users)].id)

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
        case_unique_id: str | None = None,
        handle_seconds: int = 0,
    ) -> Json:
        """Do something to a visible mention, or to a case, now; returns it as the API then shows it.

        Args:
            account_id: the account.
            unique_id: the mention, or the case.
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
            case_unique_id: for `case_linked` and `case_unlinked`.
            handle_seconds: time that it took; added to `timestamps.handle_time`.

        Raises:
            KeyError: when there is no such mention, case or user.
            ValueError: when the kind is not known or lacks what it needs.
        """
        with self.lock:
            messages, _ = self._found(account_id, unique_id)
            act = Act(
                kind=kind,
                at=self.now_seconds,
                user=None if user_id is None else self._user(account_id, user_id),
                text=text,
                status=status,
                tags_added=tuple(tags_added),
                tags_removed=tuple(tags_removed),
                assignees=tuple(self._assignee(account_id, assignee_id) for assignee_id in assignee_ids),
                sentiment=sentiment,
                priority=priority,
                score=score,
                case=None if case_unique_id is None else self._case_identifier(account_id, case_unique_id),
                handle_seconds=handle_seconds,
            )
            _check(act)
            messages.acts.setdefault(unique_id, []).append(act)
            messages.revision += 1
            return self.mention(account_id, unique_id)

    def add_mention(
        self, account_id: int, raw: Json, added_at: datetime | None = None, *, arrives_at: datetime | None = None
    ) -> None:
        """Add a mention that is served exactly as given.

        Args:
            account_id: the account.
            raw: the mention.
            added_at: the date that windows and statistics take it for; by default its own `date.added`.
            arrives_at: from when on it is there, for one that arrives late; by default from `added_at` on.

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
            if topic_id not in self._reference(account_id).records("topics"):
                raise ValueError(f"topic {topic_id} of mention {unique_id} is not one of account {account_id}")
            taken = account.planned_row(unique_id) is not None
            if taken or any(each.raw["unique_id"] == unique_id for each in account.added):
                raise ValueError(f"mention {unique_id} is there already: use edit_mention to change it")
            arrives = added if arrives_at is None else int(arrives_at.timestamp())
            account.added.append(Added(added, arrives, deepcopy(raw)))
            account.revision += 1

    def add(self, account_id: int, list_name: str, *, by_user_id: int | None = None, **fields: Any) -> Json:
        """Add an object to a reference list now; returns it as the API then shows it.

        Args:
            account_id: the account.
            list_name: one of `sandbox.reference.LISTS`, such as `users`, `userroles`, `teams`, `tags`, `topics`.
            by_user_id: who does it; by default the first user.
            fields: the fields of the API, with ids where it shows linked objects (`users=[21003]` of a team). What is
                not given has its usual value.

        Raises:
            KeyError: when there is no such list, or no object that it links to.
            ValueError: when its name is missing, or a field is not known.
        """
        with self.lock:
            reference = self._reference(account_id)
            identifier = reference.add(list_name, fields, self.now_seconds, by_user_id=by_user_id)
            return self._shown(reference, list_name, identifier)

    def change(
        self, account_id: int, list_name: str, identifier: Id, *, by_user_id: int | None = None, **fields: Any
    ) -> Json:
        """Change an object of a reference list now, and the day of its update where it has one; as `add`.

        A field that is None is taken away. Messages follow a new name, other hours of a schedule and the end of a topic
        (see `Reference`).

        Raises:
            KeyError: when there is no such list or object, or no object that it links to.
            ValueError: when a field is not known.
        """
        with self.lock:
            reference, account = self._reference(account_id), self.accounts[account_id]
            former = deepcopy(reference.records(list_name).get(identifier, {}))
            reference.change(list_name, identifier, fields, self.now_seconds, by_user_id=by_user_id)
            for acts in (*account.acts.values(), *account.later.acts.values(), *account.cases.acts.values()):
                for act in acts:
                    _rename(act, list_name, former, fields)
            self._renew_states(account_id)
            return self._shown(reference, list_name, identifier)

    def remove(self, account_id: int, list_name: str, identifier: Id, *, by_user_id: int | None = None) -> None:
        """Remove an object from a reference list now, and from all that links to it.

        Raises:
            KeyError: when there is no such list or object.
            ValueError: when it is a role that users have.
        """
        with self.lock:
            self._reference(account_id).remove(list_name, identifier, self.now_seconds, by_user_id=by_user_id)
            self._renew_states(account_id)

    def edit_mention(self, account_id: int, unique_id: str, changes: Json) -> Json:
        """Change a visible mention or case without any action telling of it; objects are merged, all else is replaced.

        Raises:
            KeyError: when there is no such mention.
        """
        with self.lock:
            messages, _ = self._found(account_id, unique_id)
            messages.edits[unique_id] = merged(messages.edits.get(unique_id, {}), changes)
            messages.revision += 1
            return self.mention(account_id, unique_id)

    def erase_mention(self, account_id: int, unique_id: str) -> Json:
        """Empty the text, attachments, place and author's name of a visible mention or case; nothing tells of it.

        (An erasure that leaves an action is an `act` of kind `erase_pii_content`.)

        Raises:
            KeyError: when there is no such mention.
        """
        with self.lock:
            messages, _ = self._found(account_id, unique_id)
            act = Act(kind="erase_pii_content", at=self.now_seconds, silent=True)
            messages.acts.setdefault(unique_id, []).append(act)
            messages.revision += 1
            return self.mention(account_id, unique_id)

    def move_mention(self, account_id: int, unique_id: str, topic_id: int) -> Json:
        """Move a visible mention to another topic, where it has another `unique_id`; nothing tells of it.

        What colleagues have yet planned to do with it does not happen. Returns it as the API then shows it.

        Raises:
            KeyError: when there is no such mention or topic, or the case is not a mention.
            ValueError: when the topic has it already.
        """
        with self.lock:
            account = self.accounts[account_id]
            messages, row = self._found(account_id, unique_id)
            topic = self._reference(account_id).records("topics").get(topic_id)
            if messages is not account or topic is None:
                raise KeyError(f"account {account_id} has no topic {topic_id}, or {unique_id} is a case")
            raw = self.mention(account_id, unique_id)
            raw |= identifier_json(account_id, topic_id, raw["id"]) | {"topic": {"id": topic_id, "name": topic["name"]}}
            projects = {each.project.id: each.project for each in account.organisation.topics}
            if project := projects.get(topic["project_id"]):
                raw["project"] = {"id": project.id, "name": project.name}
            added_at = datetime.fromtimestamp(int(account.state(self.now_seconds).added_at[row]), tz=UTC)
            self.add_mention(account_id, raw, added_at, arrives_at=self.now)
            account.deleted.add(unique_id)
            account.revision += 1
            return self.mention(account_id, raw["unique_id"])

    def delete_mention(
        self, account_id: int, unique_id: str, *, user_id: int | None = None, on_service: bool = False
    ) -> None:
        """Take a visible mention or case away; the account's changes tell of it, all other lists do not.

        Without a user the product does it. `on_service` tells that it was deleted on the network.

        Raises:
            KeyError: when there is no such mention or user.
        """
        with self.lock:
            messages, _ = self._found(account_id, unique_id)
            self._tell(account_id, unique_id, "service_mention_delete" if on_service else "mention_delete", user_id)
            messages.deleted.add(unique_id)
            messages.revision += 1

    def restore_mention(self, account_id: int, unique_id: str, *, user_id: int | None = None) -> Json:
        """Bring a mention or case back that `delete_mention` took away; the account's changes tell of it.

        It has its old data, and what was planned for it meanwhile. Returns it as the API then shows it.

        Raises:
            KeyError: when no such mention was deleted, or there is no such user.
        """
        with self.lock:
            account = self.accounts[account_id]
            for messages in (account, account.cases):
                if unique_id in messages.deleted:
                    messages.deleted.remove(unique_id)
                    messages.revision += 1
                    self._tell(account_id, unique_id, "mention_restore", user_id)
                    return self.mention(account_id, unique_id)
            raise KeyError(f"mention {unique_id} of account {account_id} is not deleted")

    def edit_contact(self, account_id: int, contact_id: str, changes: Json) -> Json:
        """Change a contact now; objects are merged, all else is replaced. Returns it as the API then shows it.

        Raises:
            KeyError: when there is no such contact.
        """
        with self.lock:
            book, number = self.address_books[account_id], self._contact_number(account_id, contact_id)
            book.edits.setdefault(number, []).append((self.now_seconds, deepcopy(changes)))
            book.revision += 1
            people = self._people(account_id)
            position = int(people.numbers.searchsorted(number))
            return people.contact(position, self.objects(account_id, "customattributes"))

    def delete_contact(self, account_id: int, contact_id: str, *, user_id: int | None = None) -> None:
        """Take a contact away for good; the account's changes tell of it. Without a user the product does it.

        Raises:
            KeyError: when there is no such contact or user.
        """
        with self.lock:
            number = self._contact_number(account_id, contact_id)
            by = None if user_id is None else self._user(account_id, user_id).id
            self.address_books[account_id].deleted.add(number)
            self.address_books[account_id].revision += 1
            description = f"Deleted the details of contact {contact_id}"
            self.change_logs[account_id].record(
                "account_delete_contact_details", description, self.now_seconds, user_id=by
            )

    # --- serving ---

    def serve(self, host: str = "127.0.0.1", port: int = 0) -> Server:
        """A server for a `with` block; port 0 takes a free one."""
        return Server(self, host, port)

    def serve_forever(
        self, host: str = "127.0.0.1", port: int = 8350, ready: Callable[[str], None] | None = None
    ) -> None:
        """Serve in the foreground until interrupted. `ready` is called with the base URL once the port is bound."""
        Server(self, host, port).run(ready)

    @property
    def _with_email(self) -> bool:
        return "email" in self.scopes

    def _reference(self, account_id: int) -> Reference:
        reference = self.references[account_id]
        reference.catch_up(self.now_seconds)
        return reference

    def _shown(self, reference: Reference, list_name: str, identifier: Id) -> Json:
        shown = reference.one(list_name, identifier, self.now_seconds, with_email=self._with_email)
        assert shown is not None  # noqa: S101 - it was added or changed a moment ago
        return shown

    def _renew_states(self, account_id: int) -> None:
        account = self.accounts[account_id]
        account.revision += 1
        account.cases.revision += 1

    def _state(self, account_id: int) -> State:
        return self.accounts[account_id].state(self.now_seconds)

    def _people(self, account_id: int) -> ContactState:
        return self.address_books[account_id].state(self.now_seconds)

    def _contact_number(self, account_id: int, contact_id: str) -> int:
        number, people = self.address_books[account_id].number_with_id(contact_id), self._people(account_id)
        position = None if number is None else people.position(number)
        if number is None or position is None or not people.alive[position]:
            raise KeyError(f"account {account_id} has no contact {contact_id}")
        return number

    def _found(self, account_id: int, unique_id: str) -> tuple[Messages, int]:
        """Where a visible mention or case is kept, and its row."""
        account = self.accounts[account_id]
        for messages in (account, account.cases):
            state = messages.state(self.now_seconds)
            row = state.row(unique_id)
            if row is not None and state.alive[row]:
                return messages, row
        raise KeyError(f"account {account_id} has no visible mention {unique_id} at {self.now:%Y-%m-%dT%H:%M:%SZ}")

    def _tell(self, account_id: int, unique_id: str, type_: str, user_id: int | None) -> None:
        """Let settings/history tell what is done to a visible mention or case now."""
        messages, row = self._found(account_id, unique_id)
        self.change_logs[account_id].record(
            type_,
            MENTION_CHANGES[type_],
            self.now_seconds,
            user_id=None if user_id is None else self._user(account_id, user_id).id,
            topic_id=int(messages.state(self.now_seconds).topic_id[row]),
            mention=unique_id,
        )

    def _case_identifier(self, account_id: int, unique_id: str) -> Json:
        messages, row = self._found(account_id, unique_id)
        if messages is not self.accounts[account_id].cases:
            raise KeyError(f"account {account_id} has no visible case {unique_id}")
        case = messages.state(self.now_seconds).mention(row)
        return identifier_json(account_id, case["topic"]["id"], case["id"])

    def _user(self, account_id: int, user_id: int) -> User:
        user = self._reference(account_id).user(user_id)
        if user is None:
            raise KeyError(f"account {account_id} has no user {user_id}")
        return user

    def _assignee(self, account_id: int, assignee_id: int) -> Json:
        team = self._reference(account_id).records("teams").get(assignee_id)
        if team is not None:
            return {"id": str(assignee_id), "type": "team", "display_name": team["name"]}
        return user_assignee(self._user(account_id, assignee_id))


def _rename(act: Act, list_name: str, former: Json, fields: Json) -> None:
    """Let what a test did to a message show the new name of a user, team or tag."""
    name = fields.get("name")
    if list_name == "users" and name and act.user is not None and act.user.id == former["id"]:
        act.user = replace(act.user, name=name)
    if list_name in {"users", "teams"} and name:
        act.assignees = tuple(
            each | {"display_name": name} if each["id"] == str(former["id"]) else each for each in act.assignees
        )
    if list_name == "tags" and "tag" in fields:
        act.tags_added, act.tags_removed = (
            tuple(fields["tag"] if tag == former["tag"] else tag for tag in tags)
            for tags in (act.tags_added, act.tags_removed)
        )


def _check(act: Act) -> None:
    if act.kind not in ACTION_KINDS:
        raise ValueError(f"unknown kind {act.kind!r}: choose one of {', '.join(ACTION_KINDS)}")
    given = {
        "status": act.status in {"new", "pending", "done"},
        "tag": bool(act.tags_added or act.tags_removed),
        "sentiment": act.sentiment in SENTIMENTS,
        "property": act.priority in PRIORITIES,
        "csat_reply": act.score is not None,
        "case_linked": act.case is not None,
        "case_unlinked": act.case is not None,
    }
    if not given.get(act.kind, True):
        raise ValueError(f"an act of kind {act.kind!r} needs a valid {_NEEDED[act.kind]}")
