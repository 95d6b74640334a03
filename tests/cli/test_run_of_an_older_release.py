"""A run of 0.1.0, whose configuration has names of keys that were changed since, is evaluated, scored with and compared."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from checking import problems, write
from commands import ROOT, paraphrase
from paraphrase_lab.check.saved_config import saved_config
from paraphrase_lab.configuration.later_keys import completed
from paraphrase_lab.configuration.renamed import RENAMED, TARGET, renamed_record
from paraphrase_lab.runs.differences import differing_keys, recipe_names
from paraphrase_lab.runs.fingerprint import config_fingerprint
from paraphrase_lab.runs.listing import read_runs


@pytest.fixture
def old_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(ROOT / "tests" / "golden" / "run_of_0_1_0", tmp_path / "lab")
    monkeypatch.chdir(tmp_path / "lab")
    return Path("run")


def test_it_is_evaluated(old_run: Path) -> None:
    assert paraphrase("evaluate", str(old_run), "--split", "test") == 0
    (file,) = (old_run / "evaluations").glob("test-*/metrics.json")
    found = json.loads(file.read_text())
    recorded = json.loads((old_run / "run.json").read_text())
    for name in ("test/accuracy", "test/nll", "test/roc_auc"):
        assert found["metrics"][name] == pytest.approx(recorded["metrics"][name], rel=1e-5)
    assert found["fingerprint"] == recorded["data"]["test"]["fingerprint"]


def test_it_predicts(old_run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert paraphrase("predict", str(old_run), "the dog sees a cat", "a cat sees the dog") == 0
    assert "P(paraphrase)" in capsys.readouterr().out


def test_it_is_compared_with_a_run_of_today(old_run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copytree(old_run, "again")
    record = json.loads(Path("again/run.json").read_text())
    renamed = renamed_record(record) | {"seed": 1, "config": renamed_record(record)["config"] | {"seed": 1}}
    Path("again/run.json").write_text(json.dumps(renamed))
    assert paraphrase("compare", str(old_run), "again", "--resamples", "200") == 0
    said = capsys.readouterr().out
    assert "Question: are these models different" in said and "accuracy: equal within 1.00 point: " in said
    assert "num_layers" not in said, "equal settings under an old and a new name are no difference"


def test_its_rerun_is_the_same_recipe(old_run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A key that came after the run counts as what the run did without it."""
    assert paraphrase("rerun", str(old_run), "trainer.progress=false") == 0
    (rerun,) = Path("runs").glob("*/*")
    old, new = read_runs([str(old_run)])[0], read_runs([str(rerun)])[0]
    assert "data.quoting" in new.record["config"] and "data.quoting" not in old.record["config"]
    assert differing_keys([old, new]) == [] and len(set(recipe_names([old, new]))) == 1
    capsys.readouterr()
    assert paraphrase("compare", str(old_run), str(rerun), "--resamples", "200") == 0
    said = capsys.readouterr().out
    assert "test_fraction" not in said and "quoting" not in said
    assert paraphrase("runs", ".") == 0
    assert "quoting" not in capsys.readouterr().out


def test_keys_that_came_later() -> None:
    whole = {"data._target_": "paraphrase_lab.data.sources.Pairs", "model._target_": "mine.Model", "model.batch_size": 8}
    found = completed(whole)
    assert (found["data.test_fraction"], found["data.columns"], found["data.quoting"]) == (0.0, [], "auto")
    assert found["data.batch_size"] == 8 and "data.labels" not in found
    assert "model.num_layers" not in found and "trainer.max_epochs" not in found
    pretrained = completed({**whole, "model._target_": "paraphrase_lab.model.encoder.Pretrained", "data.quoting": "none"})
    assert pretrained["model.trust_remote_code"] is False and "model.name" not in pretrained
    assert pretrained["data.quoting"] == "none", "what a run has stays"
    assert pretrained["model.lora.rank"] is None and "model.lora" not in pretrained
    tiny = completed({**whole, "model._target_": "paraphrase_lab.model.encoder.Tiny"})
    assert tiny["model.compare_from_start"] is False, "runs of today are another recipe"
    assert completed({"seed": 1, "model.num_layers": 2}) == {"seed": 1, "model.num_layers": 2}


def test_its_configuration_has_todays_names(old_run: Path) -> None:
    model = saved_config(old_run).model
    assert (model.num_layers, model.hidden_size, model.num_heads) == (1, 8, 1)
    assert (model.vocab_size, model.local_attention, model.initializer_range) == (300, 4, 0.12)
    assert not {key.partition(".")[2] for key in RENAMED} & set(model)


def test_lists_of_runs_do_not_show_a_key_under_two_names(old_run: Path) -> None:
    (row,) = read_runs([str(old_run)])
    assert row.config["model.hidden_size"] == 8 and not set(RENAMED) & set(row.config)
    assert "model.hidden_size=8" in row.record["overrides"] and "model.width=8" not in row.record["overrides"]


@pytest.mark.parametrize(("old", "new"), RENAMED.items())
def test_an_old_name_is_refused_with_the_new_one(old: str, new: str) -> None:
    assert problems(f"{old}=2") == [f"{old} was renamed: type {new}=…"]


def test_an_old_name_in_a_file(tmp_path: Path) -> None:
    text = "# @package _global_\ndefaults:\n  - override /model: tiny\nmodel:\n  layers: 3\n"
    (problem,) = problems("experiment=mine", config_dir=write(tmp_path, "experiment/mine.yaml", text))
    assert problem.endswith("mine.yaml: model.layers was renamed: type model.num_layers=…")


def test_fingerprints_of_recorded_runs_stay(old_run: Path) -> None:
    """A release that leaves other keys out of the fingerprint would train everything again."""
    record = json.loads((old_run / "run.json").read_text())
    saved = OmegaConf.to_container(OmegaConf.load(old_run / "config.yaml"), resolve=True)
    assert isinstance(saved, dict)
    assert config_fingerprint({str(key): value for key, value in saved.items()}) == record["fingerprint_parts"]["configuration"]


def test_signs_before_an_old_name_stay() -> None:
    found = renamed_record({"config": {"model._target_": TARGET}, "overrides": ["+model.layers=2", "~model.window", "seed=1"]})
    assert found["overrides"] == ["+model.num_layers=2", "~model.local_attention", "seed=1"]
