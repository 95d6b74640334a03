"""Records as a sweep leaves them, with all that a report shows: nothing was trained."""

from __future__ import annotations

import csv
from pathlib import Path

from paraphrase_lab.runs.listing import read_runs
from paraphrase_lab.runs.record import RunRecord
from written_runs import write_sweep

VERSIONS = {"python": "3.11.7", "torch": "2.13.0", "paraphrase_lab": "0.1.0"}
SHARES = {1: 0.7, 2: 0.85}


def write_reported_sweep(root: Path, shares: dict[int, float] = SHARES, seeds: int = 3) -> Path:
    """As many recipes as shares, one job for each of their seeds."""
    write_sweep(root, shares, range(seeds), spread=0.01)
    for row in read_runs([str(root)]):
        assert isinstance(row.path, Path)
        layers, seed = row.config["model.num_layers"], row.config["seed"]
        accuracy = shares[layers] + 0.01 * seed
        record = RunRecord.read(row.path)
        record.update(
            metrics={
                "test/accuracy": accuracy, "test/f1": accuracy - 0.02, "test/nll": 1 - accuracy,
                "val_fitted/accuracy": accuracy + 0.01, "test/flip_rate": 0.1 / layers, "test/order_gap": 0.05,
            },
            baselines={"test": {"majority": {"accuracy": 0.56}}},
            config={**record.values["config"], "monitor": "val/accuracy", "model.hidden_size": 32},
            versions=VERSIONS | ({"torch": "2.12.0"} if seed == 1 else {}), seconds={"training": 20.5, "evaluation": 1.5},
            git={"commit": "0123456789abcdef", "dirty": layers == 2}, device={"name": "a CPU", "count": 1},
            precision={"used": "bf16-mixed"}, fingerprint=f"{layers}{seed}" * 32,
            best={"monitor": "val/accuracy", "value": accuracy + 0.01},
        )  # fmt: skip
        write_curve(row.path, accuracy)
    return root


def write_curve(run_dir: Path, accuracy: float, steps: int = 200) -> None:
    with (run_dir / "metrics.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["step", "train/loss", "val/accuracy"])
        for step in range(10, steps + 1, 10):
            writer.writerow([step, 0.7 - step / steps / 2, accuracy * (0.5 + step / steps / 2) if step % 50 == 0 else ""])
