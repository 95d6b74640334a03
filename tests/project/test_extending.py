"""docs/extending.md, done: its files are written, checked, trained with and evaluated without the package."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import safetensors

from commands import ROOT, Block, blocks, paraphrase, write_documented_files
from generated_pairs import generate

DOCUMENT = ROOT / "docs" / "extending.md"
CHOSEN = ("--config-dir", "mylab/conf", "data=triplets", "model=gru", "loss=focal", "metrics=mine")
SETTINGS = (
    "monitor=val/recall_at_95", "model.hidden_size=8", "model.batch_size=16", "trainer.max_steps=4", "trainer.precision=32",
    "trainer.accelerator=cpu", "data.train=triplets.tsv", "data.test=triplets_test.tsv",
)  # fmt: skip


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a directory with the package, its configuration and two files of triplets."""
    directory = tmp_path / "work"
    write_documented_files(DOCUMENT, directory)
    (directory / "mylab" / "__init__.py").touch()
    write_triplets(directory)
    monkeypatch.chdir(directory)
    monkeypatch.setenv("PARAPHRASE_CACHE_DIR", str(tmp_path / "cache"))
    return directory


def write_triplets(directory: Path) -> None:
    splits = generate(train_pairs=400, validation_pairs=100, test_pairs=100)
    for name, split in (("triplets", "train"), ("triplets_test", "test")):
        lines = []
        for one, two in zip(splits[split][::2], splits[split][1::2], strict=True):
            same, other = (one, two) if one.label else (two, one)
            lines.append(f"{same.sentence1}\t{same.sentence2}\t{other.sentence2}\n")
        (directory / f"{name}.tsv").write_text("".join(lines), encoding="utf-8")


@pytest.mark.parametrize("part", ["loss", "metric", "data", "model"])
def test_each_in_under_thirty_lines(part: str) -> None:
    group = {"metric": "metrics"}.get(part, part)
    files = [block for block in blocks(DOCUMENT) if block.file.startswith((f"mylab/{part}.py", f"mylab/conf/{group}/"))]
    assert [Path(block.file).suffix for block in files] == [".py", ".yaml"]
    assert sum(len(block.lines) for block in files) < 30


def test_no_file_is_left_over() -> None:
    files: list[Block] = [block for block in blocks(DOCUMENT) if block.file]
    assert len(files) == 8


TYPOS = [
    ("+loss.gama=1", "loss: mylab.loss.Focal takes no argument 'gama'. Did you mean 'gamma'?"),
    ("loss.gama=1", "there is no key 'loss.gama'. Did you mean 'loss.gamma'?"),
    ("+model.hiden_size=1", "model: mylab.model.Gru takes no argument 'hiden_size'. Did you mean 'hidden_size'?"),
    ("+data.tets=x", "data: mylab.data.Triplets takes no argument 'tets'. Did you mean 'test'?"),
    ("metrics.recall_at_95.precison=1", "Did you mean 'metrics.recall_at_95.precision'?"),
    ("monitor=val/recall_at_96", "monitor=val/recall_at_96: nothing logs this metric. Did you mean 'val/recall_at_95'?"),
]


@pytest.mark.parametrize(("typo", "text"), TYPOS, ids=[typo for typo, _ in TYPOS])
def test_check_knows_the_arguments(typo: str, text: str, workplace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert paraphrase("check", *CHOSEN, *SETTINGS) == 0
    assert capsys.readouterr().err.startswith("next: paraphrase train ")
    assert paraphrase("check", *CHOSEN, *SETTINGS, typo) == 2
    assert text in capsys.readouterr().err


def test_check_asks_for_what_has_no_default(workplace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert paraphrase("check", *CHOSEN[:3]) == 2
    assert "data.train has no value yet: give it with data.train=VALUE." in capsys.readouterr().err


@pytest.mark.slow
def test_all_four_in_one_run_that_goes_elsewhere(
    workplace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert paraphrase("train", *CHOSEN, *SETTINGS, "hydra.run.dir=run") == 0
    record = json.loads((workplace / "run" / "run.json").read_text())
    assert record["best"]["monitor"] == "val/recall_at_95"
    assert {"val_fitted/recall_at_95", "test/recall_at_95"} <= set(record["metrics"])
    assert record["data"]["validation"]["pairs"] > 0, "cut from train"
    with safetensors.safe_open(workplace / "run" / "model" / "model.safetensors", "pt") as weights:
        assert weights.get_slice("gru.weight_hh_l0").get_shape() == [24, 8]
    assert "recall_at_95" in (workplace / "run" / "metrics.csv").read_text().splitlines()[0]

    elsewhere = move_away(workplace, tmp_path)
    monkeypatch.chdir(elsewhere)
    assert "mylab" not in sys.modules
    capsys.readouterr()
    assert paraphrase("evaluate", "run", "data.test=triplets_test.tsv") == 0
    assert "recall_at_95" in capsys.readouterr().out
    again = json.loads(next((elsewhere / "run" / "evaluations").glob("*/metrics.json")).read_text())["metrics"]
    reported = {name: value for name, value in record["metrics"].items() if name.startswith("test/")}
    assert again == pytest.approx(reported, abs=1e-5)
    assert paraphrase("predict", "run", "A b", "b A") == 0
    shutil.rmtree(elsewhere / "run" / "code")
    assert paraphrase("evaluate", "run", "data.test=triplets_test.tsv") == 2
    assert "_target_=mylab.model.Gru: there is no module 'mylab'" in capsys.readouterr().err


def move_away(workplace: Path, tmp_path: Path) -> Path:
    """Return another directory with the run and the test file alone."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    shutil.move(workplace / "run", elsewhere / "run")
    shutil.move(workplace / "triplets_test.tsv", elsewhere / "triplets_test.tsv")
    shutil.rmtree(workplace)
    return elsewhere


@pytest.mark.slow
def test_with_processes_of_their_own(workplace: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "paraphrase_lab"]
    train = [*command, "train", *CHOSEN, *SETTINGS, "hydra.run.dir=run"]
    done = subprocess.run(train, capture_output=True, text=True, cwd=workplace)
    assert done.returncode == 0, done.stderr
    elsewhere = move_away(workplace, tmp_path)
    evaluate = [*command, "evaluate", "run", "data.test=triplets_test.tsv"]
    done = subprocess.run(evaluate, capture_output=True, text=True, cwd=elsewhere)
    assert done.returncode == 0 and "recall_at_95" in done.stdout, done.stderr
