"""The process between the server and a job: a job ends with its first process, and never outlives the server.

Run as a script with the command as its arguments. The server's orders are bytes on standard input: T is SIGTERM to
the first process only, as a container gets it; K, and the end of input when the server has died, SIGKILL to all.
"""

from __future__ import annotations

import ctypes
import os
import select
import signal
import sys
import time
from contextlib import suppress

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
NOT_EXECUTABLE = 127
IS_LINUX = sys.platform == "linux"
CONTROL = 0
"""File descriptor of the orders."""


def prctl(option: int, value: int) -> None:
    if IS_LINUX:
        ctypes.CDLL(None).prctl(option, value)


def start(command: list[str]) -> int:
    if pid := os.fork():
        return pid
    try:
        os.setsid()
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        os.dup2(os.open(os.devnull, os.O_RDONLY), CONTROL)
        for number in (signal.SIGPIPE, signal.SIGCHLD, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
        os.execvp(command[0], command)
    except OSError as error:
        os.write(2, f"{command[0]}: {error.strerror}\n".encode())
    finally:
        os._exit(NOT_EXECUTABLE)


def descendants(root: int) -> list[int]:
    """Return the processes below one, parents first; none where there is no /proc."""
    parent_of = {}
    for name in os.listdir("/proc") if IS_LINUX else []:
        if name.isdigit():
            with suppress(OSError), open(f"/proc/{name}/stat", "rb") as file:
                parent_of[int(name)] = int(file.read().rpartition(b")")[2].split()[1])
    found, new = [], [root]
    while new:
        new = [pid for pid, parent in parent_of.items() if parent in new]
        found += new
    return found


def kill_all(first: int) -> None:
    """Kill all processes: on Linux orphans too, as children of this process; on other systems the first process's group."""
    for pid in descendants(os.getpid()):
        send(pid, signal.SIGKILL)
    if not IS_LINUX:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(first, signal.SIGKILL)


def send(pid: int, number: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)


def reap(first: int) -> int | None:
    """Return the first process's exit code as a shell gives it, or None while it runs."""
    code = None
    with suppress(ChildProcessError):
        while (waited := os.waitpid(-1, os.WNOHANG))[0]:
            if waited[0] == first:
                ended = os.waitstatus_to_exitcode(waited[1])
                code = ended if ended >= 0 else 128 - ended
    return code


def supervise(command: list[str], *, is_namespaced: bool) -> int:
    prctl(PR_SET_CHILD_SUBREAPER, 1)
    wakeup, waker = os.pipe()
    os.set_blocking(waker, False)
    signal.set_wakeup_fd(waker)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    first = start(command)
    watched = [CONTROL, wakeup]
    while (code := reap(first)) is None:
        ready, _, _ = select.select(watched, [], [])
        if wakeup in ready:
            os.read(wakeup, 4096)
        if CONTROL in ready:
            orders = os.read(CONTROL, 64)
            if b"T" in orders:
                for pid in descendants(first)[:1] if is_namespaced else [first]:  # there, `first` is unshare itself
                    send(pid, signal.SIGTERM)
            if not orders or b"K" in orders:
                kill_all(first)
            if not orders:
                watched = [wakeup]
    deadline = time.monotonic() + 5
    while descendants(os.getpid()) and time.monotonic() < deadline:
        kill_all(first)
        reap(first)
        time.sleep(0.01)
    return code


if __name__ == "__main__":
    sys.exit(supervise(sys.argv[2:], is_namespaced=sys.argv[1] == "namespace"))
