"""A search over the launcher in a directory of its own, whose SageMaker and clock are simulated."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from random import Random
from typing import Any

import optuna
from omegaconf import DictConfig
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from simulated_sagemaker import Service, SimulatedBackend, SimulatedClock, SimulatedStorage, World

from hydra_sagemaker import Executor
from hydra_sagemaker.job.job import Job
from hydra_sagemaker.runner.record import success_record
from hydra_sagemaker.search.jobs import LauncherJobs
from hydra_sagemaker.search.read_space import read_space
from hydra_sagemaker.search.search import Limits, Search
from hydra_sagemaker.search.space import Space

APP = """
import hydra


@hydra.main(version_base="1.3", config_path="conf", config_name="config")
def main(config):
    return 0.0
"""
CONFIG = """
learning_rate: 0.001
warmup: 0.1
layers: 2
seed: 0
model: {name: small, layers: 4, width: 256}
data: {path: "${oc.env:HOME}/data", batch_size: 32}
"""
WORDS = """
hydra.launcher.region=us-east-1 hydra.launcher.s3_uri=s3://search/sweeps hydra.launcher.image_uri=search
hydra.launcher.role_arn=arn:aws:iam::123456789012:role/search hydra.launcher.instance_type=ml.g5.xlarge
""".split()
SPACE = ["learning_rate=tag(log,interval(1e-5,1e-2))", "warmup=interval(0.0,0.3)", "layers=int(interval(1,6))"]


class Storage(SimulatedStorage):
    """Returns a value that has its best in the middle of the space."""

    def collect(self, job: Job, described: dict[str, Any]) -> tuple[dict[str, Any] | None, None]:
        super().collect(job, described)
        words = (word.split("=") for word in job.overrides)
        return success_record(objective({name: float(value) for name, value in words})), None


def objective(values: Mapping[str, float]) -> float:
    return (values["warmup"] - 0.1) ** 2 + abs(values["layers"] - 3) + abs(values["learning_rate"] - 1e-3)


class Simulation:
    """A search in a directory of its own."""

    def __init__(self, folder: Path, slots: int, spread: float, seed: int) -> None:
        self.clock = SimulatedClock()
        world = World(slots=slots, spread=spread, startup_seconds=(0.0, 0.0), without_capacity=0.0, broken=0.0)
        self.service = Service(self.clock, Random(seed), world)
        self.folder, self.slots, self.seed = folder, slots, seed
        (folder / "conf").mkdir(parents=True)
        (folder / "conf" / "config.yaml").write_text(CONFIG)
        (folder / "app.py").write_text(APP)

    def executor(self) -> Executor:
        sys.path.insert(0, str(self.folder))
        sys.modules.pop("app", None)
        os.chdir(self.folder)
        import app  # type: ignore[import-not-found]

        words = [*WORDS, f"hydra.sweep.dir={self.folder / 'sweep'}", f"hydra.launcher.max_parallel={self.slots}"]
        executor = Executor.for_app(app.main, self.folder / "conf", words)
        sweep = executor._sweep
        backend = SimulatedBackend(sweep.settings, self.folder, self.service)
        backend.storage = Storage(self.clock, sweep.settings)
        backend.preflight = lambda jobs: None  # type: ignore[method-assign]  # there is no account
        sweep.__dict__["backend"] = sweep.tracker.backend = backend
        executor._loop.now, executor._loop.sleep = self.clock.now, self.clock.sleep
        return executor

    def search(self, executor: Executor, n_trials: int) -> Search:
        sweep = executor._sweep
        space = read_space({}, SPACE, sweep.context.config_loader)
        storage = JournalStorage(JournalFileBackend(str(self.folder / "search.journal")))
        sampler = optuna.samplers.TPESampler(seed=self.seed, constant_liar=True)
        study = optuna.create_study(storage=storage, sampler=sampler)
        jobs = LauncherJobs(executor, self.slots, self.clock.sleep)
        return Search(study, jobs, suggest(space, sweep.config), Limits(n_trials, 1.0), now=self.clock.now)

    def durations(self) -> list[float]:
        return [one.ended - one.started for one in self.service.attempts.values()]


def suggest(space: Space, config: DictConfig) -> Any:
    return lambda trial: space.suggest(trial, config)
