"""Takes access tokens out of text that came from the server, before anything else sees it. Pure.

The API has been seen to repeat the caller's token inside `next_url`. Pages are stored as they came, errors are logged,
so a token has to go at the door. Everything else stays exactly as sent.
"""

import re
from collections.abc import Sequence

from pydantic import SecretStr

__all__ = ["PLACEHOLDER", "Scrubber", "writings"]

PLACEHOLDER = "[access-token]"

_SHORTEST_UNMISTAKABLE_LENGTH = 8
"""A shorter token may be an ordinary word; to take every `test` out of customers' messages would spoil the data."""

_PAGING_LINK = re.compile(
    r'"(?:next_url|previous_url)"\s*:\s*"(?:[^"\\]|\\.)*"'  # paged_list
    r'|"next"\s*:\s*\{[^{}]*\}'  # cursored_list
)
_TOKEN_IN_LINK = re.compile(r'(?i)(?<=access_token=)(?:[^&#"\'\s\\]|\\/)+')


class Scrubber:
    """Replaces known tokens everywhere, and any `access_token=` in paging links, with a placeholder."""

    def __init__(self, secrets: Sequence[SecretStr]) -> None:
        self._known = re.compile("|".join(_pattern(secret.get_secret_value()) for secret in secrets))

    def scrub(self, text: str) -> str:
        """The text without tokens; a text without any comes back unchanged."""
        text = _PAGING_LINK.sub(lambda link: _TOKEN_IN_LINK.sub(PLACEHOLDER, link[0]), text)
        return self._known.sub(PLACEHOLDER, text)


def _pattern(token: str) -> str:
    written = writings(token)
    if len(token) < _SHORTEST_UNMISTAKABLE_LENGTH:
        return rf"(?:(?<=access_token=)|(?<=Bearer )){written}(?!\w)"
    return written


def writings(secret: str) -> str:
    """A pattern that matches a text as it is, percent-encoded, and in the escapes that JSON allows."""
    return "".join(character if character.isalnum() else _any_writing(character) for character in secret)


def _any_writing(character: str) -> str:
    plain, code = re.escape(character), ord(character)
    return rf"(?:{plain}|\\{plain}|%(?i:{code:02x})|\\u(?i:{code:04x}))"
