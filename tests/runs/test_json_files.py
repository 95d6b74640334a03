"""Every JSON file and output is JSON: a strict parser reads it, also where a number is undefined."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from commands import FEW_PAIRS, TINY, paraphrase
from paraphrase_lab.files import json_text
from paraphrase_lab.lifecycle.evaluation import undefined_reasons
from paraphrase_lab.runs.listing import read_runs
from paraphrase_lab.tracking.wandb_outcome import facts, summary


def nothing_to_say(labels: Any, probabilities: Any, threshold: float) -> float:
    return math.nan


def strict(text: str) -> Any:
    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    return json.loads(text, parse_constant=refuse)


def strictly_read(directory: Path) -> dict[str, Any]:
    """Read every JSON file below the directory."""
    texts = {str(file.relative_to(directory)): file.read_text(encoding="utf-8") for file in directory.rglob("*.json")}
    lines = {str(file): file.read_text(encoding="utf-8") for file in directory.rglob("*.jsonl")}
    return {name: strict(text) for name, text in texts.items()} | {
        f"{name}:{number}": strict(line) for name, text in lines.items() for number, line in enumerate(text.splitlines())
    }


def test_undefined_numbers_are_null_at_every_depth() -> None:
    value = {"a": math.nan, "b": [1.5, -math.inf, {"c": (math.inf, "NaN")}], "d": None}
    assert strict(json_text(value)) == {"a": None, "b": [1.5, None, {"c": [None, "NaN"]}], "d": None}


@pytest.fixture(scope="module")
def undefined_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("undefined") / "run"
    metric = "+metrics.nothing._target_=test_json_files.nothing_to_say"
    assert paraphrase("train", *TINY, *FEW_PAIRS, metric, f"hydra.run.dir={directory}") == 0
    return directory


def test_a_run_and_its_evaluation(undefined_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    one_label = tmp_path / "positive.csv"
    one_label.write_text("sentence1,sentence2,label\na b,b a,1\nc d,d c,1\n")
    assert paraphrase("evaluate", str(undefined_run), "data=pairs", f"data.path={one_label}") == 0
    printed = capsys.readouterr().out
    assert re.search(r"│ roc_auc +│ +– │", printed)
    assert "– test: roc_auc and average_precision are undefined where all labels are the same" in printed
    assert "– test: nothing is not a number" in printed
    found = strictly_read(undefined_run)
    assert found["run.json"]["metrics"]["test/nothing"] is None
    (evaluated,) = (values for name, values in found.items() if name.endswith("metrics.json"))
    assert evaluated["metrics"]["test/roc_auc"] is None and evaluated["metrics"]["test/nll"] > 0
    assert evaluated["baselines"]["test"]["majority"]["average_precision"] is None


@pytest.mark.parametrize("words", [("runs", "--json"), ("compare", "--json", "--resamples", "100")], ids=lambda words: words[0])
def test_output_for_programs(
    undefined_run: Path, tiny_run: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...]
) -> None:
    capsys.readouterr()
    assert paraphrase(words[0], str(undefined_run), str(tiny_run), *words[1:]) == 0
    assert strict(capsys.readouterr().out)


def test_scores_of_rows_that_hold_nan(tiny_run: Path, tmp_path: Path) -> None:
    rows = {"sentence1": ["a b", "c"], "sentence2": ["b a", "d"], "weight": [math.nan, 1.0], "bounds": [[math.inf], [0.0]]}
    pq.write_table(pa.table(rows), tmp_path / "in.parquet")
    words = ("--input", str(tmp_path / "in.parquet"), "--output", str(tmp_path / "out.jsonl"))
    assert paraphrase("predict", str(tiny_run), *words) == 0
    first = strictly_read(tmp_path)[f"{tmp_path / 'out.jsonl'}:0"]
    assert first["weight"] is None and first["bounds"] == [None] and 0 < first["probability"] < 1


def test_the_description_of_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert paraphrase("data", "data=word_order", *FEW_PAIRS, "model.vocab_size=300") == 0
    assert list(strictly_read(tmp_path / "data-report"))


@pytest.mark.parametrize("view", [summary, facts])
def test_what_wandb_is_sent(view: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    record = {
        "metrics": {"test/roc_auc": math.nan, "test/f1": 0.5}, "best": {"monitor": "val/nll", "value": math.inf, "step": 3},
        "calibration": {"temperature": math.nan}, "data": {"test": {"pairs": 3, "positive_rate": math.nan}}, "seed": 1,
    }  # fmt: skip
    json.dumps(view(record), allow_nan=False)


def test_a_record_of_before_holds_nan(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "run.json").write_text('{"status": "finished", "metrics": {"test/f1": 0.5, "test/roc_auc": NaN}}')
    (row,) = read_runs([str(tmp_path)])
    assert row.metrics == {"test/f1": 0.5}


def test_one_sentence_per_split() -> None:
    metrics = {"val/roc_auc": math.nan, "val/f1": 0.0, "test/roc_auc": 0.5, "test/own": math.nan}
    assert undefined_reasons(metrics) == [
        "– val: roc_auc is undefined where all labels are the same", "– test: own is not a number",
    ]  # fmt: skip
