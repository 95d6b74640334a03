"""One run in a list of runs, wherever its record lies: on this machine, in S3 or in W&B. Its readers import this module."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FINISHED, FAILED = "finished", "failed"


@dataclass(frozen=True)
class RunRow:
    path: Path | str
    """A directory, or an address such as s3://…"""
    name: str
    status: str
    config: dict[str, Any]
    """Resolved, flat, with dotted keys; the option chosen of a group stands under the group's name."""
    metrics: dict[str, float]
    """test/accuracy, val/f1, … and `best`, the value of `monitor`."""
    record: dict[str, Any]
    """run.json"""

    @property
    def identity(self) -> str:
        """The path without links: equal for one run in two places."""
        return str(self.path.resolve()) if isinstance(self.path, Path) else self.path

    @property
    def started(self) -> str:
        """The time in ISO 8601, UTC; empty where it is not known."""
        return self.record.get("started") or ""

    @property
    def seed(self) -> int:
        known = (seed for seed in (self.config.get("seed"), self.record.get("seed")) if seed is not None)
        return int(next(known, 0))

    @property
    def repetition(self) -> tuple[int, int]:
        """Return the seed and the fold (0 without folds): the runs of a recipe differ in them."""
        return self.seed, int(self.config.get("data.fold") or 0)

    @property
    def cost_usd(self) -> float | None:
        """Cost of all attempts of a remote job; None for a run of this machine, or where AWS has not billed it yet."""
        return (self.record.get("job") or {}).get("cost_of_all_attempts_usd")


def metrics_of(record: Mapping[str, Any]) -> dict[str, float]:
    """Return the metrics of run.json and `best`, without missing (null) and undefined ones, as ROC-AUC for one label (NaN)."""
    best = (record.get("best") or {}).get("value")
    values = {**(record.get("metrics") or {}), "best": best}
    return {name: float(value) for name, value in values.items() if value is not None and not math.isnan(value)}
