"""What belongs together: a case with its messages and its contact, and what stands around a mention."""

from collections.abc import Callable
from typing import Any
from zlib import crc32

import numpy as np

from sandbox.account import Account, State
from sandbox.channels import CHANNELS
from sandbox.contacts import Contacts
from sandbox.draws import mix

Json = dict[str, Any]

CONTEXT_TYPES = ("conversation", "conversation_with_you", "notes", "privatemessages")

_PRIVATE = np.array([channel.private for channel in CHANNELS])


def case_conversation(account: Account, contacts: Contacts, case: int, now: int, attributes: list[Json]) -> Json:
    """Object case_conversation: `case`, `linked_mentions`, oldest first, and `contact` unless the case is manual."""
    state, book = account.state(now), account.cases.book
    shown: Json = {
        "case": account.cases.state(now).mention(case),
        "linked_mentions": [state.mention(row) for row in account.conversation(case, now)],
    }
    if not book.manual[case]:
        number = contacts.number_of(int(book.history.channel[case]), int(book.history.author[case]))
        people = contacts.state(now)
        position = people.position(number)
        if position is not None and people.alive[position]:
            shown["contact"] = people.contact(position, attributes)
    return shown


def context(
    account: Account,
    row: int,
    now: int,
    context_type: str,
    within: Callable[[int], bool],
    user_json: Callable[[int], Json | None],
) -> list[Json]:
    """The context objects of a mention, oldest first.

    A conversation is what the same person has written in private in the same topic and the notes of colleagues on it;
    with `conversation_with_you` in every topic, and in public too; `privatemessages` leaves the notes out and `notes`
    the messages. A message's parent is the one before it, a note's the message that it is about.

    Args:
        account: the account.
        row: the mention's row.
        now: the instant, in unix seconds.
        context_type: one of CONTEXT_TYPES.
        within: which instants are asked for.
        user_json: shows the user with an id, unless that is gone.
    """
    state = account.state(now)
    rows = [row] if context_type == "notes" else _around(state, row, context_type)
    items: list[Json] = []
    parent_id: str | None = None
    for each in rows:
        mention = state.mention(each)
        if within(mention["date"]["added"]) and context_type != "notes":
            items.append({"id": mention["unique_id"], "type": "mention", "parent_id": parent_id, "object": mention})
            parent_id = mention["unique_id"]
        if context_type != "privatemessages":
            items += [
                {"id": note["id"], "type": kind, "parent_id": mention["unique_id"], "object": note}
                for kind, note in _notes(mention, user_json)
                if within(note["date"]["added"])
            ]
    return items


def _around(state: State, row: int, context_type: str) -> list[int]:
    history = state.account.history
    if row >= state.planned or history.brand[row]:
        return [row]
    upto = slice(state.planned)
    same = (history.channel[upto] == history.channel[row]) & (history.author[upto] == history.author[row])
    same &= ~history.brand[upto] & state.alive[upto]
    if context_type == "conversation":
        same &= history.topic[upto] == history.topic[row]
    if context_type != "conversation_with_you" and not _PRIVATE[history.channel[row]]:
        return [row] if context_type == "conversation" else []
    rows: list[int] = np.flatnonzero(same).tolist()
    return rows


def _author_of_note(user: Json, user_json: Callable[[int], Json | None]) -> Json | list[Any]:
    if not user:
        return []  # nobody, as PHP writes it
    user_id = int(user["id"])
    return user_json(user_id) or {"id": user_id, "name": user["name"]}


def _notes(mention: Json, user_json: Callable[[int], Json | None]) -> list[tuple[str, Json]]:
    """The notes and assign notes of a mention, as its actions tell of them."""
    notes: list[tuple[str, Json]] = []
    for number, action in enumerate(reversed(mention["actions"])):
        if action["type"] not in {"note", "assign"} or not action.get("details"):
            continue
        at = action["date"]["added"]
        user = action.get("user") or {}
        is_note = action["type"] == "note"
        by: Any = str(user.get("id", ""))
        if is_note:
            by = _author_of_note(user, user_json)
        identifier = str(10**9 + mix(crc32(mention["unique_id"].encode()), at, number) % (9 * 10**9))
        note: Json = {"id": identifier, "content": action["details"], "added_by": by, "date": {"added": at}}
        notes.append(("note" if is_note else "assign_note", note))
    return notes
