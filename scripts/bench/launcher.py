"""What does it take to submit a sweep: this launcher against a loop of the SageMaker SDK's ModelTrainer.train(wait=False)?

Question: how many requests and bytes leave the machine until the last job is submitted, and how long does that take? And what
          does the plugin's presence add to an application that does not use it? What does it take to prepare many jobs,
          with files read once and with Hydra's own composition?
Cost:     a few minutes on 2 cores, no account: both talk to one local SageMaker, whose jobs wait and never start.
Expected: requests and bytes at most a tenth of the loop's (ModelTrainer uploads its driver and the source again for each job,
          and asks IAM); less than 20 ms more for --help and for a single run; 1,000 prepared jobs in less than 60 s of
          processor time, and at most half of what Hydra's composition takes.
Command:  python -m venv sdk && sdk/bin/pip install 'sagemaker>=3.27,<4'
          python scripts/bench/launcher.py --sdk-python sdk/bin/python
"""

from __future__ import annotations

import argparse
import logging
import os
import shlex
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.progress import track
from rich.table import Table

from sagemaker_local import LocalSageMaker
from sagemaker_local.faults import Faults

HOURS = 3600.0
LAUNCHER = Path(__file__).resolve().parents[2] / "src" / "hydra-sagemaker-launcher"
ROLE, BUCKET, IMAGE = "arn:aws:iam::123456789012:role/sagemaker-local", "sagemaker-local", "sagemaker-local/nothing"
APP = """
import hydra


@hydra.main(version_base="1.3", config_path=None)
def main(config):
    pass


if __name__ == "__main__":
    main()
"""
RUN = "import runpy, sys; sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name='__main__')"
HYDRAS_OWN = "from hydra_sagemaker.job import compose_once; compose_once.compose_once = lambda loader: None; "
LOOP = f"""
import sys
from sagemaker.core.helper.session_helper import Session
from sagemaker.core.training.configs import Compute, OutputDataConfig, SourceCode
from sagemaker.train import ModelTrainer
quiet = {{"SchemaVersion": "1.0", "SageMaker": {{"PythonSDK": {{"Modules": {{"TelemetryOptOut": True}}}}}}}}
session = Session(default_bucket="{BUCKET}", sagemaker_config=quiet)  # else it asks STS at AWS's own address
for number in range(int(sys.argv[2])):
    trainer = ModelTrainer(
        training_image="{IMAGE}", role="{ROLE}", base_job_name=f"loop-{{number:04d}}", sagemaker_session=session,
        source_code=SourceCode(source_dir=sys.argv[1], entry_script="app.py"),
        compute=Compute(instance_type="ml.m5.large", instance_count=1, volume_size_in_gb=30),
        output_data_config=OutputDataConfig(s3_output_path="s3://{BUCKET}/loop"),
        hyperparameters={{"number": number}},
    )
    trainer.train(wait=False)
"""


