"""Into an output directory comes what the job has left, in the place of what another job left there, and of nothing else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from hydra_sagemaker.aws import unpack
from hydra_sagemaker.errors import LauncherError
from hydra_sagemaker.job.job import Job
from hydra_sagemaker.settings import SageMakerLauncherConf


class Home:
    def __init__(self, root: Path, subdir: str = "0") -> None:
        self.root = root
        config = OmegaConf.create({"hydra": {"output_subdir": None, "sweep": {"dir": str(root / "sweep"), "subdir": subdir}}})
        assert OmegaConf.is_dict(config)
        self.job = Job(0, (), config, SageMakerLauncherConf(), root / "sweep" / subdir)
        self.count = 0

    def data(self, *files: str, subdir: str = "0") -> Path:
        """As unpacked."""
        self.count += 1
        data = self.root / f"data{self.count}"
        for file in files:
            (data / file).parent.mkdir(parents=True, exist_ok=True)
            (data / file).write_text(f"{self.count}")
        (data / ".job").mkdir(parents=True, exist_ok=True)
        (data / ".job/spec.json").write_text(json.dumps({"name": "a-1", "sweep_subdir": subdir}))
        return data

    def place(self, data: Path, name: str) -> list[str]:
        return unpack.place(data, self.job, name)

    def files(self) -> list[str]:
        directory = self.job.output_dir
        return sorted(
            file.relative_to(directory).as_posix() for file in directory.rglob("*") if file.is_symlink() or file.is_file()
        )


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


OWN = [".job/files.json", ".job/spec.json"]


def test_another_jobs_files_make_room_and_those_of_nobody_stay(home: Home) -> None:
    home.place(home.data("0/metrics.json", "0/plots/a.png", ".job/result.json", ".job/ranks/1.json"), "a-1")
    unpack.place_models(home.data("weights.pt"), home.job, "a-1")
    (home.job.output_dir / "notes.txt").write_text("mine")
    home.place(home.data("0/metrics.json", "0/plots/b.png"), "a-1")
    assert home.files() == [*OWN[:1], ".job/ranks/1.json", ".job/result.json", *OWN[1:], *NOTED_TWICE]
    home.place(home.data("0/metrics.json"), "b-1")
    assert home.files() == [*OWN, "metrics.json", "notes.txt"]
    assert (home.job.output_dir / "metrics.json").read_text() == "4"
    assert not (home.job.output_dir / "plots").exists() and not (home.job.job_dir / "ranks").exists()


NOTED_TWICE = ["metrics.json", "notes.txt", "plots/a.png", "plots/b.png", "weights.pt"]


def test_a_list_that_names_files_of_somebody_else_is_not_believed(home: Home) -> None:
    data = home.data("0/a.txt")
    victim = home.root / "victim.txt"
    victim.write_text("as it was")
    (data / ".job/files.json").write_text(json.dumps({"name": "x", "files": ["../../victim.txt", str(victim)]}))
    home.place(data, "a-1")
    assert json.loads((home.job.job_dir / "files.json").read_text()) == {"name": "a-1", "files": ["a.txt"]}
    (home.job.job_dir / "files.json").write_text(json.dumps({"name": "x", "files": ["../../victim.txt", str(victim), 7]}))
    home.place(home.data("0/a.txt"), "b-1")
    (home.job.output_dir / "way").symlink_to(home.root)
    (home.job.job_dir / "files.json").write_text(json.dumps({"name": "x", "files": ["way/victim.txt"]}))
    home.place(home.data("0/a.txt"), "c-1")
    assert victim.read_text() == "as it was"


@pytest.mark.parametrize("subdir", ["../other", "/etc", "a/../../b", 7, None])
def test_a_job_that_names_a_directory_outside_is_looked_for_in_its_own(home: Home, subdir: object) -> None:
    data = home.data("0/mine.txt", "other/not.txt")
    (data.parent / "other").mkdir(exist_ok=True)
    (data.parent / "other/not.txt").write_text("")
    (data / ".job/spec.json").write_text(json.dumps({"name": "a-1", "sweep_subdir": subdir}))
    home.place(data, "a-1")
    assert home.files() == [*OWN, "mine.txt"]


def test_another_number_and_the_sweeps_directory_itself(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.place(home.data("3/mine.txt", "0/of-another.txt", subdir="3"), "a-1")
    assert home.files() == [*OWN, "mine.txt"]
    whole = Home(tmp_path / "whole", ".")
    whole.place(whole.data("mine.txt", "deeper/too.txt", subdir="."), "a-1")
    assert whole.files() == [*OWN, "deeper/too.txt", "mine.txt"]


def test_links_come_as_links_and_those_that_lead_out_stay_behind(home: Home) -> None:
    data = home.data("0/runs/3.ckpt", "1/secret.txt")
    within = {"last": "runs/3.ckpt", "all": "runs", "gone": "runs/9.ckpt"}
    out = {"absolute": "/etc/passwd", "up": "../1", "runs/round": "../../1"}
    for name, target in (within | out).items():
        (data / "0" / name).symlink_to(target)
    assert sorted(home.place(data, "a-1")) == sorted(out)
    assert home.files() == [*OWN, "all", "gone", "last", "runs/3.ckpt"]
    assert (home.job.output_dir / "last").read_text() == "1" and (home.job.output_dir / "all").is_symlink()
    home.place(home.data("0/last", "0/runs/3.ckpt"), "a-1")
    assert not (home.job.output_dir / "last").is_symlink() and (home.job.output_dir / "runs/3.ckpt").read_text() == "2"


def test_a_directory_in_the_way_is_named(home: Home) -> None:
    (home.job.output_dir / "a.txt").mkdir(parents=True)
    with pytest.raises(LauncherError, match=r"a\.txt is a directory, and the job has left a file of that name: move it away"):
        home.place(home.data("0/a.txt"), "a-1")
