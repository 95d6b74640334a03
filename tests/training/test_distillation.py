"""Distillation: the loss, the teacher's answers that batches carry, and what becomes of a teacher that has seen too much."""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from omegaconf import OmegaConf
from scipy.special import expit

from commands import TINY, paraphrase, record, trained
from encoders import SENTENCES
from generated_pairs import generate
from paraphrase_lab.data.collate import PaddingCollator, PairDataset
from paraphrase_lab.data.encoding import encode
from paraphrase_lab.data.pair_table import PairTable
from paraphrase_lab.errors import UserError
from paraphrase_lab.lifecycle.teacher import Teacher, mean_logits
from paraphrase_lab.model.encoder import Tiny
from paraphrase_lab.model.losses import CrossEntropy, Distillation
from paraphrase_lab.model.module import PairClassifier
from paraphrase_lab.runs.configuration import configuration_of
from paraphrase_lab.training.optimisation import constant

HELPERS = Path(__file__).parents[1] / "helpers"


def weights(run: Path) -> bytes:
    return (run / "model" / "model.safetensors").read_bytes()


@pytest.mark.parametrize("temperature", [0.5, 1.0, 4.0])
def test_the_gradient_is_that_of_the_formula(temperature: float) -> None:
    logits = torch.tensor([[0.3, -1.2], [2.0, 0.1], [-0.4, 0.9]], dtype=torch.float64, requires_grad=True)
    labels, teacher = torch.tensor([0, 1, 1]), torch.tensor([-2.0, 0.5, 30.0], dtype=torch.float64)
    loss = Distillation(0.3, temperature)(CrossEntropy()(logits, labels), logits, teacher)
    loss.backward()
    margins = (logits[:, 1] - logits[:, 0]).detach().numpy()
    student, wanted = expit(margins / temperature), expit(teacher.numpy() / temperature)
    other = expit(-teacher.numpy() / temperature)
    divergence = wanted * np.log(wanted / student) + other * np.log(other / expit(-margins / temperature))
    entropy = -np.log(np.where(labels == 1, expit(margins), expit(-margins)))
    assert loss.item() == pytest.approx((0.7 * entropy + 0.3 * temperature**2 * divergence).mean(), rel=1e-9)
    slope = (0.7 * (expit(margins) - labels.numpy()) + 0.3 * temperature * (student - wanted)) / 3
    assert logits.grad is not None
    np.testing.assert_allclose(logits.grad.numpy(), np.stack([-slope, slope], axis=1), rtol=1e-9)


@pytest.mark.parametrize("mode", ["none", "augment", "paired"])
def test_batches_carry_the_teachers_margins_of_their_order(mode: str) -> None:
    table = PairTable([str(i) for i in range(6)], SENTENCES[:6], SENTENCES[6:12], np.arange(6) % 2)
    torch.manual_seed(0)
    recipe = Tiny(num_layers=1, hidden_size=32, num_heads=2, vocab_size=400)
    tokenizer = recipe.tokenizer(SENTENCES)
    margins = [np.arange(6.0), 10 + np.arange(6.0)][: 1 if mode == "none" else 2]
    orders = [encode(table, tokenizer, 64, swapped=swapped) for swapped in (False, True)][: len(margins)]
    dataset = PairDataset(orders, table.labels, together=mode == "paired", teacher=margins)
    places = [4, 1, len(dataset) - 1]
    batch = PaddingCollator(tokenizer)([dataset[place] for place in places])
    last = 15.0 if mode == "augment" else 5.0
    assert batch["teacher"].tolist() == [4.0, 1.0, last, *([14.0, 11.0, 15.0] if mode == "paired" else [])]
    settings: dict[str, Any] = {"mean_pairs": 3, "optimizer": partial(torch.optim.AdamW, lr=1e-3), "scheduler": constant}
    module = PairClassifier(
        recipe.encoder(tokenizer, 64), CrossEntropy(), consistency_weight=0.0, distillation=Distillation(1.0, 2.0), **settings
    )
    student = torch.nn.functional.log_softmax(module.logits(batch) / 2, -1)[:, 1].exp()
    wanted = torch.sigmoid(batch["teacher"] / 2)
    divergence = wanted * (wanted / student).log() + (1 - wanted) * ((1 - wanted) / (1 - student)).log()
    torch.testing.assert_close(module.batch_loss(batch), 4 * divergence.mean(), rtol=1e-3, atol=1e-6)


def test_several_teachers_answer_with_the_mean_of_their_probabilities() -> None:
    logits = [np.array([[0.3, -50.0, 800.0]]), np.array([[-2.0, -60.0, 900.0]])]
    mean = mean_logits(logits)
    assert expit(mean[0, 0]) == pytest.approx((expit(0.3) + expit(-2.0)) / 2)
    assert mean[0, 1] == pytest.approx(-50.0 - np.log(2), abs=1e-3) and np.isfinite(mean).all()
    assert mean_logits(logits[:1]) is logits[0]


