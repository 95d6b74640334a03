"""Does a sweep of thousands of jobs keep its machines busy, and this machine's memory and disk as they are?

Question: of an account's 100 slots, how many stand empty while jobs wait? How large does the ledger become, and does
          memory grow with the jobs that are collected?
Cost:     a few minutes on one core, 2 GB of memory, no account: SageMaker and its clock are simulated (simulated_sagemaker.py),
          the launcher's scheduler, tracker, ledger, requests and returns are its own, and the ledger's fsync is real.
Expected: less than 5 % of the slots' time empty, a ledger below 10 MB, memory within 10 % from the 500th job collected to the
          last. Exit code 1 when one of these is missed.
Command:  python scripts/bench/scale.py
"""

from __future__ import annotations

import argparse
import copy
import gc
import json
import logging
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from random import Random

from hydra import initialize_config_dir
from hydra._internal.callbacks import Callbacks
from hydra.core.global_hydra import GlobalHydra
from hydra.core.utils import JobReturn, JobStatus
from hydra.types import HydraContext, RunMode
from omegaconf import open_dict, read_write
from rich.console import Console
from rich.table import Table
from simulated_sagemaker import Service, SimulatedBackend, SimulatedClock, World

from hydra_sagemaker.display.live_table import ChangeLog
from hydra_sagemaker.job.identity import task_yaml
from hydra_sagemaker.job.job import POLL_SECONDS, Job, compose_jobs
from hydra_sagemaker.job.spec import Spec, versions
from hydra_sagemaker.scheduling.ledger import Ledger
from hydra_sagemaker.scheduling.loop import EventLoop
from hydra_sagemaker.scheduling.retries import Retries
from hydra_sagemaker.scheduling.scheduler import Scheduler
from hydra_sagemaker.scheduling.tracker import Submission, Tracker
from hydra_sagemaker.settings import OnExisting, SageMakerLauncherConf

APP = """
learning_rate: 0.001
seed: 0
model: {name: small, layers: 4, width: 256}
data: {path: "${oc.env:HOME}/data", batch_size: 32}
"""
WORDS = """
hydra/launcher=sagemaker hydra.launcher.region=us-east-1 hydra.launcher.s3_uri=s3://scale/sweeps hydra.launcher.image_uri=scale
hydra.launcher.role_arn=arn:aws:iam::123456789012:role/scale hydra.launcher.instance_type=ml.g5.xlarge
""".split()
IDLE_PERCENT, LEDGER_MB, GROWTH_PERCENT = 5.0, 10.0, 10.0
EARLY = 0.1
"""Share of the jobs after which memory is measured first."""


@dataclass
class Scale:
    """What to simulate; the launcher's own defaults are part of the question."""

    jobs: int = 5000
    max_parallel: int = 120
    submits_per_second: float = SageMakerLauncherConf.submits_per_second
    poll_seconds: float = POLL_SECONDS
    seed: int = 0
    world: World = field(default_factory=World)


@dataclass
class Figures:
    completed: int
    failed: int
    sweep_hours: float
    ideal_hours: float
    """Hours for the same jobs, had every slot always been taken."""
    empty_percent: float
    """Share of the slots' time while a job waited."""
    empty_or_starting_percent: float
    creates: int
    refused: int
    """Creates that the quota refused."""
    lists: int
    describes: int
    throttled: dict[str, int]
    ledger_mb: float
    early_mb: float
    late_mb: float
    growth_percent: float
    real_seconds: float

    def missed(self) -> list[str]:
        return [
            f"{name} {value:.1f}, at most {most:g}"
            for name, value, most in (
                ("empty slots, %:", self.empty_percent, IDLE_PERCENT),
                ("ledger, MB:", self.ledger_mb, LEDGER_MB),
                ("growth of memory, %:", self.growth_percent, GROWTH_PERCENT),
            )
            if value >= most
        ]


class Marks(ChangeLog):
    """Weighs this process after the given numbers of collected jobs."""

    def __init__(self, counts: Sequence[int]) -> None:
        super().__init__()
        self.counts, self.collected = counts, 0
        self.megabytes: list[float] = []

    def changed(self, submission: Submission) -> None:
        super().changed(submission)
        self.collected += submission.outcome is not None
        if submission.outcome is not None and self.collected in self.counts:
            self.megabytes.append(resident_mb())


