"""A checkout, a local SageMaker and the command line between them, with trainings of seconds."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from commands import ROOT

pytest.importorskip("moto", reason='needs pip install "paraphrase-lab[local-aws]"')
from sagemaker_local import LocalSageMaker  # noqa: E402

SMALL = (
    *("data.train_pairs=600", "data.validation_pairs=120", "data.test_pairs=100", "data.batch_size=25", "seed=3"),
    *("model.hidden_size=16", "model.num_layers=1", "model.num_heads=2", "model.vocab_size=400", "model.dropout=0.1"),
    *("trainer.max_epochs=2", "trainer.val_check_interval=0.5", "trainer.checkpoint_every_steps=3", "trainer.accelerator=cpu"),
    *("monitor=val/nll", "trainer.precision=32", "trainer.log_every_steps=2", "+callbacks.slow={_target_:slow_steps.Slow}"),
)


SLOW_STEPS = """\
import os
import time

from pytorch_lightning.callbacks import Callback


class Slow(Callback):
    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        print("step", trainer.global_step, flush=True)
        time.sleep(float(os.environ.get("STEP_SECONDS", "0")))
"""


class Lab:
    """A checkout, a local SageMaker, and the command line between them."""

    def __init__(self, directory: Path, server: LocalSageMaker) -> None:
        self.root, self.server = directory / "checkout", server
        for folder in ("conf", "src/paraphrase_lab"):
            shutil.copytree(ROOT / folder, self.root / folder, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(ROOT / "pyproject.toml", self.root)
        (self.root / "src/slow_steps.py").write_text(SLOW_STEPS, encoding="utf-8")
        self.cache = directory / "cache"

    def start(self, *words: str, command: str = "train", small: tuple[str, ...] = SMALL) -> subprocess.Popen[str]:
        path = os.pathsep.join(
            [
                str(self.root / "src"),
                str(self.root / "src/hydra-sagemaker-launcher"),
                *filter(None, [os.environ.get("PYTHONPATH")]),
            ]
        )
        environment = {**os.environ, **self.server.client_environment, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
        environment |= {"PARAPHRASE_CACHE_DIR": str(self.cache), "HF_HUB_OFFLINE": "1"}
        typed = [sys.executable, "-m", "paraphrase_lab", command, *small, *words]
        output = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
        return subprocess.Popen(typed, cwd=self.root, env=environment, **output)  # type: ignore[call-overload]

    def run(self, *words: str, **options: Any) -> str:
        return self.end(self.start(*words, **options))

    def end(self, process: subprocess.Popen[str]) -> str:
        output, _ = process.communicate(timeout=300)
        assert process.returncode == 0, f"{output}\n{self.log()}"
        return output

    def sweep(self, name: str, *words: str, **options: Any) -> subprocess.Popen[str]:
        env = (f"+hydra.launcher.env.PARAPHRASE_CACHE_DIR={self.cache}", "+hydra.launcher.env.OMP_NUM_THREADS='1'")
        remote = ("-m", "compute=sagemaker_local", f"hydra.launcher.endpoint_url={self.server.url}", *env)
        return self.start(*remote, f"hydra.launcher.sweep_name={name}", f"hydra.sweep.dir={name}", *words, **options)

    def log(self, host: int = 1) -> str:
        """Return the log of the newest job, in all its attempts."""
        logs = sorted(self.server.root.glob(f"training-jobs/*/algo-{host}.log"), key=lambda file: file.stat().st_mtime)
        return logs[-1].read_text(encoding="utf-8") if logs else ""

    def await_(self, holds: Callable[[str], object], process: subprocess.Popen[str]) -> None:
        deadline = time.monotonic() + 120
        while not holds(self.log()):
            assert time.monotonic() < deadline and process.poll() is None, self.log()
            time.sleep(0.05)
