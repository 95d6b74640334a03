"""list, logs, stop and collect, typed by somebody who has nothing but the sweep's directory."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from hydra_apps import LOCAL, App
from hydra_sagemaker.cli.main import main
from hydra_sagemaker.pricing.prices import price_table

if TYPE_CHECKING:
    from sagemaker_fixtures import Cloud

pytest.importorskip("moto", reason='needs pip install "paraphrase-lab[local-aws]"')
pytest_plugins = ["sagemaker_fixtures"]
COMMAND = (sys.executable, "-m", "hydra_sagemaker")
COUNTING = """\
import os, time
from pathlib import Path
import hydra


@hydra.main(version_base=None, config_path="conf", config_name="config")
def main(config):
    print(f"x is {config.x}", flush=True)
    with open(os.environ["MARKS"], "a") as marks:
        marks.write(f"start {config.x}\\n")
    while not Path(os.environ["MARKS"] + ".go").exists():
        time.sleep(0.02)
    print("\\x1b[1mthe last line\\x1b[0m")
    if config.do == "raise":
        raise ValueError(f"x={config.x} is too much")
    return config.x


if __name__ == "__main__":
    main()
"""
HOOK = """\
import json
from pathlib import Path


def tell(output_dir, record):
    with open(Path(__file__).with_name("told"), "a") as file:
        file.write(json.dumps([output_dir.name, record["state"]]) + "\\n")
