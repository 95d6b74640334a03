"""Keeps account of machines that ended jobs have left: which job may wait for one, and which are not needed any more.

Does nothing itself: no clock, no network. `pool_keeper` makes the calls. Times in seconds, of any origin.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from hydra_sagemaker.aws.warm_pools import WarmPool

COMING_SECONDS = 90.0
"""A pool that is not available so long after its job's end is not waited for."""
CLAIMED_SECONDS = 60.0
"""A pool that is still available so long after a job was submitted for it is free for another."""
LOOK_SECONDS = 2.0
SILENT_LOOKS = 30
"""A job that has ended and shows no pool in that number of looks has left none; the service may be late."""
REFUSED_LOOKS = 5
"""Doublings of the time until a pool is looked at again, each time that a job was refused which should have taken it."""


class PoolState(Enum):
    COMING = "coming"
    """Its job has ended; it is not available yet."""
    AVAILABLE = "available"
    CLAIMED = "claimed"
    """A job was submitted that should take it."""
    ENDING = "ending"
    """It was told to end."""


IDLE = (PoolState.COMING, PoolState.AVAILABLE)


@dataclass
class Pool:
    name: str
    """The job that has left it."""
    shape: str
    """The machines; a job of the same shape takes them."""
    kind: str
    """The kind of machine that a quota is for."""
    keep_seconds: float
    since: float
    """The end of the job."""
    state: PoolState = PoolState.COMING
    added_at: float = 0.0
    changed_at: float = 0.0
    look_at: float = 0.0
    """When to ask next what has become of it."""
    end_after: float = 0.0
    """The earliest time for another attempt to end it."""
    without_status: int = 0
    """The number of times that the service knew nothing of a pool."""
    refusals: int = 0
    """The number of times that a job was refused which should have taken it."""

    @property
    def until(self) -> float:
        return self.since + self.keep_seconds


class WarmPools:
    def __init__(self) -> None:
        self.pools: dict[str, Pool] = {}
        self.expects_more = False
        """Further jobs may be added to the queue."""
        self.look_seconds = LOOK_SECONDS

    def __len__(self) -> int:
        return len(self.pools)

    def add(self, pool: Pool, now: float) -> None:
        """Take note of a pool that comes, or is there; nothing happens to one that is known."""
        pool.added_at = pool.changed_at = pool.look_at = now
        self.pools.setdefault(pool.name, pool)

    def set(self, pool: Pool, state: PoolState, now: float) -> None:
        pool.state, pool.changed_at = state, now
        pool.look_at = pool.until if state == PoolState.AVAILABLE else now + self.look_seconds

    def claim(self, shape: str, now: float) -> None:
        """Take note of a new job, which takes an available pool of its shape."""
        for pool in self.pools.values():
            if pool.shape == shape and pool.state == PoolState.AVAILABLE:
                self.set(pool, PoolState.CLAIMED, now)
                return

    def refused(self, shape: str, now: float) -> None:
        """Doubt the available pools: a job was refused although it should have taken one, which may be another's by now."""
        for pool in self.pools.values():
            if pool.shape == shape and pool.state == PoolState.AVAILABLE:
                wait = self.look_seconds * (2 ** min(pool.refusals, REFUSED_LOOKS) - 1)
                pool.refusals += 1
                self.set(pool, PoolState.COMING, now)
                pool.look_at = now + wait

    def is_available(self, shape: str) -> bool:
        return any(pool.state == PoolState.AVAILABLE and pool.shape == shape for pool in self.pools.values())

    def waited_for(self, waiting: Mapping[str, int], now: float) -> int:
        """Return the number of machines that jobs in the queue, `waiting` by their shape, will take."""
        counts: dict[str, int] = {}
        for pool in self.pools.values():
            is_late = pool.state == PoolState.COMING and (now - pool.changed_at > COMING_SECONDS or pool.without_status > 1)
            if pool.state in IDLE and not is_late:
                counts[pool.shape] = counts.get(pool.shape, 0) + 1
        return sum(min(count, waiting.get(shape, 0)) for shape, count in counts.items())

    def idle(self, kind: str) -> int:
        """Return the number of machines that count against a quota although no job runs on them."""
        return sum(pool.kind == kind and pool.state != PoolState.CLAIMED for pool in self.pools.values())

    def unneeded(self, waiting: Mapping[str, int], free_slots: int, now: float) -> list[Pool]:
        """Return the pools that no job in the queue, nor one that may be added for a free slot, will take."""
        spare, found = free_slots if self.expects_more else 0, []
        left = dict(waiting)
        for pool in reversed(self.pools.values()):  # the newest have the most time left
            if pool.state not in IDLE:
                continue
            if left.get(pool.shape, 0) > 0:
                left[pool.shape] -= 1
            elif spare > 0:
                spare -= 1
            elif pool.state == PoolState.AVAILABLE and pool.end_after <= now:  # SageMaker ends no other
                found.append(pool)
        return found

    def look_at(self) -> float:
        """Return when to look at a pool next."""
        return min((pool.look_at for pool in self.pools.values()), default=float("inf"))

    def seen(self, name: str, found: WarmPool, now: float, has_none: bool = False) -> bool:
        """Take note of what the service says; return whether that is final, and then forget the pool.

        `has_none`: the account keeps no machines of this type, as far as is known.
        """
        pool = self.pools[name]
        pool.without_status += not found.status
        looks = 2 if has_none or not found.had_machines else SILENT_LOOKS
        if found.status == "Available":
            self._still_available(pool, now)
        elif found.status == "InUse" or (not found.status and pool.without_status < looks):
            pool.look_at = now + self.look_seconds
        else:
            del self.pools[name]
            if found.status == "Reused" and pool.state != PoolState.CLAIMED:
                self._free_another(pool.shape, now)
            return True
        return False

    def _still_available(self, pool: Pool, now: float) -> None:
        if pool.state == PoolState.COMING:
            self.set(pool, PoolState.AVAILABLE, now)
        elif pool.state == PoolState.CLAIMED and now - pool.changed_at > CLAIMED_SECONDS:
            self.set(pool, PoolState.AVAILABLE, now)
        else:
            pool.look_at = now + self.look_seconds
        if pool.state == PoolState.CLAIMED:  # the service may have given the job another one
            for other in self.pools.values():
                if other.shape == pool.shape and other.state == PoolState.AVAILABLE:
                    other.look_at = now

    def _free_another(self, shape: str, now: float) -> None:
        """The job has taken another pool than the one that it was meant to take."""
        for pool in self.pools.values():
            if pool.shape == shape and pool.state == PoolState.CLAIMED:
                self.set(pool, PoolState.AVAILABLE, now)
                return
