"""The stored study: opens it, mends what a killed process has left, and keeps trials of different searches apart."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, check_distribution_compatibility
from optuna.samplers import BaseSampler
from optuna.storages import BaseStorage, JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from hydra_sagemaker.errors import LauncherError
from hydra_sagemaker.search.journal import mend_journal
from hydra_sagemaker.search.settings import OnChange

log = logging.getLogger(__name__)
FILE = "search.journal"
IDENTITY, FIRST_JOB, HOURS, OWNER = "search", "first_job", "hours", "sweep"
NAMED_AT_MOST = 5


def open_storage(text: str | None, directory: Path) -> BaseStorage:
    """Open a database by its address, or a journal by its file's name; null: the one in the sweep's directory.

    Raises:
        LauncherError: it cannot be opened, or Optuna of another time wrote it.
    """
    try:
        if text is not None and "://" in text:
            with _quiet():
                return optuna.storages.RDBStorage(text)
        if text is not None and (written := re.match(r"(sqlite|mysql|postgresql)[\w+]*:", text)):
            raise LauncherError(f"hydra.sweeper.storage={text}: the address of a database begins with {written[0]}//")
        file = directory / FILE if text is None else Path(text).expanduser()
        mend_journal(file, is_ours=text is None)
        return JournalStorage(JournalFileBackend(str(file)))
    except ImportError as error:
        raise LauncherError(f"hydra.sweeper.storage={text}: {error}") from None
    except RuntimeError as error:  # Optuna's, of a database that another version of it wrote
        raise LauncherError(
            f"hydra.sweeper.storage={text}: {str(error).splitlines()[0]}\nof an older Optuna: "
            f"optuna storage upgrade --storage {text}"
        ) from None
    except OSError as error:
        raise LauncherError(f"hydra.sweeper.storage={text}: {error}") from None
    except Exception as error:
        if type(error).__module__.startswith("sqlalchemy"):
            raise LauncherError(f"hydra.sweeper.storage={text}: {str(error).splitlines()[0]}") from None
        raise


def open_study(
    storage: BaseStorage,
    name: str,
    sampler: BaseSampler,
    pruner: optuna.pruners.BasePruner,
    identity: Mapping[str, Any],
    on_change: OnChange,
    next_job: int,
    distributions: Mapping[str, BaseDistribution] | None = None,
) -> Study:
    """Load or create the study; `next_job` is the number of the first job of a new one, `distributions` are the space.

    Raises:
        LauncherError: the trials that it has are of another search. Nothing was written then.
    """
    directions = identity["directions"]
    found = _newest(storage, name)
    if found is not None:
        study = optuna.load_study(study_name=found, storage=storage, sampler=sampler, pruner=pruner)
        changes = differences(study.user_attrs.get(IDENTITY) or {}, identity)
        barrier = _barrier(study, directions, distributions or {})
        if not barrier and (not changes or on_change == OnChange.keep):
            if changes:
                log.warning("the trials of before are kept, although %s", _shortened(changes))
                study.set_user_attr(IDENTITY, dict(identity))
            if FIRST_JOB not in study.user_attrs:  # another sweeper made it
                study.set_user_attr(FIRST_JOB, next_job)
            return study
        if on_change != OnChange.new_study:
            raise LauncherError(_refusal(study, changes, barrier))
        name = _next_name(found, name)
    study = optuna.create_study(study_name=name, storage=storage, sampler=sampler, pruner=pruner, directions=directions)
    study.set_user_attr(IDENTITY, dict(identity))
    study.set_user_attr(FIRST_JOB, next_job)
    return study


def _barrier(study: Study, directions: Sequence[str], distributions: Mapping[str, BaseDistribution]) -> str:
    """Say why a study's trials can be no part of a search with this space, as far as Optuna goes; empty where they can."""
    before = [one.name.lower() for one in study.directions]
    if before != list(directions):
        return f"trials with direction={_listed(before)} cannot be kept"
    for trial in study.get_trials(deepcopy=False):
        for name in trial.distributions.keys() & distributions.keys():
            old, new = trial.distributions[name], distributions[name]
            try:
                check_distribution_compatibility(old, new)
            except ValueError:
                if isinstance(old, CategoricalDistribution) and isinstance(new, CategoricalDistribution):
                    before, now = (", ".join(map(repr, one.choices)) for one in (old, new))
                    return f"{name}: the choices {before} are now {now}, and trials with other choices cannot be kept"
                return f"{name} is another kind of range than before, and trials with such a one cannot be kept"
    return ""


def _refusal(study: Study, changes: Sequence[str], barrier: str) -> str:
    count = len(study.get_trials(deepcopy=False))
    reason = f"the study {study.study_name} has {count} trials of another search: {_shortened(changes) or barrier}."
    if changes and barrier:
        reason += f"\n{barrier}."
    if new := [change.removesuffix(" is new") for change in changes if change.endswith(" is new")]:
        reason += f"\nWhat is no code is left out by hydra.launcher.code.exclude=[{','.join(new[:NAMED_AT_MOST])}]"
    keep = "" if barrier else ", keep counts its trials"
    return f"{reason}\nhydra.sweeper.on_change=new_study begins a new one beside it{keep}; or another hydra.sweep.dir"


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Return what makes two searches different, each in a few words."""
    found = []
    for part in ("space", "fixed"):
        one, other = before.get(part) or {}, now.get(part) or {}
        for key in sorted(one.keys() | other.keys()):
            if one.get(key) != other.get(key):
                found.append(f"{key}={one.get(key, 'absent')} is now {other.get(key, 'absent')}")
    if before.get("directions") != now.get("directions"):
        found.append(f"direction={_listed(before.get('directions'))} is now {_listed(now.get('directions'))}")
    if before.get("task") != now.get("task"):
        found.append(f"the task {before.get('task')} is now {now.get('task')}")
    one, other = before.get("code") or {}, now.get("code") or {}
    for key in sorted(one.keys() | other.keys()):
        if one.get(key) != other.get(key):
            found.append(f"{key} {'is new' if key not in one else 'is gone' if key not in other else 'has changed'}")
    return found


def unfinished(study: Study, owner: str | None) -> list[FrozenTrial]:
    """Return the trials that earlier launches have begun; `owner`: of that sweep alone, where several share a storage."""
    running = study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
    return [trial for trial in running if owner is None or trial.user_attrs.get(OWNER) == owner]


def _newest(storage: BaseStorage, name: str) -> str | None:
    """Return the last of NAME, NAME-2, NAME-3, ... that is there."""
    names = set(optuna.get_all_study_names(storage))
    newest, number = (name if name in names else None), 2
    while f"{name}-{number}" in names:
        newest, number = f"{name}-{number}", number + 1
    return newest


def _next_name(found: str, name: str) -> str:
    return f"{name}-2" if found == name else f"{name}-{int(found.rpartition('-')[2]) + 1}"


def _listed(directions: Sequence[str] | None) -> str:
    return ",".join(directions or ("absent",))


def _shortened(changes: Sequence[str]) -> str:
    more = f" and {len(changes) - NAMED_AT_MOST} more" if len(changes) > NAMED_AT_MOST else ""
    return ", ".join(changes[:NAMED_AT_MOST]) + more


@contextmanager
def _quiet():
    """Leave out Optuna's progress of creating a database."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(before)
