"""Whether a publish can bring the marts to PostgreSQL, where the settings name a server, and of which version they are.

No finding says the address, the user, the password, or what the server says: that tells of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.doctor.finding import Finding
from pipelines.postgres import OLDEST_SERVER, PostgresFailed, server_of, standing
from pipelines.publishing import published_version

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pipelines.postgres import Failure, Standing
    from pipelines.settings import Settings
    from pipelines.warehouse import Warehouse

_PUBLISH = "run 'social-warehouse publish --to postgres'"
_SAYS_WHY = "'social-warehouse publish --to postgres' says why"
_FAILED: dict[Failure, tuple[str, str]] = {
    "package": ("the driver is not installed", "pip install 'adbc-driver-postgresql>=1.11'"),
    "unreached": (
        "no server can be reached at the address",
        f"see that it runs, that no firewall is between, and that SOCIAL_WAREHOUSE_POSTGRES_URL is right; {_SAYS_WHY}",
    ),
    "refused": (
        "the server does not let this user into this database",
        f"correct user, password and database of SOCIAL_WAREHOUSE_POSTGRES_URL; {_SAYS_WHY}",
    ),
    "version": (
        f"the server is older than version {OLDEST_SERVER}",
        f"upgrade it to {OLDEST_SERVER} or later, or name another in SOCIAL_WAREHOUSE_POSTGRES_URL",
    ),
    "statement": ("the server did not answer what it was asked", f"look into its log; {_SAYS_WHY}"),
}


def look_at(warehouse: Warehouse, settings: Settings) -> Iterator[Finding]:
    """The server of the settings; nothing where they name none."""
    if settings.social_warehouse_postgres_url is None:
        return
    try:
        found = standing(server_of(settings))
    except PostgresFailed as error:
        yield unusable(error.failure)
        return
    version = published_version(warehouse)
    if version is None and not found.lacks and warehouse.published_file.exists():
        yield unknown(warehouse.published_file)
        return
    yield marts(found, version.name if version else None, comes_with_each_publish=settings.social_warehouse_postgres)


def unusable(failure: Failure) -> Finding:
    """That the server cannot be asked."""
    return Finding("PostgreSQL", "FAIL", *_FAILED[failure])


def unknown(published_file: Path) -> Finding:
    """That something is published, and not which version it is: it is none of those that are kept."""
    return Finding(
        "PostgreSQL",
        "warn",
        f"{published_file} is none of the versions that are kept, so its marts there may be of another",
        _PUBLISH,
    )


def marts(found: Standing, published: str | None, *, comes_with_each_publish: bool) -> Finding:
    """Whether a publish could bring the marts there, and whether those there are of the published version.

    Args:
        found: what is there.
        published: name of the version that readers of the file open; None where there is none.
        comes_with_each_publish: whether the settings have each publish bring them.
    """
    if found.lacks:
        return Finding(
            "PostgreSQL",
            "FAIL",
            f"a publish would lack {', '.join(found.lacks)}",
            "have the server's administrator give it that (docs/publishing.md, PostgreSQL)",
        )
    if published is None:
        return Finding("PostgreSQL", "ok", "a publish can bring the marts there; nothing has been published yet")
    if found.version is None:
        return Finding("PostgreSQL", "warn", "no marts have been brought there yet", _PUBLISH)
    if found.version == published:
        return Finding("PostgreSQL", "ok", f"its marts are of version {published}, which is the published one")
    relation = "behind" if found.version < published else "not of"
    return Finding(
        "PostgreSQL",
        "FAIL" if comes_with_each_publish else "warn",
        f"its marts are of version {found.version}, {relation} the published version {published}",
        f"{_PUBLISH}; if that fails, docs/operate.md (PostgreSQL)",
    )
