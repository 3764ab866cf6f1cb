"""What becomes of personal data: the policy that the flattening follows. docs/personal-data.md says what it does."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, get_args

from transforms.keyed_hash import keyed_hash, padded_keys

if TYPE_CHECKING:
    from transforms.erasure import Erasures

Mode = Literal["keep", "hash", "drop"]

SHORTEST_KEY = 16
"""Characters that a key needs at least: who has the hashes can try a short one out."""


@dataclass(frozen=True)
class Policy:
    """What becomes of values that the contract marks as personal.

    - `keep`: they stay as they are.
    - `hash`: a text becomes the first 32 hex digits of its HMAC-SHA256 with the key: equal texts stay equal, in every
      table and account, and nobody without the key can tell, or try out, which text it was. Other values become null.
    - `drop`: they become null.

    Unless they stay, what the contract does not declare goes too: it may hold anything.

    Args:
        mode: one of the three.
        key: secret; for `hash` only.
        is_done: whether the objects are masked already: they stay as they are, and only their version tells of it.
        erasures: whose objects are to be as under `drop`, whatever the mode.

    Raises:
        ValueError: there is no such mode, or the key is too short.
    """

    mode: Mode = "keep"
    key: str = field(default="", repr=False)
    is_done: bool = False
    erasures: Erasures | None = None

    def __post_init__(self) -> None:
        if self.mode not in get_args(Mode):
            raise ValueError(f"personal data: got the mode {self.mode!r}; wants {', '.join(get_args(Mode))}")
        if self.mode == "hash" and len(self.key) < SHORTEST_KEY:
            raise ValueError(f"personal data: the mode hash wants a key of {SHORTEST_KEY} characters or more")

    @property
    def keeps(self) -> bool:
        """Whether everything stays as it is."""
        return self.mode == "keep" or self.is_done

    @property
    def fingerprint(self) -> str:
        """Changes when the policy or its key does, so that rows made under another policy are written anew."""
        return self.masked_text("the key's own") if self.mode == "hash" else self.mode

    def masked_text(self, text: str) -> str:
        """What the mode `hash` makes of a text."""
        return keyed_hash(self.key, text) if text else ""

    def stored_text(self, text: str) -> str:
        """How a personal text is in the warehouse; under `drop`, where none is, as it was."""
        return self.masked_text(text) if self.mode == "hash" else text

    @property
    def parameters(self) -> dict[str, bytes]:
        """The parameters of the SQL that masks: the key as HMAC pads it (RFC 2104), so that no SQL text holds it."""
        if self.mode != "hash" or self.is_done:
            return {}
        inner_key, outer_key = padded_keys(self.key)
        return {"inner_key": inner_key, "outer_key": outer_key}


KEEP = Policy()
DROP = Policy("drop")


def shape_of(text: str) -> str:
    """A text's shape: digits are 0, letters and all that is not ASCII are x, punctuation and spaces stay."""
    return re.sub(r"[A-Za-z]|[^\x00-\x7f]", "x", re.sub(r"[0-9]", "0", text))
