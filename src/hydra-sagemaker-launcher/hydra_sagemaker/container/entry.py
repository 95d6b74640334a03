"""Process 1 of a training container: unpacks the code, installs the requirements, runs the job, reports failures.

Standard library only; imports from this package once the code is unpacked.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tarfile
import time
from importlib import metadata
from pathlib import Path

BASE = Path(os.environ.get("SAGEMAKER_BASE_DIR", "/opt/ml"))
CODE, FAILURE = BASE / "code", BASE / "output" / "failure"
FAILURE_CHARACTERS = 1024
OF_THE_IMAGE = re.compile(r"(torch|torchvision|torchaudio|triton|nvidia-.*-cu\d+|cuda-.*)$")
"""Built for the image's driver: never installed, and what requires them has to accept the image's versions."""
RESOURCES = BASE / "input/config/resourceconfig.json"
MACHINES = json.loads(RESOURCES.read_text(encoding="utf-8")) if RESOURCES.is_file() else {}
IS_FIRST = not MACHINES.get("hosts") or MACHINES.get("current_host") == min(MACHINES["hosts"])
"""SageMaker merges the results of all machines: those of one count."""
JOB_DIR = BASE / ("output/data/.job" if IS_FIRST else "private/.job")


def main() -> int:
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(0))  # process 1 would ignore it; nothing has begun yet
    JOB_DIR.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    spec = json.loads((BASE / "input/data/job/spec.json").read_text(encoding="utf-8"))
    (JOB_DIR / "spec.json").write_text(json.dumps(spec, indent=1), encoding="utf-8")
    try:
        with tarfile.open(BASE / "input/data/code/bundle.tar.gz") as tar:
            tar.extractall(CODE, filter="data")
        say(f"code unpacked, {time.monotonic() - started:.1f} s")
        started = time.monotonic()
        message = _install(CODE / ".launcher/requirements.txt")
        say(f"requirements: {message}, {time.monotonic() - started:.1f} s")
        sys.path.insert(0, str(CODE / ".launcher/path"))
        from hydra_sagemaker.container import processes

        code, reason = processes.run(spec, BASE, JOB_DIR, say)
    except Exception as error:
        code, reason = 1, f"{type(error).__name__}: {error}"
        say(reason)
    if reason:
        FAILURE.parent.mkdir(parents=True, exist_ok=True)
        FAILURE.write_text(reason[:FAILURE_CHARACTERS], encoding="utf-8")
    return code


def say(text: str) -> None:
    print(f"[launcher] {text}", flush=True)


def _install(requirements: Path) -> str:
    lines = [
        line for line in requirements.read_text(encoding="utf-8").splitlines() if line.strip() and not line.startswith("#")
    ]
    if not (missing := [line for line in lines if not _is_satisfied(line)]):
        return "the image satisfies them"
    here = {
        name: found.version
        for found in metadata.distributions()
        if OF_THE_IMAGE.match(name := (found.metadata["Name"] or "").lower())
    }
    if absent := [line for line in missing if OF_THE_IMAGE.match(_name(line)) and _name(line) not in here]:
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
        message = error[0] if error else done.stdout[-FAILURE_CHARACTERS:]
        raise RuntimeError(f"pip could not install the requirements: {message}")
    return f"{', '.join(missing)} installed"


def _name(line: str) -> str:
    match = re.match(r"[A-Za-z0-9][A-Za-z0-9._-]*", line.strip())
    return re.sub(r"[-_.]+", "-", match[0]).lower() if match else ""


def _is_satisfied(line: str) -> bool:
    """Return whether the image satisfies a requirement; False when in doubt: then pip decides."""
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


if __name__ == "__main__":
    sys.exit(main())
