"""A search as Hydra's sweeper: puts space, study and jobs together, and says at the end what was found."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from typing import Any

import optuna
from hydra._internal.core_plugins.basic_launcher import BasicLauncher
from hydra.core.plugins import Plugins
from hydra.core.utils import configure_log, setup_globals
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from hydra_plugins.hydra_sagemaker_launcher.sagemaker_launcher import SageMakerLauncher
from hydra_sagemaker.api.executor import Executor
from hydra_sagemaker.errors import LauncherError
from hydra_sagemaker.files import read_json, write_atomically
from hydra_sagemaker.job.identity import task_yaml
from hydra_sagemaker.job.job import settings_of
from hydra_sagemaker.scheduling.ledger import kept_warm_usd
from hydra_sagemaker.search import outcome
from hydra_sagemaker.search.jobs import BatchJobs, LauncherJobs, TrialJobs
from hydra_sagemaker.search.samplers import make_pruner, make_sampler
from hydra_sagemaker.search.search import Limits, Search
from hydra_sagemaker.search.settings import AsyncOptunaConf
from hydra_sagemaker.search.space import Space, read_space
from hydra_sagemaker.search.study import FILE, FIRST_JOB, open_storage, open_study
from hydra_sagemaker.settings import Mode, keeps_checkpoints
from hydra_sagemaker.sweep.interrupt import interrupted
from hydra_sagemaker.sweep.launch import INTERRUPTED, terminations_raised

log = logging.getLogger(__name__)
DIRECTIONS = ("minimize", "maximize")
BATCH = 4
"""Trials of a batch where the launcher does not say how many jobs it runs at the same time."""


def search(context: HydraContext, task: TaskFunction, config: DictConfig, arguments: list[str]) -> None:
    """Run the search that `hydra.sweeper` describes. Raises LauncherError and what `Search.run` raises."""
    setup_globals()
    configure_log(config.hydra.hydra_logging, config.hydra.verbose)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    settings, directions = read_settings(config)
    directory = Path(str(config.hydra.sweep.dir)).absolute()
    space = read_space(settings.params or {}, arguments, context.config_loader, settings.custom_search_space)
    directory.mkdir(parents=True, exist_ok=True)
    OmegaConf.save(config, directory / "multirun.yaml")
    pruner = make_pruner(settings.pruner)
    prunes = not isinstance(pruner, optuna.pruners.NopPruner)
    with trial_jobs(context, task, config, space, settings.n_jobs, prunes) as (jobs, code, ignored):
        composed = [context.config_loader.load_sweep_config(config, words) for words in space.ends()]
        identity = {
            "space": space.written, "directions": directions,
            "fixed": {key: text for key, text in space.fixed.items() if key.lstrip("+~") not in ignored},
            "task": getattr(task, "__name__", None), "code": code(task_yaml(composed[0])),
        }  # fmt: skip
        running = _opened(settings, config, directory, space, identity, pruner, jobs)
        _run(running, jobs)
    conclude(running.study, settings, directory, running)


def _opened(
    settings: AsyncOptunaConf, config: DictConfig, directory: Path, space: Space, identity: Mapping[str, Any],
    pruner: optuna.pruners.BasePruner, jobs: TrialJobs,
) -> Search:  # fmt: skip
    storage = open_storage(settings.storage, directory)
    name = settings.study_name or str(config.hydra.job.name)
    numbers = [int(one.name) for one in directory.iterdir() if one.name.isdecimal()]
    trials = 0
    study = open_study(
        storage, name, optuna.samplers.RandomSampler(), pruner, identity, settings.on_change, max(numbers, default=-1) + 1
    )
    trials = len(study.get_trials(deepcopy=False))
    study.sampler = make_sampler(settings.sampler, trials)
    if not trials:
        for values in [space.checked({str(key): value for key, value in one.items()}) for one in settings.enqueue]:
            study.enqueue_trial(values)
    limits = Limits(settings.n_trials, settings.max_failure_rate, settings.max_hours)
    found = Search(study, jobs, partial(space.suggest, config=config), limits, _owner(directory), study.user_attrs[FIRST_JOB])
    if isinstance(jobs, LauncherJobs):
        sweep = jobs.executor._sweep
        sweep.spending.budget.bill_earlier(found.progress.usd + kept_warm_usd(sweep.tracker.ledger.read()))
    more = f", {found.continued} of them unfinished" if found.continued else ""
    before = f": {trials} trials of before{more}" if trials else ""
    log.info("study %s in %s%s", study.study_name, settings.storage or directory / FILE, before)
    return found


def _run(running: Search, jobs: TrialJobs) -> None:
    if not isinstance(jobs, LauncherJobs):
        running.run()
        return
    sweep = jobs.executor._sweep
    with terminations_raised():
        while True:
            try:
                running.run()
                return
            except KeyboardInterrupt:
                if not interrupted(sweep):
                    log.warning("%s; the same command continues the search", running.progress.line())
                    raise SystemExit(INTERRUPTED) from None
            except Exception:
                if running.last_failed is not None:
                    log.error(
                        "what the last failed trial printed: %s", sweep.directory / str(running.last_failed) / ".job/output.log"
                    )
                raise


def conclude(study: optuna.Study, settings: AsyncOptunaConf, directory: Path, running: Search) -> None:
    """Print the best trials, what mattered and the next commands; write the results."""
    progress = running.progress
    log.info("%s; the slots were busy %.0f %% of the time", progress.line(), 100 * progress.busy_share)
    outcome.write_results(study, directory)
    if not outcome.best_trials(study):
        raise LauncherError(f"no trial of the search has finished: {progress.line()}")
    print(outcome.best_table(study), end="")
    if shares := outcome.importances(study):
        print("importance: " + ", ".join(f"{name} {share:.0%}" for name, share in shares.items()))
    for file in outcome.draw(study, directory):
        print(f"{file}")
    print(f"{outcome.dashboard(settings.storage, directory / FILE)}   # pip install optuna-dashboard")


@contextmanager
def trial_jobs(
    context: HydraContext, task: TaskFunction, config: DictConfig, space: Space, n_jobs: int | None, prunes: bool
) -> Iterator[tuple[TrialJobs, Any, Collection[str]]]:
    """Yield the jobs, a function that hashes the code's files for a configuration, and keys that change nothing."""
    launcher = Plugins.instance().instantiate_launcher(hydra_context=context, task_function=task, config=config)
    if isinstance(launcher, SageMakerLauncher):
        launcher.check_names()
        if settings_of(config).mode == Mode.dry_run:
            log.info("two jobs stand for all of the search: those of the first and of the last values")
            launcher.launch(space.ends(), 0)
        with Executor(context, task, config) as executor:
            sweep = executor._sweep
            if prunes and not sweep.is_local and not keeps_checkpoints(sweep.settings):
                raise LauncherError(
                    "hydra.sweeper.pruner: the values that training jobs report reach the search with their checkpoints: "
                    "hydra.launcher.checkpoints=true, or hydra/sweeper/pruner=none"
                )

            def code(text: str) -> dict[str, str] | None:
                beside = sweep.identity_beside
                return None if beside is None else {**sweep.counted.of(text), "installed packages": beside}

            yield LauncherJobs(executor, n_jobs or sweep.settings.max_parallel), code, sweep.settings.key_exclude
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


