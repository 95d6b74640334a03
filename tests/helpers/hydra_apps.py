"""A Hydra application of a few lines in a directory of its own, swept by real processes."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

LOCAL = (
    "-m",
    "hydra/launcher=sagemaker",
    "hydra.launcher.mode=local",
    "hydra.launcher.poll_seconds=0.05",
    "hydra.sweep.dir=sweep",
)
AWS = (
    *(
        "-m",
        "hydra/launcher=sagemaker",
        "hydra.launcher.mode=dry_run",
        "hydra.sweep.dir=sweep",
        "hydra.launcher.region=eu-west-1",
    ),
    *("hydra.launcher.s3_uri=s3://bucket/prefix", "hydra.launcher.role_arn=arn:aws:iam::123456789012:role/jobs"),
    *(
        "hydra.launcher.image_uri=123456789012.dkr.ecr.eu-west-1.amazonaws.com/image:1",
        "hydra.launcher.instance_type=ml.m5.large",
    ),
)
CLOSURE = """\
import hydra


def make(factor):
    @hydra.main(version_base=None, config_path="conf", config_name="config")
    def main(config):
        return config.x * factor
    return main


if __name__ == "__main__":
    make(3)()
"""
APP = """\
import os
import signal
import time
from pathlib import Path

import hydra


class Broken(Exception):
    pass


def mark(text):
    with open(os.environ["MARKS"], "a") as marks:
        marks.write(f"{text} {time.time():.3f} {os.getpid()}\\n")


@hydra.main(version_base=None, config_path="conf", config_name="config")
def main(config):
    mark(f"start {config.x}")
    print(f"x is {config.x}")
    if config.do == "raise":
        raise Broken(f"x={config.x} is broken")
    if config.do == "nap":
        time.sleep(0.3)
    if config.do == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if config.do == "ignore":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        mark(f"ignores {config.x}")
        time.sleep(60)
    if config.do == "terminate":
        os.kill(os.getpid(), signal.SIGTERM)
    if config.do == "wait":
        while not Path(os.environ["MARKS"] + ".go").exists():
            time.sleep(0.02)
    if config.do == "save":
        try:
            time.sleep(60)
        finally:
            mark(f"saved {config.x}")
    mark(f"end {config.x}")
    return config.x * 10


if __name__ == "__main__":
    main()
"""


class Finished(NamedTuple):
    code: int
    output: str
    """Both streams, as they would stand on the screen."""


class App:
    def __init__(self, directory: Path) -> None:
        self.root = directory / "project"
        self.marks_file = directory / "marks"
        """A file outside the root, in which every job writes what it did."""
        self.sweep_dir = self.root / "sweep"
        self._started: list[subprocess.Popen[str]] = []
        self.write("app.py", APP)
        self.write("conf/config.yaml", "x: 0\ndo: ${oc.env:DO_${x},nothing}\n")

    def write(self, name: str, text: str) -> Path:
        file = self.root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(textwrap.dedent(text), encoding="utf-8")
        return file

    def start(
        self, *words: str, script: str = "app.py", cwd: Path | None = None, env: dict[str, str] | None = None
    ) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, *script.split(), *words],
            cwd=cwd or self.root,
            env={**os.environ, "MARKS": str(self.marks_file), "OMP_NUM_THREADS": "1", **(env or {})},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
        )
        self._started.append(process)
        return process

    def run(self, *words: str, **options: Any) -> Finished:
        process = self.start(*words, **options)
        output, _ = process.communicate(timeout=90)
        return Finished(process.returncode, output)

    def sweep(self, *words: str, code: int = 0, **options: Any) -> str:
        """Everything it printed; fails the test when it ends with another exit code."""
        finished = self.run(*LOCAL, *words, **options)
        assert finished.code == code, finished.output
        return finished.output

    def marks(self, word: str = "start") -> list[str]:
        """Return the value of x of every job so far, in order."""
        return [x for marked, x, *_ in self.all_marks() if marked == word]

    def all_marks(self) -> list[list[str]]:
        """Word, x, time and process."""
        if not self.marks_file.is_file():
            return []
        return [line.split() for line in self.marks_file.read_text(encoding="utf-8").splitlines()]

    def await_marks(self, count: int, word: str = "start") -> None:
        self.await_(lambda: len(self.marks(word)) >= count)

    def await_(self, holds: Callable[[], bool], seconds: float = 30) -> None:
        deadline = time.monotonic() + seconds
        while not holds():
            assert time.monotonic() < deadline, "it did not happen in time"
            time.sleep(0.02)

    def await_event(self, event: str) -> None:
        """Wait until the ledger has this event."""
        ledger = self.sweep_dir / ".launcher/ledger.jsonl"
        self.await_(lambda: ledger.exists() and f'"event": "{event}"' in ledger.read_text(encoding="utf-8"))

    def let_go(self) -> None:
        """The jobs that wait (`do=wait`) end."""
        Path(f"{self.marks_file}.go").touch()

    def result(self, number: int, directory: str = "sweep") -> dict[str, Any]:
        return json.loads((self.root / directory / str(number) / ".job/result.json").read_text(encoding="utf-8"))

    def files(self, number: int, directory: str = "sweep") -> set[str]:
        output_dir = self.root / directory / str(number)
        return {file.relative_to(output_dir).as_posix() for file in output_dir.rglob("*") if file.is_file()}

    def close(self) -> None:
        self.let_go()
        for process in self._started:
            if process.poll() is None:
                process.kill()
            if process.stdout is not None and not process.stdout.closed:
                process.communicate()
        for file in self.root.glob(".hydra_jobs/*/where.json"):
            pid = json.loads(file.read_text(encoding="utf-8")).get("pid")
            if pid is not None and Path(f"/proc/{pid}").exists() and os.getpgid(pid) == pid:
                os.killpg(pid, signal.SIGKILL)


class Elsewhere:
    """Another machine: a copy of the code, another working directory, another environment."""

    def __init__(self, app: App, directory: Path) -> None:
        self.app = app
        self.root = directory / "elsewhere"
        self.output = directory / "output"

    def submit(self, *words: str, **options: Any) -> None:
        finished = self.app.run(*AWS, *words, **options)
        assert finished.code == 0, finished.output
        ignored = shutil.ignore_patterns("sweep", "__pycache__")
        shutil.copytree(self.app.root, self.root, ignore=ignored, dirs_exist_ok=True)

    def spec(self, number: int = 0) -> Path:
        return self.app.sweep_dir / f".launcher/requests/{number}.spec.json"

    def run(self, number: int = 0, **env: str) -> str:
        words = [sys.executable, "-m", "hydra_sagemaker.runner", str(self.spec(number))]
        words += ["--root", str(self.root), "--job-dir", str(self.output / ".job"), "--output-root", str(self.output)]
        env = {**os.environ, **env}
        done = subprocess.run(words, cwd=self.root, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        assert done.returncode == self.result()["exit_code"]
        return done.stdout

    def result(self) -> dict[str, Any]:
        return json.loads((self.output / ".job/result.json").read_text())

    def seen(self, number: int = 0) -> dict[str, Any]:
        return json.loads((self.output / str(number) / "seen.json").read_text())
