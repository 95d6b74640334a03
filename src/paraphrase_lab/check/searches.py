"""The first stage on a search: that it has something to search, and looks for what `monitor` calls better."""

from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from typing import Any

from omegaconf import DictConfig, OmegaConf

from paraphrase_lab.check.values import broken_interpolations
from paraphrase_lab.configuration.composition import OPTUNA_SWEEPER, target_of
from paraphrase_lab.metrics.names import higher_is_better


def search_findings(master: DictConfig, jobs: Sequence[tuple[str, ...]]) -> Iterator[str]:
    """Judge the configuration without swept keys; nothing where no search was asked for.

    Args:
        jobs: the two that stand for all trials.
    """
    sweeper = master.hydra.get("sweeper")
    if not isinstance(sweeper, DictConfig) or target_of(sweeper) != OPTUNA_SWEEPER:
        return
    if find_spec("optuna") is None:
        yield 'a search needs Optuna, which is not installed: pip install "optuna>=4.9,<6".'
        return
    if broken := [problem.sentence for problem in broken_interpolations(sweeper, "hydra.sweeper")]:
        yield from broken
    elif problem := _refused(master):
        yield problem
    if len(jobs) < 2 and not sweeper.get("custom_search_space"):
        yield (
            "the search has nothing to search: type a range, as in 'optimizer.lr=tag(log,interval(1e-4,1e-2))', or choose "
            "hparams_search=tiny or hparams_search=pretrained, which have some."
        )
    direction: Any = sweeper.get("direction")
    if OmegaConf.is_list(direction):
        yield "hydra.sweeper.direction is a list: a run gives one value, that of monitor. Write maximize or minimize."
        return
    name = str(getattr(direction, "name", direction))
    wanted = "maximize" if higher_is_better(str(master.monitor), str(master.monitor_mode)) else "minimize"
    if name != wanted:
        better = "larger" if wanted == "maximize" else "smaller"
        yield (
            f"hydra.sweeper.direction={name} looks for the worst run: monitor={master.monitor} is better when it is {better}. "
            f"Write hydra.sweeper.direction={wanted}."
        )


def _refused(master: DictConfig) -> str:
    """Return what the sweeper itself says of its fields; "" where it says nothing."""
    from hydra_sagemaker.errors import LauncherError
    from hydra_sagemaker.search.read_settings import read_settings

    try:
        read_settings(master)
    except LauncherError as error:
        return f"{str(error).rstrip('.')}."
    return ""
