"""The stored study: opens it, mends what a killed process has left, and keeps trials of different searches apart."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import optuna
from optuna.samplers import BaseSampler
from optuna.storages import BaseStorage, JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from hydra_sagemaker.errors import LauncherError
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


def mend_journal(file: Path, *, is_ours: bool) -> None:
    """Cut off a last line that was not written to its end; `is_ours`: nobody else can hold its lock.

    The process was killed meanwhile. Optuna would append the next line to it, and read neither.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    if is_ours:
        with suppress(FileNotFoundError):
            os.unlink(f"{file}.lock")
    if not file.is_file():
        return
    content = file.read_bytes()
    whole = content[: content.rfind(b"\n") + 1]
    if whole != content:
        log.warning("%s: its last line was not written to the end, and is left out", file)
        with file.open("r+b") as opened:
            opened.truncate(len(whole))


def open_study(
    storage: BaseStorage,
    name: str,
    sampler: BaseSampler,
    pruner: optuna.pruners.BasePruner,
    identity: Mapping[str, Any],
    on_change: OnChange,
    next_job: int,
) -> Study:
    """Load or create the study; `next_job` is the number of the first job of a new one.

    Raises:
        LauncherError: the trials that it has are of another search.
    """
    directions = identity["directions"]
    found = _newest(storage, name)
    if found is not None:
        study = optuna.load_study(study_name=found, storage=storage, sampler=sampler, pruner=pruner)
        changes = differences(study.user_attrs.get(IDENTITY) or {}, identity)
        if not changes or (on_change == OnChange.keep and [one.name.lower() for one in study.directions] == directions):
            if changes:
                log.warning("the trials of before are kept, although %s", _shortened(changes))
                study.set_user_attr(IDENTITY, dict(identity))
            if FIRST_JOB not in study.user_attrs:  # another sweeper made it
                study.set_user_attr(FIRST_JOB, next_job)
            return study
        if on_change != OnChange.new_study:
            raise LauncherError(
                f"the study {found} has {len(study.get_trials(deepcopy=False))} trials of another search: "
                f"{_shortened(changes)}.\n"
                "hydra.sweeper.on_change=new_study begins a new one beside it, keep counts its trials; "
                "or another hydra.sweep.dir"
            )
        name = _next_name(found, name)
    study = optuna.create_study(study_name=name, storage=storage, sampler=sampler, pruner=pruner, directions=directions)
    study.set_user_attr(IDENTITY, dict(identity))
    study.set_user_attr(FIRST_JOB, next_job)
    return study


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


def unfinished(study: Study, owner: str) -> list[FrozenTrial]:
    """Return the trials of this sweep's directory that an earlier launch has begun; in a database others may be of others."""
    running = study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
    return [trial for trial in running if trial.user_attrs.get(OWNER, owner) == owner]


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
