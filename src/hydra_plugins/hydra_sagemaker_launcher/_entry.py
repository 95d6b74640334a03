"""Process 1 of a training container: unpacks the code, installs what it requires, runs the job, passes on what happens to it.

Standard library only, and no import from this package: it is what makes the package importable.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tarfile
import threading
import time
from collections import deque
from importlib import metadata
from pathlib import Path

BASE = Path(os.environ.get("SAGEMAKER_BASE_DIR", "/opt/ml"))
CODE, DATA, MODEL = BASE / "code", BASE / "output" / "data", BASE / "model"
JOB_DIR, FAILURE = DATA / ".job", BASE / "output" / "failure"
FAILURE_CHARACTERS = 1024
OUTPUT_GRACE_SECONDS = 5
OF_THE_IMAGE = re.compile(r"(torch|torchvision|torchaudio|triton|nvidia-.*-cu\d+|cuda-.*)$")
"""Built for the image's driver: never installed, and what requires them has to accept the image's versions."""


def main() -> int:
    JOB_DIR.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    spec = json.loads((BASE / "input/data/job/spec.json").read_text(encoding="utf-8"))
    (JOB_DIR / "spec.json").write_text(json.dumps(spec, indent=1), encoding="utf-8")
    try:
        _unpack()
        say(f"code unpacked, {time.monotonic() - started:.1f} s")
        started = time.monotonic()
        said = _install(CODE / ".launcher/requirements.txt")
        say(f"requirements: {said}, {time.monotonic() - started:.1f} s")
    except Exception as error:
        _failed(f"{type(error).__name__}: {error}")
        say(f"{type(error).__name__}: {error}")
        return 1
    return _run(spec)


def say(text: str) -> None:
    print(f"[launcher] {text}", flush=True)


def _unpack() -> None:
    with tarfile.open(BASE / "input/data/code/bundle.tar.gz") as tar:
        tar.extractall(CODE, filter="data")


def _install(requirements: Path) -> str:
    lines = [
        line for line in requirements.read_text(encoding="utf-8").splitlines() if line.strip() and not line.startswith("#")
    ]
    missing = [line for line in lines if not _is_satisfied(line)]
    if not missing:
        return "the image satisfies them"
    here = {
        name: found.version
        for found in metadata.distributions()
        if OF_THE_IMAGE.match(name := (found.metadata["Name"] or "").lower())
    }
    absent = [line for line in missing if OF_THE_IMAGE.match(_name(line)) and _name(line) not in here]
    if absent:
        raise RuntimeError(
            f"the image has no {', '.join(absent)}, and the launcher never installs it: choose an image that has it"
        )
    pins = [f"{name}=={version}\n" for name, version in sorted(here.items())]
    constraints = JOB_DIR / "constraints.txt"
    constraints.write_text("".join(pins) if "torch" in here else "".join([*pins, "torch<0\n"]), encoding="utf-8")
    at_root = CODE / ".launcher-requirements.txt"  # where `./package` and `-c constraints.txt` mean what they meant
    at_root.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    pip = [sys.executable, "-m", "pip", "install", "--no-input", "--disable-pip-version-check", "-c", str(constraints)]
    done = subprocess.run(
        [*pip, "-r", str(at_root)], cwd=CODE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    )
    print(done.stdout, flush=True)
    if done.returncode:
        error = re.search(r"^ *error:.*", done.stdout, re.IGNORECASE | re.MULTILINE | re.DOTALL)
        said = error[0] if error else done.stdout[-FAILURE_CHARACTERS:]
        raise RuntimeError(f"pip could not install the requirements: {said}")
    return f"{', '.join(missing)} installed"


def _name(line: str) -> str:
    match = re.match(r"[A-Za-z0-9][A-Za-z0-9._-]*", line.strip())
    return re.sub(r"[-_.]+", "-", match[0]).lower() if match else ""


def _is_satisfied(line: str) -> bool:
    """False when in doubt: pip decides then."""
    try:
        from pip._vendor.packaging.requirements import Requirement

        wanted = Requirement(line.partition(" #")[0].strip())
        if wanted.marker is not None and not wanted.marker.evaluate():
            return True
        return (
            not wanted.url and not wanted.extras and wanted.specifier.contains(metadata.version(wanted.name), prereleases=True)
        )
    except Exception:  # no pip, an option such as -e, a package that is not there
        return False


def _run(spec: dict) -> int:
    runner = "hydra_plugins.hydra_sagemaker_launcher._runner"
    words = [sys.executable, "-u", "-m", runner, str(JOB_DIR / "spec.json"), "--root", str(CODE), "--job-dir", str(JOB_DIR)]
    words += ["--output-root", str(DATA), "--model-dir", str(MODEL)]
    path = [os.environ.get("PYTHONPATH"), str(CODE / ".launcher/path")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(entry for entry in path if entry)}
    stopped: list[int] = []
    job = subprocess.Popen(
        words,
        cwd=CODE / spec["working_dir"],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,  # a group of its own, so that a signal reaches every process the task has started
    )

    def stop(number: int, frame: object) -> None:
        stopped.append(number)
        os.killpg(job.pid, number)

    signal.signal(signal.SIGTERM, stop)
    last: deque = deque(maxlen=20)
    copying = threading.Thread(target=_copy_output, args=(job, last), daemon=True)
    copying.start()
    code = job.wait()
    copying.join(OUTPUT_GRACE_SECONDS)  # a process that the task has left behind may hold the pipe for ever
    if code and not stopped:
        _failed(_reason(code, last))
    return 0 if stopped and code in (0, -signal.SIGTERM, 128 + signal.SIGTERM) else code if code >= 0 else 128 - code


def _copy_output(job: subprocess.Popen, last: deque) -> None:
    """To the container's log, and to a file that comes home with the results."""
    assert job.stdout is not None
    with (JOB_DIR / "output.log").open("wb") as log:
        for line in job.stdout:
            sys.stdout.buffer.write(line)
            sys.stdout.flush()
            log.write(line)
            log.flush()
            last.append(line.decode(errors="replace").rstrip())


def _reason(code: int, last: deque) -> str:
    try:
        record = json.loads((JOB_DIR / "result.json").read_text(encoding="utf-8"))
        error = record["exception"]
        return f"{error['type']}: {error['message']}\n{error['traceback'][-FAILURE_CHARACTERS:]}"
    except (OSError, ValueError, KeyError):
        killed = (
            f"killed by signal {-code}" + (": out of memory?" if code == -signal.SIGKILL else "")
            if code < 0
            else f"exit code {code}"
        )
        return f"{killed}; the last lines were\n" + "\n".join(last)


def _failed(text: str) -> None:
    FAILURE.parent.mkdir(parents=True, exist_ok=True)
    FAILURE.write_text(text[:FAILURE_CHARACTERS], encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
