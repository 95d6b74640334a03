"""Process 1 of a training container: unpacks the code, has the requirements installed, runs the job, reports failures.

Standard library only; imports from this package once the code is unpacked.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import tarfile
import time
from pathlib import Path

BASE = Path(os.environ.get("SAGEMAKER_BASE_DIR", "/opt/ml"))
MACHINE = BASE / "input/data/job/machine.json"
"""Lists the jobs of a machine that several share; what they install is the same, so the first one's specification says it."""
CODE, FAILURE = BASE / "code", BASE / "output" / "failure"
FAILURE_CHARACTERS = 1024
RESOURCES = BASE / "input/config/resourceconfig.json"
MACHINES = json.loads(RESOURCES.read_text(encoding="utf-8")) if RESOURCES.is_file() else {}
IS_FIRST = not MACHINES.get("hosts") or MACHINES.get("current_host") == min(MACHINES["hosts"])
"""SageMaker merges the results of all machines: those of one count."""
JOB_DIR = BASE / ("output/data/.job" if IS_FIRST else "private/.job")


def main() -> int:
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(0))  # process 1 would ignore it; nothing has begun yet
    JOB_DIR.mkdir(parents=True, exist_ok=True)
    began = started = time.monotonic()
    shared = json.loads(MACHINE.read_text(encoding="utf-8")) if MACHINE.is_file() else None
    file = MACHINE.with_name(f"{shared['jobs'][0]}.json" if shared else "spec.json")
    spec = json.loads(file.read_text(encoding="utf-8"))
    (JOB_DIR / "spec.json").write_text(json.dumps(spec, indent=1), encoding="utf-8")
    try:
        with tarfile.open(BASE / "input/data/code/bundle.tar.gz") as tar:
            tar.extractall(CODE, filter="data")
        say(f"code unpacked, {time.monotonic() - started:.1f} s")
        started = time.monotonic()
        sys.path.insert(0, str(CODE / ".launcher/path"))
        from hydra_sagemaker.container import caches, install, processes, turns

        if kept := caches.use_kept_directory(os.environ):
            say(f"downloads are kept with this machine: {', '.join(kept)}")
        message = install.install(CODE, JOB_DIR, spec)
        say(f"requirements: {message}, {time.monotonic() - started:.1f} s")
        if shared:
            code, reason = turns.run(shared, BASE, say, began)
        else:
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


if __name__ == "__main__":
    sys.exit(main())
