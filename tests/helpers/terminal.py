"""A program in a terminal of its own: what it writes there, as text."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import termios
from collections.abc import Mapping, Sequence
from pathlib import Path

ESCAPES = re.compile(r"\x1b\[[\d;?]*[A-Za-z]")


def written_to_terminal(
    command: Sequence[str], *, columns: int = 80, cwd: Path | None = None, stdout: int | None = None, **variables: str
) -> str:
    """Return what the program draws, every frame of it, without colours; lines may end in a carriage return.

    Args:
        stdout: where its standard output goes instead, as in `program > file`.

    Raises:
        CalledProcessError: it failed.
    """
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 30, columns, 0, 0))
    hidden = ("COLUMNS", "LINES", "CI", "NO_COLOR", "FORCE_COLOR")
    environment: Mapping[str, str] = {name: value for name, value in os.environ.items() if name not in hidden}
    process = subprocess.Popen(
        command, stdin=theirs, stdout=theirs if stdout is None else stdout, stderr=theirs, cwd=cwd,
        env={**environment, "TERM": "xterm-256color", **variables},
    )  # fmt: skip
    os.close(theirs)
    written = b""
    with open(ours, "rb", buffering=0) as terminal:
        try:
            while block := terminal.read(1 << 16):
                written += block
        except OSError:  # the program has closed its side
            pass
    text = ESCAPES.sub("", written.decode(errors="replace"))
    if code := process.wait():
        raise subprocess.CalledProcessError(code, command, text)
    return text
