"""Every locked package that is installed says a licence that allows what this project does with it: use, unchanged."""

import re
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path

import pytest

LOCK = Path(__file__).parents[2] / "requirements.lock"
NAMES = re.findall(r"^([A-Za-z0-9._-]+)(?:\[[^]]*\])?==", LOCK.read_text(encoding="utf-8"), re.MULTILINE)
ALLOWED = re.compile(
    r"\b(MIT|MIT-0|0BSD|BSD|BSD-[23]-Clause|Apache|Apache-2\.0|ISC|PSF-2\.0|Python Software Foundation|MPL-2\.0"
    r"|Mozilla Public License 2\.0|CC0-1\.0|Zlib|AFL-2\.1|CNRI-Python|Artistic License)\b"
)
"""Of a choice, one that is allowed is enough."""
NOT_BY_THEMSELVES = re.compile(r"\b(A?GPL|GNU (Affero )?General|SSPL|BUSL|Proprietary|Commercial)", re.IGNORECASE)


def licences_of(name: str) -> list[str]:
    about = metadata(name)
    if expression := about.get("License-Expression"):
        return [expression]
    classifiers = [each.split(" :: ")[-1] for each in about.get_all("Classifier", []) if each.startswith("License ::")]
    return classifiers or (about.get("License") or "").splitlines()[:1]


def is_allowed(licences: list[str]) -> bool:
    """Several classifiers, and `OR`, are a choice; every part of an `AND` has to be allowed."""
    choices = [choice for each in licences for choice in re.split(r"\bOR\b(?![^()]*\))", each)]
    return any(
        all(ALLOWED.search(part) and not NOT_BY_THEMSELVES.search(part) for part in re.split(r"\bAND\b", choice))
        for choice in choices
    )


def test_every_installed_package_has_an_allowed_licence() -> None:
    assert len(NAMES) > 100
    found = {}
    for name in NAMES:
        try:
            found[name] = licences_of(name)
        except PackageNotFoundError:  # it is for another system or Python
            continue
    assert len(found) > 0.9 * len(NAMES)
    refused = {name: licences for name, licences in found.items() if not is_allowed(licences)}
    assert refused == {}, "look for another package, or say in docs/decisions/dependencies.md why it may be used"


@pytest.mark.parametrize(
    ("licences", "may_be_used"),
    [
        (["MIT"], True),
        (["MPL-2.0 AND (Apache-2.0 OR MIT)"], True),
        (["GPL-3.0-only OR MIT"], True),
        (["Artistic License", "GNU General Public License (GPL)"], True),
        (["GPL-3.0-only"], False),
        (["GNU Affero General Public License v3"], False),
        (["MIT AND AGPL-3.0-only"], False),
        (["Other/Proprietary License"], False),
        ([], False),
    ],
)
def test_what_is_allowed_is_told_from_what_is_not(licences: list[str], may_be_used: bool) -> None:
    assert is_allowed(licences) is may_be_used
