"""Before and after a search: its study starts anew; a picture and the command that trains the best parameters end it."""

import itertools
import logging
import os
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from paraphrase_lab.check import CheckedRequest
from paraphrase_lab.configuration.composition import OPTUNA_SWEEPER, Composer, target_of
from paraphrase_lab.configuration.hydra_internals import root_of
from paraphrase_lab.errors import UserError
from paraphrase_lab.runs.trials import Trials, read_trials

log = logging.getLogger(__name__)
SWEEP_FILE = "multirun.yaml"
STUDY_FILE = "search.db"
PLOT_FILE = "search.png"
GROUP = "hparams_search"


def is_search(hydra: DictConfig) -> bool:
    return target_of(hydra.get("sweeper")) == OPTUNA_SWEEPER


@contextmanager
def followed(result: CheckedRequest, directory: Path) -> Iterator[None]:
    """Prepare the search in this directory, and report its result at the end.

    The stored study of an interrupted search is put aside: with the sampler's seed the same trials are proposed again, and
    the launcher reuses the finished ones, so that the search continues where it was; adding to the study would count those
    trials twice. It is deleted when the new study holds all its trials; that of another or longer search stays.

    Raises:
        UserError: no trial has finished.
    """
    os.environ.setdefault("SQLALCHEMY_SILENCE_UBER_WARNING", "1")  # Optuna 2.10 is older than SQLAlchemy 2
    directory.mkdir(parents=True, exist_ok=True)
    # Hydra's own sweeper writes it: `resume` finds a sweep by it, and the launcher takes nothing beside it for code.
    OmegaConf.save(root_of(result.hydra), directory / SWEEP_FILE)
    if (stored := directory / STUDY_FILE).exists():
        free = (directory / f"{STUDY_FILE}.old{number or ''}" for number in itertools.count())
        stored.rename(next(name for name in free if not name.exists()))
    try:
        yield
    except ValueError as error:  # Optuna's, who finds no best trial
        trials = _trials(result, directory)
        if trials is None or trials.finished:
            raise
        log_file = directory / "0" / ".job" / "output.log"
        raise UserError("no trial of the search has finished", hint=f"see {log_file}") from error
    trials = _trials(result, directory)
    if trials is not None and trials.finished:
        delete_repeated(directory, trials, str(result.hydra.sweeper.study_name))
        _conclude(result, trials, directory)


def delete_repeated(directory: Path, trials: Trials, study_name: str) -> None:
    """Delete the studies that were put aside, if the new one holds all their trials."""
    for old in directory.glob(f"{STUDY_FILE}.old*"):
        try:
            finished = read_trials(f"sqlite:///{old}", study_name).finished
        except Exception as error:  # whatever Optuna or SQLAlchemy say of a file that holds no such study
            log.debug("%s stays: %s", old, error)
            continue
        known = [(trial.number, trial.parameters) for trial in trials.finished]
        if all((trial.number, trial.parameters) in known for trial in finished):
            old.unlink()


def _trials(result: CheckedRequest, directory: Path) -> Trials | None:
    """Read the trials; None if the study is not stored in this directory."""
    file = directory / STUDY_FILE
    return read_trials(f"sqlite:///{file}", str(result.hydra.sweeper.study_name)) if file.is_file() else None


def _conclude(result: CheckedRequest, trials: Trials, directory: Path) -> None:
    from paraphrase_lab.plots.search import plot_search

    plot_search(trials, directory / PLOT_FILE, result.jobs[0].config.monitor)
    best = trials.best
    failed = f", {trials.failed} failed" if trials.failed else ""
    print(f"best {result.jobs[0].config.monitor} {best.value:.4f} in trial {best.number} of {trials.count}{failed}:")
    print("  " + " ".join(f"{key}={value}" for key, value in best.parameters.items()))
    expected = trials.expected_best()
    half = max(1, len(expected) // 2)
    values = f"expected best of {half} trials {expected[half - 1]:.4f}, of {len(expected)} {expected[-1]:.4f}"
    print(f"{values} (as if drawn at random)")
    print(f"values over trials and parameters: {directory / PLOT_FILE}")
    print("test was not scored; this trains the best parameters and scores test:")
    print(f"  {_command(result, best.parameters)}")


def _command(result: CheckedRequest, parameters: dict[str, object]) -> str:
    """Return the typed command without the search, and with the parameters it found."""
    request = result.request
    with Composer(request) as composer:
        parsed = [composer.parse(text) for text in request.overrides]
    kept = [
        override.input_line or ""
        for override in parsed
        if override.key_or_group not in (GROUP, "resume", *parameters)
        and (not override.is_hydra_override() or override.key_or_group.startswith("hydra.launcher."))
    ]
    chosen = [f"{key}={value}" for key, value in parameters.items()]
    flags = ["--config-dir", request.config_dir] if request.config_dir else []
    seeds = [] if any(text.startswith("seed=") for text in [*kept, *chosen]) else ["seed=0,1,2"]
    return shlex.join(["paraphrase", "train", *(["-m"] if seeds else []), *flags, *kept, *chosen, *seeds])
