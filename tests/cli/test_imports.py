"""The libraries that a command imports before it answers: seconds, which nobody waits for who has mistyped a column."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from commands import FEW_PAIRS, TINY, paraphrase

TRAINING = ("pytorch_lightning", "lightning_fabric", "torchmetrics", "datasets", "sklearn", "matplotlib", "wandb", "boto3")
MODELS = ("torch", "transformers", "huggingface_hub")
CODE = """
import sys
from paraphrase_lab.cli import run
code = run(sys.argv[2:])
print("imported:", *[name for name in sys.argv[1].split(",") if name in sys.modules])
sys.exit(code)
"""


def imported(of: tuple[str, ...], *words: str, cwd: Path, code: int) -> list[str]:
    """Run a command in a process of its own; return which of the modules it has imported."""
    command = [sys.executable, "-c", CODE, ",".join(of), *words]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True)
    assert done.returncode == code, done.stderr
    return done.stdout.splitlines()[-1].split()[1:]


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("data", "data=pairs", "data.path=p.csv", "data.sentence1=question"), "no column 'question'"),
        (("check", "data=pairs", "data.path=nowhere.csv"), "does not exist"),
        (("check", "seed=0,1"), "which only -m starts"),
        (("train", "modle=tiny"), "Did you mean 'model'"),
        (("predict", "nowhere", "a", "b"), "nowhere is not a run"),
        (("evaluate", "nowhere"), "nowhere is not a run"),
    ],
)
def test_a_mistake_is_named_without_the_libraries_of_models(words: tuple[str, ...], problem: str, tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text("sentence1,sentence2,label\na,b,1\nc,d,0\n")
    assert imported((*TRAINING, *MODELS), *words, cwd=tmp_path, code=2) == []
    done = subprocess.run([sys.executable, "-m", "paraphrase_lab", *words], cwd=tmp_path, capture_output=True, text=True)
    assert problem in done.stderr


@pytest.mark.slow
def test_a_score_needs_nothing_of_the_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert paraphrase("train", *TINY, *FEW_PAIRS, "logger=none", "hydra.run.dir=run") == 0
    ours = [name for name in TRAINING if name != "boto3"]  # which accelerate imports, that came with peft, and transformers it
    assert imported((*ours, "torch"), "predict", "run", "a b", "b a", cwd=tmp_path, code=0) == ["torch"]
