"""A search as Hydra's sweeper: puts space, study and jobs together, and says at the end what was found."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import optuna
from hydra.core.utils import configure_log, setup_globals
from hydra.errors import HydraException
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from optuna.distributions import CategoricalDistribution
from optuna.trial import Trial

from hydra_plugins.hydra_sagemaker_launcher.sagemaker_launcher import SageMakerLauncher
from hydra_sagemaker.errors import LauncherError
from hydra_sagemaker.files import read_json, write_atomically
from hydra_sagemaker.job.identity import task_yaml
from hydra_sagemaker.job.job import settings_of
from hydra_sagemaker.scheduling.ledger import Ledger, kept_warm_usd
from hydra_sagemaker.search import outcome, repeats, repeats_report
from hydra_sagemaker.search.endings import interruptible
from hydra_sagemaker.search.jobs import LauncherJobs, TrialJobs
from hydra_sagemaker.search.journal_copy import SCHEME, copied_at_the_end, open_copied
from hydra_sagemaker.search.launchers import config_below, make_launcher, trial_jobs
from hydra_sagemaker.search.read_settings import read_settings
from hydra_sagemaker.search.read_space import flat, read_space
from hydra_sagemaker.search.samplers import check_sampler, make_pruner, make_sampler
from hydra_sagemaker.search.search import Limits, Search
from hydra_sagemaker.search.settings import AsyncOptunaConf
from hydra_sagemaker.search.space import ENQUEUED, NoJob, Space
from hydra_sagemaker.search.study import FILE, FIRST_JOB, open_storage, open_study
from hydra_sagemaker.sweep.interrupt import interrupted
from hydra_sagemaker.sweep.launch import INTERRUPTED, terminations_raised
from hydra_sagemaker.sweep.lock import locked
from hydra_sagemaker.sweep.manifest_file import read_values

log = logging.getLogger(__name__)


@interruptible()
def search(context: HydraContext, task: TaskFunction, config: DictConfig, arguments: list[str]) -> None:
    """Run the search that `hydra.sweeper` describes. Raises LauncherError and what `Search.run` raises."""
    setup_globals()
    configure_log(config.hydra.hydra_logging, config.hydra.verbose)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    settings, directions = read_settings(config)
    directory = Path(str(config.hydra.sweep.dir)).absolute()
    space = read_space(settings.params or {}, arguments, context.config_loader, settings.custom_search_space)
    first_trials = [space.checked(dict(flat(one, space.distributions))) for one in settings.enqueue]
    pruner = make_pruner(settings.pruner, directions)
    check_sampler(settings.sampler, directions, settings.n_trials)
    launcher = make_launcher(context, task, config, space)
    prunes = not isinstance(pruner, optuna.pruners.NopPruner)
    with locked(directory, for_process=True):
        OmegaConf.save(config, directory / "multirun.yaml")
        if is_copied(settings) and not isinstance(launcher, SageMakerLauncher):
            raise LauncherError(f"hydra.sweeper.storage={settings.storage}: the copy in S3 needs hydra/launcher=sagemaker")
        with trial_jobs(launcher, context, task, config, settings.n_jobs, prunes) as (jobs, code, ignored):
            composed = [context.config_loader.load_sweep_config(config, words) for words in space.ends()]
            repeats.check(settings.repeat, space, directions, composed[0])
            identity = {
                "space": space.written, "directions": directions,
                "fixed": {key: text for key, text in space.fixed.items() if key.lstrip("+~") not in ignored},
                "task": getattr(task, "__name__", None), "code": code(task_yaml(composed[0])),
            }  # fmt: skip
            study = _study(settings, config, directory, space, identity, pruner)
            _enqueue(study, first_trials)
            running = _search(study, jobs, _overrides(space, context, config), settings, directory)
            with copied_at_the_end(study):
                _run(running, jobs, running.progress.usd, directory)
        conclude(running.study, settings, directory, running)
        if settings.repeat.key is not None:
            below = config_below(config, directory / repeats.DIRECTORY)
            launcher = make_launcher(context, task, below, space)
            with trial_jobs(launcher, context, task, below, settings.n_jobs, prunes=False) as (jobs, _, _):
                again = repeats.Repeats(running.study, jobs, space, settings.repeat)
                with copied_at_the_end(study):
                    _run(again, jobs, running.progress.usd, directory)
            print(repeats_report.report(again))


def is_copied(settings: AsyncOptunaConf) -> bool:
    """Tell whether the journal here has a copy in S3."""
    return settings.storage is not None and settings.storage.startswith(SCHEME)


def _study(
    settings: AsyncOptunaConf, config: DictConfig, directory: Path, space: Space, identity: Mapping[str, Any],
    pruner: optuna.pruners.BasePruner,
) -> optuna.Study:  # fmt: skip
    if is_copied(settings):
        storage = open_copied(str(settings.storage), directory / FILE, settings_of(config))
    else:
        storage = open_storage(settings.storage, directory)
    name = settings.study_name or str(config.hydra.job.name)
    numbers = [int(one.name) for one in directory.iterdir() if one.name.isdecimal()]
    numbers += map(int, (read_values(directory) or {"jobs": ()})["jobs"])  # hydra.sweep.subdir may be other than the number
    study = open_study(
        storage, name, optuna.samplers.RandomSampler(), pruner, identity, settings.on_change,
        max(numbers, default=-1) + 1, space.distributions,
    )  # fmt: skip
    study.sampler = make_sampler(settings.sampler, study)
    return study


def _enqueue(study: optuna.Study, first_trials: list[dict[str, Any]]) -> None:
    """Add first trials that the study does not have yet: an earlier launch had others, or was killed meanwhile."""
    for values in first_trials:
        study.enqueue_trial(values, user_attrs={ENQUEUED: values}, skip_if_exists=True)


def _overrides(space: Space, context: HydraContext, config: DictConfig) -> Callable[[Trial], list[str]]:
    """Return the function that draws a trial's values and composes them where not all of them may fit together."""
    fixed = context.config_loader.load_sweep_config(config, space.words({}))
    has_choices = any(isinstance(one, CategoricalDistribution) for one in space.distributions.values())

    def overrides_of(trial: Trial) -> list[str]:
        words = space.suggest(trial, fixed)
        if has_choices or space.further is not None:
            try:
                context.config_loader.load_sweep_config(config, words)
            except (HydraException, OmegaConfBaseException) as error:
                raise NoJob(str(error)) from error
        return words

    return overrides_of


