"""One sweep, from the first batch to the last: what its jobs share."""

from __future__ import annotations

import logging
import platform
import uuid
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra import version
from hydra.core.utils import JobRuntime
from hydra.types import HydraContext
from omegaconf import DictConfig

from hydra_sagemaker.aws.images import image_of
from hydra_sagemaker.backends.base import Backend
from hydra_sagemaker.code.source import Code
from hydra_sagemaker.errors import LauncherError, SubmissionRefused
from hydra_sagemaker.job import spec
from hydra_sagemaker.job.identity import slug, task_yaml
from hydra_sagemaker.job.job import Job, compose_jobs, settings_of
from hydra_sagemaker.job.keys import identify
from hydra_sagemaker.job.search_path import chosen, hydra_overrides, search_path
from hydra_sagemaker.job.spec import Spec
from hydra_sagemaker.job.task import SCRIPT_MODULE, reference_to
from hydra_sagemaker.scheduling.ledger import Ledger
from hydra_sagemaker.scheduling.retries import Retries
from hydra_sagemaker.scheduling.tracker import Submission, Tracker
from hydra_sagemaker.settings import Mode, SageMakerLauncherConf, keeps_checkpoints, processes_of
from hydra_sagemaker.sweep import checks
from hydra_sagemaker.sweep.budget import Spending
from hydra_sagemaker.sweep.hooks import tell_collected

if TYPE_CHECKING:
    from hydra_sagemaker.backends.sagemaker import SageMakerBackend

log = logging.getLogger(__name__)


