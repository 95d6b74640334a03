"""Before and after a search: its directory, and the command that trains the best parameters."""

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from omegaconf import DictConfig

from paraphrase_lab.check import CheckedRequest
from paraphrase_lab.cli import compare
from paraphrase_lab.configuration.composition import OPTUNA_SWEEPER, Composer, target_of
from paraphrase_lab.runs.trials import Trials, read_trials

GROUP = "hparams_search"


def is_search(hydra: DictConfig) -> bool:
    return target_of(hydra.get("sweeper")) == OPTUNA_SWEEPER


@contextmanager
def followed(result: CheckedRequest, directory: Path) -> Iterator[None]:
    """Report the result of the search in this directory at its end."""
    yield
    trials = read_trials(directory, result.hydra.sweeper.get("storage"))
    if trials is not None and trials.feasible:
        _conclude(result, trials)
        if (repeated := directory / "repeats" / "comparison").is_dir():
            print(
                f"the winner and the configuration without the search's values, on test, as paraphrase compare {repeated} says:"
            )
            compare.run([str(repeated), "--no-slices"])


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
    print("test was not scored in the search; this trains the best parameters with other seeds and scores test:")
    print(f"  {_command(result, best.parameters)}")


def _command(result: CheckedRequest, parameters: dict[str, object]) -> str:
    """Return the typed command without the search, and with the parameters it found."""
    from hydra_sagemaker.search.choices import written

    request = result.request
    params = result.hydra.sweeper.get("params") or {}
    with Composer(request) as composer:
        parsed = [composer.parse(text) for text in request.overrides]
        of_the_search = [composer.parse(f"{key}={written(value)}") for key, value in params.items()]
    typed = {override.key_or_group for override in parsed}
    fixed = [one for one in of_the_search if not one.is_sweep_override() and one.key_or_group not in typed]
    kept = [
        override.input_line or ""
        for override in [*parsed, *fixed]
        if override.key_or_group not in (GROUP, "resume", *parameters)
        and (not override.is_hydra_override() or override.key_or_group.startswith("hydra.launcher."))
    ]
    chosen = [f"{key}={written(value)}" for key, value in parameters.items()]
    flags = ["--config-dir", request.config_dir] if request.config_dir else []
    first = result.jobs[0].config.seed + 1  # the search has chosen by its own
    words = [word for word in [*kept, *chosen] if not word.startswith("seed=")]
    return shlex.join(["paraphrase", "train", "-m", *flags, *words, f"seed={first},{first + 1},{first + 2}"])
