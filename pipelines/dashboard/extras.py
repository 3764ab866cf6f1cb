"""Whether the packages are there that a part of the program takes only with an extra."""

from __future__ import annotations

from importlib.util import find_spec

NEEDED = {
    "dashboard": ("altair", "streamlit"),
    "report": ("altair", "jinja2", "vl_convert"),
}
"""By extra, the modules that it installs."""


class ExtraNotInstalled(Exception):
    """The packages of an extra are missing."""


def need(extra: str) -> None:
    """Does nothing where the extra is installed.

    Raises:
        ExtraNotInstalled: it is not.
    """
    missing = [name for name in NEEDED[extra] if find_spec(name) is None]
    if missing:
        raise ExtraNotInstalled(
            f"The {extra} needs {' and '.join(missing)}. Install the extra in the folder of the program:"
            f" pip install '.[{extra}]'."
        )
