"""Does a search that ends trials early find the same best value, and what does it save?

Question: of the same trials (drawn at random, so that both searches have the same), does the search with a pruner keep the best
          one, and in what share of the machine time? ASHA, whose first decision is at the third validation: before the warm-up
          of the learning rate is over, the values say nothing yet.
Cost:     two searches of 12 trainings for each repetition: about 15 minutes on one core.
Expected: the same best value, at most 50 % of the time. Exit code 1 when one is missed.
Command:  python scripts/bench/pruning.py
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import mean

import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from rich.console import Console
from rich.table import Table

SEARCH = """
hparams_search=tiny experiment=word_order_tiny trainer.max_epochs=3 trainer.val_check_interval=0.25
logger=none hydra.launcher.max_parallel=1
""".split()
PRUNER = ["hydra/sweeper/pruner=asha", "hydra.sweeper.pruner.min_resource=2"]
SHARE = 0.5


@dataclass
class Found:
    best: float
    minutes: float
    """The sum of all trials, their start included."""
    validations: int
    """They come at equal distances: the training that was done."""
    pruned: int


def search(folder: Path, seed: int, trials: int, more: Sequence[str]) -> Found:
    """Run a search whose trials are all drawn at random, and return what its study says."""
    words = [f"hydra.sweeper.n_trials={trials}", f"hydra.sweeper.sampler.n_startup_trials={trials}"]
    words += [f"hydra.sweeper.sampler.seed={seed}", f"hydra.sweep.dir={folder}", *more]
    words.append(f"hydra.launcher.state_dir={folder / 'jobs'}")  # else it takes over the other search's results
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with (folder.parent / f"{folder.name}.log").open("w") as log:
        command = [sys.executable, "-m", "paraphrase_lab", "train", *SEARCH, *words]
        subprocess.run(command, check=True, env=environment, stdout=log, stderr=log)
    storage = JournalStorage(JournalFileBackend(str(folder / "search.journal")))
    study = optuna.load_study(study_name=None, storage=storage)
    seconds = sum(one.user_attrs["seconds"] for one in study.trials)
    validations = sum(len(one.intermediate_values) for one in study.trials)
    pruned = sum(one.state == optuna.trial.TrialState.PRUNED for one in study.trials)
    return Found(study.best_value, seconds / 60, validations, pruned)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=12)
    parser.add_argument("--pairs", type=int, default=10_000, help="of each training, which has three epochs of them")
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--pruner", nargs="+", default=PRUNER, help="words for the search")
    parser.add_argument("--folder", type=Path, help="keeps the searches; default: a temporary one")
    parser.add_argument("--json", type=Path, help="file for the figures")
    arguments = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    size = f"data.train_pairs={arguments.pairs}"
    pairs: list[tuple[Found, Found]] = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = (arguments.folder or Path(temporary)).absolute()
        folder.mkdir(parents=True, exist_ok=True)
        for seed in range(arguments.repetitions):
            both = ("none", [size]), ("pruned", [size, *arguments.pruner])
            whole, pruned = (search(folder / f"{seed}-{name}", seed, arguments.trials, words) for name, words in both)
            pairs.append((whole, pruned))
            print(f"seed {seed}: {pruned.minutes / whole.minutes:.0%} of {whole.minutes:.1f} minutes", flush=True)
    table = Table("seed", "best value", "with the pruner", "minutes", "with the pruner", "share", "of training", "ended early")
    for seed, (whole, pruned) in enumerate(pairs):
        share = f"{pruned.minutes / whole.minutes:.0%}"
        minutes = f"{whole.minutes:.1f}", f"{pruned.minutes:.1f}"
        training = f"{pruned.validations / whole.validations:.0%}"
        table.add_row(str(seed), f"{whole.best:.4f}", f"{pruned.best:.4f}", *minutes, share, training, f"{pruned.pruned}")
    Console().print(table)
    if arguments.json:
        arguments.json.write_text(json.dumps([[asdict(one) for one in both] for both in pairs], indent=2))
    share = mean(pruned.minutes for _, pruned in pairs) / mean(whole.minutes for whole, _ in pairs)
    missed = [f"seed {seed}: another best value" for seed, (whole, pruned) in enumerate(pairs) if whole.best != pruned.best]
    missed += [f"{share:.0%} of the machine time"] * (share > SHARE)
    if missed:
        sys.exit("missed: " + "; ".join(missed))


if __name__ == "__main__":
    main()