class Submission(NamedTuple):
    jobs: int
    requests: int
    megabytes: float
    seconds: float
    """From the start of the process to the last job, imports included."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sdk-python", help="an interpreter with the SageMaker SDK; without it the loop is left out")
    parser.add_argument("--jobs", type=int, default=200)
    parser.add_argument("--prepared", type=int, default=1000, help="jobs that a dry run prepares")
    parser.add_argument("--repetitions", type=int, default=20, help="of each start that is timed")
    arguments = parser.parse_args()
    logging.disable(logging.CRITICAL)  # moto would print a traceback for each IAM call that it lacks
    with tempfile.TemporaryDirectory() as folder:
        application = Path(folder) / "app"
        application.mkdir()
        (application / "app.py").write_text(APP)
        preparations(arguments.prepared, application, Path(folder))
        submissions(arguments, application, Path(folder))
        starts(arguments.repetitions, application, Path(folder))


def preparations(jobs: int, application: Path, folder: Path) -> None:
    """A dry run in a process of its own: everything but the network."""
    table = Table(title=f"{jobs:,} jobs prepared by a dry run")
    for column in ("composition", "processor time, s", "most memory, MB"):
        table.add_column(column)
    for name, prelude in {"files read once": "", "as Hydra does": HYDRAS_OWN}.items():
        fields = {"region": "us-east-1", "image_uri": IMAGE, "instance_type": "ml.m5.large", "mode": "dry_run"}
        words = [f"hydra.launcher.{field}={value}" for field, value in fields.items()]
        words += ["hydra/launcher=sagemaker", f"+number=range({jobs})", f"hydra.sweep.dir={folder / name.replace(' ', '-')}"]
        command = [sys.executable, "-c", prelude + RUN, "app.py", "-m", *words]
        process = subprocess.Popen(command, cwd=application, stdout=subprocess.DEVNULL)
        _, status, used = os.wait4(process.pid, 0)
        if status:
            sys.exit(f"{shlex.join(command)} ended with {os.waitstatus_to_exitcode(status)}")
        table.add_row(name, f"{used.ru_utime + used.ru_stime:.1f}", f"{used.ru_maxrss / 1024:.0f}")
    Console().print(table)


def submissions(arguments: argparse.Namespace, application: Path, folder: Path) -> None:
    with LocalSageMaker(folder / "server", faults=Faults(start_delay_seconds=24 * HOURS)) as server:
        ours = submitted(server, launcher_command(server, arguments.jobs), application, arguments.jobs)
        rows = {"hydra/launcher=sagemaker": ours}
        if arguments.sdk_python:
            loop = [arguments.sdk_python, "-c", LOOP, str(application), str(arguments.jobs)]
            rows["ModelTrainer.train(wait=False)"] = submitted(server, loop, folder, arguments.jobs)
    table = Table(title=f"until the last of {arguments.jobs} jobs is submitted")
    for column in ("", "jobs", "requests", "MB sent", "seconds"):
        table.add_column(column)
    for name, row in rows.items():
        table.add_row(name, str(row.jobs), f"{row.requests:,}", f"{row.megabytes:.2f}", f"{row.seconds:.1f}")
    if len(rows) == 2:
        peer = rows["ModelTrainer.train(wait=False)"]
        ratios = (ours.requests / peer.requests, ours.megabytes / peer.megabytes, ours.seconds / peer.seconds)
        table.add_row("ratio", "", *(f"{ratio:.3f}" for ratio in ratios))
    Console().print(table)


def launcher_command(server: LocalSageMaker, jobs: int) -> list[str]:
    fields = {"endpoint_url": server.url, "region": "us-east-1", "s3_uri": f"s3://{BUCKET}/launcher", "role_arn": ROLE}
    fields |= {"image_uri": IMAGE, "instance_type": "ml.m5.large", "max_parallel": jobs}
    words = [f"hydra.launcher.{name}={value}" for name, value in fields.items()]
    return [sys.executable, "app.py", "-m", "hydra/launcher=sagemaker", *words, f"+number=range({jobs})"]


def submitted(server: LocalSageMaker, command: list[str], directory: Path, jobs: int) -> Submission:
    """Runs the command until all its jobs are there, and ends it: the jobs never start."""
    environment = {**os.environ, **server.client_environment, "SAGEMAKER_VALIDATE_ROLE": "false"}
    server.requests.clear()
    started = time.time()
    with (directory / "submitting.log").open("w") as log:
        process = subprocess.Popen(command, cwd=directory, env=environment, stdout=log, stderr=subprocess.STDOUT)
        while process.poll() is None and len(created(server)) < jobs:
            time.sleep(0.05)
        process.send_signal(signal.SIGKILL)
        process.wait()
    times = created(server)
    if len(times) < jobs:
        sys.exit(f"only {len(times)} jobs were submitted:\n{(directory / 'submitting.log').read_text()[-3000:]}")
    sent = [request for request in server.requests if request.caller == "client" and request.time <= times[jobs - 1]]
    return Submission(jobs, len(sent), sum(request.bytes_in for request in sent) / 1e6, times[jobs - 1] - started)


def created(server: LocalSageMaker) -> list[float]:
    requests = list(server.requests)
    return sorted(one.time for one in requests if one.operation == "CreateTrainingJob" and one.status == 200)


def starts(repetitions: int, application: Path, folder: Path) -> None:
    """The same interpreter with and without the plugin on its path, in turns."""
    packages = [entry for entry in sys.path if entry.endswith("site-packages")]
    paths = {"without": os.pathsep.join(packages), "with": os.pathsep.join([*packages, str(LAUNCHER)])}
    table = Table(title=f"what the plugin adds to an application that does not use it, {repetitions} starts each")
    for column in ("", "without, ms (median)", "with, ms (median)", "difference of medians, ms"):
        table.add_column(column)
    for name, words in {"--help": ["--help"], "a single run": []}.items():
        milliseconds: dict[str, list[float]] = {"without": [], "with": []}
        for _ in track(range(repetitions), description=name, transient=True):
            for side, entries in paths.items():
                milliseconds[side].append(start(application, words, entries))
        without, present = statistics.median(milliseconds["without"]), statistics.median(milliseconds["with"])
        table.add_row(name, f"{without:.0f}", f"{present:.0f}", f"{present - without:+.1f}")
    Console().print(table)


def start(application: Path, words: list[str], path: str) -> float:
    """Milliseconds. `-S`: what an editable installation adds to the path stays away."""
    started = time.perf_counter()
    environment = {**os.environ, "PYTHONPATH": path}
    subprocess.run([sys.executable, "-S", "app.py", *words], cwd=application, env=environment, check=True, capture_output=True)
    return 1000 * (time.perf_counter() - started)


if __name__ == "__main__":
    main()
