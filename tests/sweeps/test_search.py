"""Searches: what the check says of them, and small ones that are really run."""

from __future__ import annotations

import importlib.util
import itertools
import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

pytest.importorskip("optuna", reason='needs pip install "paraphrase-lab[search]"')

from checking import check, problems  # noqa: E402
from commands import FEW_PAIRS, ROOT, TINY  # noqa: E402
from paraphrase_lab.cli import search  # noqa: E402
from paraphrase_lab.configuration.composition import BASIC_SWEEPER  # noqa: E402
from paraphrase_lab.runs.record import RunRecord  # noqa: E402
from paraphrase_lab.runs.trials import Trial, Trials, read_trials  # noqa: E402

RANGE = "optimizer.lr=tag(log,interval(1e-4,1e-2))"


def test_a_search_is_asked_for() -> None:
    checked = check("hparams_search=tiny")
    assert search.is_search(checked.hydra) and not search.is_search(check().hydra)
    assert checked.multirun_reason == (
        "-m added: the configuration describes a sweep over optimizer.lr, scheduler.warmup_fraction, optimizer.weight_decay"
    )
    assert [job.config.optimizer.lr for job in checked.jobs] == [1e-4, 5e-3], "both ends of every range are checked"
    assert check("seed=0,1", multirun=True).hydra.sweeper._target_ == BASIC_SWEEPER


def test_what_is_wrong_with_a_search() -> None:
    assert problems("hparams_search=optuna") == [
        "the search has nothing to search: type a range, as in 'optimizer.lr=tag(log,interval(1e-4,1e-2))', or choose "
        "hparams_search=tiny or hparams_search=pretrained, which have some."
    ]
    assert len(check("hparams_search=optuna", RANGE).jobs) == 2
    (test,) = problems("hparams_search=tiny", "monitor=test/f1")
    assert test.startswith("monitor=test/f1 would choose the checkpoint on the test split")
    outside = problems("hparams_search=tiny", "optimizer.weight_decay=interval(-1,20)")
    assert [problem.split(" must")[0] for problem in outside] == ["optimizer.weight_decay=-1.0", "optimizer.weight_decay=20.0"]
    assert problems("hparams_search=tiny", "hydra.sweeper.n_trials=0") == ["hydra.sweeper.n_trials=0: at least 1."]
    assert problems("hparams_search=tiny", "hydra.sweeper.direction=[maximize,minimize]") == [
        "hydra.sweeper.direction is a list: a run gives one value, that of monitor. Write maximize or minimize."
    ]


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (("monitor=val/nll",), "minimize"),
        (("hydra.sweeper.direction=minimize",), "maximize"),
        (("monitor=val/mine", "monitor_mode=min"), "minimize"),
    ],
)
def test_a_direction_that_looks_for_the_worst(words: tuple[str, ...], wanted: str) -> None:
    (problem,) = problems("hparams_search=tiny", *words)
    assert "looks for the worst run: monitor=" in problem
    assert problem.endswith(f"Write hydra.sweeper.direction={wanted}.")
    check("hparams_search=tiny", *(word for word in words if "direction" not in word), f"hydra.sweeper.direction={wanted}")


def test_without_optuna_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr("paraphrase_lab.check.searches.find_spec", lambda name: None if name == "optuna" else found(name))
    assert problems("hparams_search=tiny") == ['a search needs Optuna, which is not installed: pip install "optuna>=4.9,<6".']


def trials(*values: float, maximize: bool = True) -> Trials:
    finished = [
        Trial(number, {"optimizer.lr": 10.0 ** -(number + 2), "model": f"m{number % 2}"}, value)
        for number, value in enumerate(values)
    ]
    return Trials(tuple(finished), 1, 2, maximize)


def test_the_best_trial() -> None:
    assert trials(0.5, 0.9, 0.9).best.number == 1 and trials(0.5, 0.9, maximize=False).best.number == 0
    assert trials(0.5, 0.9).count == 5


def trials_of(directory: Path) -> Trials:
    found = read_trials(directory)
    assert found is not None
    return found


class Done(NamedTuple):
    code: int
    out: str
    err: str


