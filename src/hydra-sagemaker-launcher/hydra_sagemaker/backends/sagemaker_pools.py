"""Warm pools of SageMaker: which machines a job leaves, what has become of them, and what is done without a quota."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Collection, Mapping
from typing import Any

from botocore.exceptions import ClientError

from hydra_sagemaker.aws.clients import error_code, persistently
from hydra_sagemaker.aws.training_jobs import TrainingJobs
from hydra_sagemaker.aws.warm_pools import USAGE, WarmPool, shape_of_settings, warm_pool_of
from hydra_sagemaker.backends.pools import Pools
from hydra_sagemaker.backends.sagemaker_status import LIMIT
from hydra_sagemaker.errors import CallFailed, NotPermitted, Throttled, Unreachable
from hydra_sagemaker.job.job import Job
from hydra_sagemaker.pricing.prices import choices_of
from hydra_sagemaker.settings import keep_warm_seconds

log = logging.getLogger(__name__)
KEEP = "KeepAlivePeriodInSeconds"


class SageMakerPools(Pools):
    """
    Args:
        jobs: returns the calls about training jobs, which are made when they are needed.
    """

    def __init__(self, jobs: Callable[[], TrainingJobs]) -> None:
        self._jobs = jobs
        self._seen: set[str] = set()
        """Instance types of which a pool was seen."""
        self._without: set[str] = set()
        """Instance types that have no quota."""
        self._said: set[str] = set()
        self._declined: set[str] = set()
        """Jobs that were submitted without asking for a pool, since none was allowed."""

    def shape(self, job: Job, name: str = "") -> str:
        types = {kind for choice in choices_of(job.settings) for kind in choice}
        is_refused = name in self._declined if name else bool(types & self._without)
        if is_refused or not keep_warm_seconds(job.settings):
            return ""
        return shape_of_settings(job.settings)

    def submit(self, request: dict[str, Any], create: Callable[..., Any]) -> None:
        """Call `create` with a request, and without a pool where the account's quota has none. Raises ClientError."""
        resources = request["ResourceConfig"]
        kind, cold = str(resources.get("InstanceType")), {name: value for name, value in resources.items() if name != KEEP}
        if kind in self._without:
            self._declined.add(request["TrainingJobName"])
            request = request | {"ResourceConfig": cold}
        try:
            create(**request)
            return
        except ClientError as error:
            message = str(error.response["Error"].get("Message", ""))
            is_about_pools = USAGE in message
            if error_code(error) != "ResourceLimitExceeded" or not is_about_pools or request["ResourceConfig"] == cold:
                raise
        if (quota := re.search(LIMIT, message)) is not None and int(quota[1]) > 0:
            self._seen.add(kind)
        self.missing(kind)
        create(**request | {"ResourceConfig": cold})
        self._declined.add(request["TrainingJobName"])

    def look(self, name: str) -> WarmPool | None:
        described = self._jobs().described(name)
        if described is None:
            return None
        pool = warm_pool_of(described)
        if pool.status:
            self._seen.add(pool.instance_type)
        return pool

    def end(self, name: str) -> None:
        try:
            self._jobs().keep_warm(name, 0)
        except (Throttled, Unreachable, NotPermitted):
            raise
        except CallFailed:  # it may have none any more
            pool = self.look(name)
            if pool is not None and pool.is_live:
                raise

    def live(self, prefixes: Collection[str]) -> Mapping[str, WarmPool]:
        found: dict[str, WarmPool] = {}
        for prefix in prefixes:
            for status in ("Available", "InUse"):
                for summary in self._jobs().listed(patient=True, NameContains=f"{prefix}-", WarmPoolStatusEquals=status):
                    pool = persistently(lambda name=(name := summary["TrainingJobName"]): self.look(name))
                    if pool is not None and pool.is_live:
                        found[name] = pool
        return found

    def has_none(self, instance_type: str) -> bool:
        return instance_type in self._without

    def missing(self, instance_type: str) -> None:
        if instance_type in self._said:
            return
        self._said.add(instance_type)
        way = f"request more in Service Quotas, Amazon SageMaker, '{instance_type} for {USAGE}'"
        if instance_type in self._seen:
            log.warning("fewer machines of %s are kept warm than jobs run: %s; the others start cold", instance_type, way)
            return
        self._without.add(instance_type)
        log.warning(
            "no machine of %s is kept warm, since the account has no quota for it: %s; jobs start cold", instance_type, way
        )
