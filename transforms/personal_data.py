"""What becomes of personal data: the policy that the flattening follows. docs/personal-data.md says what it does."""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass, field
from typing import Literal, get_args

Mode = Literal["keep", "hash", "drop"]

SHORTEST_KEY = 16
"""Characters that a key needs at least: who has the hashes can try a short one out."""

_BLOCK_SIZE = 64  # of SHA-256, in bytes


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

    Raises:
        ValueError: there is no such mode, or the key is too short.
    """

    mode: Mode = "keep"
    key: str = field(default="", repr=False)
    is_done: bool = False

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
        return hmac.new(self.key.encode(), text.encode(), "sha256").hexdigest()[:32] if text else ""

    @property
    def parameters(self) -> dict[str, bytes]:
        """The parameters of the SQL that masks: the key as HMAC pads it (RFC 2104), so that no SQL text holds it."""
        if self.mode != "hash" or self.is_done:
            return {}
        key = self.key.encode()
        if len(key) > _BLOCK_SIZE:
            key = hashlib.sha256(key).digest()
        block = key.ljust(_BLOCK_SIZE, b"\0")
        return {
            "inner_key": bytes(byte ^ 0x36 for byte in block),
            "outer_key": bytes(byte ^ 0x5C for byte in block),
        }


KEEP = Policy()


def shape_of(text: str) -> str:
    """A text's shape: digits are 0, letters and all that is not ASCII are x, punctuation and spaces stay."""
    return re.sub(r"[A-Za-z]|[^\x00-\x7f]", "x", re.sub(r"[0-9]", "0", text))