class Lab:
    """A copy of the framework, whose code nobody changes meanwhile."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for folder in ("conf", "src", "experiments/experiment"):
            shutil.copytree(ROOT / folder, root / folder, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(ROOT / "pyproject.toml", root)

    def train(self, *words: str, **variables: str) -> Done:
        command = [sys.executable, "-W", "error", "-m", "paraphrase_lab", "train", *TINY, *FEW_PAIRS, "logger=none", *words]
        environment = {
            **os.environ,
            "PYTHONPATH": f"{self.root / 'src'}:{self.root / 'src/hydra-sagemaker-launcher'}",
            "PARAPHRASE_CACHE_DIR": str(self.root.parent / "cache"),
        }
        done = subprocess.run(command, cwd=self.root, env=environment | variables, capture_output=True, text=True)
        return Done(done.returncode, done.stdout, done.stderr)


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    return Lab(tmp_path_factory.mktemp("search") / "lab")


@pytest.mark.slow
def test_a_search_continues_where_it_was_and_says_what_it_found(lab: Lab) -> None:
    words = ("hparams_search=tiny", "monitor=val/nll", "hydra.sweeper.direction=minimize")
    part = lab.train(*words, "hydra.sweep.dir=runs/search", "hydra.sweeper.n_trials=2")
    assert part.code == 0, part.out + part.err
    assert "best val/nll" in part.out and "in trial" in part.out
    whole = lab.train(*words, "hydra.sweeper.n_trials=3", "resume=auto")
    assert whole.code == 0, whole.out + whole.err
    assert "2 trials of before" in whole.out
    directory = lab.root / "runs" / "search"
    assert {"search.journal", "optimization_results.yaml", "0", "1", "2"} <= {file.name for file in directory.iterdir()}
    records = [json.loads((directory / str(number) / "run.json").read_text()) for number in range(3)]
    for record in records:
        assert not any(name.startswith("test/") for name in record["metrics"]) and record["model"] is None
    best = min(records, key=lambda record: record["best"]["value"])
    found = trials_of(directory)
    assert [trial.value for trial in found.finished] == [record["best"]["value"] for record in records]
    assert found.best.value == best["best"]["value"] and not found.maximize and found.failed == 0
    command = shlex.split(whole.out.strip().splitlines()[-1])
    assert command[:3] == ["paraphrase", "train", "-m"] and command[-1] == "seed=1,2,3"
    assert f"optimizer.lr={found.best.parameters['optimizer.lr']}" in command and "monitor=val/nll" in command
    assert not [word for word in command if word.startswith(("hydra.", "hparams_search", "resume"))]
    check(*command[3:], multirun=True)


@pytest.mark.slow
def test_worse_trials_are_pruned_and_their_runs_say_so(lab: Lab) -> None:
    """A rate at which nothing is learned, after two that do: validations of 0.2 epochs are reported."""
    first = "hydra.sweeper.enqueue=[{optimizer.lr: 0.01},{optimizer.lr: 0.009},{optimizer.lr: 1e-07}]"
    words = ("hparams_search=optuna", "optimizer.lr=tag(log,interval(1e-7,1e-2))", first, "hydra.sweeper.n_trials=3")
    pruner = ("hydra/sweeper/pruner=median", "hydra.sweeper.pruner.n_startup_trials=2", "monitor=val/nll")
    long = ("hydra.sweeper.direction=minimize", "trainer.max_steps=2000", "trainer.val_check_interval=0.2", "data.epochs=200")
    done = lab.train(*words, *pruner, *long, "trainer.max_epochs=100", "hydra.sweep.dir=runs/pruned", "callbacks=none")
    assert done.code == 0, done.out + done.err
    assert "1 pruned" in done.out
    records = [RunRecord.read(lab.root / "runs" / "pruned" / str(number)) for number in range(3)]
    assert [record.status for record in records] == ["finished", "finished", "pruned"]
    found = trials_of(lab.root / "runs" / "pruned")
    assert (found.pruned, found.count) == (1, 3)


@pytest.mark.slow
def test_trials_that_fail_do_not_end_a_search_unless_all_do(lab: Lab) -> None:
    words = ("hparams_search=optuna", "data.on_truncation=error", "hydra.sweeper.n_trials=3", "hydra.sweep.dir=runs/failing")
    some = lab.train(*words, "data.max_length=choice(8,128)")
    assert some.code == 0, some.out + some.err
    assert "failed:" in some.out and "of 3, " in some.out
    other = lab.train(*words, "data.max_length=choice(8,9)")
    assert other.code == 2 and "data.max_length=choice(8,128) is now choice(8,9)" in other.err
    none = lab.train(*words, "data.max_length=choice(8,9)", "hydra.sweeper.on_change=new_study")
    assert none.code == 2 and "Traceback" not in none.err, none.out + none.err
    assert "3 of 3 trials have failed" in none.out and "runs/failing/5/.job/output.log" in none.out


@pytest.mark.slow
def test_a_search_on_the_local_sagemaker(tmp_path: Path) -> None:
    pytest.importorskip("moto", reason='needs pip install "paraphrase-lab[local-aws]"')
    from sagemaker_local import LocalSageMaker

    lab = Lab(tmp_path / "lab")
    with LocalSageMaker(tmp_path / "sagemaker", stop_grace_seconds=3) as server:
        environment = {name: str(value) for name, value in server.client_environment.items()}
        remote = ("compute=sagemaker_local", f"hydra.launcher.endpoint_url={server.url}", "hydra.sweep.dir=runs/search")
        words = (*remote, "hparams_search=tiny", "hydra.sweeper.n_trials=3")
        refused = lab.train(*words, "hydra.launcher.wait=false", **environment)
        assert refused.code == 2 and "AsyncOptunaSweeper needs the value of each job" in refused.err
        done = lab.train(*words, **environment)
        assert done.code == 0, done.out + done.err
        assert len(server.jobs.jobs) == 3
    found = trials_of(lab.root / "runs" / "search")
    assert len(found.finished) == 3 and f"in trial {found.best.number} of 3:" in done.out


def test_the_best_that_is_expected_of_a_number_of_trials() -> None:
    values = [0.6, 0.9, 0.7, 0.8]
    found = Trials(tuple(Trial(number, {}, value) for number, value in enumerate(values)), 0, 0, True).expected_best()
    best_of_two = [max(pair) for pair in itertools.product(values, repeat=2)]
    assert found[:2] == pytest.approx([sum(values) / 4, sum(best_of_two) / 16]) and found == sorted(found)
    losses = Trials(tuple(Trial(number, {}, -value) for number, value in enumerate(values)), 0, 0, False)
    assert losses.expected_best() == pytest.approx([-value for value in found])
