"""Whose objects have been erased, and where in an object it says whose it is. docs/security.md says what that does."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from transforms.keyed_hash import keyed_hash, keyed_hash_sql, padded_keys

Kind = Literal["author", "mention", "case", "contact", "publisher_post"]
"""What an erased identifier is of. An author's is the service's, the others are Social Connect's own."""

SUBJECTS: dict[str, dict[Kind, tuple[str, ...]]] = {
    "mention": {"author": ("$.author.id", "$.original_author.id"), "mention": ("$.unique_id",)},
    "case": {
        "author": (
            "$.case.author.id",
            "$.case.original_author.id",
            "$.linked_mentions[*].author.id",
            "$.contact.socialprofiles[*].service_id",
        ),
        "mention": ("$.linked_mentions[*].unique_id",),
        "case": ("$.case.unique_id",),
        "contact": ("$.contact.id",),
    },
    "contact": {"author": ("$.socialprofiles[*].service_id",), "contact": ("$.id",)},
    "context_item": {
        "author": ("$.object.author.id", "$.object.original_author.id"),
        "mention": ("$.object.unique_id", "_unique_id"),  # the second is given with the object
    },
    "publisher_post": {
        "author": ("$.in_reply_to.author.id", "$.in_reply_to.original_author.id"),
        "mention": ("$.in_reply_to.unique_id",),
        "publisher_post": ("$.id",),
    },
}
"""By object: where it names the people and things that it is about. One that names an erased one is erased whole."""


@dataclass(frozen=True)
class Erasures:
    """What has been erased, and is to be erased again whenever it is read.

    Args:
        key: secret; without it nobody can tell, or try out, who was erased.
        hashes: account (empty for every account) and the identifier's hash.
    """

    key: str = field(repr=False)
    hashes: frozenset[tuple[str, str]]

    @property
    def parameters(self) -> dict[str, bytes | list[str]]:
        """The parameters of the SQL that tells which records are erased."""
        inner_key, outer_key = padded_keys(self.key)
        return {
            "erasure_inner_key": inner_key,
            "erasure_outer_key": outer_key,
            "erased": sorted(f"{account_id}/{hashed}" for account_id, hashed in self.hashes),
        }


def subject_hash(key: str, kind: Kind, identifier: str) -> str:
    """How the list of erasures names somebody or something."""
    return keyed_hash(key, f"{kind}/{identifier}")


def erased_records(contract_object: str, records: str) -> str:
    """The SELECT of `_sequence` of those records that name an erased person or thing."""
    subjects = " || ".join(
        f"list_transform({_found(path)}, lambda id: concat('{kind}/', id))"
        for kind, paths in SUBJECTS[contract_object].items()
        for path in paths
    )
    hashed = keyed_hash_sql("subject", "$erasure_inner_key", "$erasure_outer_key")
    return f"""
        SELECT DISTINCT _sequence
        FROM (
          SELECT _sequence, _account_id, {hashed} AS hashed
          FROM (SELECT _sequence, _account_id, unnest({subjects}) AS subject FROM {records})
        )
        WHERE concat(_account_id, '/', hashed) IN (SELECT unnest($erased))
          OR concat('/', hashed) IN (SELECT unnest($erased))
    """


def _found(path: str) -> str:
    """The identifiers at a place of a record, as a list without nulls."""
    if not path.startswith("$"):
        return f"[{path}]"
    found = f"json_extract_string(coalesce(fitted, j), '{path}')"
    return f"list_filter({found if '[*]' in path else f'[{found}]'}, lambda id: id IS NOT NULL)"
