"""Leaves no machine warm behind: ends the pools of a sweep, whatever ends it, and finds those of an earlier launch."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING

from hydra_sagemaker.display.tables import counted
from hydra_sagemaker.errors import LauncherError
from hydra_sagemaker.job.identity import parse_job_name
from hydra_sagemaker.job.job import Job
from hydra_sagemaker.scheduling.pool_keeper import Unended
from hydra_sagemaker.scheduling.tracker import Submission
from hydra_sagemaker.settings import keep_warm_seconds

if TYPE_CHECKING:
    from hydra_sagemaker.aws.warm_pools import WarmPool
    from hydra_sagemaker.backends.base import Backend
    from hydra_sagemaker.sweep.past_sweep import SubmittedSweep
    from hydra_sagemaker.sweep.sweep import Sweep

log = logging.getLogger(__name__)
NAMED_AT_MOST = 5
END = "aws sagemaker update-training-job --resource-config KeepAlivePeriodInSeconds=0 --training-job-name"


def end_pools(sweep: Sweep) -> None:
    """End the pools of this sweep, of jobs that still run too; log what could not be ended, and the command that ends it."""
    if "tracker" not in vars(sweep):  # nothing was planned yet
        return
    keeper = sweep.tracker.keeper
    keeper.pools.expects_more = False
    try:
        unended = keeper.end_all()
    except KeyboardInterrupt:
        unended = keeper.remaining("interrupted")
    if unended:
        log.error("%s", sentence(unended))


def end_pools_of(past: SubmittedSweep, say: Callable[[str], None]) -> list[Unended]:
    """End the pools of a sweep that another process submitted; return the ones that could not be ended."""
    if not any(keep_warm_seconds(job.settings) for job in past.jobs):
        return []
    unended = []
    for name, pool in _live(past.backend, past.jobs).items():
        try:
            past.backend.pools.end(name)
            say(f"the machines of {name} are not kept warm any more")
        except LauncherError as error:
            until = time.time() + pool.keep_seconds if pool.has_ended else None
            unended.append(Unended(name, until, pool.keep_seconds, str(error).splitlines()[0]))
    return unended


def find_earlier_pools(sweep: Sweep, submissions: Sequence[Submission]) -> None:
    """Find pools of an earlier launch in this directory, once: they are used, or ended when no job here needs them."""
    if sweep.has_found_pools or sweep.is_local:
        return
    sweep.has_found_pools = True
    past = sweep.earlier.past
    jobs = [*(one.job for one in submissions if one.attempts or one.origin != "new"), *([] if past is None else past.jobs)]
    if not any(keep_warm_seconds(job.settings) for job in jobs):
        return
    keeper = sweep.tracker.keeper
    attached = {one.name for one in submissions if sweep.backend.pools.shape(one.job)}
    for name, pool in _live(sweep.backend, jobs).items():
        if pool.has_ended:
            keeper.found(name, pool, time.monotonic())
        elif name not in attached:
            _end_later(sweep, name)


def _end_later(sweep: Sweep, name: str) -> None:
    """Let a job of an earlier launch, which runs beside those of this one, leave nothing."""
    try:
        sweep.backend.pools.end(name)
    except LauncherError as error:
        log.warning("the machines of %s stay warm after its end: %s", name, str(error).splitlines()[0])


def sentence(unended: Sequence[Unended]) -> str:
    """Say which machines are kept warm although they should not be, for how long they cost something, and what to type."""
    lines = []
    for one in unended[:NAMED_AT_MOST]:
        minutes = f"{one.keep_seconds / 60:g} minutes after its end"
        until = minutes if one.until is None else time.strftime("%H:%M", time.localtime(one.until))
        lines += [f"  {one.name}, at most until {until}: {one.reason}", f"    {END} {one.name}"]
    more = [f"  and {len(unended) - NAMED_AT_MOST} more"] * (len(unended) > NAMED_AT_MOST)
    verb = "is" if len(unended) == 1 else "are"
    head = f"the machines of {counted(len(unended), 'job')} {verb} kept warm and cost money, and could not be given back:"
    return "\n".join([head, *lines, *more])


def _live(backend: Backend, jobs: Collection[Job]) -> dict[str, WarmPool]:
    keys = {job.key for job in jobs}
    found = backend.pools.live({job.slug for job in jobs})
    return {name: pool for name, pool in found.items() if (parse_job_name(name) or ("", 0))[0] in keys}
