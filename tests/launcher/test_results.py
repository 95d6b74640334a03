from __future__ import annotations

import json
import os
import pickle
from enum import IntEnum
from pathlib import Path
from typing import Any

import numpy
import pytest

from hydra_sagemaker.container.output_files import model_files, move_files
from hydra_sagemaker.errors import LauncherError
from hydra_sagemaker.files import write_atomically
from hydra_sagemaker.job.result import read_result, returned_value
from hydra_sagemaker.runner.record import failure_record, success_record


def through_json(record: dict[str, Any]) -> dict[str, Any]:
    return json.loads(json.dumps(record))


def come_back(value: Any) -> Any:
    return returned_value(through_json(success_record(value)), Path("nowhere"), own_process=False)


class Level(IntEnum):
    HIGH = 3


@pytest.mark.parametrize(
    "value", [None, 0.5, -1, True, "text", [1, [2.5, None]], {"f1": 0.5, "curve": [1, 2]}, {}, (0.5, 3), float("inf"), "\ud800"]
)
def test_values_come_back_as_they_left(value: Any) -> None:
    assert come_back(value) == value
    assert type(come_back(value)) is type(value)


def test_a_loss_that_is_no_number_comes_back_as_such() -> None:
    found = come_back({"loss": float("nan")})
    assert found["loss"] != found["loss"]


class Scalar:
    """As a torch tensor: a number behind a method."""

    def item(self) -> float:
        return 0.25


@pytest.mark.parametrize(
    "value, number",
    [
        (numpy.float32(0.5), 0.5),
        (numpy.float64(0.5), 0.5),
        (numpy.int64(3), 3),
        (numpy.bool_(True), True),
        (numpy.array([2.0]), 2.0),
        (numpy.array([0.5, 3]), [0.5, 3.0]),
        ((numpy.zeros((1, 2)), 1), ([[0.0, 0.0]], 1)),
        (Scalar(), 0.25),
        (Level.HIGH, 3),
        ((Scalar(), numpy.float32(2)), (0.25, 2.0)),
        ({"f1": Scalar()}, {"f1": 0.25}),
    ],
)
def test_scalars_come_back_as_numbers(value: Any, number: Any) -> None:
    assert come_back(value) == number


class Odd:
    def item(self, key: str) -> str:
        return key

    def __repr__(self) -> str:
        return "Odd()"


@pytest.mark.parametrize("value", [{1: "a"}, [(1, 2)], Odd(), numpy.zeros(10_001), {"a": Odd()}, b"bytes", {1, 2}, Path("x")])
def test_what_json_cannot_say_is_described(value: Any) -> None:
    record = through_json(success_record(value))
    assert record["status"] == "completed"
    assert record["return_value"] is None
    assert record["not_json"] == repr(value)


def test_a_list_that_holds_itself_is_described() -> None:
    endless: list[Any] = []
    endless.append(endless)
    assert success_record(endless)["not_json"] == "[[...]]"


def test_a_closure_on_this_machine_may_return_anything_but_nothing_that_was_downloaded_is_unpickled(tmp_path: Path) -> None:
    record = through_json(success_record({1: Path("x")}, tmp_path))
    assert returned_value(record, tmp_path, own_process=True) == {1: Path("x")}
    trap = tmp_path / "sprung"

    class Trap:
        def __reduce__(self) -> tuple[Any, ...]:
            return os.mkdir, (str(trap),)

    (tmp_path / "value.pickle").write_bytes(pickle.dumps(Trap()))
    assert returned_value(record, tmp_path, own_process=False) is None
    assert returned_value(through_json(success_record(1)), tmp_path, own_process=True) == 1
    assert not trap.exists()


def test_a_job_that_wrote_no_result(tmp_path: Path) -> None:
    assert read_result(tmp_path) is None


EXCEPTION = through_json(failure_record(ValueError("x")))["exception"]
VALID = {"status": "failed", "exit_code": 1, "exception": EXCEPTION}


@pytest.mark.parametrize(
    "text",
    [
        "",
        '{"status": "comp',
        "[1]",
        "[" * 100_000,
        '{"status": "completed"}',
        '{"status": "splendid", "exit_code": 0}',
        '{"status": ["completed"], "exit_code": 0}',
        '{"status": "failed", "exit_code": 1}',
        '{"status": "completed", "exit_code": 0, "return_value": 1, "tuple": true}',
        json.dumps(VALID | {"exception": "ValueError"}),
        json.dumps(VALID | {"exception": EXCEPTION | {"arguments": "x"}}),
        json.dumps(VALID | {"exception": EXCEPTION | {"module": None}}),
    ],
)
def test_a_result_that_no_runner_wrote(tmp_path: Path, text: str) -> None:
    (tmp_path / "result.json").write_text(text)
    with pytest.raises(LauncherError, match="result.json is not .*job has to run again"):
        read_result(tmp_path)


def test_a_result_is_read_as_it_was_written(tmp_path: Path) -> None:
    write_atomically(tmp_path / "deeper/result.json", json.dumps(VALID))
    assert read_result(tmp_path / "deeper") == VALID
    assert [file.name for file in (tmp_path / "deeper").iterdir()] == ["result.json"]


def test_files_that_stay_behind_are_set_apart(tmp_path: Path) -> None:
    for name in ("out/model.safetensors", "out/checkpoints/last.ckpt", "out/metrics.json", "out/plots/a.png"):
        write_atomically(tmp_path / name, name)
    found = model_files(tmp_path / "out", ["*.safetensors", "checkpoints/*", "*.bin"])
    assert [file.as_posix() for file in found] == ["checkpoints/last.ckpt", "model.safetensors"]
    move_files(found, tmp_path / "out", tmp_path / "model")
    assert (tmp_path / "model/checkpoints/last.ckpt").read_text() == "out/checkpoints/last.ckpt"
    left = sorted(file.relative_to(tmp_path / "out").as_posix() for file in (tmp_path / "out").rglob("*") if file.is_file())
    assert left == ["metrics.json", "plots/a.png"]
