"""What crosses the wire, and the words in which directories cross it."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from hydra_sagemaker.errors import LauncherError
from hydra_sagemaker.job.spec import FORMAT, Spec, located, portable, python_path, read, version_skew, versions
from hydra_sagemaker.job.task import TaskReference
from hydra_sagemaker.scheduling.ledger import Ledger


def spec(**changes: Any) -> Spec:
    values: dict[str, Any] = {
        "name": "train-0123456789abcdef-0",
        "key": "0123456789abcdef",
        "number": 3,
        "task_name": "train",
        "config_name": None,
        "search_path": [("main", "root:conf"), ("schema", "structured://")],
        "hydra_overrides": ["hydra.verbose=true"],
        "task_overrides": ["x=${now:%H}", "name='größe, \"x\"'"],
        "config": "x: ${now:%H}\nname: größe\n",
        "plugins": {"hydra/sweeper": {"name": "basic", "values": {"params": None}}},
        "now": [(["%H"], "13")],
        "version_base": "1.3",
        "sweep_dir": "/sweep",
        "sweep_subdir": "3",
        "working_dir": ".",
        "python_path": ["src"],
        "task": TaskReference("train", module="my_app.train"),
    }
    return Spec(**{**values, **changes})


@pytest.mark.parametrize(
    "changes", [{}, {"task": None}, {"task": TaskReference("main", script="app.py")}, {"version_base": None}]
)
def test_a_specification_survives_its_journey(changes: dict[str, Any]) -> None:
    there = spec(**changes)
    here = read(there.to_json())
    assert json.loads(here.to_json()) == json.loads(there.to_json())
    assert here.task == there.task
    assert here.search_path == there.search_path
    assert asdict(here) | {"now": []} == asdict(there) | {"now": []}


def test_a_specification_of_another_format() -> None:
    with pytest.raises(LauncherError, match=f"has format 99, this launcher reads {FORMAT}: submit it again"):
        read(json.dumps({**asdict(spec()), "format": 99}))


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A root with a virtual environment in it, a link to it, and an environment beside it."""
    packages = ("root/.venv/lib/python3.11/site-packages", "environment/site-packages")
    for name in ("root/conf", "root/src", "outside/conf", *(f"{package}/shared/conf" for package in packages)):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "root")
    (tmp_path / "root/linked_conf").symlink_to(tmp_path / "outside/conf")
    monkeypatch.setattr(sys, "path", ["", *(str(tmp_path / package) for package in packages), str(tmp_path / "link/src")])
    monkeypatch.chdir(tmp_path / "root")
    return tmp_path


@pytest.mark.parametrize(
    "path, words",
    [
        ("file://{tree}/root/conf", "root:conf"),
        ("{tree}/root/conf", "root:conf"),
        ("file://{tree}/root", "root:."),
        ("file://{tree}/link/conf", "root:conf"),
        ("conf", "root:conf"),
        ("pkg://hydra.conf", "pkg://hydra.conf"),
        ("structured://", "structured://"),
        ("file://{tree}/environment/site-packages/shared/conf", "path:shared/conf"),
        ("file://{tree}/root/.venv/lib/python3.11/site-packages/shared/conf", "path:shared/conf"),
    ],
)
def test_directories_in_words_that_hold_elsewhere(tree: Path, path: str, words: str) -> None:
    assert portable(path.format(tree=tree), tree / "root") == words


@pytest.mark.parametrize("path", ["file://{tree}/outside/conf", "file://{tree}/root/linked_conf", "file://{tree}/root-2/conf"])
def test_directories_that_are_not_sent(tree: Path, path: str) -> None:
    with pytest.raises(
        LauncherError, match="neither lies below the code's root .*set hydra.launcher.code.root to a directory above both"
    ):
        portable(path.format(tree=tree), tree / "root")


def test_directories_where_the_job_runs(tree: Path) -> None:
    there = tree / "elsewhere/code"
    assert located("root:conf", there) == f"file://{there}/conf"
    assert located("root:.", there) == f"file://{there}"
    assert located("pkg://hydra.conf", there) == "pkg://hydra.conf"
    assert located("path:shared/conf", there) == f"file://{tree}/root/.venv/lib/python3.11/site-packages/shared/conf"
    with pytest.raises(LauncherError, match="absent/conf is in no installed package of this image: add its package"):
        located("path:absent/conf", there)


def test_the_part_of_the_import_path_that_is_sent(tree: Path) -> None:
    assert python_path(tree / "root") == [".", "src"]


def test_versions_that_differ_are_named() -> None:
    there = {"python": "3.11.7", "torch": "2.8.0+cu128", "numpy": "2.1", "transformers": "5.0"}
    here = {"python": "3.12.1", "torch": "2.8.0+cpu", "numpy": "2.1", "lightning": "2.6"}
    assert version_skew(there, here) == ["python 3.12.1 here, 3.11.7 where the sweep was submitted"]
    assert version_skew(versions(), versions()) == []
    assert {"python", "hydra-core", "omegaconf"} <= versions().keys()


def test_a_ledger_keeps_what_follows_a_torn_line(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / ".launcher/ledger.jsonl")
    assert ledger.read() == []
    ledger.append("submit", job=0, name="größe")
    ledger.append("submit", job=1)
    ledger.file.write_bytes(ledger.file.read_bytes()[:-9])
    assert [event["job"] for event in ledger.read()] == [0]
    Ledger(ledger.file).append("submit", job=2)
    assert [(event["event"], event["job"]) for event in ledger.read()] == [("submit", 0), ("submit", 2)]
