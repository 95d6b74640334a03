"""Data outside the checkout: a job on SageMaker gets them, and its run leads back to them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from paraphrase_lab.check.saved_config import saved_config
from paraphrase_lab.remote.collected import note_job
from paraphrase_lab.runs.record import RunRecord
from small_lab import SMALL, Lab

pytest.importorskip("moto", reason='needs pip install "paraphrase-lab[local-aws]"')
from sagemaker_local import LocalSageMaker  # noqa: E402

OWN = (*(word for word in SMALL if not word.startswith("data.")), "data=pairs", "data.batch_size=25", "model=tiny")


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    directory = tmp_path_factory.mktemp("lab")
    with LocalSageMaker(directory / "sagemaker", stop_grace_seconds=30) as server:
        yield Lab(directory, server)


def pairs(file: Path, word: str) -> Path:
    lines = [f"the {number} {word} sleeps,the {number + number % 2} {word} sleeps,{1 - number % 2}" for number in range(200)]
    file.write_text("\n".join(["sentence1,sentence2,label", *lines]), encoding="utf-8")
    return file


@pytest.mark.slow
def test_a_sweep_on_own_data_is_evaluated_here_and_other_data_are_another_job(lab: Lab, tmp_path: Path) -> None:
    file = pairs(tmp_path / "own pairs.csv", "dog")
    typed = f"data.path='{file}'"
    said = lab.end(lab.sweep("own", typed, small=OWN))
    assert "1 job: 1 new" in said
    run = lab.root / "own/0"
    assert saved_config(run).data.path == str(file)
    record = json.loads((run / "run.json").read_text(encoding="utf-8"))
    assert record["status"] == "finished" and "/input/data/" not in json.dumps(record)
    assert record["config"]["data.path"] == str(file) and record["device"]["threads"] == 1
    assert "accuracy" in lab.run("own/0", command="evaluate", small=())
    assert "1 job: 1 reused" in lab.end(lab.sweep("own", typed, small=OWN))
    pairs(file, "cat")
    assert "1 job: 1 new" in lab.end(lab.sweep("own", typed, small=OWN))


def test_a_collected_run_names_the_data_of_this_machine(tmp_path: Path) -> None:
    there = "/opt/ml/input/data/input-data-path/a.csv"
    (tmp_path / "config.yaml").write_text(f"data:\n  path: {there}\n  test: ${{data.path}}\n", encoding="utf-8")
    command = ["train", f"data.path='{there}'"]
    RunRecord(tmp_path).update(status="finished", config={"data.path": there}, command=command, seed=1)
    note_job(tmp_path, {"name": "sweep-0-0", "inputs": {there: "/home/me/my: own.csv"}})
    saved = OmegaConf.to_container(OmegaConf.load(tmp_path / "config.yaml"), resolve=False)
    assert saved == {"data": {"path": "/home/me/my: own.csv", "test": "${data.path}"}}
    values = RunRecord.read(tmp_path).values
    assert values["config"] == {"data.path": "/home/me/my: own.csv"} and values["seed"] == 1
    assert values["command"] == ["train", "data.path='/home/me/my: own.csv'"]
