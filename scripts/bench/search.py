"""Does the search keep its slots busy, and does it stay light with thousands of trials?

Question: of 20 slots, in what share of the time does a trial run, when 200 of them last unequally long (log-normal durations)?
          Beside it: the bound of a queue that knows no delay, and batches, as Hydra's own sweepers run them. And for 5,000
          trials: the CPU time of the search per trial, and its memory.
Cost:     five minutes on one core, no account: SageMaker and its clock are simulated (simulated_sagemaker.py); the search,
          the study, the launcher's plans, manifest, ledger, requests and returns are real.
Expected: within 2 points of the queue's bound, 93 / 89 / 67 % for spreads of 0.25 / 0.5 / 1, where batches have 64 / 43 / 22 %;
          less than 50 ms of CPU a trial, memory within 10 % from the 500th trial to the last. Exit code 1 when one is missed.
Command:  python scripts/bench/search.py
"""

from __future__ import annotations

import argparse
import gc
import json
import logging
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random
from statistics import mean
from typing import Any

import optuna
from omegaconf import DictConfig
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from rich.console import Console
from rich.table import Table
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
SPREADS = (0.25, 0.5, 1.0)
POINTS, CPU_MS, GROWTH_PERCENT = 2.0, 50.0, 10.0
EARLY = 500


@dataclass
class Load:
    trials: int
    cpu_ms: float
    """CPU time of this process per trial; the last tenth: `late_cpu_ms`."""
    late_cpu_ms: float
    early_mb: float
    late_mb: float

    @property
    def growth_percent(self) -> float:
        return 100 * (self.late_mb / self.early_mb - 1)


class Storage(SimulatedStorage):
    """Returns a value that has its best in the middle of the space."""

    def collect(self, job: Job, described: dict[str, Any]) -> tuple[dict[str, Any] | None, None]:
        super().collect(job, described)
        return success_record(objective(job.config)), None


def objective(config: DictConfig) -> float:
    return (config.warmup - 0.1) ** 2 + abs(config.layers - 3) + abs(config.learning_rate - 1e-3)


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


def queue_share(durations: Sequence[float], slots: int) -> float:
    """Return the busy share of slots that take the next trial at once."""
    ends = [0.0] * slots
    for seconds in durations:
        ends[ends.index(min(ends))] += seconds
    return sum(durations) / (slots * max(ends))


def batch_share(durations: Sequence[float], slots: int) -> float:
    """Return the busy share where the slowest trial of each batch is waited for."""
    batches = [durations[start : start + slots] for start in range(0, len(durations), slots)]
    return sum(durations) / (slots * sum(map(max, batches)))


def busy(spread: float, repetitions: int, folder: Path, slots: int = 20, trials: int = 200) -> dict[str, float]:
    shares: dict[str, list[float]] = {"search": [], "queue": [], "batches": []}
    for seed in range(repetitions):
        simulation = Simulation(folder / f"{spread}-{seed}", slots, spread, seed)
        with simulation.executor() as executor:
            found = simulation.search(executor, trials)
            found.run()
        durations = simulation.durations()
        shares["search"].append(sum(durations) / (slots * simulation.clock.now()))
        shares["queue"].append(queue_share(durations, slots))
        shares["batches"].append(batch_share(durations, slots))
    return {name: 100 * mean(values) for name, values in shares.items()}


def load(trials: int, folder: Path) -> Load:
    simulation = Simulation(folder / "load", 20, 0.5, 0)
    marks: dict[int, tuple[float, float]] = {}
    with simulation.executor() as executor:
        found = simulation.search(executor, trials)
        tell = found._tell

        def told(ended: Any) -> None:
            tell(ended)
            if found.progress.ended in (EARLY, round(0.9 * trials), trials):
                marks[found.progress.ended] = time.process_time(), resident_mb()

        found._tell = told  # type: ignore[method-assign]
        began = time.process_time()
        found.run()
    (_, early_mb), (before, _), (end, late_mb) = (marks[EARLY], marks[round(0.9 * trials)], marks[trials])
    return Load(trials, 1000 * (end - began) / trials, 1000 * (end - before) / (0.1 * trials), early_mb, late_mb)


def resident_mb() -> float:
    """Linux only."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=5000)
    parser.add_argument("--repetitions", type=int, default=3, help="of the searches with 200 trials")
    parser.add_argument("--json", type=Path, help="file for the figures")
    arguments = parser.parse_args()
    logging.disable(logging.CRITICAL)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    missed = []
    table = Table("spread", "search", "queue's bound", "batches", title="slots in use, %: 200 trials, 20 slots")
    with tempfile.TemporaryDirectory() as folder:
        shares = {spread: busy(spread, arguments.repetitions, Path(folder)) for spread in SPREADS}
        heavy = load(arguments.trials, Path(folder)) if arguments.trials > EARLY else None
        os.chdir("/")
    for spread, found in shares.items():
        table.add_row(f"{spread:g}", *(f"{found[name]:.1f}" for name in ("search", "queue", "batches")))
        if found["queue"] - found["search"] > POINTS:
            missed.append(f"spread {spread:g}: {found['queue'] - found['search']:.1f} points below the queue's bound")
    Console().print(table)
    if heavy is not None:
        Console().print(
            f"{heavy.trials:,} trials: {heavy.cpu_ms:.1f} ms of CPU a trial, {heavy.late_cpu_ms:.1f} at the end; memory "
            f"{heavy.early_mb:.0f} MB after {EARLY} trials, {heavy.late_mb:.0f} at the end ({heavy.growth_percent:+.1f} %)"
        )
        missed += [f"{heavy.late_cpu_ms:.1f} ms a trial"] * (heavy.late_cpu_ms >= CPU_MS)
        missed += [f"memory grows by {heavy.growth_percent:.1f} %"] * (heavy.growth_percent >= GROWTH_PERCENT)
    if arguments.json:
        figures = {"shares": shares, "load": asdict(heavy) if heavy else None}
        arguments.json.write_text(json.dumps(figures, indent=2))
    if missed:
        sys.exit("missed: " + "; ".join(missed))


if __name__ == "__main__":
    main()
