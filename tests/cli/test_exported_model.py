"""The exported model as others load it, against `paraphrase predict`."""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer, pipeline

from commands import paraphrase
from encoders import save_checkpoint
from generated_pairs import generate

PAIRS = [(pair.sentence1, pair.sentence2) for pair in generate(500, 1, 1)["train"]]


SLOW = [pytest.param(name, marks=pytest.mark.slow) for name in ("bert", "minilm", "minilm with adapters")]


@pytest.fixture(scope="module", params=["tiny", "roberta", *SLOW])
def exported(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose model has a temperature and a bias that change answers."""
    directory = tmp_path_factory.mktemp("exported")
    run = directory / "run"
    if request.param == "tiny":
        model = ["model.num_layers=1", "model.hidden_size=16", "model.num_heads=2"]
    elif request.param.startswith("minilm"):
        model = ["model=minilm_l6", f"model.name={request.getfixturevalue('minilm_dir')}"]
        model += ["model.lora.rank=8"] if "adapters" in request.param else []
    else:
        model = ["model=pretrained", f"model.name={save_checkpoint(directory / 'checkpoint', request.param)}"]
    few = [
        "data.train_pairs=600",
        "data.validation_pairs=300",
        "data.test_pairs=100",
        "data.max_length=16",
        "data.batch_size=32",
    ]
    weighted = ["model.class_weights=[1.0,3.0]", "optimizer.lr=1e-3", "scheduler=constant"]  # which a bias has to correct
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PARAPHRASE_CACHE_DIR", str(directory / "cache"))
        words = [*model, *few, *weighted, "trainer.max_epochs=1", "trainer.precision=32", "trainer.accelerator=cpu"]
        assert paraphrase("train", *words, f"hydra.run.dir={run}") == 0
    return run


@pytest.fixture(scope="module")
def predicted(exported: Path) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities and predictions of `paraphrase predict` for PAIRS."""
    source, output = exported.parent / "in.tsv", exported.parent / "out.parquet"
    source.write_text("sentence1\tsentence2\n" + "".join(f"{first}\t{second}\n" for first, second in PAIRS), encoding="utf-8")
    assert paraphrase("predict", str(exported), "--input", str(source), "--output", str(output)) == 0
    table = pq.read_table(output)
    return table.column("probability").to_numpy(), table.column("prediction").to_numpy()


def test_the_model_itself(exported: Path, predicted: tuple[np.ndarray, np.ndarray]) -> None:
    probabilities, predictions = predicted
    tokenizer = AutoTokenizer.from_pretrained(exported / "model")
    model: Any = AutoModelForSequenceClassification.from_pretrained(exported / "model")
    inputs = tokenizer(*map(list, zip(*PAIRS, strict=True)), padding=True, truncation=True, return_tensors="pt")
    with torch.no_grad():
        answers = model.eval()(**inputs).logits.softmax(dim=-1)
    np.testing.assert_allclose(answers[:, 1].numpy(), probabilities, atol=1e-5)
    assert answers.argmax(dim=-1).tolist() == predictions.tolist()


def test_pipeline(exported: Path, predicted: tuple[np.ndarray, np.ndarray]) -> None:
    probabilities, predictions = predicted
    classify = pipeline("text-classification", str(exported / "model"), device="cpu", truncation=True)
    answers: Any = classify([{"text": first, "text_pair": second} for first, second in PAIRS])
    assert [answer["label"] for answer in answers] == [("different", "paraphrase")[label] for label in predictions]
    expected = np.where(predictions == 1, probabilities, 1 - probabilities)
    np.testing.assert_allclose([answer["score"] for answer in answers], expected, atol=1e-5)


def test_sentence_transformers(exported: Path, predicted: tuple[np.ndarray, np.ndarray]) -> None:
    sentence_transformers = pytest.importorskip("sentence_transformers")
    probabilities, predictions = predicted
    model = sentence_transformers.CrossEncoder(str(exported / "model"), device="cpu")
    answers = model.predict(PAIRS, show_progress_bar=False)
    np.testing.assert_allclose(answers[:, 1], probabilities, atol=1e-5)
    assert answers.argmax(axis=1).tolist() == predictions.tolist()


def test_the_lines_of_the_card_run(exported: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    card = (exported / "model" / "README.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", card, re.DOTALL)
    monkeypatch.chdir(exported)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(code, {})
    label, score = re.findall(r"'label': '(\w+)', 'score': ([\d.]+)", printed.getvalue())[0]
    assert label in ("different", "paraphrase") and 0.5 <= float(score) <= 1
    assert len(code.strip().splitlines()) <= 6 and "paraphrase train " in card
