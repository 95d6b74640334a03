"""Reads the fields of `hydra.sweeper`, and says what makes no sense of them."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from hydra_sagemaker.errors import LauncherError
from hydra_sagemaker.search.settings import AsyncOptunaConf, RepeatConf
from hydra_sagemaker.settings import OnExisting

DIRECTIONS = ("minimize", "maximize")


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
    settings.repeat = RepeatConf(**OmegaConf.to_container(config.hydra.sweeper.repeat))  # type: ignore[arg-type]
    settings.params, settings.enqueue = _plain(settings.params) or {}, _plain(settings.enqueue) or []
    chosen = _plain(settings.direction)
    directions = [str(getattr(one, "name", one)) for one in (chosen if isinstance(chosen, list) else [chosen])]
    if problem := next(_problems(settings, directions), None):
        raise LauncherError(f"hydra.sweeper.{problem}")
    return settings, directions


def check_launcher(config: DictConfig) -> None:
    """Raise LauncherError where the launcher would end the search at the first values that are drawn twice."""
    on_existing = str(config.hydra.launcher.get("on_existing") or OnExisting.reuse)
    if on_existing in (OnExisting.rerun, OnExisting.fail):
        raise LauncherError(
            f"hydra.launcher.on_existing={on_existing}: a search may draw the same values twice, and continues what was begun: "
            f"hydra.launcher.on_existing={OnExisting.retry_failed} or {OnExisting.reuse}"
        )


def _problems(settings: AsyncOptunaConf, directions: list[str]) -> Iterator[str]:
    if not directions:
        yield "direction=[]: minimize or maximize, or a list with one of them for each value of a job"
    yield from (f"direction={one}: minimize or maximize" for one in directions if one not in DIRECTIONS)
    if settings.n_trials < 1:
        yield f"n_trials={settings.n_trials}: at least 1"
    if settings.n_jobs is not None and settings.n_jobs < 1:
        yield f"n_jobs={settings.n_jobs}: at least 1, or null"
    if not 0 <= settings.max_failure_rate <= 1:
        yield f"max_failure_rate={settings.max_failure_rate}: from 0 to 1"
    if settings.max_hours is not None and not settings.max_hours > 0:
        yield f"max_hours={settings.max_hours}: above 0, or null"
    for one in settings.enqueue:
        if not isinstance(one, dict):
            yield f"enqueue: {one} is no trial; a trial is keys and values, as in 'hydra.sweeper.enqueue=[{{lr: 1e-3}}]'"


def _plain(value: Any) -> Any:
    return OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value
