"""A job's own words, shortened to fit a table: its overrides, its last line, the latest number that it logged."""

from __future__ import annotations

import re
from collections.abc import Sequence

from hydra_sagemaker.backends.base import State
from hydra_sagemaker.errors import plain
from hydra_sagemaker.scheduling.tracker import Submission

TAIL_BYTES = 4_000
METRIC_WIDTH = 22
METRIC = re.compile(r"([A-Za-z][\w/@.-]*)(?:: | = |=| )(-?\d+\.\d+(?:e[+-]?\d+)?)(?![\w%])")
"""A name and a decimal number, as in `loss 0.25`, `loss: 0.25` and `loss=0.25`."""
LOG_PREFIX = re.compile(r"^\[?(?:\d{4}-\d\d-\d\d[ T])?\d\d:\d\d:\d\d(?:[.,]\d+)?\]?\s*(?:\[?[A-Z]{4,8}\]?\s+)?")
"""The time, and the level if there is one."""


def short_override(override: str) -> str:
    """Return `model.learning_rate=0.001` as `learning_rate=0.001`."""
    key, equals, value = override.partition("=")
    return f"{key.rpartition('.')[2]}{equals}{value}"


def last_lines(submission: Submission) -> list[str]:
    """Return what a local job has printed last; nothing of a remote one, whose output is not here yet."""
    log_file = submission.job.job_dir / "output.log"
    if submission.status.state == State.WAITING or not log_file.is_file():
        return []
    with log_file.open("rb") as file:
        file.seek(max(0, log_file.stat().st_size - TAIL_BYTES))
        text = file.read().decode(errors="replace")
    lines = (LOG_PREFIX.sub("", plain(line).strip()) for line in text.replace("\r", "\n").splitlines())
    return [line for line in lines if line]


def latest_metric(lines: Sequence[str]) -> str:
    """Return the last name and number of the last line that has any, as in `val/accuracy 0.91`."""
    for line in reversed(lines):
        if found := METRIC.findall(line):
            name, value = found[-1]
            room = METRIC_WIDTH - len(value) - 1
            return f"{name if len(name) <= room else f'…{name[len(name) - room + 1 :]}'} {value}"
    return ""
