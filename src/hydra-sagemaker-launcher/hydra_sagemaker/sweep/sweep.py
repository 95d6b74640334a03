"""One sweep, from the first batch to the last: what its jobs share."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from importlib import metadata
from pathlib import Path
from typing import Any

from hydra.types import HydraContext
from omegaconf import DictConfig
from packaging.utils import canonicalize_name

from hydra_sagemaker.backends.base import Backend
from hydra_sagemaker.code.bundle import hash_of_hashes
from hydra_sagemaker.code.counted_files import CountedFiles
from hydra_sagemaker.code.distributions import reached
from hydra_sagemaker.code.local_data import LocalData
from hydra_sagemaker.code.own_outputs import search_files
from hydra_sagemaker.code.requirements import Requirements
from hydra_sagemaker.code.source import Code
from hydra_sagemaker.errors import JobsRefused, LauncherError
from hydra_sagemaker.job.assign_keys import identify
from hydra_sagemaker.job.identity import slug
from hydra_sagemaker.job.job import Job, compose_jobs, settings_of
from hydra_sagemaker.job.spec import DISTRIBUTIONS, python_path
from hydra_sagemaker.job.spec_factory import SpecFactory
from hydra_sagemaker.job.task import SCRIPT_MODULE, reference_to
from hydra_sagemaker.scheduling.ledger import Ledger
from hydra_sagemaker.scheduling.retries import Retries
from hydra_sagemaker.scheduling.tracker import Submission, Tracker
from hydra_sagemaker.settings import Mode, Versions
from hydra_sagemaker.sweep import checks
from hydra_sagemaker.sweep.budget import Spending
from hydra_sagemaker.sweep.changes import Changes
from hydra_sagemaker.sweep.earlier_jobs import EarlierJobs
from hydra_sagemaker.sweep.elsewhere import ConfigFiles, own_files
from hydra_sagemaker.sweep.hooks import call_collected
from hydra_sagemaker.sweep.installation import version_conflict
from hydra_sagemaker.sweep.other_versions import OtherVersions

log = logging.getLogger(__name__)


class Sweep:
    """Composes, checks and identifies jobs (`jobs`), and holds what submits and collects them (`tracker`)."""

    def __init__(self, context: HydraContext, task: Callable[..., Any], config: DictConfig) -> None:
        self.context, self.task_function, self.config = context, task, config
        self.settings = settings_of(config)
        self.is_local = self.settings.mode == Mode.local
        self.working_dir = Path(config.hydra.runtime.cwd)
        self.directory = Path(str(config.hydra.sweep.dir)).absolute()
        self.code = Code.of(self.settings.code, self.working_dir, own_files(task, config))
        self.code.outputs_before = frozenset(self.changes.before.get("left_out", ()))
        sweeper: Any = config.hydra.get("sweeper") or {}
        if "storage" in sweeper:  # of a search
            self.code.search_files = search_files(sweeper["storage"], self.directory, self.working_dir)
        self.task = self.code.task = reference_to(task, self.code.root)
        if self.task is None and not self.is_local:
            raise LauncherError(
                "the task is a closure or an object, which another machine cannot import: "
                "make it a function at the top of a module, or use hydra.launcher.mode=local."
            )
        self.task_package = None if self.task is None else self.task.module or SCRIPT_MODULE
        self.spec_of = SpecFactory(
            context, config, self.task, root=self.code.root, commit=self.code.commit, working_dir=self.working_dir,
            is_local=self.is_local, compared=lambda: self._compared,
        )  # fmt: skip
        self._warned: set[str] = set()
        if conflict := version_conflict():
            log.warning("%s", conflict)
        self._with_secrets = False
        self._is_preflighted = self.has_found_pools = False

    def jobs(self, overrides: Sequence[Sequence[str]], first_number: int) -> list[Job]:
        """Compose, check and identify jobs.

        Raises:
            JobsRefused: with every problem of every job.
        """
        jobs = compose_jobs(self.context, self.config, overrides, first_number)
        self._with_secrets = self._with_secrets or any(job.settings.secrets for job in jobs)
        problems: list[tuple[Job, str]] = []
        for job in jobs:
            job.inputs, absent = ((), []) if self.is_local else self.local_data.inputs_of(job)
            unnamed, doubts = ([], []) if self.is_local else self.local_data.unnamed(job)
            job.contents = self.local_data.contents_of(job)
            problems += [(job, problem) for problem in (*absent, *unnamed)]
            found = checks.findings_of(job, self.directory, self._code_problems)
            lacking = () if self.is_local else (*self._config_files.problems(job), *self._pip_variables(job))
            problems += [(job, problem) for problem in (*found.problems, *lacking)]
            for warning in (*found.warnings, *doubts):
                if warning not in self._warned:
                    self._warned.add(warning)
                    log.warning("%s: %s", job, warning)
        if problems:
            raise JobsRefused(checks.grouped(problems, len(jobs)))
        name = slug(self.settings.sweep_name or str(self.config.hydra.job.name))
        image = self.backend.image
        identify(jobs, slug=name, code=self._code_identity, image=image, task=self.task, working_dir=self.working_dir)
        return jobs

    def preflight(self, jobs: Sequence[Job]) -> None:
        """Check the account once per sweep, before anything is uploaded."""
        if not self._is_preflighted:
            self.backend.preflight(jobs)
            self._is_preflighted = True

    @cached_property
    def local_data(self) -> LocalData:
        return LocalData(self.code, self.working_dir, self.settings)

    @cached_property
    def tracker(self) -> Tracker:
        ledger = Ledger(self.directory / ".launcher" / "ledger.jsonl")
        retries = Retries(self.settings.retries, self.settings.retry_seconds)
        tracker = Tracker(self.backend, ledger, self.spec_of, self.task_package, retries, self.spending.reserve)
        tracker.on_collected, tracker.on_billed = self._collected, self._billed
        tracker.keeper.on_settled = self._settled
        tracker.keeper.on_settled_earlier = self.spending.budget.bill_earlier
        return tracker

    @cached_property
    def earlier(self) -> EarlierJobs:
        """Read before this launch writes its own manifest."""
        return EarlierJobs(self)

    @cached_property
    def changes(self) -> Changes:
        """Read before this launch writes its own."""
        return Changes(self.directory)

    @cached_property
    def other_versions(self) -> OtherVersions:
        return OtherVersions(self)

    @cached_property
    def spending(self) -> Spending:
        return Spending(self.backend.prices, None if self.is_local else self.settings.max_cost_usd)

    @cached_property
    def backend(self) -> Backend:
        if self.is_local:
            from hydra_sagemaker.backends.local import LocalBackend

            state = self.working_dir / self.settings.state_dir
            return LocalBackend(self.settings, state, self.code.root, self.working_dir, self._closure())
        from hydra_sagemaker.backends.sagemaker import SageMakerBackend

        return SageMakerBackend(self.settings, self.code, self.requirements)

    @cached_property
    def requirements(self) -> Requirements:
        same = self.settings.versions == Versions.same
        return self.code.requirements(self.settings.requirements, with_boto3=self._with_secrets, with_versions=same)

    @cached_property
    def _compared(self) -> tuple[str, ...]:
        """Return the distributions whose versions a job compares with those here: all that it installs, and a few more."""
        installed = () if self.is_local else reached(self.requirements.all, through_the_image=False).versions
        return tuple(dict.fromkeys([*DISTRIBUTIONS, *installed]))

    def _pip_variables(self, job: Job) -> Iterator[str]:
        given = {*job.settings.secrets, *job.settings.env, *(job.settings.extra.get("Environment") or {})}
        for name in self.requirements.variables:
            if name not in given:
                yield (
                    f"the requirements name ${{{name}}}, which the job lacks: store it in Secrets Manager and write "
                    f"hydra.launcher.secrets.{name}=NAME_THERE; it is read before pip runs"
                )

    @cached_property
    def _config_files(self) -> ConfigFiles:
        return ConfigFiles(self.context, self.config, self.code, self._required)

    def _required(self) -> set[str]:
        found = reached(self.requirements.all, through_the_image=True)
        unsure = self.settings.requirements is None or found.unknown  # then nothing is said about packages
        return {canonicalize_name(one.name) for one in metadata.distributions()} if unsure else found.names

    @cached_property
    def _code_problems(self) -> list[str]:
        if self.is_local:
            return []
        found = [*self.code.problems(), *checks.requirement_secrets(self.requirements.lines)]
        found += self.code.unbundled_requirements(self.settings.requirements)
        if self.settings.requirements is not None:  # else the image has everything
            missing, perhaps = self.code.missing_packages(self.requirements.all)
            found += missing
            for sentence in perhaps:
                log.warning("%s", sentence)
        return found

    def _code_identity(self, text: str) -> str:
        """Hash the code of a job with this configuration; without `identity_beside` it never is the same job again."""
        if self.identity_beside is None:
            return self._unlike_any
        return hash_of_hashes(self.counted.of(text)) + self.identity_beside

    @cached_property
    def identity_beside(self) -> str | None:
        if self.task is None or (self.is_local and self.code.is_too_large()):
            return None  # a closure may hold anything
        requirements = self.settings.requirements
        return self.code.identity_beside(limited=self.is_local, package=self.task.module, requirements=requirements)

    @cached_property
    def _unlike_any(self) -> str:
        return uuid.uuid4().hex

    @cached_property
    def counted(self) -> CountedFiles:
        sources = self.config.hydra.runtime.get("config_sources", ())
        folders = [Path(str(one.path)) for one in sources if one.schema == "file"]
        return CountedFiles(self.code, folders, python_path(self.code.root))

    def _collected(self, submission: Submission) -> None:
        self.spending.settle(submission, is_kept_warm=self.tracker.keeper.is_kept(submission.name))
        call_collected(self.settings.collected, submission.job)

    def _settled(self, submission: Submission, name: str, record: dict[str, Any]) -> None:
        """Count what a job's machines have cost after it; its record has it too."""
        self.spending.settle_kept(name, record.get("cost") or {})
        call_collected(self.settings.collected, submission.job)

    def _billed(self, submission: Submission, name: str, cost: Mapping[str, Any]) -> None:
        self.spending.budget.settle(name, cost.get("cost_usd"))
        self.spending.late_bills[name] = cost.get("cost_usd") or 0.0
        call_collected(self.settings.collected, submission.job)

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
