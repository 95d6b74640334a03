"""The second stage of the check on what is behind a `_target_`."""

from __future__ import annotations

from pathlib import Path

import pytest

from checking import built, here

OWN_CODE = """
import a_package_that_nobody_has
"""
OWN_PARTS = """
class Source:
    def __init__(self, flavour, pairs=100): self.pairs = pairs
    def splits(self): return {}
    def count(self, split): return self.pairs if split == "train" else 10

class Recipe:
    def __init__(self, depth): self.depth = depth
    def tokenizer(self, sentences): ...

def gain(labels, probabilities, threshold, *, base=2): return 0.0
def too_small(labels, probabilities): return 0.0
def anything(**keywords): ...
constant = 3
"""


@pytest.fixture
def own_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "own_parts.py").write_text(OWN_PARTS)
    (tmp_path / "own_code_of_theirs.py").write_text(OWN_CODE)
    monkeypatch.syspath_prepend(tmp_path)
    for group, text in (("data", "flavour: sweet\n"), ("model", "depth: 3\n")):
        (tmp_path / group).mkdir()
        target = "Source" if group == "data" else "Recipe"
        head = f"defaults:\n  - /schema/{group}/own@_here_\n  - _self_\n_target_: own_parts.{target}\n"
        (tmp_path / group / "mine.yaml").write_text(head + text)
    (tmp_path / "optimizer").mkdir()
    (tmp_path / "optimizer" / "sgd.yaml").write_text("_target_: torch.optim.SGD\n_partial_: true\nlr: 0.1\n")
    (tmp_path / "scheduler").mkdir()
    (tmp_path / "scheduler" / "steps.yaml").write_text(
        "_target_: torch.optim.lr_scheduler.StepLR\n_partial_: true\nstep_size: 3\n"
    )
    return tmp_path


@pytest.mark.parametrize(
    ("override", "problem"),
    [
        (
            "metrics.m={_target_:paraphrase_lb.metrics.x}",
            "metrics.m: _target_=paraphrase_lb.metrics.x: there is no module 'paraphrase_lb'; is its directory on PYTHONPATH? "
            "Did you mean 'paraphrase_lab'?",
        ),
        (
            "metrics.m={_target_:paraphrase_lab.metric.x}",
            "metrics.m: _target_=paraphrase_lab.metric.x: paraphrase_lab has no 'metric'. "
            "Did you mean 'paraphrase_lab.metrics'?",
        ),
        (
            "metrics.m={_target_:own_parts.gaim}",
            "metrics.m: _target_=own_parts.gaim: own_parts has no 'gaim'. Did you mean 'gain'?",
        ),
        (
            "metrics.m={_target_:own_parts.constant}",
            "metrics.m: _target_=own_parts.constant is no class or function: int.",
        ),
        (
            "metrics.m={_target_:own_parts..gain}",
            "metrics.m: _target_=own_parts..gain is no dotted path, package.module.Name.",
        ),
        (
            "metrics.m={_target_:own_code_of_theirs.gain}",
            "metrics.m: _target_=own_code_of_theirs.gain: importing own_code_of_theirs failed, "
            "since there is no module 'a_package_that_nobody_has': is it installed?",
        ),
        (
            "metrics.m={_target_:own_parts.too_small}",
            "metrics.m: own_parts.too_small takes too few arguments: it is called with (labels, probabilities, threshold), "
            "and takes (labels, probabilities).",
        ),
        (
            "metrics.m={_target_:own_parts.gain,bas:3}",
            "metrics.m: own_parts.gain takes no argument 'bas'. Did you mean 'base'?",
        ),
        (
            "metrics.m={_target_:own_parts.gain,labels:3}",
            "metrics.m: own_parts.gain gets its argument 'labels' from the framework: leave out metrics.m.labels.",
        ),
        (
            "+callbacks.early_stopping.patiense=3",
            "callbacks.early_stopping: paraphrase_lab.training.callbacks.EarlyStopping takes no argument 'patiense'. "
            "Did you mean 'patience'?",
        ),
        (
            "callbacks.m={_target_:paraphrase_lab.training.callbacks.EarlyStopping}",
            "callbacks.m: paraphrase_lab.training.callbacks.EarlyStopping needs the argument monitor: "
            "give it as callbacks.m.monitor=VALUE.",
        ),
        (
            "callbacks.m={_target_:own_parts.anything,inner:{_target_:own_parts.gain,bse:1}}",
            "callbacks.m.inner: own_parts.gain takes no argument 'bse'. Did you mean 'base'?",
        ),
        (
            "callbacks.m={_target_:own_parts.Source,flavour:x}",
            "callbacks.m: own_parts.Source has no method setup and no method on_fit_start, so it cannot serve here.",
        ),
        ("data.tint=red", "data: own_parts.Source takes no argument 'tint'. It takes: flavour, pairs."),
        ("model=mine", "model: own_parts.Recipe has no method encoder, so it cannot serve here."),
        (
            "optimizer.momentun=0.9",
            "optimizer: torch.optim.SGD takes no argument 'momentun'. Did you mean 'momentum'?",
        ),
        (
            "scheduler=steps",
            "scheduler: torch.optim.lr_scheduler.StepLR takes no argument 'total_steps', which training passes to it.",
        ),
    ],
)
def test_targets(override: str, problem: str, own_parts: Path) -> None:
    overrides = [override]
    if override.startswith(("data.", "optimizer.")):
        overrides = [f"+{override}", "data=mine" if override.startswith("data.") else "optimizer=sgd"]
    found = built(*overrides, config_dir=own_parts).problems
    assert found[0].startswith(problem)
    assert len(found) == (2 if "bse" in override else 1), found


def test_arguments_that_the_framework_supplies(own_parts: Path) -> None:
    findings = built(
        "data=mine", "data.batch_size=8", "optimizer=sgd", "+optimizer.momentum=0.9",
        "metrics.m={_target_:own_parts.gain,base:3}",
        "callbacks.m={_target_:own_parts.anything,inner:{_target_:own_parts.gain,_partial_:true,base:1}}",
        config_dir=own_parts,
    )  # fmt: skip
    assert findings == ([], [])


def test_all_at_once(own_parts: Path) -> None:
    overrides = ("data=mine", "+data.tint=red", "model.hidden_size=131", "monitor=val/f2", "metrics.m={_target_:x.y}")
    found = built(*overrides, config_dir=own_parts).problems
    starts = ["data: own_parts.Source", "metrics.m: _target_=x.y", "monitor=val/f2: nothing", "model.hidden_size=131 is not"]
    assert [problem[: len(start)] for problem, start in zip(found, starts, strict=True)] == starts


def test_loggers_that_need_a_package(monkeypatch: pytest.MonkeyPatch) -> None:
    import importlib.util

    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name.startswith("tensorboard") else find(name))
    (problem,) = here("logger=tensorboard").problems
    assert problem == (
        "logger.tensorboard: pytorch_lightning.loggers.TensorBoardLogger needs a package that is not installed: "
        "pip install tensorboard."
    )