def read_settings(config: DictConfig) -> tuple[AsyncOptunaConf, list[str]]:
    """Return the sweeper's fields with their values checked, and the directions.

    Raises:
        LauncherError: a value that makes no sense, or a field that does not exist.
    """
    try:
        values = OmegaConf.to_container(config.hydra.sweeper, resolve=False)
        assert isinstance(values, dict)
        resolved = {str(name): config.hydra.sweeper[name] for name in values}
    except OmegaConfBaseException as error:
        raise LauncherError(f"hydra.sweeper: {str(error).splitlines()[0]}") from None
    known = AsyncOptunaConf.__dataclass_fields__
    for name in resolved.keys() - known.keys():
        near = get_close_matches(name, known, n=1)
        raise LauncherError(f"hydra.sweeper has no field '{name}'. {f'Did you mean {near[0]!r}?' if near else ''}")
    settings = AsyncOptunaConf(**resolved)
    given = settings.direction
    directions = [str(getattr(one, "name", one)) for one in (given if OmegaConf.is_list(given) else [given])]
    problems = [f"direction={one}: minimize or maximize" for one in directions if one not in DIRECTIONS]
    problems += [f"n_trials={settings.n_trials}: at least 1"] * (settings.n_trials < 1)
    problems += [f"n_jobs={settings.n_jobs}: at least 1, or null"] * (settings.n_jobs is not None and settings.n_jobs < 1)
    problems += [f"max_failure_rate={settings.max_failure_rate}: from 0 to 1"] * (not 0 <= settings.max_failure_rate <= 1)
    problems += [f"max_hours={settings.max_hours}: above 0, or null"] * (
        settings.max_hours is not None and not settings.max_hours > 0
    )
    if problems:
        raise LauncherError(f"hydra.sweeper.{problems[0]}")
    return settings, directions


def _owner(directory: Path) -> str:
    """Return the name of a sweep's directory in a study, which no path of this machine is part of."""
    file = directory / ".launcher" / "search.json"
    known = read_json(file)
    if isinstance(known, dict) and "owner" in known:
        return str(known["owner"])
    owner = uuid.uuid4().hex[:12]
    write_atomically(file, f'{{"owner": "{owner}"}}')
    return owner
