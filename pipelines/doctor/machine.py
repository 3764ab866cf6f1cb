"""What a run needs of the machine: packages, and a folder that is ours, on a disk of its own, with room."""

from __future__ import annotations

import os
import re
import shutil
import stat
import sys
import tempfile
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from pipelines.doctor.finding import Finding
from pipelines.settings import TOML_FILE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from pipelines.warehouse import Warehouse

PACKAGE = "social-connect-warehouse"
ENGINES = ("duckdb", "dlt", "dbt-core", "prefect")
"""Whose versions are told in any case: most of what goes wrong after an upgrade has to do with them."""
LEAST_FREE_BYTES = 1_000_000_000
"""What a first sync, its transform and its copy may take while there is no file to reckon with."""
NETWORK_FILE_SYSTEMS = re.compile(
    r"nfs4?|cifs|smb3?|smbfs|afs|ceph|lustre|gpfs|glusterfs|beegfs|fuse\.(sshfs|glusterfs|s3fs|gcsfuse|rclone|cephfs|.*s3.*)"
)
OTHERS_MAY_READ, OTHERS_MAY_WRITE, OTHERS_MAY_PASS = 0o044, 0o022, 0o011
_INSTALL = "run 'make setup', or install requirements.lock again (docs/operate.md, upgrade)"


def look_at(warehouse: Warehouse) -> Iterator[Finding]:
    """Everything about the machine, in the order in which it is needed."""
    yield _packages()
    home = usable_home(warehouse.home)
    yield home
    if home.severity == "FAIL":
        return
    yield permissions(warehouse.home, Path.cwd())
    yield file_system(warehouse.home.resolve(), _mounts())
    file_bytes = warehouse.file.stat().st_size if warehouse.file.exists() else 0
    yield disk(shutil.disk_usage(warehouse.home).free, file_bytes, warehouse.home)


def _packages() -> Finding:
    try:
        wanted, python = metadata.requires(PACKAGE) or [], metadata.metadata(PACKAGE)["Requires-Python"]
    except metadata.PackageNotFoundError:
        return Finding("packages", "warn", f"{PACKAGE} itself is not installed, so no version can be told", _INSTALL)
    return packages(wanted, python, _installed_version)


def _installed_version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def packages(wanted: Sequence[str], python: str, version_of: Callable[[str], str | None]) -> Finding:
    """Whether what is installed lies within the bounds that the project sets.

    Args:
        wanted: requirements as a package's metadata has them; those of extras do not count.
        python: bounds of Python's version.
        version_of: the version of a package that is installed; None for one that is not.
    """
    running = ".".join(map(str, sys.version_info[:3]))
    wrong = [] if SpecifierSet(python).contains(running) else [f"Python is {running}, wanted {python}"]
    for requirement in map(Requirement, wanted):
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
            continue
        found = version_of(requirement.name)
        if found is None:
            wrong.append(f"{requirement.name} is not installed")
        elif not requirement.specifier.contains(found, prereleases=True):
            wrong.append(f"{requirement.name} is {found}, wanted {requirement.specifier}")
    if wrong:
        return Finding("packages", "FAIL", "; ".join(wrong), _INSTALL)
    engines = ", ".join(f"{name} {version_of(name)}" for name in ENGINES)
    return Finding("packages", "ok", f"Python {running}, {engines}; all within their bounds")


def usable_home(home: Path) -> Finding:
    """Whether the folder is there, or can be made, and a file can be written in it."""
    try:
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.TemporaryFile(dir=home):
            pass
    except OSError as error:
        return Finding(
            "home folder",
            "FAIL",
            f"{home} cannot be written: {error}",
            "give the folder to the user that syncs, or set SOCIAL_WAREHOUSE_HOME to one that this user can write",
        )
    owner_id, user_id = home.stat().st_uid, os.geteuid()
    if owner_id != user_id:
        return Finding(
            "home folder",
            "warn",
            f"{home} belongs to user {owner_id}, and this is user {user_id}: files made now are not the owner's",
            f"run every command as user {owner_id} (sudo --user '#{owner_id}' ...)",
        )
    return Finding("home folder", "ok", f"{home} can be written")


def permissions(home: Path, working_folder: Path) -> Finding:
    """Whether anybody but the owner can read what is in the folder, or the settings in the working folder.

    Others may pass through the folder, and read `published`: that is how readers of another user get at the copy.
    """
    seen = [home]
    if home.stat().st_mode & OTHERS_MAY_PASS:
        seen += [each for each in sorted(home.iterdir()) if each.name != "published" and not each.is_symlink()]
    seen += [file for file in (working_folder / TOML_FILE, working_folder / ".env") if file.exists()]
    modes = {each: stat.S_IMODE(each.stat().st_mode) for each in seen}
    writable = [each for each, mode in modes.items() if mode & OTHERS_MAY_WRITE]
    readable = [each for each, mode in modes.items() if mode & OTHERS_MAY_READ]
    if not writable and not readable:
        return Finding("permissions", "ok", f"{home} and the settings are the owner's alone")
    what, found = ("written", writable) if writable else ("read", readable)
    return Finding(
        "permissions",
        "FAIL" if writable else "warn",
        f"others than the owner can have {', '.join(map(str, found))} {what} by their mode",
        f"chmod go= {' '.join(map(str, found))}",
    )


def _mounts() -> str | None:
    """The system's table of what is mounted where; None on a system that has none."""
    table = Path("/proc/self/mountinfo")
    return table.read_text(encoding="utf-8", errors="replace") if table.exists() else None


def file_system(home: Path, mounts: str | None) -> Finding:
    """Whether the folder is on a disk of this machine.

    Args:
        home: the folder, its links resolved.
        mounts: Linux's table of mounts; None where the system has none.
    """
    kinds = dict(_mounted(mounts or ""))
    kind = next((kinds[str(each)] for each in (home, *home.parents) if str(each) in kinds), None)
    if kind is None:
        return Finding("file system", "ok", f"what {home} is on cannot be told on this system; it has to be local")
    if NETWORK_FILE_SYSTEMS.fullmatch(kind):
        return Finding(
            "file system",
            "FAIL",
            f"{home} is on {kind}, a network file system: the locks of the database and of the runs do not hold there",
            "move the folder to a local disk, and share the published copy instead (docs/operate.md)",
        )
    return Finding("file system", "ok", f"{home} is on {kind}")


def _mounted(mounts: str) -> Iterator[tuple[str, str]]:
    """Mount points and their kinds; of two on one point the later hides the earlier."""
    for line in mounts.splitlines():
        fields, _, rest = line.partition(" - ")
        point = re.sub(r"\\([0-7]{3})", lambda code: chr(int(code[1], 8)), fields.split()[4])
        yield point, rest.split()[0]


def disk(free_bytes: int, file_bytes: int, home: Path) -> Finding:
    """Whether there is room for a transform and a copy beside the work file, each as large as it."""
    needed_bytes = max(2 * file_bytes, LEAST_FREE_BYTES)
    room = f"{free_bytes / 1e9:,.1f} GB free beside a work file of {file_bytes / 1e9:,.1f} GB"
    if free_bytes < needed_bytes:
        return Finding(
            "disk",
            "FAIL",
            f"{room}: a transform and a publish may need {needed_bytes / 1e9:,.1f} GB",
            f"free {(needed_bytes - free_bytes) / 1e9:,.1f} GB on the disk of {home}, or move it to a larger one;"
            " until then a run ends with an error and loses nothing",
        )
    return Finding("disk", "ok", room)
