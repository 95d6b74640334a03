"""Runs that were never trained, with answers of a chosen quality."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import logit

from paraphrase_lab.data.pair_table import PairTable
from paraphrase_lab.lifecycle.evaluation import ScoredSplit, write_predictions
from paraphrase_lab.metrics.calibration import Calibration
from paraphrase_lab.runs.record import RunRecord

CALIBRATION = Calibration(temperature=2.0, threshold=0.4, pairs=100)


def pair_table(pairs: int = 600, seed: int = 0) -> PairTable:
    """Three pairs share a sentence; the lengths fall into two bands."""
    random = np.random.default_rng(seed)
    first = [f"number {number // 3} of set {seed}" for number in range(pairs)]
    second = [f"pair {number} " + "and so on and on " * (number % 2) + "ends here" for number in range(pairs)]
    labels = (random.random(pairs) < 0.44).astype(np.int64)
    return PairTable([str(number) for number in range(pairs)], first, second, labels)


def margins(table: PairTable, share_right: float, seed: int, right_seed: int = 0) -> np.ndarray:
    """Some pairs are easy for every model with the same `right_seed`, and each has its luck."""
    easy = np.random.default_rng(right_seed).random(len(table))
    right = 0.8 * easy + 0.2 * np.random.default_rng(1_000 + seed).random(len(table)) < share_right
    answers = np.where(right, table.labels, 1 - table.labels)
    return CALIBRATION.temperature * np.where(answers == 1, logit(0.9), logit(0.1))


def write_run(
    directory: Path, share_right: float, *, seed: int = 0, table: PairTable | None = None, config: dict[str, Any] | None = None
) -> Path:
    table = table if table is not None else pair_table()
    record = RunRecord(directory)
    record.update(
        status="finished", started=f"2026-01-01T00:00:{seed:02d}+00:00", seed=seed, config={"seed": seed, **(config or {})},
        choices={"data": "pairs"}, overrides=["data.path=pairs.csv", f"seed={seed}"], calibration=CALIBRATION.to_dict(),
        data={"test": {"pairs": len(table), "fingerprint": table.fingerprint}}, metrics={},
    )  # fmt: skip
    scored = ScoredSplit(table, margins(table, share_right, seed))
    write_predictions({"test": scored}, CALIBRATION, directory / "predictions.parquet")
    return directory


def write_sweep(root: Path, shares: dict[int, float], seeds: Sequence[int], spread: float = 0.0) -> Path:
    """One recipe per number of layers; every seed is better by `spread` than the one before, around the recipe's share."""
    middle = sum(seeds) / len(seeds)
    for job, (layers, seed) in enumerate((layers, seed) for layers in shares for seed in seeds):
        share = shares[layers] + spread * (seed - middle)
        write_run(root / str(job), share, seed=seed + 10 * layers, config={"seed": seed, "model.num_layers": layers})
    return root


def write_evaluation(
    run: Path, table: PairTable, share_right: float, *, directory: str = "test-12345678", **values: Any
) -> None:
    evaluation = run / "evaluations" / directory
    evaluation.mkdir(parents=True)
    write_predictions(
        {"test": ScoredSplit(table, margins(table, share_right, 0))}, CALIBRATION, evaluation / "predictions.parquet"
    )
    report = {"fingerprint": table.fingerprint, "calibration": CALIBRATION.to_dict(), **values}
    (evaluation / "metrics.json").write_text(json.dumps(report), encoding="utf-8")
