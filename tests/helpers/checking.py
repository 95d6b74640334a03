"""What the tests of the check share."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from omegaconf import DictConfig

from paraphrase_lab.check import CheckedRequest, Findings, check_request
from paraphrase_lab.check import overrides as overrides_check
from paraphrase_lab.check.built import check_built
from paraphrase_lab.configuration.composition import Composer, Request
from paraphrase_lab.errors import ConfigError
from paraphrase_lab.runtime.hardware import Machine

GPUS = Machine("gpu", 8, "NVIDIA H100", bf16=True, fp16=True)


def check(*overrides: str, config_dir: Path | None = None, multirun: bool = False) -> CheckedRequest:
    return check_request(Request(overrides, str(config_dir) if config_dir else None, multirun))


def problems(*overrides: str, config_dir: Path | None = None, multirun: bool = False) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        check(*overrides, config_dir=config_dir, multirun=multirun)
    return caught.value.problems


def composed(composer: Composer, overrides: Sequence[str] = (), *, with_hydra: bool = False) -> DictConfig:
    """Return the configuration of overrides without a mistake."""
    found = overrides_check.compose(overrides, composer, with_hydra=with_hydra)
    assert found.config is not None and not found.problems and not found.hydra_problems
    return found.config


def write(directory: Path, name: str, text: str) -> Path:
    file = directory / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return directory


def built(*overrides: str, machine: Machine = GPUS, remote: bool = True, config_dir: Path | None = None) -> Findings:
    """The second stage, by default without what depends on this machine."""
    return check_built(check(*overrides, config_dir=config_dir).jobs[0].config, machine=machine, remote=remote)


def here(*overrides: str, machine: Machine = GPUS) -> Findings:
    return built(*overrides, machine=machine, remote=False)