"""


class Said(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def rows(self) -> list[dict[str, Any]]:
        return json.loads(self.out)


def verb(*words: str, cwd: Path, env: dict[str, str] | None = None, stdin: int = subprocess.DEVNULL) -> Said:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", **(env or {})}
    done = subprocess.run([*COMMAND, *words], cwd=cwd, env=environment, stdin=stdin, capture_output=True, text=True, timeout=60)
    return Said(done.returncode, done.stdout, done.stderr)


def abandoned(app: App, *words: str, started: int) -> None:
    """A local sweep whose launcher is gone and whose jobs wait."""
    process = app.start(*LOCAL, *words)
    app.await_marks(started)
    process.kill()
    process.communicate(timeout=10)
    assert process.returncode == -signal.SIGKILL


def followed(app: App, env: dict[str, str], let_end: Callable[[], None]) -> list[str]:
    """What `logs -f` says of two jobs that have begun, and may end once it has said so."""
    process = app.start("logs", "-f", "sweep", script=" ".join(COMMAND[1:]), env=env)
    assert process.stdout is not None
    said: list[str] = []
    while len(begun := sorted(line for line in said if "x is" in line)) < 2:
        said.append(process.stdout.readline())
        assert said[-1], "it ended before the jobs did"
    assert begun == ["0 | x is 1\n", "1 | x is 2\n"]
    let_end()
    rest, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    return sorted("".join([*said, rest]).splitlines())


def submitted(cloud: Cloud, *words: str) -> None:
    cloud.app.write("app.py", COUNTING)
    cloud.sweep("hydra/sweeper=basic", "hydra.launcher.wait=false", *words)


def test_mistakes_are_sentences(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", str(tmp_path)]) == 2
    out, err = capsys.readouterr()
    assert not out and f"list: {tmp_path} is not the directory of a sweep" in err and "Traceback" not in err
    for words, expected in {("lst", "."): "invalid choice: 'lst'", ("logs", ".", "-n", "0"): "0: at least 1"}.items():
        with pytest.raises(SystemExit, match="2"):
            main(list(words))
        assert expected in capsys.readouterr().err


def test_prices(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["prices", "ml.g5.xlarge", "ml.m5.large", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["instance_type"] for row in rows] == ["ml.g5.xlarge", "ml.m5.large"]
    assert rows[0]["region"] == "us-east-1" and rows[0]["usd_per_hour"] > rows[1]["usd_per_hour"] > 0 and rows[0]["dated"]
    assert main(["prices"]) == 0
    out = capsys.readouterr().out
    assert len(out.splitlines()) == len(price_table()) + 3 and "us-east-1, on demand" in out and "Spot bills" in out
    assert main(["prices", "ml.g5.xlrge"]) == 2
    assert capsys.readouterr().err.endswith("no price is known for instance type 'ml.g5.xlrge'. Did you mean 'ml.g5.xlarge'?\n")


@pytest.mark.slow
def test_local_jobs_whose_launcher_was_killed(app: App) -> None:
    app.write("app.py", COUNTING)
    abandoned(app, "x=1,2,3", "hydra.launcher.max_parallel=2", started=2)
    listed = verb("list", "sweep", cwd=app.root)
    assert listed.code == 0 and "running" in listed.out and "waiting" in listed.out
    assert "waiting: job 2 (x=3): not submitted; the same command submits it" in listed.out
    rows = verb("list", "sweep", "--json", cwd=app.root).rows
    assert [(row["job"], row["overrides"], row["state"]) for row in rows] == [
        (0, "x=1", "running"), (1, "x=2", "running"), (2, "x=3", "waiting")
    ]  # fmt: skip
    assert rows[0]["runtime_seconds"] > 0 and rows[2]["started"] is None

    left = verb("collect", "sweep", cwd=app.root)
    assert left.code == 0 and "2 jobs still run: `collect --wait` waits for them" in left.err
    followed_lines = followed(app, {}, app.let_go)
    assert [line for line in followed_lines if "|" in line] == [
        "0 | the last line",
        "0 | x is 1",
        "1 | the last line",
        "1 | x is 2",
    ]
    assert any("job 2 (x=3): not submitted" in line for line in followed_lines)

    home = verb("collect", str(app.sweep_dir), "--json", cwd=app.root.parent)
    assert home.code == 0 and [row["state"] for row in home.rows] == ["completed", "completed", "waiting"]
    assert [row["cost_usd"] for row in home.rows] == [0.0, 0.0, None]
    assert app.result(1)["return_value"] == 2
    assert "3 jobs: 1 new, 2 reused" in app.sweep("x=1,2,3")


@pytest.mark.slow
def test_a_failure_is_told_with_its_traceback_and_the_next_step(app: App) -> None:
    app.write("app.py", COUNTING)
    abandoned(app, "x=1,2", "hydra.launcher.max_parallel=2", "do=raise", started=2)
    app.let_go()
    home = verb("collect", "sweep", "--wait", "--json", cwd=app.root)
    assert home.code == 1 and [row["cause"] for row in home.rows] == ["code", "code"]
    assert "job 1 (x=2) failed as app-" in home.err and "ValueError: x=2 is too much" in home.err
    assert "raise ValueError(" in home.err and "\nNext: " in home.err
    one = verb("collect", "sweep", "--job", "1", "--json", cwd=app.root)
    assert one.code == 1 and [row["job"] for row in one.rows] == [1] and "job 0" not in one.err
    assert verb("logs", "sweep", "--job", "0", "-n", "1", cwd=app.root).out == "ValueError: x=1 is too much\n"
    unknown = verb("logs", "sweep", "--job", "0", "7", "8", cwd=app.root)
    assert unknown.code == 2 and "sweep has no job 7, 8; its jobs: 0, 1" in unknown.err


@pytest.mark.slow
def test_stopping_asks(app: App) -> None:
    abandoned(app, "x=1,2", "hydra.launcher.max_parallel=2", "do=save", started=2)
    refused = verb("stop", "sweep", cwd=app.root)
    assert refused.code == 2 and "stop 2 jobs? no terminal to ask: add --yes" in refused.err
    terminal, stdin = pty.openpty()
    try:
        os.write(terminal, b"n\n")
        said = verb("stop", "sweep", "--job", "0", cwd=app.root, stdin=stdin)
        assert said.code == 0 and "job 0 (x=1) runs as app-" in said.err and "nothing was stopped" in said.err
        os.write(terminal, b"y\n")
        said = verb("stop", "sweep", "--job", "0", "--json", cwd=app.root, stdin=stdin)
        assert said.code == 0 and "stop 1 job? [y/N]" in said.err and said.rows[0]["state"] == "stopped"
    finally:
        os.close(terminal)
        os.close(stdin)
    assert app.marks("saved") == ["1"]
    assert [row["state"] for row in verb("list", "sweep", "--json", cwd=app.root).rows] == ["stopped", "running"]
    assert verb("stop", "sweep", "--yes", cwd=app.root).code == 0
    ended = verb("stop", "sweep", cwd=app.root)
    assert ended.code == 0 and "no job runs" in ended.err and sorted(app.marks("saved")) == ["1", "2"]


@pytest.mark.slow
def test_training_jobs_after_the_laptop_was_closed(cloud: Cloud) -> None:
    cloud.app.write("hook.py", HOOK)
    submitted(cloud, "x=1,2", "+hydra.launcher.env.PLANTED=plant-123", "hydra.launcher.collected=hook.tell")
    cloud.app.await_marks(2)
    text = (cloud.app.sweep_dir / ".launcher/manifest.json").read_text(encoding="utf-8")
    assert "plant-123" not in text and "PLANTED" not in text
    where = {"cwd": cloud.app.root, "env": cloud.env}
    assert [row["state"] for row in verb("list", "sweep", "--json", **where).rows] == ["running", "running"]

    cloud.fault(throttled_calls=3, throttle_period=4)

    def end_calmly() -> None:
        cloud.fault()
        cloud.app.let_go()

    followed_lines = followed(cloud.app, cloud.env, end_calmly)
    assert [line for line in followed_lines if "last line" in line] == ["0 | the last line", "1 | the last line"]

    cloud.account.requests.clear()
    assert [row["state"] for row in verb("list", "sweep", "--json", **where).rows] == ["completed", "completed"]
    assert (cloud.count("ListTrainingJobs"), cloud.count("DescribeTrainingJob")) == (1, 0)

    home = verb("collect", "sweep", "--wait", "--json", **where)
    assert home.code == 0, home.err
    assert [row["state"] for row in home.rows] == ["completed", "completed"]
    assert [cloud.app.result(number)["return_value"] for number in (0, 1)] == [1, 2]
    told = (cloud.app.root / "told").read_text(encoding="utf-8").splitlines()
    assert sorted(map(json.loads, told)) == [["0", "completed"], ["1", "completed"]]

    cloud.account.requests.clear()
    again = verb("collect", "sweep", "--json", **where)
    assert again.code == 0 and again.rows == home.rows
    assert verb("logs", "sweep", "--job", "1", "-n", "1", **where).out == "the last line\n"
    assert cloud.account.requests == [], "collected jobs are not asked about"
    assert verb("collect", "sweep", "--again", **where).code == 0
    assert cloud.count("DescribeTrainingJob") == 2 and cloud.count("CreateTrainingJob") == 0


@pytest.mark.slow
def test_a_moved_directory_is_all_that_is_needed(cloud: Cloud) -> None:
    submitted(cloud, "x=1,2", "do=raise,nothing", "hydra.launcher.max_parallel=4")
    cloud.app.await_marks(4)
    cloud.app.let_go()
    moved = cloud.app.sweep_dir.rename(cloud.app.root.parent / "moved")
    (cloud.app.root / "app.py").unlink()
    home = verb("collect", str(moved), "--wait", "--json", cwd=moved.parent, env=cloud.env)
    assert home.code == 1
    assert sorted(row["state"] for row in home.rows) == ["completed", "completed", "failed", "failed"]
    assert sorted(json.loads(file.read_text())["name"] for file in moved.glob("*/.job/record.json")) == sorted(cloud.names())
    assert f"dir: {moved}" in (moved / "0/.hydra/hydra.yaml").read_text(encoding="utf-8")


@pytest.mark.slow
def test_training_jobs_are_stopped_and_one_that_never_arrived_is_no_loss(cloud: Cloud) -> None:
    submitted(cloud, "x=1,2")
    cloud.app.await_marks(2)
    ledger = cloud.app.sweep_dir / ".launcher/ledger.jsonl"
    lines = [json.loads(line) for line in ledger.read_text(encoding="utf-8").splitlines()]
    never = next(line["name"] for line in lines if line["event"] == "submit" and line["job"] == 1)
    cloud.fault(vanish_jobs=never)  # written down, and then the launcher was killed
    ledger.write_text("".join(f"{json.dumps(line)}\n" for line in lines if line["event"] == "submit"), encoding="utf-8")
    where = {"cwd": cloud.app.root, "env": cloud.env}
    stopped = verb("stop", "sweep", "--yes", "--json", **where)
    assert stopped.code == 0 and [row["state"] for row in stopped.rows] == ["running", "waiting"]
    assert stopped.rows[0]["detail"] == "Stopping"
    assert "a launcher works for this sweep" not in stopped.err
    home = verb("collect", "sweep", "--wait", "--json", **where)
    assert home.code == 1 and [row["state"] for row in home.rows] == ["stopped", "waiting"]
    assert home.rows[0]["cause"] == "stopped"
    cloud.fault()