def _search(
    study: optuna.Study, jobs: TrialJobs, overrides_of: Callable[[Trial], list[str]], settings: AsyncOptunaConf, directory: Path
) -> Search:
    trials = sum(trial.state != optuna.trial.TrialState.WAITING for trial in study.get_trials(deepcopy=False))
    limits = Limits(settings.n_trials, settings.max_failure_rate, settings.max_hours)
    is_shared = settings.storage is not None and not is_copied(settings)
    found = Search(study, jobs, overrides_of, limits, _owner(directory), is_shared, study.user_attrs[FIRST_JOB])
    more = f", {found.continued} of them unfinished" if found.continued else ""
    before = f": {trials} trials of before{more}" if trials else ""
    log.info("study %s in %s%s", study.study_name, settings.storage or directory / FILE, before)
    return found


def kept_warm_of_all(directory: Path) -> float:
    """Return what machines kept warm have cost after trials and after repeats, in US dollars."""
    folders = (directory, directory / repeats.DIRECTORY)
    return sum(kept_warm_usd(Ledger(folder / ".launcher" / "ledger.jsonl").read()) for folder in folders)


def _run(running: Search | repeats.Repeats, jobs: TrialJobs, trials_usd: float, directory: Path) -> None:
    """Run them; `trials_usd` was spent for trials so far, in the search's `directory`."""
    if not isinstance(jobs, LauncherJobs):
        running.run()
        return
    sweep = jobs.executor._sweep
    sweep.spending.budget.bill_earlier(trials_usd + repeats.spent_usd(running.study) + kept_warm_of_all(directory))
    with terminations_raised():
        while True:
            try:
                running.run()
                return
            except KeyboardInterrupt:
                if not interrupted(sweep):
                    log.warning("%s; the same command continues the search", running.line())
                    raise SystemExit(INTERRUPTED) from None
            except Exception:
                log_file = sweep.directory / str(running.last_failed) / ".job/output.log"
                if running.last_failed is not None and log_file.is_file():
                    log.error("what the last failed trial printed: %s", log_file)
                raise


def conclude(study: optuna.Study, settings: AsyncOptunaConf, directory: Path, running: Search) -> None:
    """Print the best trials, what mattered and the next commands; write the results."""
    progress = running.progress
    log.info("%s; the slots were busy %.0f %% of the time", progress.line(), 100 * progress.busy_share)
    outcome.write_results(study, directory)
    if not outcome.best_trials(study):
        raise LauncherError(outcome.nothing_best(study, progress.line()))
    print(outcome.best_table(study), end="")
    if shares := outcome.importances(study):
        print("importance: " + ", ".join(f"{name} {share:.0%}" for name, share in shares.items()))
    for file in outcome.draw(study, directory):
        print(f"{file}")
    storage = None if is_copied(settings) else settings.storage
    print(f"{outcome.dashboard(storage, directory / FILE)}   # pip install optuna-dashboard")


def _owner(directory: Path) -> str:
    """Return the name of a sweep's directory in a study, which no path of this machine is part of."""
    file = directory / ".launcher" / "search.json"
    known = read_json(file)
    if isinstance(known, dict) and "owner" in known:
        return str(known["owner"])
    owner = uuid.uuid4().hex[:12]
    write_atomically(file, f'{{"owner": "{owner}"}}')
    return owner
