"""The first stage of the check on every job of a sweep, and on what a sweep cannot do."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import pytest
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.core.config_store import ConfigStore

from checking import check, problems, write
from paraphrase_lab.check import rows
from paraphrase_lab.configuration.settings import plain_config


def test_every_job_of_a_sweep_is_checked() -> None:
    assert problems("model.num_layers=0,1", "seed=1,2,x", "monitor=test/f1", multirun=True) == [
        "model.num_layers=0 must be a whole number from 1 to 48. (in 3 of 6 jobs: 0, 1, 2)",
        "monitor=test/f1 would choose the checkpoint on the test split, whose result then says nothing: "
        "monitor a validation metric, as in monitor=val/f1.",
        "seed=x must be a whole number from 0 to 4294967295. (in 2 of 6 jobs: 2, 5)",
    ]
    (problem,) = problems("model=tiny,robrta_base", multirun=True)
    assert problem.startswith("model=robrta_base: model has no option 'robrta_base'. Did you mean 'roberta_base'?")
    assert problem.endswith("Did you mean 'roberta_base'? (in 1 of 2 jobs: 1)")
    checked = check("model.num_layers=1,2", multirun=True)
    assert [job.config.model.num_layers for job in checked.jobs] == [1, 2]
    assert checked.multirun_reason is None


def test_typo_in_the_sweep_of_a_file(tmp_path: Path) -> None:
    text = "# @package _global_\nhydra:\n  mode: MULTIRUN\n  sweeper:\n    params:\n      model.layrs: 1,2\n"
    (problem,) = problems("ablation=x", config_dir=write(tmp_path, "ablation/x.yaml", text))
    assert problem.startswith("there is no key 'model.layrs'. Did you mean 'model.num_layers'?")


def test_sweeps_that_cannot_be() -> None:
    assert problems("hydra.run.dir=a,b") == [
        "hydra.run.dir=a,b: Hydra's own keys cannot be swept. A text with a comma is quoted: 'hydra.run.dir=\"a,b\"'"
    ]
    assert problems("seed=1,2", "hydra.mode=RUN") == [
        "seed=1,2 is a sweep, but hydra.mode=RUN asks for a single run: leave one of them out."
    ]
    (interval,) = problems("optimizer.lr=interval(0,1)", multirun=True)
    assert interval.startswith("optimizer.lr=interval(0,1): Hydra's basic sweeper cannot search an interval.")
    assert problems("seed=range(2,2)", multirun=True) == ["the sweep has no jobs: one of its ranges is empty."]


def test_many_jobs_share_one_composition(monkeypatch: pytest.MonkeyPatch) -> None:
    composed = []
    load = ConfigLoaderImpl.load_configuration
    monkeypatch.setattr(
        ConfigLoaderImpl, "load_configuration", lambda *given, **named: composed.append(1) or load(*given, **named)
    )
    assert len(check("seed=range(0,50)", "model.num_layers=1,2", multirun=True).jobs) == 100
    assert len(composed) == 1


@dataclass
class _Launcher:
    _target_: str = "hydra_plugins.somewhere.Somewhere"
    instance: str = "small"
    gpus: str = "0"


@pytest.fixture
def somewhere(tmp_path: Path) -> Path:
    """A configuration directory with compute=somewhere, whose jobs run on another launcher."""
    ConfigStore.instance().store(group="hydra/launcher", name="somewhere", node=_Launcher)
    text = "# @package _global_\ndefaults:\n  - override /hydra/launcher: somewhere\n"
    write(tmp_path, "compute/somewhere.yaml", text)
    write(tmp_path, "compute/large.yaml", text + "hydra:\n  launcher:\n    instance: large\n")
    return write(tmp_path, "experiment/there.yaml", "# @package _global_\ndefaults:\n  - override /compute: somewhere\n")


def test_a_launcher_needs_multirun(somewhere: Path) -> None:
    checked = check("compute=somewhere", "hydra.launcher.instance=medium", config_dir=somewhere)
    assert checked.multirun_reason == "-m added: only a sweep uses the launcher somewhere"
    assert len(checked.jobs) == 1
    assert checked.hydra.launcher.instance == "medium"


@pytest.mark.parametrize("sweep", ["compute=local,somewhere", "compute=somewhere,large", "experiment=word_order_tiny,there"])
def test_a_sweep_cannot_change_its_launcher(sweep: str, somewhere: Path) -> None:
    found = problems(sweep, config_dir=somewhere, multirun=True)
    assert all(
        re.match("the sweep cannot change its hydra.launcher: the job '.*' asks for Somewhere instead of", text)
        for text in found
    )
    assert all(text.endswith("and do not sweep over the file that chooses the launcher.") for text in found)
    check("compute=somewhere", "seed=1,2", config_dir=somewhere, multirun=True)


def test_a_sweep_cannot_be_swept_over(tmp_path: Path) -> None:
    text = "# @package _global_\nhydra:\n  sweeper:\n    params:\n      seed: 1,2\n"
    (first, _) = problems("ablation=x,encoder_depth", config_dir=write(tmp_path, "ablation/x.yaml", text), multirun=True)
    assert first.startswith(
        "the sweep cannot change its hydra.sweeper: the job 'ablation=x' asks for other settings of BasicSweeper"
    )


def test_what_a_launcher_interpolates_must_exist(somewhere: Path) -> None:
    assert problems("compute=somewhere", "hydra.launcher.gpus=${model.layer}", config_dir=somewhere) == [
        "hydra.launcher.gpus=${model.layer}: Interpolation key 'model.layer' not found. Did you mean '${model.num_layers}'?"
    ]
    assert problems("compute=somewhere", "+hydra.launcher.typo=3", config_dir=somewhere) == [
        "+hydra.launcher.typo=3: there is no key 'hydra.launcher.typo'. Keys of hydra.launcher: instance, gpus."
    ]


def test_the_rows_of_jobs_that_share_their_data_are_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = (
        write(tmp_path, "pairs.csv", "sentence1,sentence2,label\n" + "".join(f"a {n},b {n},{n % 2}\n" for n in range(40)))
        / "pairs.csv"
    )
    words = ("data=pairs", f"data.path={file}", "data.split_seed=0,1", "data.batch_size=8,16", "data.on_bad_rows=error,skip")
    data = [plain_config(job.config)["data"] for job in check(*words, multirun=True).jobs]
    read: list[object] = []
    monkeypatch.setattr(rows, "load_tables", lambda source, **cuts: read.append(cuts["on_bad_rows"]))
    assert rows.row_problems(data) == [] and len(data) == 8 and read == ["error", "skip"]
