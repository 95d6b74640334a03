"""Is a sweep of short jobs faster and cheaper on machines that are kept warm?

Question: what do 24 jobs of 20 s on 4 machines take and cost, if a new machine needs 30 s before the job begins, with
          hydra.launcher.keep_warm_minutes and without?
Cost:     eight minutes on one core, no account: the local SageMaker runs the jobs, starts machines and writes the bills.
Expected: half the time and less money. 6 rounds of 50 s are 300 s, one start of 30 s and 6 rounds of 20 s are 150 s: 2.0 is the
          bound that no launcher reaches with these numbers, since a round needs time of its own (polls, submission, a pool that
          becomes available, the start of Python). Exit code 1 where warm is less than twice as fast, or not cheaper.
Command:  python scripts/bench/warm_machines.py
          python scripts/bench/warm_machines.py --jobs 8 --slots 2 --seconds 4 --start-seconds 3 --image-seconds 3

AWS bills from TrainingStartTime on: the download of the image, not the time until there are machines. How the start of a
machine divides into the two is an assumption here (half and half), and so are the second until a pool is available and that its
machines have the image; the last lines say what would be billed if AWS billed nothing of the start.
"""

from __future__ import annotations

import argparse
import json
import logging
import math
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from sagemaker_local import LocalSageMaker
from sagemaker_local.account import BUCKET, ROLE_ARN
from sagemaker_local.warm_pools import Machines

APP = """
import time

import hydra


@hydra.main(version_base="1.3", config_path="conf", config_name="config")
def main(config):
    time.sleep(config.seconds)


if __name__ == "__main__":
    main()
"""
WORDS = f"""
-m hydra/launcher=sagemaker hydra.launcher.region=us-east-1 hydra.launcher.s3_uri=s3://{BUCKET}/bench
hydra.launcher.role_arn={ROLE_ARN} hydra.launcher.image_uri=sagemaker-local/image hydra.launcher.instance_type=ml.g5.xlarge
hydra.launcher.poll_seconds=1 hydra.launcher.max_run_hours=1
""".split()
FASTER = 2.0


@dataclass
class Sweep:
    seconds: float
    cold_starts: int
    billed_seconds: float
    """While jobs were on their machines, of all machines."""
    kept_seconds: float
    usd: float


def swept(server: LocalSageMaker, application: Path, name: str, options: argparse.Namespace, *words: str) -> Sweep:
    """Run the sweep; return what it took from the first submission to the end of the launcher."""
    folder = application / name
    command = [sys.executable, "app.py", *WORDS, *words, f"seconds={options.seconds}", f"job=range({options.jobs})"]
    command += [
        f"hydra.launcher.max_parallel={options.slots}",
        f"hydra.sweep.dir={folder}",
        f"hydra.launcher.sweep_name={name}",
    ]
    environment = {key: value for key, value in os.environ.items() if not key.startswith("AWS_")} | server.client_environment
    subprocess.run(command, cwd=application, env=environment, stdout=subprocess.DEVNULL, check=True)
    ended = time.time()
    events = map(json.loads, (folder / ".launcher/ledger.jsonl").read_text(encoding="utf-8").splitlines())
    began = next(event["time"] for event in events if event["event"] == "submit")
    records = [json.loads((folder / str(job) / ".job/record.json").read_text("utf-8")) for job in range(options.jobs)]
    left = [one for one in server.jobs.jobs.values() if one.pool is not None and one.pool.is_live]
    assert not left, f"{len(left)} machines were left warm"

    def total(key: str) -> float:
        return math.fsum(record["cost"].get(key) or 0.0 for record in records)

    cold_starts = sum("warm_start_from" not in record for record in records)
    return Sweep(ended - began, cold_starts, total("billable_seconds"), total("kept_warm_seconds"), total("cost_usd"))


def judged(cold: Sweep, warm: Sweep, options: argparse.Namespace) -> list[str]:
    """Print both, and what follows; return what was missed."""
    table = Table(
        "", "seconds", "cold starts", "billed s", "kept warm s", "USD", title=f"{options.jobs} jobs on {options.slots} machines"
    )
    for name, one in (("cold", cold), ("warm", warm)):
        figures = (f"{one.seconds:.0f}", str(one.cold_starts), f"{one.billed_seconds:.0f}", f"{one.kept_seconds:.0f}")
        table.add_row(name, *figures, f"{one.usd:.4f}")
    Console().print(table)
    start, rounds = options.start_seconds + options.image_seconds, math.ceil(options.jobs / options.slots)
    bound = rounds * (start + options.seconds) / (start + rounds * options.seconds)
    faster, price = cold.seconds / warm.seconds, cold.usd / (cold.billed_seconds + cold.kept_seconds)
    free = [one.usd - price * one.cold_starts * options.image_seconds for one in (cold, warm)]
    print(f"{faster:.2f} times as fast; without any time between the jobs it would be {bound:.2f}")
    print(f"{100 * (1 - warm.usd / cold.usd):.0f} % cheaper, with {options.image_seconds:g} s of each start billed")
    print(f"with nothing of it billed: {free[0]:.4f} USD cold, {free[1]:.4f} USD warm")
    missed = [f"{faster:.2f} times as fast, not {FASTER:g}"] * (faster < FASTER)
    return missed + ["not cheaper"] * (warm.usd >= cold.usd)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=24)
    parser.add_argument("--slots", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=20, help="that a job works")
    parser.add_argument("--start-seconds", type=float, default=15, help="until a new machine is there, not billed")
    parser.add_argument("--image-seconds", type=float, default=15, help="for the image on a new machine, billed")
    parser.add_argument("--json", type=Path, help="file for the figures")
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)
    machines = Machines(options.start_seconds, options.image_seconds, warm_pools=options.slots)
    with tempfile.TemporaryDirectory() as folder:
        application = Path(folder) / "app"
        (application / "conf").mkdir(parents=True)
        (application / "app.py").write_text(APP)
        (application / "conf/config.yaml").write_text("seconds: 0\njob: 0\n")
        with LocalSageMaker(Path(folder) / "server", machines=machines, max_running=2 * options.slots) as server:
            cold = swept(server, application, "cold", options)
            warm = swept(server, application, "warm", options, "hydra.launcher.keep_warm_minutes=10")
    if options.json:
        figures: dict[str, Any] = {"cold": asdict(cold), "warm": asdict(warm)}
        options.json.write_text(json.dumps(figures, indent=2))
    if missed := judged(cold, warm, options):
        sys.exit("missed: " + "; ".join(missed))


if __name__ == "__main__":
    main()
