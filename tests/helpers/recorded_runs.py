"""Runs as lists see them: a directory with the record that a training would have written, and no training."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

FOLLOWS = {"optimizer.lr": "model.learning_rate"}


def recorded(
    directory: Path,
    *,
    config: dict[str, Any] | None = None,
    choices: dict[str, str] | None = None,
    metrics: Mapping[str, float | None] | None = None,
    **values: Any,
) -> Path:
    """`config`: dotted keys beside the ones that every run has here."""
    settings = {"seed": 0, "model.num_layers": 2, "model.learning_rate": 0.001, "optimizer.lr": 0.001, "data.path": "pairs.csv"}
    settings |= config or {}
    settings["optimizer.lr"] = settings["model.learning_rate"]
    record = {
        "status": "finished", "error": None, "started": "2026-11-24T10:00:00+00:00", "updated": "2026-11-24T10:05:00+00:00",
        "seed": settings["seed"], "config": settings, "follows": FOLLOWS, "overrides": [],
        "choices": {"data": "pairs", "model": "tiny", **(choices or {})},
        "metrics": {"test/accuracy": 0.8, "test/f1": 0.7} if metrics is None else metrics,
        "best": {"monitor": "val/accuracy", "value": 0.75, "step": 10}, "seconds": {"data": 1.5, "training": 20.0},
        **values,
    }  # fmt: skip
    directory.mkdir(parents=True)
    (directory / "run.json").write_text(json.dumps(record), encoding="utf-8")
    return directory


def swept(root: Path, *, seeds: int = 2, layers: tuple[int, ...] = (1, 2), start: float = 0.7) -> Path:
    """A sweep over layers and seeds; every job is a hundredth better than the one before."""
    jobs = [(number, seed) for seed in range(seeds) for number in layers]
    for job, (number, seed) in enumerate(jobs):
        score = round(start + job / 100, 3)
        recorded(
            root / str(job), config={"seed": seed, "model.num_layers": number},
            metrics={"test/accuracy": score, "test/f1": round(score - 0.1, 3)},
            started=f"2026-11-24T10:{job // 60 % 60:02d}:{job % 60:02d}+00:00",
            overrides=[f"seed={seed}", f"model.num_layers={number}"],
        )  # fmt: skip
    return root
