"""The check of model.lora: keys below a key, an extra, layers that are not there, a rate for all weights."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

from checking import built, check, problems
from encoders import save_checkpoint
from paraphrase_lab.check.adapters import _look_for_targets
from paraphrase_lab.check.findings import Findings

pytest.importorskip("peft", reason='needs pip install "paraphrase-lab[lora]"')

NAMED = ("model=pretrained", "model.name=someone/model")
MAPPING = "model.lora is a mapping with the keys rank, alpha, dropout, target_modules, use_rslora, use_dora."
RATE = "model.learning_rate=2e-4"


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("model.lora.rank=0", "model.lora.rank=0 must be a whole number from 1 to 4096, or null."),
        ("model.lora.rank=high", "model.lora.rank=high must be a whole number from 1 to 4096, or null."),
        ("model.lora.alpha=0", "model.lora.alpha=0.0 must be a number above 0, or null."),
        ("model.lora.target_modules=query", "model.lora.target_modules=query must be a list, [name,name], or null."),
        ("model.lora.rnak=8", "there is no key 'model.lora.rnak'. Did you mean 'model.lora.rank'?"),
        ("model.lora.r=8", "there is no key 'model.lora.r'. Did you mean 'model.lora.rank'?"),
        ("lora.rank=8", "there is no key 'lora.rank'. Did you mean 'model.lora.rank'?"),
        ("model.lora={rnk:8}", "model.lora={rnk:8}: there is no key 'model.lora.rnk'. Did you mean 'model.lora.rank'?"),
        ("model.lora.rank.high=8", "model.lora.rank is a value and has no keys, so there is no 'model.lora.rank.high'."),
        ("model.lora=8", f"model.lora=8: {MAPPING}"),
        ("model.lora=null", f"model.lora=null: {MAPPING}"),
        ("~model.lora", "~model.lora: model.lora cannot be left out, every configuration has it. Set it to another value."),
    ],
)  # fmt: skip
def test_keys_below_a_key(override: str, message: str) -> None:
    assert problems(*NAMED, override) == [message]


def test_a_value_is_taken_from_another_key() -> None:
    config = check(*NAMED, "model.lora.rank=${data.batch_size}").jobs[0].config
    assert config.model.lora.rank == 32
    assert problems(*NAMED, "model.lora.rank=${data.max_lenght}") == [
        "model.lora.rank=${data.max_lenght}: Interpolation key 'data.max_lenght' not found. Did you mean '${data.max_length}'?"
    ]


def test_random_weights_are_not_adapted() -> None:
    (problem,) = problems(*NAMED, "model.lora.rank=8", "model.random_weights=true")
    assert problem.startswith(
        "model.lora.rank and model.random_weights=true exclude each other: adapters adjust trained weights"
    )


def test_only_pre_trained_encoders_have_adapters() -> None:
    assert problems("model.lora.rank=8") == ["there is no key 'model.lora.rank'. model=pretrained has it."]


def test_a_check_runs_no_foreign_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "own", "auto_map": {"AutoConfig": "configuration_own.Own"}}')
    (tmp_path / "configuration_own.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    monkeypatch.setattr("builtins.input", lambda *_: "y")
    _look_for_targets({"name": str(tmp_path)}, ["query"])
    assert not (tmp_path / "ran").exists()


def test_adapters_as_they_should_be() -> None:
    assert built(*NAMED, "model.lora.rank=8", RATE) == Findings([], [])


@pytest.mark.parametrize(("rate", "advice"), [("2e-5", "2e-04"), ("5e-5", "5e-04"), ("6e-6", "6e-05")])
def test_a_rate_for_all_weights_is_warned_of(rate: str, advice: str) -> None:
    found = built(*NAMED, "model.lora.rank=8", f"model.learning_rate={rate}")
    assert not found.problems and len(found.warnings) == 1
    assert re.fullmatch(
        rf"optimizer.lr={float(rate):g} suits .* 10 times as much, as in model.learning_rate={advice}.", found.warnings[0]
    )
    assert built(*NAMED, f"model.learning_rate={rate}") == Findings([], [])


def test_settings_without_a_rank_are_warned_of() -> None:
    (warning,) = built(*NAMED, "model.lora.alpha=16", "model.lora.use_dora=true").warnings
    given = "model.lora.alpha=16.0, model.lora.use_dora=true"
    assert warning == f"without model.lora.rank these have no effect, and all weights are trained: {given}."


@pytest.mark.parametrize("family", ["bert", "modernbert"])
def test_layers_that_are_not_there_are_found_before_anything_is_loaded(family: str, tmp_path: Path) -> None:
    model = ("model=pretrained", f"model.name={save_checkpoint(tmp_path, family)}", "model.lora.rank=4", RATE)
    (tmp_path / "model.safetensors").unlink()
    ends = {"bert": "dense, key, query, value", "modernbert": "Wi, Wo, Wqkv"}[family]
    (problem,) = built(*model, f"model.lora.target_modules=[{ends.split(', ')[1]},q_proj]").problems
    assert problem == (
        f"model.lora.target_modules: the encoder has no linear layer 'q_proj'. its linear layers: {ends}; null is all of them."
    )
    assert built(*model, f"model.lora.target_modules=[{ends.replace(' ', '')}]") == Findings([], [])


def test_peft_is_needed_on_the_machine_that_trains(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    model = ("model=pretrained", f"model.name={save_checkpoint(tmp_path, 'bert')}", RATE, "data.max_length=48")
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: None if name == "peft" else find(name, *rest))
    assert built(*model, "model.lora.rank=8", remote=False).problems == [
        'model.lora needs a package that is not installed. pip install "paraphrase-lab[lora]".'
    ]
    assert built(*model, "model.lora.rank=8", remote=True) == Findings([], [])
    assert built(*model, remote=False) == Findings([], [])
