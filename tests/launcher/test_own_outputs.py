"""What a launch itself writes into the repository, and droppings of editors, make no other job."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from hydra_apps import LOCAL, App
from hydra_sagemaker.code.bundled_files import list_files

LOGGING_APP = """\
import logging

import hydra

logging.getLogger("mine").addHandler(logging.FileHandler("mine.log"))


@hydra.main(version_base=None, config_path="conf", config_name="config")
def main(config):
    return config.x


if __name__ == "__main__":
    logging.getLogger("mine").warning("launched")
    main()
"""


def repository(app: App) -> None:
    for words in (["init", "-q"], ["add", "-A"], ["-c", "user.email=a@b", "-c", "user.name=n", "commit", "-qm", "x"]):
        subprocess.run(["git", *words], cwd=app.root, check=True)


@pytest.mark.parametrize(
    "redirected",
    [
        ">> run.out 2>&1",
        *(
            pytest.param(words, marks=pytest.mark.slow)
            for words in ("2>&1 | tee -a run.out", "2>&1 | cat | tee -a run.out > copy.out", ">> run.out 2> errors.out")
        ),
    ],
)
def test_the_log_of_a_launch_in_its_repository_is_no_code(app: App, redirected: str) -> None:
    repository(app)
    words = [sys.executable, "app.py", *LOCAL, "x=1"]
    environment = {**os.environ, "MARKS": str(app.marks_file), "OMP_NUM_THREADS": "1"}
    for _ in range(2):
        command = ["bash", "-c", f"{' '.join(words)} {redirected}"]
        subprocess.run(command, cwd=app.root, env=environment, check=True, timeout=60)
    assert app.marks() == ["1"]
    assert "1 job: 1 reused in" in (app.root / "run.out").read_text(encoding="utf-8")


def test_the_file_of_a_logger_is_no_code(app: App) -> None:
    app.write("app.py", LOGGING_APP)
    repository(app)
    app.sweep("x=1")
    assert "1 job: 1 reused" in app.sweep("x=1")
    assert (app.root / "mine.log").read_text(encoding="utf-8").count("launched") == 2


DROPPINGS = (
    "app.py~", ".#app.py", "#app.py#", ".app.py.swp", "nohup.out", ".~lock.table.csv#", ".idea/workspace.xml", ".cache/x/y",
    "notebooks/.ipynb_checkpoints/a.ipynb", ".coverage", "wandb/offline-run-1/files/x", "wandb/debug.log", "__pycache__/x.pyc",
)  # fmt: skip


@pytest.mark.parametrize("with_git", [True, False])
def test_droppings_are_not_sent_unless_git_tracks_them(app: App, with_git: bool) -> None:
    app.write("kept~", "tracked")
    if with_git:
        repository(app)
    before = list_files(app.root)
    for name in DROPPINGS:
        app.write(name, "x")
    assert list_files(app.root) == before
    assert (Path("kept~") in [Path(file) for file in before]) == with_git
    app.write("notes.swp", "x")
    app.write("data/cache.txt", "x")
    assert {str(file) for file in list_files(app.root)} - {str(file) for file in before} == {"notes.swp", "data/cache.txt"}
