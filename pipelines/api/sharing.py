"""What processes that use the same tokens tell one another, in small files that only their owner may read."""

import json
import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, fields
from hashlib import sha256
from pathlib import Path
from typing import Any

from filelock import FileLock
from pydantic import SecretStr

from pipelines.api.budget import Allowance

__all__ = ["SharedAllowances", "SharedFile", "fingerprint", "last_seen"]

logger = logging.getLogger(__name__)

# It writes four lines for each lock, and each request takes a lock several times.
logging.getLogger("filelock").setLevel(logging.WARNING)


def fingerprint(*secrets: SecretStr) -> str:
    """A name for secrets from which they cannot be found."""
    return sha256("\0".join(secret.get_secret_value() for secret in secrets).encode()).hexdigest()[:32]


class SharedFile:
    """A JSON object in a file, which processes read and replace in turn.

    A kill at any instant leaves the last object or the next. Where `lasts`, a power failure does too, once `write` has
    returned. The holder of `lock` may read and write; the lock is free again when its holder dies.
    """

    def __init__(self, file: Path, *, lasts: bool = False) -> None:
        self.lock = FileLock(file.with_name(f"{file.name}.lock"))
        self._file = file
        self._lasts = lasts
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)

    def read(self) -> dict[str, Any]:
        """The object; empty before the first is written, and where others have damaged the file."""
        try:
            kept = json.loads(self._file.read_bytes())
        except FileNotFoundError:
            return {}
        except ValueError:
            kept = None
        if not isinstance(kept, dict):
            logger.warning("%s is damaged and is begun anew", self._file)
            return {}
        return kept

    def write(self, content: dict[str, Any]) -> None:
        """Replaces the object; secrets are written in clear."""
        unfinished = self._file.with_name(f"{self._file.name}.new")
        unfinished.unlink(missing_ok=True)
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(descriptor, "w", encoding="utf-8") as stream:  # noqa: PTH123 - a descriptor, for its mode
            json.dump(content, stream, default=SecretStr.get_secret_value)
            if self._lasts:
                stream.flush()
                os.fsync(descriptor)
        unfinished.replace(self._file)
        if self._lasts:
            _fsync_folder(self._file.parent)


class SharedAllowances:
    """The allowances of tokens, known to every process that uses the same folder.

    Args:
        file: where they are kept.
        names: one for each token, from which it cannot be found.
    """

    def __init__(self, file: Path, names: Sequence[str]) -> None:
        self._shared = SharedFile(file)
        self._names = names

    @contextmanager
    def opened(self) -> Iterator[Sequence[Allowance]]:
        """The allowances in the order of the tokens, for the caller alone; what becomes of them is kept."""
        with self._shared.lock:
            kept = self._shared.read()
            allowances = [_allowance(kept.get(name, {})) for name in self._names]
            yield allowances
            changed = {name: asdict(each) for name, each in zip(self._names, allowances, strict=True)}
            if kept | changed != kept:
                self._shared.write(kept | changed)


def last_seen(file: Path, tokens: Sequence[SecretStr]) -> list[Allowance]:
    """What was last told of the allowances of some tokens, in their order; nothing of it is changed.

    Args:
        file: where they are kept.
        tokens: as they were given to the clients.
    """
    kept = SharedFile(file).read() if file.exists() else {}
    return [_allowance(kept.get(fingerprint(token), {})) for token in tokens]


def _allowance(kept: dict[str, Any]) -> Allowance:
    known = {each.name for each in fields(Allowance)}  # another version may have written more
    return Allowance(**{name: value for name, value in kept.items() if name in known})


def _fsync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
