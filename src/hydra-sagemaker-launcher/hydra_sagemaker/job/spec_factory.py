"""Writes the specification of each job of a sweep, in words that hold on the machine of the job."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any

from hydra import version
from hydra.core.utils import JobRuntime
from hydra.types import HydraContext
from omegaconf import DictConfig, OmegaConf

from hydra_sagemaker.job import spec
from hydra_sagemaker.job.identity import task_yaml
from hydra_sagemaker.job.inputs import overridden
from hydra_sagemaker.job.job import Job
from hydra_sagemaker.job.spec import Spec
from hydra_sagemaker.job.task import TaskReference
from hydra_sagemaker.settings import keeps_checkpoints

SEARCH_PATH = re.compile(r"\+{0,2}hydra\.searchpath=")


class SpecFactory:
    """Makes specifications of a sweep's jobs: `factory(job, name)`.

    Args:
        root: the directory that is bundled as the jobs' code, `commit` that of its repository.
        working_dir: where the application was started.
        compared: returns the distributions whose versions the job compares with those here.

    Raises:
        LauncherError: the configuration's search path names a directory that is not bundled.
    """

    def __init__(
        self,
        context: HydraContext,
        config: DictConfig,
        task: TaskReference | None,
        *,
        root: Path,
        commit: str | None,
        working_dir: Path,
        is_local: bool,
        compared: Callable[[], tuple[str, ...]] = lambda: spec.DISTRIBUTIONS,
    ) -> None:
        self.config, self.task, self.root, self.commit, self.is_local = config, task, root, commit, is_local
        self.compared = compared
        self.working_dir = working_dir.relative_to(root).as_posix() if working_dir.is_relative_to(root) else "."
        self.sweep_dir = Path(str(config.hydra.sweep.dir)).absolute()
        typed = OmegaConf.to_container(config.hydra.overrides.hydra, resolve=False)
        self.typed = [str(word) for word in typed or ()]
        self.search_path = self._search_path(context)
        self.hydra_overrides = self.typed
        if not is_local and config.hydra.searchpath:  # the places above have it, in words that hold in the job
            self.hydra_overrides = [*(text for text in self.typed if not SEARCH_PATH.match(text)), "hydra.searchpath=[]"]

    def __call__(self, job: Job, name: str) -> Spec:
        settings, is_local = job.settings, self.is_local
        processes = 1 if is_local else settings.processes_per_instance
        times = OmegaConf.get_cache(self.config).get("now", {})  # a value that another resolver has cached might be a secret
        return Spec(
            name=name,
            key=job.key,
            number=job.number,
            task_name=str(JobRuntime.instance().get("name")),
            config_name=job.config.hydra.job.config_name,
            search_path=self.search_path,
            hydra_overrides=self.hydra_overrides,
            task_overrides=overridden(job.overrides, job.inputs),
            config=task_yaml(job.config, values={one.key: one.in_job for one in job.inputs}),
            inputs={one.key: one.in_job for one in job.inputs},
            plugins={f"hydra/{group}": _chosen(job.config, group) for group in ("launcher", "sweeper")},
            now=[(list(arguments), str(value)) for arguments, value in times.items()],
            version_base=version.getbase() and str(version.getbase()),
            sweep_dir=str(self.sweep_dir),
            sweep_subdir=job.output_dir.relative_to(self.sweep_dir).as_posix(),
            working_dir=self.working_dir,
            python_path=self._python_path,
            task=self.task,
            secrets={} if is_local else dict(settings.secrets),
            region=settings.region,
            model_files=list(settings.model_files),
            commit=self.commit,
            checkpoints=not is_local and keeps_checkpoints(settings),
            processes_per_instance=None if processes == "auto" else int(processes),
            versions=spec.versions(self.compared()),
            threads={} if is_local else spec.thread_variables(without=settings.env),
        )

    @cached_property
    def _python_path(self) -> list[str]:
        """Read at the first submission: until then the application's checks may add to sys.path."""
        return spec.python_path(self.root)

    def _search_path(self, context: HydraContext) -> list[tuple[str, str]]:
        """Return the search path, with that of the configuration: its directories lie elsewhere in the job."""
        entries = [(entry.provider, entry.path) for entry in context.config_loader.get_search_path().get_path()]
        if self.is_local:
            return entries
        if self.config.hydra.searchpath:
            last = len(entries) - 1 if entries and entries[-1][0] == "schema" else len(entries)
            entries[last:last] = [("hydra.searchpath", str(path)) for path in self.config.hydra.searchpath]
        return [(provider, spec.portable(path, self.root)) for provider, path in entries]


def _chosen(config: DictConfig, group: str) -> dict[str, Any]:
    name = config.hydra.runtime.choices.get(f"hydra/{group}")
    return {"name": name, "values": OmegaConf.to_container(config.hydra[group], resolve=False, enum_to_str=True)}
