"""A command at a terminal of its own: what a person types into it, and what it shows."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import termios
import time
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_CONTROLS = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]|\x1b\][^\x07]*\x07")


class Terminal:
    """Starts a command at a terminal of 40 lines and 140 columns; at the end the command is killed if it goes on."""

    def __init__(self, arguments: list[str], *, folder: Path, environment: Mapping[str, str]) -> None:
        self._read_to = 0
        self._shown = ""
        self._exit_code: int | None = None
        self._process_id, self._terminal = pty.fork()
        if not self._process_id:
            os.chdir(folder)
            os.execve(arguments[0], arguments, {**environment, "TERM": "xterm", "PROMPT_TOOLKIT_NO_CPR": "1"})  # noqa: S606 - no shell is wanted
        fcntl.ioctl(self._terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 140, 0, 0))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._exit_code is None:
            os.kill(self._process_id, 9)
            os.waitpid(self._process_id, 0)
        os.close(self._terminal)

    def type(self, text: str) -> None:
        """Types, as fast as it goes."""
        os.write(self._terminal, text.encode())

    def wait_for(self, text: str, *, seconds: float = 60) -> None:
        """Waits until a text is shown that was not waited for before.

        Raises:
            AssertionError: it was not shown in time; says what was.
        """
        until = time.monotonic() + seconds
        while (found := self._shown.find(text, self._read_to)) < 0:
            goes_on = time.monotonic() < until and self._reads_on()
            assert goes_on, f"{text!r} was not shown: {self._shown!r}"
        self._read_to = found + len(text)

    def exit_code(self, *, seconds: float = 60) -> int:
        """Waits for the end of the command.

        Raises:
            AssertionError: it goes on; says what was shown.
        """
        until = time.monotonic() + seconds
        while self._reads_on():
            assert time.monotonic() < until, f"it goes on: {self._shown!r}"
        _, status = os.waitpid(self._process_id, 0)
        self._exit_code = os.waitstatus_to_exitcode(status)
        return self._exit_code

    def _reads_on(self) -> bool:
        ready, _, _ = select.select([self._terminal], [], [], 0.2)
        if not ready:
            return True
        try:
            read = os.read(self._terminal, 65_536)
        except OSError:  # how Linux says that the other side is closed
            return False
        self._shown += _CONTROLS.sub("", read.decode(errors="replace"))
        return bool(read)