@pytest.mark.slow
def test_weight_0_trains_as_without_a_teacher(tiny_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARAPHRASE_CACHE_DIR", str(tmp_path / "cache"))
    words = ("model.dropout=0.1", "model.swap_augmentation=true")
    assert trained(tmp_path / "alone", *words) == 0
    for name, weight in (("zero", 0.0), ("again", 0.0), ("half", 0.5)):  # the second one finds the answers in the cache
        assert trained(tmp_path / name, *words, f"distil.teacher={tiny_run}", f"distil.weight={weight}") == 0
    assert weights(tmp_path / "zero") == weights(tmp_path / "again") == weights(tmp_path / "alone")
    assert weights(tmp_path / "half") != weights(tmp_path / "alone")
    assert len(list((tmp_path / "cache" / "teachers").iterdir())) == 1
    assert "its answer is the label of" in (tmp_path / "zero" / "train.log").read_text()


def test_it_is_on_record(tiny_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ensemble = tmp_path / "ensemble"
    for seed in "01":
        shutil.copytree(tiny_run, ensemble / seed)
    run = tmp_path / "student"
    assert trained(run, f"distil.teacher={ensemble}", "distil.temperature=3") == 0
    values = record(run)
    assert values["teacher"] == [str(ensemble / "0"), str(ensemble / "1")] and "teacher" in values["seconds"]
    assert values["config"]["distil.teacher"] == str(ensemble) and values["config"]["distil.temperature"] == 3.0
    assert len(values["fingerprint_parts"]["teacher"]) == 64
    assert "distil.temperature" in (run / "model" / "README.md").read_text()
    assert "distil" not in (tiny_run / "model" / "README.md").read_text()
    capsys.readouterr()
    assert paraphrase("runs", str(tmp_path), "--json") == 0
    assert "distil.teacher" in capsys.readouterr().out
    old = {key: value for key, value in record(tiny_run)["config"].items() if not key.startswith("distil")}
    assert configuration_of({"config": old, "choices": {}})[0]["distil.teacher"] is None
    assert paraphrase("evaluate", str(run)) == 0


def test_a_teacher_that_has_seen_pairs_of_the_student(tiny_run: Path, tmp_path: Path) -> None:
    rows = pq.read_table(tiny_run / "predictions.parquet").to_pylist()
    for split, wanted, part in (
        ("train", "test", slice(60)),
        ("validation", "test", slice(60, None)),
        ("test", "validation", slice(None)),
    ):
        with (tmp_path / f"{split}.csv").open("w", newline="") as file:
            table = [(row["sentence1"], row["sentence2"], row["label"]) for row in rows if row["split"] == wanted][part]
            csv.writer(file).writerows([("sentence1", "sentence2", "label"), *table])
    run = tmp_path / "student"
    data = ("data=pairs", f"data.path={tmp_path}", "data.batch_size=20", "data.on_bad_rows=skip")
    assert paraphrase("train", *TINY, *data, f"distil.teacher={tiny_run}", f"hydra.run.dir={run}") == 0
    told = (run / "train.log").read_text()
    assert f"leak: 100 of 100 test pairs were seen by {tiny_run}, whose answers training copies" in told
    with np.load(run / "seen_pairs.npz") as seen, np.load(tiny_run / "seen_pairs.npz") as earlier:
        assert np.isin(earlier["train"], seen["train"]).all()
    assert record(run)["data"]["test"]["shared"][str(tiny_run)]["pairs"] == 100


@pytest.mark.slow
def test_a_teacher_that_cuts_says_so_from_the_cache_too(tiny_run: Path, tmp_path: Path) -> None:
    teacher = shutil.copytree(tiny_run, tmp_path / "teacher")
    config = json.loads((teacher / "model" / "config.json").read_text(encoding="utf-8"))
    config["paraphrase_lab"]["max_length"] = 8
    (teacher / "model" / "config.json").write_text(json.dumps(config), encoding="utf-8")
    for name in ("first", "second"):
        assert trained(tmp_path / name, f"distil.teacher={teacher}") == 0
        told = (tmp_path / name / "train.log").read_text(encoding="utf-8")
        found = re.search(rf"teacher {teacher} is given (\d+) of (\d+) training pairs cut to its length, and answers to", told)
        assert found is not None and 0 < int(found[1]) <= int(found[2])


def test_no_student_below_its_teachers(tiny_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copytree(tiny_run, tmp_path / "all" / "teacher")
    assert trained(tmp_path / "all" / "student", f"distil.teacher={tmp_path / 'all'}") == 2
    assert f"student lies below distil.teacher={tmp_path / 'all'}: the next student would learn" in capsys.readouterr().err


def test_keys_without_a_teacher_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert paraphrase("check", "distil.weight=0.7") == 0
    assert "distil.weight=0.7 has no effect without distil.teacher=RUN." in capsys.readouterr().err


def test_a_job_without_its_teacher(tmp_path: Path) -> None:
    config = OmegaConf.create({"distil": {"teacher": "/opt/ml/input/data/gone"}})
    with pytest.raises(UserError, match="distil.teacher=/opt/ml/input/data/gone is not there: the training job has no such"):
        Teacher.of(config, tmp_path)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("{tmp}/gone", "distil.teacher={tmp}/gone is no run: it does not exist; a relative path starts at the working dir"),
        ("{tmp}", "distil.teacher={tmp} is no run, and holds none: name a run, or a directory with runs below it"),
        ("{tmp}/unfinished", "{tmp}/unfinished has no model, it is failed: a teacher has finished and kept its model"),
        ("latest", "distil.teacher=latest would be another teacher after the next run: type the run's directory."),
    ],
)
def test_what_is_no_teacher(
    name: str, text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    if "unfinished" in name:
        (tmp_path / "unfinished").mkdir()
        (tmp_path / "unfinished" / "run.json").write_text('{"status": "failed"}')
    assert paraphrase("check", f"distil.teacher={name.format(tmp=tmp_path)}") == 2
    assert text.format(tmp=tmp_path) in capsys.readouterr().err


@pytest.mark.slow
def test_a_student_with_wrong_labels_copies_its_teacher(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A third of its labels is wrong; its teacher had the right ones. Both are small, their tokenizers differ."""
    monkeypatch.setenv("PARAPHRASE_CACHE_DIR", str(tmp_path / "cache"))
    splits = generate(train_pairs=1500, validation_pairs=200, test_pairs=400, unrelated_share=1.0)
    random = np.random.default_rng(0)
    for kind, wrong in (("right", 0.0), ("wrong", 0.35)):
        (tmp_path / kind).mkdir()
        for split, pairs in splits.items():
            flipped = random.random(len(pairs)) < (wrong if split == "train" else 0.0)
            with (tmp_path / kind / f"{split}.csv").open("w", newline="", encoding="utf-8") as file:
                rows = [
                    (one.sentence1, one.sentence2, int(one.label) ^ int(flip)) for one, flip in zip(pairs, flipped, strict=True)
                ]
                csv.writer(file).writerows([("sentence1", "sentence2", "label"), *rows])
    small = ("model.num_layers=1", "model.num_heads=2", "data.batch_size=32", "trainer.precision=32", "trainer.max_epochs=12")
    small = (*small, "trainer.accelerator=cpu", "data=pairs", "logger=none", "model.learning_rate=2e-3")

    def train(name: str, kind: str, *words: str) -> np.ndarray:
        assert paraphrase("train", *small, f"data.path={tmp_path / kind}", f"hydra.run.dir={tmp_path / name}", *words) == 0
        rows = pq.read_table(tmp_path / name / "predictions.parquet").to_pylist()
        return np.array([row["probability"] for row in rows if row["split"] == "test"])

    teacher = train("teacher", "right", "model.hidden_size=64", "model.vocab_size=1000")
    student = ("model.hidden_size=32", "model.vocab_size=600")
    alone = train("alone", "wrong", *student)
    copied = train("copied", "wrong", *student, f"distil.teacher={tmp_path / 'teacher'}", "distil.weight=1")
    assert np.abs(copied - teacher).mean() < 0.7 * np.abs(alone - teacher).mean()


@pytest.mark.slow
def test_killed_and_resumed_it_ends_with_the_same_weights(tiny_run: Path, tmp_path: Path) -> None:
    teacher = shutil.copytree(tiny_run, tmp_path / "teacher")
    words = (
        *("data.train_pairs=600", "data.validation_pairs=120", "data.test_pairs=100", "model.hidden_size=16"),
        *("model.num_layers=1", "model.vocab_size=400", "model.batch_size=25", "model.dropout=0.1", "trainer.max_epochs=2"),
        *("model.consistency_weight=0.5", "trainer.checkpoint_every_steps=3", f"distil.teacher={teacher}"),
        "+callbacks.kill={_target_:killer.Kill}",
    )

    def run(*more: str, kill: str = "never 0 SIGKILL") -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "KILL": kill, "PYTHONPATH": str(HELPERS), "OMP_NUM_THREADS": "1"}
        environment["PARAPHRASE_CACHE_DIR"] = str(tmp_path / "cache")
        command = [sys.executable, "-m", "paraphrase_lab", "train", *words, *more]
        return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300)

    assert run("hydra.run.dir=whole").returncode == 0
    assert run("hydra.run.dir=runs/killed", kill="batch 17 SIGKILL").returncode == -signal.SIGKILL
    shutil.rmtree(tmp_path / "cache" / "teachers")
    done = run("resume=auto")
    assert done.returncode == 0 and "continuing runs/killed (interrupted)" in done.stderr, done.stderr
    assert weights(tmp_path / "runs" / "killed") == weights(tmp_path / "whole")
    killed = tmp_path / "again"
    assert run(f"hydra.run.dir={killed}", kill="batch 17 SIGKILL").returncode == -signal.SIGKILL
    config = json.loads((teacher / "model" / "config.json").read_text())
    config["paraphrase_lab"]["bias"] += 1.0
    (teacher / "model" / "config.json").write_text(json.dumps(config))
    refused = run(f"resume={killed}")
    assert refused.returncode == 2 and "since it was interrupted these changed: teacher" in refused.stderr
