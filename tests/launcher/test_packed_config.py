"""The configurations of many jobs are small in memory, and what is read of them is what was set."""

from __future__ import annotations

import tracemalloc
from dataclasses import dataclass
from pathlib import Path

import pytest
from hydra import compose, initialize
from hydra.core.utils import JobReturn
from omegaconf import DictConfig, OmegaConf

from hydra_sagemaker.job.job import Job
from hydra_sagemaker.scheduling.job_returns import JobStatus, LaunchedReturn


@pytest.fixture
def composed() -> DictConfig:
    with initialize(version_base="1.3", config_path=None):
        config = compose(overrides=["+x=1", "+at=${now:%S%f}", "hydra.job.name=app"], return_hydra_config=True)
    config.hydra.job.num, config.hydra.job.id = 0, "0"
    return config


def job(config: DictConfig, number: int = 0) -> Job:
    return Job(number, ("x=1",), config, output_dir=Path(f"sweep/{number}"))


def test_what_is_read_is_what_was_set(composed: DictConfig) -> None:
    time = composed.at
    one, other = job(composed), job(OmegaConf.create({"x": 2, "hydra": {}}), 1)
    assert one.config == composed and one.config._get_node("at")._value() == "${now:%S%f}"  # type: ignore[union-attr]
    assert other.config.x == 2 and one.config.at == time, "the time was resolved once and for all"
    assert one.config.hydra.launcher._metadata.object_type is composed.hydra.launcher._metadata.object_type


def test_a_job_without_a_configuration() -> None:
    with pytest.raises(TypeError, match="config"):
        Job(0, ())  # type: ignore[call-arg]


def test_what_cannot_be_packed_is_kept_as_it_is() -> None:
    @dataclass
    class Local:
        x: int = 1

    config = OmegaConf.structured(Local)
    assert job(config).config is config


def test_jobs_and_their_returns_take_a_tenth(composed: DictConfig) -> None:
    tracemalloc.start()
    jobs = [job(composed, number) for number in range(100)]
    returns = [LaunchedReturn(one, "name", JobStatus.COMPLETED, 1) for one in jobs]
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert size / len(jobs) < 30_000, "a configuration with its hydra node takes 140 kB"
    last = returns[-1]
    assert isinstance(last, JobReturn) and last.return_value == 1 and last.cfg is not None and last.hydra_cfg is not None
    assert last.cfg.x == 1 and "hydra" not in last.cfg
    assert last.hydra_cfg.hydra.job.id == "name" and last.hydra_cfg.hydra.runtime.output_dir == "sweep/99"
