"""Types the commands of a page, in order and in one shell, as its reader would."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

DEFAULT_PORT = "5005"
SECONDS_AT_MOST = 600


def free_port() -> str:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return str(listener.getsockname()[1])


def bash_blocks(text: str) -> list[str]:
    return re.findall(r"^```bash\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def typed(page: str, directory: Path, port: str, **variables: str) -> str:
    """Return the output of the shell, both streams; everything it started is dead afterwards.

    The page's port is another one here, and its last command, which ends the server, is waited for.
    """
    lines = [*bash_blocks(page.replace(DEFAULT_PORT, port)), "wait || true"]
    script = "set -euo pipefail\n" + "\n".join(f"{block}\necho" for block in lines)
    with tempfile.TemporaryFile("w+", encoding="utf-8") as output:
        process = subprocess.Popen(
            ["bash", "-c", script],
            cwd=directory,
            env=_environment(variables),
            stdin=subprocess.DEVNULL,
            stdout=output,  # a pipe would stay open as long as the page's server lives
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            code = process.wait(timeout=SECONDS_AT_MOST)
        except subprocess.TimeoutExpired:
            code = None
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        output.seek(0)
        printed = output.read()
    assert code == 0, printed
    return printed


def copy_of(checkout: Path, target: Path) -> Path:
    """Every file that is there and that git does not ignore, in a repository of its own."""
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    for name in subprocess.run(listing, cwd=checkout, capture_output=True, text=True, check=True).stdout.split("\0"):
        if name and (checkout / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(checkout / name, target / name)
    subprocess.run(["git", "init", "--quiet"], cwd=target, check=True)
    return target


def _environment(variables: dict[str, str]) -> dict[str, str]:
    """Return this environment without an AWS account of the person who runs the tests."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "PARAPHRASE_"))}
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    return {**own, "PATH": path, "OMP_NUM_THREADS": "1", "AWS_EC2_METADATA_DISABLED": "true", **variables}
