"""The logger with the lowest and the newest W&B client that pyproject.toml allows."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.slow


def requirement(version: str) -> str:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = next(found for line in project["dependencies"] if (found := Requirement(line)).name == "wandb")
    lowest = next(one.version for one in wanted.specifier if one.operator == ">=")
    return f"wandb=={lowest}.*" if version == "lowest" else str(wanted)


@pytest.mark.parametrize("version", ["lowest", "newest"])
def test_a_run_offline(version: str, tmp_path: Path) -> None:
    """Runs the offline test of the logger with that version before the installed one on the path."""
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--upgrade", "--target", str(tmp_path / "wandb")]
    done = subprocess.run([*install, requirement(version)], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"no package index: {(done.stderr.strip().splitlines() or ['no reason given'])[-1]}")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "wandb")}
    where = [sys.executable, "-c", "import wandb; print(wandb.__file__)"]
    assert str(tmp_path) in subprocess.run(where, capture_output=True, text=True, env=environment).stdout
    test = f"{Path(__file__).with_name('test_tracking_wandb.py')}::test_a_run_resumed_offline_is_one_curve"
    tests = [sys.executable, "-m", "pytest", "-q", "-m", "", "-p", "no:cacheprovider", "-p", "no:xdist", test]
    done = subprocess.run(tests, capture_output=True, text=True, cwd=ROOT, env=environment)
    assert done.returncode == 0, done.stdout
