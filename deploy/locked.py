"""Prints the part of requirements.lock that some packages need; the lock also holds what it takes to develop.

Usage: python locked.py [PACKAGE ...]; without one, what the application and its extras need, but for what it takes to
develop. Run it where requirements.lock and pyproject.toml are.
"""

import re
import sys
import tomllib
from pathlib import Path

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_NEEDED_BY = re.compile(r"^ +#(?: via| +) +(\S+)", re.MULTILINE)


def locked(lock: str, roots: list[str]) -> str:
    """The blocks of a lock for some packages and all that those need, by the lock's own notes of who needs what."""
    # A package may have several blocks, each for other versions of Python.
    blocks = [(_plain(block), block) for block in re.split(r"^(?=[A-Za-z0-9])", lock, flags=re.MULTILINE)[1:]]
    needed, found = set[str](), {_plain(root) for root in roots}
    if missing := found - {name for name, _ in blocks}:
        raise SystemExit(f"requirements.lock has no {', '.join(sorted(missing))}. Run 'make lock'.")
    while found:
        needed |= found
        found = {name for name, block in blocks if needed & set(_NEEDED_BY.findall(block))} - needed
    return "".join(block for name, block in blocks if name in needed)


def _plain(requirement: str) -> str:
    """The name of a package as a lock writes it."""
    name = _NAME.match(requirement)
    if name is None:
        raise SystemExit(f"{requirement!r} is no requirement: it wants the name of a package")
    return re.sub(r"[-_.]+", "-", name[0]).lower()


if __name__ == "__main__":
    project = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = (needed for extra, needed in project["optional-dependencies"].items() if extra != "dev")
    application = [*project["dependencies"], *(each for needed in extras for each in needed)]
    sys.stdout.write(locked(Path("requirements.lock").read_text(encoding="utf-8"), sys.argv[1:] or application))
