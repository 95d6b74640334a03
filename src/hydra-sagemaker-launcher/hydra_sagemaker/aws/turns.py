"""Describes each job of a shared machine as DescribeTrainingJob describes a job alone: nothing else has to tell them apart.

`container.turns` has written turn.json, and SageMaker has copied it to S3. Its content is not trusted: a job may write there.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from hydra_sagemaker.container.turns import COMPLETED, FAILED, RUNS, STOPPED, TIME_LIMIT
from hydra_sagemaker.pricing.cost import ENDED

WAITS = "waits for its turn"
BEFORE_ITS_TURN = "the machine {machine} ended before the turn of this job came"
ITS_OWN = ("FailureReason", "ModelArtifacts", "SecondaryStatusTransitions", "TrainingStartTime", "TrainingEndTime")
"""Fields of the machine that say nothing of one of its jobs."""


LATEST = 4e9
"""Seconds since 1970 that no turn of this century exceeds."""
TIMES = ("first_began", "began", "ended", "seconds")


@dataclass(frozen=True)
class Turn:
    status: str
    secondary_status: str = ""
    exit_code: int = 0
    reason: str = ""
    first_began: float = 0.0
    """Seconds since 1970; `began` is later where an interruption of the machine ended the job meanwhile."""
    began: float = 0.0
    ended: float = 0.0
    seconds: float = 0.0
    """Time in all attempts that have ended."""
    files: tuple[str, ...] = ()
    checkpoints: bool = False

    @property
    def has_ended(self) -> bool:
        return self.status in (COMPLETED, FAILED) or (self.status == STOPPED and self.secondary_status == TIME_LIMIT)


def read_turn(content: bytes) -> Turn | None:
    """Return what turn.json says; None for what no machine writes."""
    try:
        values = json.loads(content)
        numbers = {name: float(values.get(name) or 0.0) for name in TIMES}
        turn = Turn(
            status=str(values["status"]),
            secondary_status=str(values.get("secondary_status") or ""),
            exit_code=int(values.get("exit_code") or 0),
            reason=str(values.get("reason") or ""),
            files=tuple(map(str, values.get("files") or ())),
            checkpoints=bool(values.get("checkpoints")),
            **numbers,
        )
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError):
        return None
    is_known = turn.status in (RUNS, COMPLETED, FAILED, STOPPED)
    return turn if is_known and all(0 <= number < LATEST for number in numbers.values()) else None


def end_of(name: str, turns: Mapping[str, Turn], machine: Mapping[str, Any]) -> tuple[str, str, str]:
    """Return status, secondary status and reason of a job, as its machine, described or listed, and its turn say."""
    status, detail = str(machine["TrainingJobStatus"]), str(machine.get("SecondaryStatus") or "")
    turn = turns.get(name)
    if turn is not None and turn.has_ended:
        reason = f"AlgorithmError: {turn.reason}, exit code: {turn.exit_code}" if turn.status == FAILED else ""
        return turn.status, turn.secondary_status or turn.status, reason
    if status not in ENDED:
        return status, WAITS if turn is None and turns else detail, ""
    if turn is None and turns and not (status == STOPPED and detail != TIME_LIMIT):
        return FAILED, FAILED, BEFORE_ITS_TURN.format(machine=machine["TrainingJobName"])
    return (FAILED if status == COMPLETED else status), detail, str(machine.get("FailureReason") or "")


def description(name: str, names: Sequence[str], turns: Mapping[str, Turn], machine: Mapping[str, Any]) -> dict[str, Any]:
    """Return the job `name` of the machine's `names` in the words of DescribeTrainingJob, with its share of the machine's bill.

    `Machine` in it names the training job; `BillIsOpen` says that the machine still runs, and the bill is an estimate.
    """
    status, detail, reason = end_of(name, turns, machine)
    place = str(machine["CheckpointConfig"]["S3Uri"]).rstrip("/")
    found = {key: value for key, value in machine.items() if key not in (*ITS_OWN, "CheckpointConfig")}
    found |= {"TrainingJobName": name, "Machine": machine["TrainingJobName"]}
    found |= {"TrainingJobStatus": status, "SecondaryStatus": detail}
    found |= {"OutputDataConfig": {"S3OutputPath": f"{place}/turns"}} | ({"FailureReason": reason} if reason else {})
    if not turns:  # the machine itself failed, or has just begun
        found |= {key: machine[key] for key in ("TrainingStartTime", "TrainingEndTime") if key in machine}
    if (turn := turns.get(name)) is not None:
        found |= _times(turn, machine)
        found |= {"CheckpointConfig": {"S3Uri": f"{place}/{name}/"}} if turn.checkpoints else {}
        if "model.tar.gz" in turn.files:
            found["ModelArtifacts"] = {"S3ModelArtifacts": f"{place}/turns/{name}/output/model.tar.gz"}
    return found | _bill(name, names, turns, machine)


def _times(turn: Turn, machine: Mapping[str, Any]) -> dict[str, Any]:
    """Return when the job began and ended, and the changes of the machine's status in between, such as interruptions."""
    found: dict[str, Any] = {"TrainingStartTime": datetime.fromtimestamp(turn.first_began, UTC)}
    ended = turn.ended if turn.has_ended else _timestamp(machine.get("TrainingEndTime") or math.inf)
    if math.isfinite(ended):
        found["TrainingEndTime"] = datetime.fromtimestamp(ended, UTC)
    changes = machine.get("SecondaryStatusTransitions") or ()
    found["SecondaryStatusTransitions"] = [one for one in changes if turn.first_began <= _timestamp(one["StartTime"]) <= ended]
    return found


def _bill(name: str, names: Sequence[str], turns: Mapping[str, Turn], machine: Mapping[str, Any]) -> dict[str, Any]:
    """Return the job's share of the machine's seconds: its own, and an equal part of those in which no job ran.

    The shares of all jobs add up to what the machine is billed. Until that is known, the time before the first job is what
    they share.
    """
    own = {one: _seconds(turns[one], machine) if one in turns else 0.0 for one in names}
    if machine["TrainingJobStatus"] not in ENDED:
        begun = [turn.first_began for turn in turns.values()]
        started = machine.get("TrainingStartTime")
        start_up = max(0.0, min(begun) - _timestamp(started)) if begun and started is not None else 0.0
        seconds = own[name] + start_up / len(names)
        return {"BillIsOpen": True, "TrainingTimeInSeconds": seconds, "BillableTimeInSeconds": seconds}
    training = machine.get("TrainingTimeInSeconds")
    idle = max(0.0, float(training or 0.0) - math.fsum(own.values()))
    parts = {one: seconds + idle / len(names) for one, seconds in own.items()}
    whole = math.fsum(parts.values())
    share = parts[name] / whole if whole else 1 / len(names)
    billed = {"TrainingTimeInSeconds": training, "BillableTimeInSeconds": machine.get("BillableTimeInSeconds")}
    return {field: seconds * share for field, seconds in billed.items() if seconds is not None}


def _seconds(turn: Turn, machine: Mapping[str, Any]) -> float:
    """Return the job's own seconds; of one that was running when its machine died, up to then."""
    if turn.status != RUNS or (ended := machine.get("TrainingEndTime")) is None:
        return turn.seconds
    return turn.seconds + max(0.0, _timestamp(ended) - turn.began)


def _timestamp(time: Any) -> float:
    return time.timestamp() if isinstance(time, datetime) else float(time)
