"""What was looked at, how it is, and what to do next where it is not as it should be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

Name = Literal[
    "packages",
    "home folder",
    "permissions",
    "file system",
    "disk",
    "locks",
    "personal data",
    "work file",
    "schema",
    "models",
    "published copy",
    "schedule",
    "PostgreSQL",
    "API",
    "clock",
    "token",
    "token scope",
    "token expiry",
    "account",
    "probe",
    "budget",
]
"""Everything that is looked at, in the order in which it is needed. docs/operate.md says of each what to do."""
Severity = Literal["ok", "warn", "FAIL"]
"""`warn`: runs work, but not as they could, or not for long. `FAIL`: runs do not work, or readers get what is old."""


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        name: what.
        severity: how it is.
        message: what was seen.
        next_step: what to do; None where it is as it should be.
        about: which of several it is: an account, a token, a question; empty where there is one.
    """

    name: Name
    severity: Severity
    message: str
    next_step: str | None = None
    about: str = ""

    @property
    def title(self) -> str:
        """The name, with what it is about."""
        return f"{self.name} {self.about}".rstrip()

    def as_json(self) -> dict[str, Any]:
        """The finding in plain values, for scripts."""
        return {
            "name": self.name,
            "about": self.about,
            "severity": self.severity,
            "message": self.message,
            "next_step": self.next_step,
        }
