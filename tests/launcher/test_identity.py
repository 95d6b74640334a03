from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

import pytest
from omegaconf import DictConfig, OmegaConf

from hydra_sagemaker.job.identity import NAME_LENGTH, files_digest, job_key, parse_job_name, slug, task_yaml
from hydra_sagemaker.job.job import Job
from hydra_sagemaker.job.task import TaskReference
from hydra_sagemaker.settings import SageMakerLauncherConf

TASK = TaskReference("train", module="my_app.train")
CONFIG = {
    "model": {"name": "small", "layers": [1, 2]},
    "seed": 1,
    "lr": 1e-3,
    "copy": "${model}",
    "data": "${oc.env:NOT_SET_ANYWHERE}",
    "later": "???",
    "hydra": {"job": {"num": 0}},
}
IN_ANOTHER_PROCESS = """
import sys
from omegaconf import OmegaConf
from hydra_sagemaker.job.identity import job_key, task_yaml
from hydra_sagemaker.job.task import TaskReference
task = TaskReference("train", module="my_app.train")
print(job_key(task_yaml(OmegaConf.create(sys.stdin.read()), ["seed"]), code="c", image="i", task=task))
"""


def config(**changes: Any) -> DictConfig:
    return OmegaConf.create({**CONFIG, **changes})


def key(
    of: DictConfig, *without: str, code: str = "c", image: str = "i", task: TaskReference | None = TASK, data: str = ""
) -> str:
    return job_key(task_yaml(of, without), code=code, image=image, task=task, data=data)


@pytest.mark.parametrize("seed", ["0", "4711"])
def test_another_process_finds_the_same_key(seed: str) -> None:
    found = subprocess.run(
        [sys.executable, "-c", IN_ANOTHER_PROCESS],
        input=OmegaConf.to_yaml(config()),
        env={**os.environ, "PYTHONHASHSEED": seed},
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout.strip() == key(config(), "seed")


def test_whatever_changes_the_result_changes_the_key() -> None:
    keys = [
        key(config()),
        key(config(seed=2)),
        key(config(seed="1")),
        key(config(seed=None)),
        key(config(model={"name": "small", "layers": [2, 1]})),
        key(config(data="${oc.env:ANOTHER}")),
        key(config(), code="c2"),
        key(config(), image="i2"),
        key(config(), code="ci", image=""),
        key(config(), data="d"),
        key(config(), task=TaskReference("evaluate", module="my_app.train")),
        key(config(), task=TaskReference("train", script="my_app/train.py")),
        key(config(), task=None),
    ]
    assert len(set(keys)) == len(keys)


def test_the_hydra_node_is_no_part_of_it() -> None:
    assert key(config(hydra={"job": {"num": 7}})) == key(config())


@pytest.mark.parametrize(
    "without, changes",
    [
        ("seed", {"seed": 2}),
        ("model.name", {"model": {"name": "large", "layers": [1, 2]}}),
        ("model", {"model": {"anything": "else"}}),
        ("data", {"data": "${oc.env:ANOTHER_THAT_IS_NOT_SET}"}),
        ("later", {"later": 3}),
    ],
)
def test_excluded_keys_do_not_change_it(without: str, changes: dict[str, Any]) -> None:
    assert key(config(**changes), without) == key(config(), without)
    assert key(config(**changes)) != key(config())


@pytest.mark.parametrize(
    "without", ["absent", "absent.deeper", "seed.deeper", "model.absent", "data.deeper", "later.deeper", "copy.name"]
)
def test_excluded_keys_that_are_not_there_are_ignored(without: str) -> None:
    assert key(config(), without) == key(config())


def test_excluding_below_an_interpolation_does_not_exclude_what_it_refers_to() -> None:
    large = config(model={"name": "large", "layers": [1, 2]})
    assert key(large, "copy.name") != key(config(), "copy.name")


def test_excluding_leaves_the_configuration_alone() -> None:
    of = config()
    OmegaConf.set_struct(of, True)
    OmegaConf.set_readonly(of, True)
    key(of, "model.name", "seed")
    assert of == config()


def test_nothing_is_resolved(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THE_SECRET", "sesame")
    called: list[str] = []
    OmegaConf.register_new_resolver("launcher_test_calls", lambda: called.append("called") or "x")
    of = OmegaConf.create({"a": "${oc.env:THE_SECRET}", "b": {"c": "${launcher_test_calls:}"}, "d": "${launcher_test_calls:}"})
    try:
        text = task_yaml(of, ["d", "b.c"])
        assert text == "a: ${oc.env:THE_SECRET}\nb: {}\n"
        key(of)
        assert called == []
    finally:
        OmegaConf.clear_resolver("launcher_test_calls")


class Colour(Enum):
    RED = 1


@dataclass
class Inner:
    colour: Colour = Colour.RED
    folder: Path = Path("data")


@dataclass
class Schema:
    inner: Inner = field(default_factory=Inner)
    seed: int = 1


def test_structured_configurations_lose_keys_too() -> None:
    assert task_yaml(OmegaConf.structured(Schema), ["inner.folder", "seed"]) == "inner:\n  colour: RED\n"


@pytest.mark.parametrize(
    "name", ["train", "My Sweep: größer?", "--a--b--", "_", "", "7", "é" * 80, "a" * 200, "a-" * 100, "${x}/../\n"]
)
def test_names_obey_the_service(name: str) -> None:
    job = Job(0, (), config(), SageMakerLauncherConf(), Path(), key=key(config()), slug=slug(name))
    made = job.name(999)
    assert re.fullmatch(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}", made)
    assert len(made) <= NAME_LENGTH
    assert parse_job_name(made) == (key(config()), 999)


@pytest.mark.parametrize(
    "name", ["", "train", "train-1", "train-0123456789abcdef", "0123456789abcdef-1", "train-0123456789ABCDEF-1"]
)
def test_names_of_others_are_no_jobs(name: str) -> None:
    assert parse_job_name(name) is None


def test_files_count_by_content_and_name(tmp_path: Path) -> None:
    data = tmp_path / "data"
    (data / "inner").mkdir(parents=True)
    (data / "inner/a.tsv").write_text("1")
    digests = [files_digest([data])]
    (data / "inner/a.tsv").write_text("2")
    digests.append(files_digest([data]))
    (data / "inner/a.tsv").rename(data / "inner/b.tsv")
    digests.append(files_digest([data]))
    digests.append(files_digest([data / "inner/b.tsv"]))
    digests.append(files_digest([data, data]))
    digests.append(files_digest([tmp_path / "absent"]))
    assert len(set(digests)) == len(digests)
    (data / "inner/b.tsv").rename(data / "inner/a.tsv")
    (data / "inner/a.tsv").write_text("1")
    assert files_digest([data]) == digests[0]
    assert files_digest(["data"], tmp_path) == digests[0]
    assert files_digest(["absent"], tmp_path) == files_digest(["absent"], data), "a name of the Hub is no path"
