"""Before and after a search: its directory, and the command that trains the best parameters."""

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from omegaconf import DictConfig

from paraphrase_lab.check import CheckedRequest
from paraphrase_lab.configuration.composition import OPTUNA_SWEEPER, Composer, target_of
from paraphrase_lab.runs.trials import Trials, read_trials

STUDY_FILE = "search.journal"
GROUP = "hparams_search"


def is_search(hydra: DictConfig) -> bool:
    return target_of(hydra.get("sweeper")) == OPTUNA_SWEEPER


@contextmanager
def followed(result: CheckedRequest, directory: Path) -> Iterator[None]:
    """Report the result of the search in this directory at its end."""
    yield
    if (file := directory / STUDY_FILE).is_file() and (trials := read_trials(file)).feasible:
        _conclude(result, trials)


def _conclude(result: CheckedRequest, trials: Trials) -> None:
    monitor, best = result.jobs[0].config.monitor, trials.best
    ended = [f"{count} {word}" for count, word in ((trials.failed, "failed"), (trials.pruned, "pruned")) if count]
    others = f", {', '.join(ended)}" if ended else ""
    print(f"best {monitor} {best.value:.4f} in trial {best.number} of {trials.count}{others}:")
    print("  " + " ".join(f"{key}={value}" for key, value in best.parameters.items()))
    expected = trials.expected_best()
    half = max(1, len(expected) // 2)
    values = f"expected best of {half} trials {expected[half - 1]:.4f}, of {len(expected)} {expected[-1]:.4f}"
    print(f"{values} (as if drawn at random)")
    print("test was not scored; this trains the best parameters and scores test:")
    print(f"  {_command(result, best.parameters)}")


def _command(result: CheckedRequest, parameters: dict[str, object]) -> str:
    """Return the typed command without the search, and with the parameters it found."""
    from hydra_sagemaker.search.choices import written

    request = result.request
    with Composer(request) as composer:
        parsed = [composer.parse(text) for text in request.overrides]
    kept = [
        override.input_line or ""
        for override in parsed
        if override.key_or_group not in (GROUP, "resume", *parameters)
        and (not override.is_hydra_override() or override.key_or_group.startswith("hydra.launcher."))
    ]
    chosen = [f"{key}={written(value)}" for key, value in parameters.items()]
    flags = ["--config-dir", request.config_dir] if request.config_dir else []
    seeds = [] if any(text.startswith("seed=") for text in [*kept, *chosen]) else ["seed=0,1,2"]
    return shlex.join(["paraphrase", "train", *(["-m"] if seeds else []), *flags, *kept, *chosen, *seeds])
