"""The class Hydra finds. Everything heavy is imported when a sweep starts."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from hydra.core.utils import JobReturn
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from hydra_sagemaker.errors import LauncherError
from hydra_sagemaker.settings import FIELDS, REMOVED, removed_field

if TYPE_CHECKING:
    from hydra_sagemaker.sweep.sweep import Sweep


class SageMakerLauncher(Launcher):
    def __init__(self, **settings: Any) -> None:
        """The values are read again from each job's own configuration; here the names are checked, by `launch`."""
        self._names = [name for name, value in settings.items() if name not in REMOVED or value]
        self._sweep: Sweep | None = None

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        from hydra_sagemaker.job.compose_once import compose_once
        from hydra_sagemaker.job.task import refuse_closure

        self.hydra_context, self.task_function, self.config = hydra_context, task_function, config
        refuse_closure(task_function, str(config.hydra.launcher.mode))  # here: Hydra composes every job before `launch`
        compose_once(hydra_context.config_loader)

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        from hydra_sagemaker.sweep.launch import launch
        from hydra_sagemaker.sweep.sweep import Sweep

        self.check_names()
        if self._sweep is None:  # a sweeper with several batches: the code is looked at and uploaded once
            self._sweep = Sweep(self.hydra_context, self.task_function, self.config)
        return launch(self._sweep, job_overrides, initial_job_idx)

    def check_names(self) -> None:
        """Raise LauncherError for a field that does not exist: raised in the constructor, Hydra would wrap the message."""
        for name in self._names:  # `+hydra.launcher.typo=1`
            if name in REMOVED:
                raise LauncherError(removed_field(name))
            if name not in FIELDS:
                near = get_close_matches(name, FIELDS, n=1)
                hint = f"Did you mean '{near[0]}'?" if near else f"Valid: {', '.join(FIELDS)}"
                raise LauncherError(f"hydra.launcher has no field '{name}'. {hint}")
