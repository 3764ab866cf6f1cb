"""HMAC-SHA256 to 128 bits, here and in the database: equal texts have equal hashes, and it takes the key to try."""

from __future__ import annotations

import hashlib
import hmac

_BLOCK_SIZE = 64  # of SHA-256, in bytes


def keyed_hash(key: str, text: str) -> str:
    """The first 32 hex digits of a text's HMAC-SHA256."""
    return hmac.new(key.encode(), text.encode(), "sha256").hexdigest()[:32]


def padded_keys(key: str) -> tuple[bytes, bytes]:
    """The key as HMAC pads it (RFC 2104), inner and outer: passed as parameters, so that no SQL text holds it."""
    given = key.encode()
    if len(given) > _BLOCK_SIZE:
        given = hashlib.sha256(given).digest()
    block = given.ljust(_BLOCK_SIZE, b"\0")
    return bytes(byte ^ 0x36 for byte in block), bytes(byte ^ 0x5C for byte in block)


def keyed_hash_sql(text: str, inner_key: str, outer_key: str) -> str:
    """What `keyed_hash` makes of a text, in the database; all three are SQL."""
    return f"left(sha256({outer_key} || unhex(sha256({inner_key} || encode({text})))), 32)"
