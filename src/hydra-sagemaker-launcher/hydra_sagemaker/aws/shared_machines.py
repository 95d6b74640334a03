"""Finds the jobs that share a machine: several jobs of a sweep that one training job runs one after the other.

A job alone is found by its name, which is that of its training job. The training job of several is named by a hash of their
names, and `machine.json`, beside their specifications in S3, lists them. It is written before CreateTrainingJob, so there is no
moment at which a kill could separate a machine from its jobs: as long as no training job has the name, nothing was begun,
whatever lies in S3, and the next launch may group the jobs in another way; once there is one, its name says which jobs it has.
Two launchers that form the same group want the same name, which SageMaker gives once; a launcher that would form another group
looks for jobs that have appeared meanwhile, on machines or alone, right before CreateTrainingJob.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from hydra_sagemaker.aws.request import machine_uri, slug_of
from hydra_sagemaker.aws.storage import Storage
from hydra_sagemaker.aws.training_jobs import TrainingJobs
from hydra_sagemaker.aws.turns import Turn, description, end_of, read_turn
from hydra_sagemaker.container.turns import RUNS
from hydra_sagemaker.pricing.cost import ENDED

MACHINE = re.compile(r".+-m-[0-9a-f]{16}")


class Machine(NamedTuple):
    jobs: tuple[str, ...]
    """The names of the attempts, in their order."""
    checkpoints: str
    """S3 URI."""


def machine_name(names: Sequence[str]) -> str:
    """Return the name of the training job that runs these attempts, the same for the same attempts."""
    digest = hashlib.sha256("\n".join(names).encode()).hexdigest()[:16]
    return f"{slug_of(names[0])}-m-{digest}"


def written(names: Sequence[str], checkpoints: str, seconds: int) -> str:
    """Return machine.json; `seconds` is the time limit of each job."""
    return json.dumps({"jobs": list(names), "seconds": seconds, "checkpoints": checkpoints}, indent=1)


class SharedMachines:
    """Each call raises Throttled, Unreachable or NotPermitted."""

    def __init__(self, training_jobs: TrainingJobs, storage: Storage) -> None:
        self.training_jobs, self.storage = training_jobs, storage
        self._machines: dict[str, Machine] = {}
        self._of: dict[str, str] = {}
        """Machine by attempt."""
        self._learned: set[str] = set()
        """Beginnings of names whose machines are known."""
        self._descriptions: dict[str, dict[str, Any]] = {}
        """Those of machines that have ended."""
        self._turns: dict[str, dict[str, Turn]] = {}
        """Turns that have ended, by machine and attempt; they do not change."""

    def learn(self, slug: str, listed: Iterable[str] | None = None) -> None:
        """Look for machines whose names begin with `slug`; `listed` are names that were just listed."""
        if listed is None:
            listed = [one["TrainingJobName"] for one in self.training_jobs.listed(NameContains=f"{slug}-m-")]
        for machine in listed:
            if machine not in self._machines and MACHINE.fullmatch(machine):
                self._read(machine)
        self._learned.add(slug)

    def add(self, machine: str, names: Sequence[str], checkpoints: str) -> None:
        self._machines[machine] = Machine(tuple(names), checkpoints)
        self._of |= dict.fromkeys(names, machine)

    def forget(self, machine: str) -> None:
        """Take back `add`, for a training job that was not created: its jobs may get another machine, or one each."""
        self._of = {name: other for name, other in self._of.items() if other != machine}
        self._machines.pop(machine, None)

    def machine_of(self, name: str) -> str | None:
        """Return the name of the training job that an attempt shares with others; None where it is its own."""
        if name not in self._of and slug_of(name) not in self._learned:
            self.learn(slug_of(name))
        return self._of.get(name)

    def jobs_in(self, machine: str) -> tuple[str, ...]:
        return self._machines[machine].jobs

    def attempts(self, slug: str) -> dict[str, str]:
        """Return the machine of each attempt that shares one, as far as `learn` has found them."""
        return {name: machine for name, machine in self._of.items() if slug_of(name) == slug}

    def described(self, name: str) -> dict[str, Any] | None:
        """Describe an attempt, whether it has a training job of its own or shares one. None where there is neither."""
        if MACHINE.fullmatch(name):
            return self.whole(name)
        if (machine := self.machine_of(name)) is None:
            return self.training_jobs.described(name)
        if (whole := self.whole(machine)) is None:
            return None
        return description(name, self.jobs_in(machine), self.turns(machine, whole), whole)

    def whole(self, machine: str) -> dict[str, Any] | None:
        """Describe the training job of a machine."""
        if machine in self._descriptions:
            return self._descriptions[machine]
        found = self.training_jobs.described(machine)
        if found is not None and found["TrainingJobStatus"] in ENDED:
            self._descriptions[machine] = found
        return found

    def status(self, name: str, machine: Mapping[str, Any], turns: Mapping[str, Turn] | None = None) -> dict[str, str]:
        """Return TrainingJobStatus and SecondaryStatus of an attempt whose `machine` was listed or described.

        `turns` are those of the machine, where they were just read.
        """
        turns = self.turns(machine["TrainingJobName"], machine) if turns is None else turns
        status, detail, _ = end_of(name, turns, machine)
        return {"TrainingJobName": name, "TrainingJobStatus": status, "SecondaryStatus": detail}

    def running_with(self, names: Collection[str], machine: str) -> list[str]:
        """Return the machine's jobs that have not ended, but for `names`."""
        turns = self._turns.get(machine, {})
        return [name for name in self.jobs_in(machine) if name not in names and name not in turns]

    def turns(self, machine: str, whole: Mapping[str, Any]) -> dict[str, Turn]:
        """Read how the jobs of a machine stand.

        A job has ended once its results have arrived too, since files are copied in any order. The last job has ended when its
        machine has: then a slot is free, and the bill is known.
        """
        known = self._turns.setdefault(machine, {})
        jobs, place = self._machines[machine]
        is_over, found = whole["TrainingJobStatus"] in ENDED, dict(known)
        folder = f"{place.rstrip('/')}/turns/"
        arrived = set(self.storage.names_below(folder)) if len(known) < len(jobs) else set()
        for name in jobs:
            if name in known or f"{name}/turn.json" not in arrived:
                continue
            if (turn := read_turn(self.storage.read(f"{folder}{name}/turn.json"))) is None:
                continue
            is_whole = name != jobs[-1] and all(f"{name}/output/{file}" in arrived for file in turn.files)
            if turn.has_ended and (is_whole or is_over):
                known[name] = turn
            found[name] = turn if name in known or not turn.has_ended else replace(turn, status=RUNS)
        return found

    def _read(self, machine: str) -> None:
        """Read which jobs a machine has; an earlier launch may have had another `s3_uri`."""
        content = self.storage.read(machine_uri(self.storage.prefix, machine))
        if not content and (whole := self.whole(machine)) is not None:
            channels = {one["ChannelName"]: one["DataSource"]["S3DataSource"]["S3Uri"] for one in whole["InputDataConfig"]}
            content = self.storage.read(f"{channels.get('job', '')}machine.json")
        try:
            values = json.loads(content or b"{}")
            names, checkpoints = [str(name) for name in values["jobs"]], str(values["checkpoints"])
        except (ValueError, KeyError, TypeError):  # deleted, or nothing that this launcher wrote
            return
        self.add(machine, names, checkpoints)
