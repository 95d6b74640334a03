"""The real MiniLM, from the Hub's files on this disk, through every command. A few steps: its accuracy means nothing."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from subprocess import run as process

import pytest
import torch
from safetensors.torch import load_file

from commands import record

pytestmark = pytest.mark.slow
FLIGHT = ("I took a flight from New York to Paris", "I took a flight from Paris to New York")
FEW = ("data.train_pairs=400", "data.validation_pairs=100", "data.test_pairs=100", "trainer.max_epochs=2", "logger=csv")


def command(*words: object) -> str:
    """Run the command in a process of its own, and return what it prints."""
    done = process([sys.executable, "-m", "paraphrase_lab", *map(str, words)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def runs(minilm_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two seeds of one recipe."""
    directory = tmp_path_factory.mktemp("minilm")
    for seed in (0, 1):
        words = (f"seed={seed}", "model=minilm_l6", f"model.name={minilm_dir}", *FEW, f"hydra.run.dir={directory / str(seed)}")
        assert "a new one is trained" in command("train", *words), "the sentence encoder has no head for two labels"
    return [directory / "0", directory / "1"]


def test_all_of_its_weights_are_trained_and_exported(runs: list[Path], minilm_dir: Path) -> None:
    start, first, second = (load_file(place / "model.safetensors") for place in (minilm_dir, *(run / "model" for run in runs)))
    name = "embeddings.word_embeddings.weight"
    for trained in (first, second):
        change = (trained[f"bert.{name}"] - start[name]).abs().max()
        assert 0 < change < 0.05, "trained on from the real weights, not from random ones"
    assert not torch.equal(first["classifier.weight"], second["classifier.weight"])
    assert record(runs[0])["parameters"] == sum(weights.numel() for weights in first.values()) > 22_000_000


def test_the_commands_that_read_its_runs(runs: list[Path], tmp_path: Path) -> None:
    first, second = runs
    command("evaluate", first)
    (file,) = (first / "evaluations").glob("test-*/metrics.json")
    for name in ("test/accuracy", "test/nll", "test/flip_rate"):
        evaluated = json.loads(file.read_text(encoding="utf-8"))["metrics"][name]
        assert evaluated == pytest.approx(record(first)["metrics"][name], abs=1e-5), (
            "the export has the numbers of the training"
        )
    answer = command("predict", first, *FLIGHT)
    assert "New York" in answer and ("paraphrase" in answer or "different" in answer)
    averaged = tmp_path / "scores.tsv"
    source = tmp_path / "pairs.tsv"
    source.write_text("sentence1\tsentence2\n" + "\t".join(FLIGHT) + "\n", encoding="utf-8")
    command("predict", first, second, "--input", source, "--output", averaged)
    assert len(averaged.read_text(encoding="utf-8").splitlines()) == 2
    assert "accuracy" in command("compare", first, second, "--resamples", "200")
    assert "checklist_test" in command("compare", first, second, "--split", "checklist_test", "--resamples", "200")
