"""The jobs of a search, with the launcher that is configured."""

from __future__ import annotations

import copy
import gc
import logging
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hydra._internal.core_plugins.basic_launcher import BasicLauncher
from hydra.core.plugins import Plugins
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, open_dict, read_write

from hydra_plugins.hydra_sagemaker_launcher.sagemaker_launcher import SageMakerLauncher
from hydra_sagemaker.api.executor import Executor
from hydra_sagemaker.errors import LauncherError
from hydra_sagemaker.job.job import settings_of
from hydra_sagemaker.search.batch_jobs import BatchJobs
from hydra_sagemaker.search.jobs import LauncherJobs, TrialJobs
from hydra_sagemaker.search.read_settings import check_launcher
from hydra_sagemaker.search.space import Space
from hydra_sagemaker.settings import Mode, keeps_checkpoints
from hydra_sagemaker.sweep.announcements import jobs_per_machine

log = logging.getLogger(__name__)
BATCH = 4
"""Trials of a batch where the launcher does not say how many jobs it runs at the same time."""

ALLOCATIONS = 20_000
"""Objects between two looks for garbage; Python's own number is 700 to 2,000."""


def make_launcher(context: HydraContext, task: TaskFunction, config: DictConfig, space: Space) -> Launcher:
    """Make the launcher; in a dry run it shows two jobs and ends the process."""
    launcher = Plugins.instance().instantiate_launcher(hydra_context=context, task_function=task, config=config)
    if isinstance(launcher, SageMakerLauncher):
        launcher.check_names()
        check_launcher(config)
        if settings_of(config).mode == Mode.dry_run:
            log.info("two jobs stand for all of the search: those of the first and of the last values")
            launcher.launch(space.ends(), 0)
    return launcher


@contextmanager
def trial_jobs(
    launcher: Launcher, context: HydraContext, task: TaskFunction, config: DictConfig, n_jobs: int | None, prunes: bool
) -> Iterator[tuple[TrialJobs, Any, Collection[str]]]:
    """Yield the jobs, a function that hashes the code's files for a configuration, and keys that change nothing."""
    if isinstance(launcher, SageMakerLauncher):
        with Executor(context, task, config) as executor:
            sweep = executor._sweep
            if prunes and not sweep.is_local and not keeps_checkpoints(sweep.settings):
                raise LauncherError(
                    "hydra.sweeper.pruner: the values that training jobs report reach the search with their checkpoints: "
                    "hydra.launcher.checkpoints=true, or hydra/sweeper/pruner=none"
                )

            if prunes and not sweep.is_local and sweep.settings.jobs_per_machine > 1:
                raise LauncherError(
                    f"hydra.sweeper.pruner with hydra.launcher.jobs_per_machine={sweep.settings.jobs_per_machine}: SageMaker "
                    "cannot end one job of a machine alone: hydra.launcher.jobs_per_machine=1, or hydra/sweeper/pruner=none"
                )

            def code(text: str) -> dict[str, str] | None:
                beside = sweep.identity_beside
                return None if beside is None else {**sweep.counted.of(text), "installed packages": beside}

            slots = sweep.settings.max_parallel * jobs_per_machine(sweep)
            with seldom_collected():
                yield LauncherJobs(executor, n_jobs or slots), code, sweep.settings.key_exclude
        return
    name = config.hydra.runtime.choices.get("hydra/launcher") or type(launcher).__name__
    if isinstance(launcher, BasicLauncher):
        log.info("hydra/launcher=%s runs one trial after the other, in this process", name)
        n_jobs = 1
    else:
        n_jobs = n_jobs or max(0, int(config.hydra.launcher.get("n_jobs") or 0)) or BATCH
        log.warning(
            "hydra/launcher=%s takes whole batches: %d trials are proposed together, and wait for the slowest of them; "
            "hydra/launcher=sagemaker does not wait, with hydra.launcher.mode=local on this machine%s", name, n_jobs,
            ". Nothing is pruned" if prunes else "",
        )  # fmt: skip
    yield BatchJobs(launcher, n_jobs), lambda text: None, ()


@contextmanager
def seldom_collected() -> Iterator[None]:
    """Let Python look for garbage less often: each configuration of a trial is some, and each look goes through all trials."""
    before = gc.get_threshold()
    gc.set_threshold(max(before[0], ALLOCATIONS) if before[0] else 0, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)


def config_below(config: DictConfig, directory: Path) -> DictConfig:
    """Return the configuration of a sweep with another directory."""
    found = copy.deepcopy(config)
    written = "'" + str(directory).replace("'", "\\'") + "'"
    with read_write(found), open_dict(found):
        found.hydra.sweep.dir = str(directory)
        found.hydra.overrides.hydra.append(f"hydra.sweep.dir={written}")
    return found
