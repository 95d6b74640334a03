"""A training container laid out by hand: an /opt/ml, and the command that SageMaker would start in it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from hydra_sagemaker.aws.request import ENTRYPOINT
from hydra_sagemaker.code import bundle
from hydra_sagemaker.code.requirements import Requirements
from hydra_sagemaker.code.source import Code
from hydra_sagemaker.job.spec import Spec
from hydra_sagemaker.job.task import TaskReference
from hydra_sagemaker.settings import CodeConf

APP = """\
import os, signal, subprocess, sys, time
from pathlib import Path

import hydra
from hydra.core.hydra_config import HydraConfig

BASE = Path(os.environ["SAGEMAKER_BASE_DIR"])
CHILD = '''
import signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: (open(sys.argv[1], "w").write("told"), sys.exit()))
print("child ready", flush=True)
time.sleep(60)
'''


class Broken(Exception):
    pass


@hydra.main(version_base=None, config_path="conf", config_name="config")
def main(config):
    output = Path(HydraConfig.get().runtime.output_dir)
    print("the task's own line")
    if config.do == "model":
        (output / "model.pt").write_text("weights")
        (output / "metrics.json").write_text("{}")
    if config.do == "raise":
        raise Broken("it is broken " + "x" * config.x)
    if config.do == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if config.do == "exit":
        sys.exit(3)
    if config.do == "bar":
        print("\\r".join(f"{percent}%" for percent in range(101)), flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
    if config.do == "orphan":
        orphan = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=True)
        (BASE / "orphan").write_text(str(orphan.pid))
    if config.do in ("save", "fail to save"):
        (BASE / "parent").write_text(str(os.getppid()))
        subprocess.Popen([sys.executable, "-c", CHILD, str(BASE / "child")])
        try:
            time.sleep(60)
        finally:
            (BASE / "checkpoints").mkdir()
            (BASE / "checkpoints" / "last.ckpt").write_text("saved")
            if config.do != "save":
                raise Broken("the disk is full")
    return config.x
"""


class Container:
    """What SageMaker lays out before it starts a job, and the job's process."""

    def __init__(self, directory: Path) -> None:
        self.root, self.base = directory / "project", directory / "opt_ml"
        for name, text in {"app.py": APP, "conf/config.yaml": "x: 0\ndo: nothing\n"}.items():
            (self.root / name).parent.mkdir(parents=True, exist_ok=True)
            (self.root / name).write_text(text, encoding="utf-8")
        self.archive = self.base / "input/data/code/bundle.tar.gz"
        for folder in ("input/data/code", "input/data/job", "output/data", "model"):
            (self.base / folder).mkdir(parents=True)
        self._process: subprocess.Popen[str] | None = None

    def prepare(
        self, do: str = "nothing", x: int = 0, *, config: str = "", requirements: list[str] | Requirements | None = None
    ) -> Container:
        code = Code(self.root, CodeConf())
        wanted = requirements if isinstance(requirements, Requirements) else Requirements(requirements or ["hydra-core"])
        bundle.pack(self.root, code.files, self.archive, extra=code.extra(wanted))
        spec = Spec(
            name="app-0123456789abcdef-0", key="0123456789abcdef", number=0, task_name="app", config_name="config",
            search_path=[("hydra", "pkg://hydra.conf"), ("main", "root:conf"), ("schema", "structured://")],
            hydra_overrides=[], task_overrides=[f"do={do}", f"x={x}"], config=config or f"x: {x}\ndo: {do}\n",
            plugins={f"hydra/{group}": {"name": "basic", "values": {}} for group in ("launcher", "sweeper")},
            now=[], version_base="1.3", sweep_dir="/elsewhere/sweep", sweep_subdir="7", working_dir=".", python_path=["."],
            task=TaskReference("main", script="app.py"), model_files=["*.pt"],
        )  # fmt: skip
        (self.base / "input/data/job/spec.json").write_text(spec.to_json(), encoding="utf-8")
        return self

    def start(self, python: str = sys.executable, **env: str) -> subprocess.Popen[str]:
        command = ENTRYPOINT.format(python=python).replace("/opt/ml", str(self.base))
        variables = {**os.environ, "SAGEMAKER_BASE_DIR": str(self.base), "OMP_NUM_THREADS": "1", **env}
        output = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
        self._process = subprocess.Popen(["/bin/bash", "-c", command], env=variables, start_new_session=True, **output)  # type: ignore[call-overload]
        assert self._process is not None
        return self._process

    def run(self, python: str = sys.executable, **env: str) -> tuple[int, str]:
        process = self.start(python, **env)
        output, _ = process.communicate(timeout=60)
        return process.returncode, output

    def await_log(self, line: str) -> None:
        log = self.base / "output/data/.job/output.log"
        deadline = time.monotonic() + 30
        while not (log.is_file() and line in log.read_text(encoding="utf-8")):
            assert time.monotonic() < deadline, f"{line!r} did not come"
            time.sleep(0.02)

    @property
    def failure(self) -> str:
        return (self.base / "output/failure").read_text(encoding="utf-8")

    def job(self, name: str) -> Any:
        text = (self.base / "output/data/.job" / name).read_text(encoding="utf-8")
        return json.loads(text) if name.endswith(".json") else text

    def close(self) -> None:
        if self._process is not None:
            if self._process.poll() is None:
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.communicate()


@pytest.fixture
def container(tmp_path: Path) -> Iterator[Container]:
    container = Container(tmp_path)
    yield container
    container.close()


Wheel = Callable[..., Path]


@pytest.fixture
def wheel() -> Wheel:
    return make_wheel


def make_wheel(directory: Path, name: str, version: str = "1.0", requires: str = "") -> Path:
    """A package of one module, as any index would deliver it."""
    directory.mkdir(parents=True, exist_ok=True)
    file, folder = directory / f"{name}-{version}-py3-none-any.whl", f"{name}-{version}.dist-info"
    needs = f"Requires-Dist: {requires}\n" if requires else ""
    contents = {
        f"{name}.py": f"VERSION = {version!r}\n",
        f"{folder}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needs}",
        f"{folder}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{path},,\n" for path in (*contents, f"{folder}/RECORD"))
    with zipfile.ZipFile(file, "w") as archive:
        for path, text in {**contents, f"{folder}/RECORD": record}.items():
            archive.writestr(path, text)
    return file
