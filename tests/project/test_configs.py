"""Every shipped file composes, passes both stages of the check, and experiments stay what they were."""

from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from omegaconf import OmegaConf

from checking import composed
from paraphrase_lab.check import check_request
from paraphrase_lab.check.built import check_built
from paraphrase_lab.check.values import value_problems
from paraphrase_lab.configuration.composition import Composer, Request
from paraphrase_lab.configuration.json_schema import file_schemas
from paraphrase_lab.paths import CONF_DIR, EXPERIMENTS_DIR
from paraphrase_lab.runs.arms import arms_of
from paraphrase_lab.runtime.hardware import Machine

ROOT = Path(__file__).resolve().parents[2]
GOLDEN = ROOT / "tests" / "golden" / "experiment"
CLUSTER = Machine("gpu", 8, "stand-in", bf16=True, fp16=True)
NEEDS = {
    **{
        f"data={name}": ("data.path=owner/pairs",)
        for name in ("pairs", "paws_qqp", "mrpc_tsv", "qqp_tsv", "stsb_tsv", "mnli_tsv")
    },
    "model=pretrained": ("model.name=owner/encoder",),
    "hparams_search=optuna": ("optimizer.lr=interval(1e-4,1e-2)",),
}
"""Overrides that an option leaves to the user."""
LONG_WARMUP = "scheduler.warmup_steps=500 is longer than the training: about 196 optimiser steps"
WARNS = {"experiment=paws_seed_recipe": [[LONG_WARMUP]], "ablation=paws_recipe": [[LONG_WARMUP], []]}
"""The warnings of each arm."""
JOBS = {
    "ablation=encoder_depth": 20, "ablation=swap_or_consistency": 15, "ablation=learning_rate": 20,
    "ablation=training_size": 20, "ablation=negatives": 15, "ablation=both_ends": 9,
    "ablation=both_ends_minilm": 9,
    "ablation=paws_model_family": 9, "ablation=paws_precision": 9, "ablation=paws_recipe": 6,
    "hparams_search=optuna": 2, "hparams_search=tiny": 2, "hparams_search=pretrained": 2,
}  # fmt: skip
"""The number of jobs; of a search two stand for all trials."""


def options() -> list[str]:
    with Composer() as composer:
        return [f"{group}={option}" for group in composer.groups() for option in composer.group_options(group)]


def test_there_is_something_to_check() -> None:
    files = {path for directory in (CONF_DIR, EXPERIMENTS_DIR) for path in directory.glob("*/*.yaml")}
    assert {f"{path.parent.name}={path.stem}" for path in files if path.parent.name != "hydra"} == set(options())


@pytest.mark.parametrize("option", options())
def test_every_option_passes_both_stages(option: str, tmp_path: Path) -> None:
    checked = check_request(Request((option, *NEEDS.get(option, ()))))
    assert len(checked.jobs) == JOBS.get(option, 1) and checked.warnings == []
    arms = arms_of([job.overrides for job in checked.jobs])
    one_of_each = list({arm.name: job for arm, job in zip(arms, checked.jobs, strict=True)}.values())
    for job, expected in zip(one_of_each, WARNS.get(option, [[]] * len(one_of_each)), strict=True):
        findings = check_built(job.config, machine=CLUSTER, remote=True, training=option != "data=checklist")
        assert findings.problems == []
        OmegaConf.save(job.config, tmp_path / "config.yaml")  # saved YAML has lost the types of its nodes
        assert value_problems(OmegaConf.load(tmp_path / "config.yaml")) == []  # type: ignore[arg-type]
        assert [warning[: len(start)] for warning, start in zip(findings.warnings, expected, strict=True)] == expected


def test_golden_experiments() -> None:
    spec = importlib.util.spec_from_file_location("update_golden", ROOT / "scripts" / "update_golden.py")
    assert spec is not None and spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    golden = {file.stem: file.read_text(encoding="utf-8") for file in GOLDEN.glob("*.yaml")}
    assert script.composed_experiments() == golden, "if this change is meant: python scripts/update_golden.py"


def test_the_default_is_the_first_experiment() -> None:
    with Composer() as composer:
        default, experiment = composed(composer), composed(composer, ["experiment=word_order_tiny"])
    assert OmegaConf.to_yaml(default) == OmegaConf.to_yaml(experiment)


def test_no_file_hides_another() -> None:
    """Hydra silently takes the one of conf/ if two files have one name."""
    names = [{path.relative_to(directory) for path in directory.rglob("*.yaml")} for directory in (CONF_DIR, EXPERIMENTS_DIR)]
    assert not names[0] & names[1]


def test_hydra_plugins_stays_a_namespace() -> None:
    """An __init__.py there would hide every other Hydra plugin that is installed."""
    assert not (ROOT / "src" / "hydra_plugins" / "__init__.py").exists()


SCHEMA_COMMENT = re.compile(r"^# yaml-language-server: \$schema=(\S+)$", re.MULTILINE)
WITHOUT_DATACLASS = ("callbacks", "hydra", "logger", "metrics")
"""Groups of free mappings, which no schema could complete."""


def schema_files() -> list[Path]:
    files = [file for place in ("conf", "experiments") for file in sorted((ROOT / place).rglob("*.yaml"))]
    return [file for file in files if file.parent.name not in WITHOUT_DATACLASS]


def test_the_json_schemas_are_those_of_the_dataclasses() -> None:
    written = {file.stem: json.loads(file.read_text("utf-8")) for file in (ROOT / "conf" / "json_schema").glob("*.json")}
    assert written == json.loads(json.dumps(file_schemas())), "run python scripts/config_schema.py"


@pytest.mark.parametrize("file", schema_files(), ids=lambda file: f"{file.parent.name}/{file.stem}")
def test_every_file_holds_to_the_schema_that_it_names(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    (named,) = SCHEMA_COMMENT.findall(text)
    schema = json.loads((file.parent / named).read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator(schema).validate(yaml_1_2(text))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("hiden_size: 3", r"'hiden_size' was unexpected"),
        ("num_layers: 99", r"99 is greater than the maximum of 48"),
        ("num_layers: two", r"^'two' (is not|does not)"),
    ],
)
def test_the_schema_of_a_model_refuses(text: str, message: str) -> None:
    with pytest.raises(jsonschema.ValidationError, match=message):
        jsonschema.validate(yaml_1_2(text), file_schemas()["model.tiny"])


def yaml_1_2(text: str) -> Any:
    """As editors read it: 5e-4 is a number there, and to OmegaConf, but not to PyYAML."""
    return OmegaConf.to_container(OmegaConf.create(text), resolve=False)
