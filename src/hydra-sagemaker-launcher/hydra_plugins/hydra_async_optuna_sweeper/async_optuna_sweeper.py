"""The class Hydra finds. Everything heavy is imported when a search starts."""

from __future__ import annotations

from typing import Any

from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig


class AsyncOptunaSweeper(Sweeper):
    def __init__(self, **settings: Any) -> None:
        """The values are read from `hydra.sweeper`, by `sweep`."""

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        self.hydra_context, self.task_function, self.config = hydra_context, task_function, config

    def sweep(self, arguments: list[str]) -> None:
        from hydra_sagemaker.errors import LauncherError

        try:
            from hydra_sagemaker.search.sweep import search
        except ModuleNotFoundError as error:
            if error.name != "optuna":
                raise
            raise LauncherError('hydra/sweeper=async_optuna needs Optuna: pip install "optuna>=4.9,<6"') from None
        assert self.hydra_context is not None and self.config is not None, "setup comes first"
        search(self.hydra_context, self.task_function, self.config, arguments)