def resident_mb() -> float:
    """Linux only."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def simulated(scale: Scale, folder: Path) -> Figures:
    jobs = composed(scale.jobs, folder)
    clock, random = SimulatedClock(), Random(scale.seed)
    service = Service(clock, random, scale.world)
    settings = jobs[0].settings
    ledger, retries = Ledger(folder / "ledger.jsonl"), Retries(settings.retries, settings.retry_seconds, random)
    backend = SimulatedBackend(settings, folder / "app", service)
    tracker = Tracker(backend, ledger, specifications(jobs[0]), "app", retries)
    scheduler = Scheduler(scale.max_parallel, scale.poll_seconds, scale.submits_per_second, random=random)
    clock.is_noted = lambda: any(scheduler.lines.values())
    marks = Marks([round(EARLY * scale.jobs), scale.jobs])
    began = time.perf_counter()
    submissions = tracker.plan(jobs, OnExisting.retry_failed)
    returns = EventLoop(tracker, submissions, scheduler, clock.now, clock.sleep).run(marks.changed)
    return figures(returns, service, clock, marks, ledger, time.perf_counter() - began)


def composed(count: int, folder: Path) -> list[Job]:
    """One by Hydra, the others as its copies: each has a configuration of its own, the hydra node included."""
    application = folder / "app"
    application.mkdir(parents=True)
    (application / "config.yaml").write_text(APP)
    with initialize_config_dir(str(application), job_name="scale", version_base="1.3"):
        hydra = GlobalHydra.instance().hydra
        assert hydra is not None
        words = [*WORDS, f"hydra.sweep.dir={folder / 'sweep'}"]
        master = hydra.config_loader.load_configuration("config", words, run_mode=RunMode.MULTIRUN)
        context = HydraContext(hydra.config_loader, Callbacks())
        [first] = compose_jobs(context, master, [[*words, "learning_rate=0.1"]], 0)
    return [numbered(copy.deepcopy(first), number) for number in range(count)]


def numbered(job: Job, number: int) -> Job:
    word = f"learning_rate={1 / (1 + number)}"
    job.number, job.key, job.slug = number, f"{number:016x}", "scale"
    job.overrides, job.distinguishing_overrides = (word,), (word,)
    job.output_dir = job.output_dir.parent / str(number)
    job.config.learning_rate = 1 / (1 + number)
    with open_dict(job.config.hydra), read_write(job.config.hydra):
        job.config.hydra.job.num = number
        job.config.hydra.overrides.task = [word]
    return job


def specifications(first: Job) -> Callable[[Job, str], Spec]:
    spec = Spec(
        name="", key="", number=0, task_name="scale", config_name="config", search_path=[], hydra_overrides=[*WORDS],
        task_overrides=[], config=task_yaml(first.config), plugins={}, now=[], version_base="1.3", sweep_dir="",
        sweep_subdir="", working_dir=".", python_path=[], versions=versions(),
    )  # fmt: skip
    return lambda job, name: replace(
        spec, name=name, key=job.key, number=job.number, task_overrides=list(job.overrides), sweep_subdir=str(job.number)
    )


def figures(
    returns: Sequence[JobReturn], service: Service, clock: SimulatedClock, marks: Marks, ledger: Ledger, real_seconds: float
) -> Figures:
    attempts, slots = service.attempts.values(), service.world.slots
    room = slots * clock.noted_of(0.0, clock.now())
    taken = sum(clock.noted_of(one.created, one.ended) for one in attempts)
    training = sum(clock.noted_of(one.started, one.ended) for one in attempts)
    early, late = marks.megabytes
    completed = sum(one.status == JobStatus.COMPLETED for one in returns)
    return Figures(
        completed=completed,
        failed=len(returns) - completed,
        sweep_hours=clock.now() / 3600,
        ideal_hours=sum(one.ended - one.created for one in attempts) / slots / 3600,
        empty_percent=100 * (1 - taken / room),
        empty_or_starting_percent=100 * (1 - training / room),
        creates=service.calls["create"],
        refused=service.refused,
        lists=service.calls["list"],
        describes=service.calls["describe"],
        throttled=dict(service.throttled),
        ledger_mb=ledger.file.stat().st_size / 1e6,
        early_mb=early,
        late_mb=late,
        growth_percent=100 * (late / early - 1),
        real_seconds=real_seconds,
    )


def main() -> None:
    defaults = Scale()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=defaults.jobs)
    parser.add_argument("--minutes", type=float, default=defaults.world.minutes, help="median of the jobs' durations")
    parser.add_argument("--submits-per-second", type=float, default=defaults.submits_per_second)
    parser.add_argument("--seed", type=int, default=defaults.seed)
    parser.add_argument("--json", type=Path, help="file for the figures")
    arguments = parser.parse_args()
    logging.disable(logging.CRITICAL)  # a line for every change of every job
    scale = Scale(arguments.jobs, submits_per_second=arguments.submits_per_second, seed=arguments.seed)
    scale.world.minutes = arguments.minutes
    with tempfile.TemporaryDirectory() as folder:
        found = simulated(scale, Path(folder))
    if arguments.json:
        arguments.json.write_text(json.dumps({"scale": asdict(scale), "figures": asdict(found)}, indent=2))
    table = Table("", "", title=f"{scale.jobs:,} jobs on {scale.world.slots} slots", show_header=False)
    for name, value in asdict(found).items():
        table.add_row(name.replace("_", " "), f"{value:,.2f}" if isinstance(value, float) else str(value))
    Console().print(table)
    if missed := found.missed():
        sys.exit("missed: " + "; ".join(missed))


if __name__ == "__main__":
    main()
