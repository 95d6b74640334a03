"""The interface to machines that are kept warm between jobs; on this machine there are none."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from hydra_sagemaker.aws.warm_pools import WarmPool
from hydra_sagemaker.job.job import Job


class Pools:
    """Machines of ended jobs; as it is, nothing is kept. The methods raise what the calls of a `Backend` raise."""

    def shape(self, job: Job, name: str = "") -> str:
        """Return the machines that a job leaves for another one; empty where nothing is kept.

        `name`: of an attempt, which may have asked for a pool before it was known that the account has no quota.
        """
        return ""

    def look(self, name: str) -> WarmPool | None:
        """Return the pool that a job has left; None where the job is not known."""
        return None

    def end(self, name: str) -> None:
        """End the pool that an ended job has left; nothing happens where it has none.

        Raises:
            CallFailed: it lives, and could not be ended.
        """

    def live(self, prefixes: Collection[str]) -> Mapping[str, WarmPool]:
        """Return the pools of jobs whose names begin so and that another job could take, now or when theirs has ended."""
        return {}

    def has_none(self, instance_type: str) -> bool:
        """Tell whether the account keeps no machine of this type, as far as it is known."""
        return False

    def missing(self, instance_type: str) -> None:
        """Note that a job asked for a pool of this type, had machines and left none."""


NO_POOLS = Pools()
