"""Does the search keep its slots busy, and does it stay light with thousands of trials?

Question: of 20 slots, in what share of the time does a trial run, when 200 of them last unequally long (log-normal durations)?
          Beside it: the bound of a queue that knows no delay, and batches, as Hydra's own sweepers run them. And for 5,000
          trials: the CPU time of the search per trial, and its memory, beside a bare loop of Optuna's with the same trials.
Cost:     five minutes on one core, no account: SageMaker and its clock are simulated (simulated_sagemaker.py); the search,
          the study, the launcher's plans, manifest, ledger, requests and returns are real.
Expected: within 2 points of the queue's bound, 93 / 89 / 67 % for spreads of 0.25 / 0.5 / 1, where batches have 64 / 43 / 22 %;
          less than 50 ms of CPU a trial, Optuna's sampler included; from the 500th trial to the last, memory grows by less than
          10 % beyond what Optuna keeps of each trial. Exit code 1 when one is missed.
Command:  python scripts/bench/search.py
"""

from __future__ import annotations

import argparse
import gc
import json
import logging
import multiprocessing
import os
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import mean
from typing import Any

import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from rich.console import Console
from rich.table import Table
from simulated_search import Simulation, objective

from hydra_sagemaker.search.launchers import seldom_collected

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
    def growth_mb(self) -> float:
        return self.late_mb - self.early_mb


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


class Marks:
    """CPU time and memory when some numbers of trials have ended."""

    def __init__(self, trials: int) -> None:
        self.trials, self.tenth = trials, round(0.9 * trials)
        self.at: dict[int, tuple[float, float]] = {0: (time.process_time(), 0.0)}

    def ended(self, count: int) -> None:
        if count in (EARLY, self.tenth, self.trials):
            self.at[count] = time.process_time(), resident_mb()

    def load(self) -> Load:
        (began, _), (_, early_mb), (before, _), (end, late_mb) = (
            self.at[count] for count in (0, EARLY, self.tenth, self.trials)
        )
        late_cpu_ms = 1000 * (end - before) / (self.trials - self.tenth)
        return Load(self.trials, 1000 * (end - began) / self.trials, late_cpu_ms, early_mb, late_mb)


def load(trials: int, folder: Path) -> Load:
    quiet()
    simulation = Simulation(folder / "load", 20, 0.5, 0)
    with simulation.executor() as executor, seldom_collected():
        found = simulation.search(executor, trials)
        ended_one, marks = found.progress.ended_one, Marks(trials)

        def counted(*arguments: Any) -> None:
            ended_one(*arguments)
            marks.ended(found.progress.ended)

        found.progress.ended_one = counted  # type: ignore[method-assign]
        found.run()
    return marks.load()


def bare(trials: int, folder: Path) -> Load:
    """Ask, suggest and tell as the search does, with no job."""
    quiet()
    storage = JournalStorage(JournalFileBackend(str(folder / "bare.journal")))
    study = optuna.create_study(storage=storage, sampler=optuna.samplers.TPESampler(seed=0, constant_liar=True))
    marks, running = Marks(trials), deque[optuna.Trial]()
    for count in range(trials):
        while len(running) < 20 and count + len(running) < trials:
            trial = study.ask()
            trial.suggest_float("learning_rate", 1e-5, 1e-2, log=True)
            trial.suggest_float("warmup", 0.0, 0.3)
            trial.suggest_int("layers", 1, 6)
            trial.set_user_attr("sweep", "0123456789ab")
            running.append(trial)
        trial = running.popleft()
        for name, value in (("job", f"load-0123456789abcdef-{count}"), ("seconds", 100.5), ("usd", 0.039)):
            trial.set_user_attr(name, value)
        study.tell(trial, objective(trial.params))
        marks.ended(count + 1)
    return marks.load()


def quiet() -> None:
    logging.disable(logging.CRITICAL)
    optuna.logging.set_verbosity(optuna.logging.ERROR)


def in_a_process(measure: Callable[[int, Path], Load], trials: int, folder: Path) -> Load:
    """So that neither finds the other's memory."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(measure, trials, folder).result()


def resident_mb() -> float:
    """Linux only."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def load_table(both: Sequence[Load]) -> Table:
    title = f"{both[0].trials:,} trials, 20 slots"
    table = Table("", "CPU ms a trial", "in the last tenth", f"MB after {EARLY}", "MB at the end", title=title)
    for name, one in zip(("search", "Optuna alone"), both, strict=True):
        table.add_row(name, *(f"{value:.1f}" for value in (one.cpu_ms, one.late_cpu_ms, one.early_mb, one.late_mb)))
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=5000)
    parser.add_argument("--repetitions", type=int, default=3, help="of the searches with 200 trials")
    parser.add_argument("--json", type=Path, help="file for the figures")
    arguments = parser.parse_args()
    quiet()
    missed = []
    table = Table("spread", "search", "queue's bound", "batches", title="slots in use, %: 200 trials, 20 slots")
    with tempfile.TemporaryDirectory() as folder:
        shares = {spread: busy(spread, arguments.repetitions, Path(folder)) for spread in SPREADS}
        both = [in_a_process(one, arguments.trials, Path(folder)) for one in (load, bare)] if arguments.trials > EARLY else []
        os.chdir("/")
    for spread, found in shares.items():
        table.add_row(f"{spread:g}", *(f"{found[name]:.1f}" for name in ("search", "queue", "batches")))
        if found["queue"] - found["search"] > POINTS:
            missed.append(f"spread {spread:g}: {found['queue'] - found['search']:.1f} points below the queue's bound")
    Console().print(table)
    if both:
        Console().print(load_table(both))
        search, optunas = both
        beyond = 100 * (search.growth_mb - optunas.growth_mb) / search.early_mb
        Console().print(f"memory grows by {beyond:.1f} % more than Optuna's")
        missed += [f"{search.cpu_ms:.1f} ms a trial"] * (search.cpu_ms >= CPU_MS)
        missed += [f"memory grows by {beyond:.1f} % more"] * (beyond >= GROWTH_PERCENT)
    if arguments.json:
        figures = {"shares": shares, "load": [asdict(one) for one in both]}
        arguments.json.write_text(json.dumps(figures, indent=2))
    if missed:
        sys.exit("missed: " + "; ".join(missed))


if __name__ == "__main__":
    main()
