"""A job's files replace another job's in its output directory, and no other files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from hydra_sagemaker.aws import unpack
from hydra_sagemaker.errors import LauncherError
from hydra_sagemaker.job.job import Job
from hydra_sagemaker.settings import SageMakerLauncherConf


class Sweep:
    def __init__(self, root: Path, subdir: str = "0") -> None:
        self.root = root
        config = OmegaConf.create({"hydra": {"output_subdir": None, "sweep": {"dir": str(root / "sweep"), "subdir": subdir}}})
        assert OmegaConf.is_dict(config)
        self.job = Job(0, (), config, SageMakerLauncherConf(), root / "sweep" / subdir)
        self.count = 0

    def data(self, *files: str, subdir: str = "0") -> Path:
        """Write an unpacked archive."""
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
def sweep(tmp_path: Path) -> Sweep:
    return Sweep(tmp_path)


OWN = [".job/files.json", ".job/spec.json"]


def test_a_sweep_directory_that_is_named_with_dots(tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    sweep = Sweep(tmp_path / "here" / "..")
    data = sweep.data("0/metrics.json")
    (data / "0/newest").symlink_to("metrics.json")
    (data / "0/outside").symlink_to("../../here")
    assert sweep.place(data, "a-1") == ["outside"]
    assert sweep.files() == [*OWN, "metrics.json", "newest"]


def test_another_jobs_files_are_removed_and_files_of_no_job_stay(sweep: Sweep) -> None:
    sweep.place(sweep.data("0/metrics.json", "0/plots/a.png", ".job/result.json", ".job/ranks/1.json"), "a-1")
    unpack.place_models(sweep.data("weights.pt"), sweep.job, "a-1")
    (sweep.job.output_dir / "notes.txt").write_text("mine")
    sweep.place(sweep.data("0/metrics.json", "0/plots/b.png"), "a-1")
    assert sweep.files() == [*OWN[:1], ".job/ranks/1.json", ".job/result.json", *OWN[1:], *LISTED_TWICE]
    sweep.place(sweep.data("0/metrics.json"), "b-1")
    assert sweep.files() == [*OWN, "metrics.json", "notes.txt"]
    assert (sweep.job.output_dir / "metrics.json").read_text() == "4"
    assert not (sweep.job.output_dir / "plots").exists() and not (sweep.job.job_dir / "ranks").exists()


LISTED_TWICE = ["metrics.json", "notes.txt", "plots/a.png", "plots/b.png", "weights.pt"]


def test_a_list_that_names_files_outside_is_not_trusted(sweep: Sweep) -> None:
    data = sweep.data("0/a.txt")
    victim = sweep.root / "victim.txt"
    victim.write_text("as it was")
    (data / ".job/files.json").write_text(json.dumps({"name": "x", "files": ["../../victim.txt", str(victim)]}))
    sweep.place(data, "a-1")
    assert json.loads((sweep.job.job_dir / "files.json").read_text()) == {"name": "a-1", "files": ["a.txt"]}
    (sweep.job.job_dir / "files.json").write_text(json.dumps({"name": "x", "files": ["../../victim.txt", str(victim), 7]}))
    sweep.place(sweep.data("0/a.txt"), "b-1")
    (sweep.job.output_dir / "way").symlink_to(sweep.root)
    (sweep.job.job_dir / "files.json").write_text(json.dumps({"name": "x", "files": ["way/victim.txt"]}))
    sweep.place(sweep.data("0/a.txt"), "c-1")
    assert victim.read_text() == "as it was"


@pytest.mark.parametrize("subdir", ["../other", "/etc", "a/../../b", 7, None])
def test_a_job_that_names_a_directory_outside_is_looked_for_in_its_own(sweep: Sweep, subdir: object) -> None:
    data = sweep.data("0/mine.txt", "other/not.txt")
    (data.parent / "other").mkdir(exist_ok=True)
    (data.parent / "other/not.txt").write_text("")
    (data / ".job/spec.json").write_text(json.dumps({"name": "a-1", "sweep_subdir": subdir}))
    sweep.place(data, "a-1")
    assert sweep.files() == [*OWN, "mine.txt"]


def test_another_number_and_the_sweeps_directory_itself(tmp_path: Path) -> None:
    sweep = Sweep(tmp_path)
    sweep.place(sweep.data("3/mine.txt", "0/of-another.txt", subdir="3"), "a-1")
    assert sweep.files() == [*OWN, "mine.txt"]
    whole = Sweep(tmp_path / "whole", ".")
    whole.place(whole.data("mine.txt", "deeper/too.txt", subdir="."), "a-1")
    assert whole.files() == [*OWN, "deeper/too.txt", "mine.txt"]


def test_links_are_moved_as_links_unless_they_lead_out(sweep: Sweep) -> None:
    data = sweep.data("0/runs/3.ckpt", "1/secret.txt")
    within = {"last": "runs/3.ckpt", "all": "runs", "gone": "runs/9.ckpt"}
    out = {"absolute": "/etc/passwd", "up": "../1", "runs/round": "../../1"}
    for name, target in (within | out).items():
        (data / "0" / name).symlink_to(target)
    assert sorted(sweep.place(data, "a-1")) == sorted(out)
    assert sweep.files() == [*OWN, "all", "gone", "last", "runs/3.ckpt"]
    assert (sweep.job.output_dir / "last").read_text() == "1" and (sweep.job.output_dir / "all").is_symlink()
    sweep.place(sweep.data("0/last", "0/runs/3.ckpt"), "a-1")
    assert not (sweep.job.output_dir / "last").is_symlink() and (sweep.job.output_dir / "runs/3.ckpt").read_text() == "2"


def test_a_directory_in_the_way_is_named(sweep: Sweep) -> None:
    (sweep.job.output_dir / "a.txt").mkdir(parents=True)
    with pytest.raises(LauncherError, match=r"a\.txt is a directory, and the job wrote a file of that name: move it away"):
        sweep.place(sweep.data("0/a.txt"), "a-1")
