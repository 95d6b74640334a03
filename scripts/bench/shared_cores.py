"""How long do trainings take that share the cores of a CPU, each with as many threads as there are cores?

Question: OpenMP's threads wait for each other awake, as long as GOMP_SPINCOUNT says. What does its default cost beside other
          trainings, and what do the 1,000 spins that the command sets cost a training that is alone?
Cost:     under ten minutes on 2 cores, most of it the row that shows the fault; no network.
Command:  python scripts/bench/shared_cores.py
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table

WORDS = (
    *(
        "experiment=word_order_tiny",
        "model.num_layers=1",
        "model.hidden_size=32",
        "data.train_pairs=20000",
        "data.evaluation_limit=500",
    ),
    *("logger=csv", "trainer.progress=false"),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--together", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--spins", nargs="+", default=["unset", "1000"])
    parser.add_argument("--steps", type=int, default=200)
    arguments = parser.parse_args()
    table = Table(title=f"{arguments.steps} steps of a tiny encoder, each training with {torch.get_num_threads()} threads")
    for column in ("trainings at once", "GOMP_SPINCOUNT", "seconds of training, the slowest", "weights of seed 0"):
        table.add_column(column, justify="right")
    with tempfile.TemporaryDirectory() as folder:
        for together in arguments.together:
            for spins in arguments.spins:
                seconds, weights = train(Path(folder) / f"{together}-{spins}", together, spins, arguments.steps)
                table.add_row(str(together), spins, f"{seconds:.1f}", weights)
    Console().print(table)


def train(directory: Path, together: int, spins: str, steps: int) -> tuple[float, str]:
    environment = {**os.environ, "GOMP_SPINCOUNT": spins, "PARAPHRASE_CACHE_DIR": str(directory.parent / "cache")}
    if spins == "unset":
        del environment["GOMP_SPINCOUNT"]
    # Not the command itself, which sets the variable.
    code = "import sys; from paraphrase_lab.cli import run; sys.exit(run(sys.argv[1:]))"
    command = [sys.executable, "-c", code, "train", *WORDS, f"trainer.max_steps={steps}"]
    processes = [
        subprocess.Popen(
            [*command, f"seed={seed}", f"hydra.run.dir={directory / str(seed)}"], env=environment, stdout=subprocess.DEVNULL
        )
        for seed in range(together)
    ]
    if any([process.wait() for process in processes]):  # all of them are waited for
        sys.exit("a training failed")
    records = [json.loads((directory / str(seed) / "run.json").read_text(encoding="utf-8")) for seed in range(together)]
    weights = (directory / "0" / "model" / "model.safetensors").read_bytes()
    return max(record["seconds"]["training"] for record in records), hashlib.sha256(weights).hexdigest()[:12]


if __name__ == "__main__":
    main()