class Sweep:
    def __init__(self, context: HydraContext, task: Callable[..., Any], config: DictConfig) -> None:
        self.context = context
        self.config = config
        self.task_function = task
        self.settings = settings_of(config)
        self.working_dir = Path(config.hydra.runtime.cwd)
        self.directory = Path(str(config.hydra.sweep.dir)).absolute()
        self.code = Code.of(self.settings.code, self.working_dir)
        self.task = self.code.task = reference_to(task, self.code.root)
        if self.task is None and not self.is_local:
            raise LauncherError(
                "the task is a closure or an object, which another machine cannot import: "
                "make it a function at the top of a module, or use hydra.launcher.mode=local."
            )
        self._warned: set[str] = set()
        self._with_secrets = False
        self._is_preflighted = False
        self.search_path = search_path(context, config, self.code.root, is_local=self.is_local)  # refuses what cannot travel

    @property
    def is_local(self) -> bool:
        return self.settings.mode == Mode.local

    def jobs(self, overrides: Sequence[Sequence[str]], first_number: int) -> list[Job]:
        """Composed, identified, and checked.

        Raises:
            SubmissionRefused: with every problem of every job.
        """
        jobs = compose_jobs(self.context, self.config, overrides, first_number)
        self._with_secrets = self._with_secrets or any(job.settings.secrets for job in jobs)
        problems = [(job, problem) for job in jobs for problem in self._problems(job)]
        if problems:
            raise SubmissionRefused(checks.grouped(problems, len(jobs)))
        return self.identified(jobs)

    def identified(self, jobs: list[Job]) -> list[Job]:
        name = slug(self.settings.sweep_name or str(self.config.hydra.job.name))
        identify(
            jobs,
            slug=name,
            code=self._code_identity,
            image=_local_image if self.is_local else image_of,
            task=self.task,
            working_dir=self.working_dir,
        )
        return jobs

    @cached_property
    def tracker(self) -> Tracker:
        ledger = Ledger(self.directory / ".launcher" / "ledger.jsonl")
        retries = Retries(self.settings.retries, self.settings.retry_seconds)
        tracker = Tracker(self.backend, ledger, self.spec_of, self.task_package, retries, self.spending.reserve_retry)
        tracker.on_collected = self._collected
        return tracker

    @cached_property
    def spending(self) -> Spending:
        return Spending(self.settings, is_local=self.is_local)

    def preflight(self, jobs: Sequence[Job]) -> None:
        """Once per sweep, before anything is uploaded."""
        if self.is_local or self._is_preflighted:
            return
        from hydra_sagemaker.aws.preflight import preflight

        preflight(self._sagemaker.clients, [job.settings for job in jobs])
        self._is_preflighted = True

    def occupied(self, jobs: Sequence[Job]) -> list[str]:
        """Directories of this sweep that a job of another one still writes to."""
        from hydra_sagemaker.backends.local import LocalBackend

        return self.backend.occupied(jobs) if isinstance(self.backend, LocalBackend) else []

    @property
    def region(self) -> str | None:
        """As found: another shell may have another default."""
        return self.settings.region if self.is_local else self._sagemaker.clients.region

    @property
    def _sagemaker(self) -> SageMakerBackend:
        from hydra_sagemaker.backends.sagemaker import SageMakerBackend

        assert isinstance(self.backend, SageMakerBackend)
        return self.backend

    def _collected(self, submission: Submission) -> None:
        self.spending.settle(submission)
        tell_collected(self.settings.collected, submission.job)

    @cached_property
    def backend(self) -> Backend:
        if self.is_local:
            from hydra_sagemaker.backends.local import LocalBackend

            state = self.working_dir / self.settings.state_dir
            return LocalBackend(self.settings, state, self.code.root, self.working_dir, self._closure())
        from hydra_sagemaker.backends.sagemaker import SageMakerBackend

        return SageMakerBackend(self.settings, self.code, self.requirements)

    def spec_of(self, job: Job, name: str) -> Spec:
        hydra = job.config.hydra
        return Spec(
            name=name,
            key=job.key,
            number=job.number,
            task_name=str(JobRuntime.instance().get("name")),
            config_name=hydra.job.config_name,
            search_path=self.search_path,
            hydra_overrides=hydra_overrides(self.config, is_local=self.is_local),
            task_overrides=list(job.overrides),
            config=task_yaml(job.config),
            plugins={f"hydra/{group}": chosen(job.config, group) for group in ("launcher", "sweeper")},
            now=spec.resolved_now(self.config),
            version_base=version.getbase() and str(version.getbase()),
            sweep_dir=str(self.directory),
            sweep_subdir=job.output_dir.relative_to(self.directory).as_posix(),
            working_dir=self._relative_working_dir(),
            python_path=self._python_path,
            task=self.task,
            secrets={} if self.is_local else dict(job.settings.secrets),
            region=self.settings.region,
            model_files=list(job.settings.model_files),
            code_sha256=None if self.is_local else self.bundle,
            commit=self.code.commit,
            checkpoints=not self.is_local and keeps_checkpoints(job.settings),
            processes_per_instance=1 if self.is_local else processes_of(job.settings),
            versions=spec.versions(),
        )

    @cached_property
    def bundle(self) -> str:
        """Hash of what travels."""
        return self.code.bundle_sha256(self.requirements)

    @cached_property
    def _python_path(self) -> list[str]:
        return spec.python_path(self.code.root)

    @cached_property
    def requirements(self) -> list[str]:
        return self.code.requirements(self.settings.requirements, with_boto3=self._with_secrets)

    def _problems(self, job: Job) -> list[str]:
        problems = checks.user_check_problems(job)
        if not job.output_dir.is_relative_to(self.directory):
            problems.append(
                f"{job.output_dir} is not below {self.directory}: let hydra.sweep.subdir tell jobs apart, not sweep.dir"
            )
        if self.is_local:
            return problems
        from hydra_sagemaker.aws.request import findings_of

        problems += [*checks.setting_problems(job.settings), *checks.config_secrets(job.config)]
        found = findings_of(job)
        for warning in found.warnings:
            if warning not in self._warned:
                self._warned.add(warning)
                log.warning("%s: %s", job, warning)
        return [*problems, *self._code_problems, *found.problems]

    @cached_property
    def _code_problems(self) -> list[str]:
        return [*self.code.problems(), *checks.requirement_secrets(self.requirements)]

    @cached_property
    def _code_identity(self) -> str:
        """A closure may hold anything: it is never the same job again."""
        if self.task is None:
            return uuid.uuid4().hex
        requirements = self.settings.requirements
        return self.code.identity(limited=self.is_local, package=self.task.module, requirements=requirements)

    @property
    def task_package(self) -> str | None:
        if self.task is None:
            return None
        return self.task.module or SCRIPT_MODULE

    def _closure(self) -> bytes | None:
        if self.task is not None:
            return None
        try:
            import cloudpickle
        except ImportError:
            raise LauncherError(
                "the task is a closure or an object; to run it in a process of its own: pip install cloudpickle"
            ) from None
        from hydra.core.singleton import Singleton

        return cloudpickle.dumps({"task": self.task_function, "singletons": Singleton.get_state()})

    def _relative_working_dir(self) -> str:
        if self.working_dir.is_relative_to(self.code.root):
            return self.working_dir.relative_to(self.code.root).as_posix()
        return "."


def _local_image(settings: SageMakerLauncherConf) -> str:
    return f"local python {platform.python_version()}"
