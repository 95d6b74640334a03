"""Output directories that one job claims after another, without a process."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hydra_sagemaker.backends.local_directories import OutputDirs, copy_output, output_owner
from hydra_sagemaker.errors import LauncherError
from hydra_sagemaker.files import write_atomically

FIRST, SECOND = "train-0000000000000001-0", "train-0000000000000002-0"


@pytest.fixture
def dirs(tmp_path: Path) -> OutputDirs:
    return OutputDirs(tmp_path / "state", runs=lambda name: (tmp_path / f"{name}.runs").exists())


def ran(dirs: OutputDirs, name: str, output_dir: Path, *, is_alone: bool = True) -> None:
    dirs.note(name, output_dir=str(output_dir), submitted=0, places=[str(output_dir)] if is_alone else [])
    key = name.split("-")[1]
    write_atomically(output_dir / ".job/spec.json", json.dumps({"name": name, "key": key, "sweep_dir": "sweep"}))
    write_atomically(output_dir / name, name)


def names(output_dir: Path) -> list[str]:
    return sorted(file.name for file in output_dir.iterdir())


def test_two_jobs_swap_their_directories(dirs: OutputDirs, tmp_path: Path) -> None:
    one, two = tmp_path / "1", tmp_path / "2"
    ran(dirs, FIRST, one)
    ran(dirs, SECOND, two)
    dirs.needed = {FIRST, SECOND}
    dirs.collect(FIRST, two, ())
    dirs.collect(SECOND, one, ())
    assert (names(one), names(two)) == ([".job", SECOND], [".job", FIRST])
    assert not list((tmp_path / "state").glob("*/output*"))


def test_an_interrupted_move_aside_starts_again(dirs: OutputDirs, tmp_path: Path) -> None:
    ran(dirs, FIRST, tmp_path / "1")
    write_atomically(dirs.state_dir / FIRST / "output.partial/half", "")
    assert dirs.results_dir(FIRST) == tmp_path / "1"
    dirs.needed = {FIRST}
    assert dirs.claim(tmp_path / "1", SECOND, resumes=True)
    aside = dirs.results_dir(FIRST)
    assert aside is not None and names(aside) == [".job", FIRST]
    assert not (tmp_path / "1").exists()


def test_a_running_job_keeps_its_directory(dirs: OutputDirs, tmp_path: Path) -> None:
    ran(dirs, FIRST, tmp_path / "1")
    (tmp_path / f"{FIRST}.runs").touch()
    with pytest.raises(LauncherError, match=rf"{FIRST} still runs in .*: wait for it, .* `hydra-sagemaker stop sweep`"):
        dirs.claim(tmp_path / "1", SECOND, resumes=True)
    assert names(tmp_path / "1") == [".job", FIRST]


@pytest.mark.parametrize("other", ["kept/.job/spec.json", "kept/.launcher/ledger.jsonl"])
def test_files_of_other_jobs_and_sweeps_below_stay(dirs: OutputDirs, tmp_path: Path, other: str) -> None:
    ran(dirs, FIRST, tmp_path / "1")
    write_atomically(tmp_path / "1" / other, "")
    assert not dirs.claim(tmp_path / "1", SECOND, resumes=True)
    assert (tmp_path / "1" / other).exists()


def test_a_directory_behind_a_link_is_not_emptied(dirs: OutputDirs, tmp_path: Path) -> None:
    (tmp_path / "1").symlink_to("target", target_is_directory=True)
    (tmp_path / "target").mkdir()
    assert not dirs.claim(tmp_path / "1", FIRST, resumes=True)
    ran(dirs, FIRST, tmp_path / "1")
    assert not dirs.claim(tmp_path / "1", SECOND, resumes=True)
    assert names(tmp_path / "target") == [".job", FIRST]


def test_a_job_that_never_began_leaves_its_directory_empty(dirs: OutputDirs, tmp_path: Path) -> None:
    write_atomically(tmp_path / "1/.job/record.json", "{}")
    assert dirs.claim(tmp_path / "1", FIRST, resumes=True)
    write_atomically(tmp_path / "1/notes.md", "")
    assert not dirs.claim(tmp_path / "1", FIRST, resumes=True)


@pytest.mark.parametrize("spec", ["", "[]", "{}", '{"name": "a"}'])
def test_a_damaged_specification_has_no_owner(tmp_path: Path, spec: str) -> None:
    write_atomically(tmp_path / ".job/spec.json", spec)
    assert output_owner(tmp_path) is None


def test_a_sweeps_own_directory_as_output_is_copied_without_its_jobs(tmp_path: Path) -> None:
    for name in ("mine", "0/.job/spec.json", "0/theirs", ".launcher/ledger.jsonl"):
        write_atomically(tmp_path / "sweep" / name, name)
    copy_output(tmp_path / "sweep", tmp_path / "sweep/1")
    assert names(tmp_path / "sweep/1") == ["mine"]
