"""The same sweep directory under other numbers: results move, nothing of another job is mixed in, and no job loses its own."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from hydra_apps import App
from hydra_sagemaker.backends.base import State, Status
from hydra_sagemaker.backends.local import LocalBackend
from hydra_sagemaker.backends.local_directories import CLOCK_SECONDS
from hydra_sagemaker.settings import SageMakerLauncherConf
from hydra_sagemaker.sweep.manifest import read_manifest

pytestmark = pytest.mark.slow
WRITING = """
    import os
    from pathlib import Path

    import hydra
    from hydra.core.hydra_config import HydraConfig


    @hydra.main(version_base=None, config_path="conf", config_name="config")
    def main(config):
        with open(os.environ["MARKS"], "a") as marks:
            marks.write(f"start {config.x} 0 0\\n")
        output_dir = Path(HydraConfig.get().runtime.output_dir)
        (output_dir / f"only_{config.x}.txt").write_text(str(config.x))
        with (output_dir / "model.pt").open("w") as model:
            model.write(os.environ.get("WEIGHTS", f"weights of {config.x}"))
        if not (output_dir / "pipe").exists():
            (output_dir / "latest.pt").symlink_to(output_dir / "model.pt")
            (output_dir / "dangling").symlink_to("nothing")
            os.mkfifo(output_dir / "pipe")
        if "FAIL" in os.environ:
            raise ValueError("after the weights were written")
        return config.x * 10


    if __name__ == "__main__":
        main()
"""


@pytest.fixture
def writing(app: App) -> App:
    app.write("app.py", WRITING)
    return app


def held(app: App, directory: str = "sweep") -> dict[int, str]:
    """Map each number to the x of the job whose files are there, and only that job's."""
    found = {}
    for output_dir in sorted((app.root / directory).glob("[0-9]*")):
        [only] = output_dir.glob("only_*.txt")
        assert (output_dir / "model.pt").read_text() == f"weights of {only.read_text()}"
        assert app.result(int(output_dir.name), directory)["return_value"] == 10 * int(only.read_text())
        found[int(output_dir.name)] = only.read_text()
    return found


def test_shifted_numbers_keep_every_result(writing: App) -> None:
    writing.sweep("x=21,22,23")
    said = writing.sweep("x=20,21,22,23")
    assert "4 jobs: 1 new, 3 reused" in said
    assert held(writing) == {0: "20", 1: "21", 2: "22", 3: "23"}
    assert sorted(writing.marks()) == ["20", "21", "22", "23"]
    assert "4 jobs: 4 reused" in writing.sweep("x=23,22,21,20")
    assert held(writing) == {0: "23", 1: "22", 2: "21", 3: "20"}


def test_swapped_jobs_say_where_they_ran_and_run_no_more(writing: App) -> None:
    writing.sweep("x=2,5")
    for words in ("x=5,2", "x=2,5", "x=5,2"):
        assert "2 jobs: 2 reused" in writing.sweep(words)
        assert held(writing) == dict(enumerate(words[2:].split(",")))
        assert not list(writing.root.glob(".hydra_jobs/*/output*")), "nothing stays aside"
    assert len(writing.marks()) == 2
    record = writing.sweep_dir / "0/.job/record.json"
    assert f'"first_run_in": "{writing.sweep_dir / "1"}"' in record.read_text()


def test_what_a_killed_launcher_has_put_aside_is_found_again(writing: App) -> None:
    """Job 21 was put aside for 20; the launcher went before it had a directory again."""
    writing.sweep("x=21")
    [state] = (writing.root / ".hydra_jobs").glob("*-0")
    (writing.sweep_dir / "0").rename(state / "output")
    assert "2 jobs: 1 new, 1 reused" in writing.sweep("x=20,21")
    assert held(writing) == {0: "20", 1: "21"}


def test_a_directory_that_held_other_files_before_keeps_them(writing: App) -> None:
    """Results move between such directories too; what is no job's stays."""
    notes = [writing.write(f"sweep/{number}/notes.md", f"mine {number}") for number in (0, 1)]
    time.sleep(2 * CLOCK_SECONDS)  # what is written at the same moment counts as the job's
    writing.sweep("x=21,22")
    writing.sweep("x=22,21")
    assert [writing.result(number)["return_value"] for number in (0, 1)] == [220, 210]
    for number, x in ((0, "22"), (1, "21")):
        assert (writing.sweep_dir / f"{number}/only_{x}.txt").exists()
        assert (writing.sweep_dir / f"{number}/model.pt").read_text() == f"weights of {x}"
    assert [file.read_text() for file in notes] == ["mine 0", "mine 1"]
    assert sorted(writing.marks()) == ["21", "22"]


def test_nothing_of_another_configuration_stays_beside_a_new_result(writing: App) -> None:
    writing.sweep("x=1")
    assert "1 job: 1 new" in writing.sweep("x=2")
    assert held(writing) == {0: "2"}
    assert "1 job: 1 reused" in writing.sweep("x=1"), "what was replaced is not lost"
    assert held(writing) == {0: "1"} and writing.marks() == ["1", "2"]
    assert "1 job: 1 reused" in writing.sweep("x=2")


def test_the_code_in_a_sweep_directory_outlives_every_job(writing: App) -> None:
    """hydra.sweep.dir=. with hydra.sweep.subdir=. makes the whole project one output directory."""
    words = ("hydra.sweep.dir=.", "hydra.sweep.subdir=.")
    writing.sweep("x=1", *words)
    writing.sweep("x=2", *words)
    assert (writing.root / "app.py").exists()
    assert (writing.root / "conf/config.yaml").exists()
    assert (writing.root / "only_2.txt").exists()


def test_links_and_pipes_do_not_keep_results_from_another_sweep(writing: App) -> None:
    writing.sweep("x=1")
    said = writing.sweep("x=1", "hydra.sweep.dir=other")
    assert "1 job: 1 reused" in said
    assert "these are no files: pipe" in said
    other = writing.root / "other/0"
    assert os.readlink(other / "latest.pt") == "model.pt"
    assert os.readlink(other / "dangling") == "nothing"
    assert not (other / "pipe").exists()
    assert (other / "model.pt").samefile(writing.sweep_dir / "0/model.pt"), "one copy of the weights is enough"


def test_a_retry_writes_to_its_own_weights_not_to_those_of_another_sweep(writing: App) -> None:
    writing.sweep("x=1", code=1, env={"FAIL": ""})
    writing.sweep("x=1", "hydra.sweep.dir=other", "hydra.launcher.on_existing=reuse", code=1)
    copy = writing.root / "other/0/model.pt"
    assert copy.samefile(writing.sweep_dir / "0/model.pt")
    writing.sweep("x=1", env={"WEIGHTS": "others"})
    assert (writing.sweep_dir / "0/model.pt").read_text() == "others"
    assert copy.read_text() == "weights of 1"


def test_a_retry_continues_with_its_files_and_a_rerun_starts_again(writing: App) -> None:
    writing.sweep("x=1", code=1, env={"FAIL": ""})
    checkpoint = writing.write("sweep/0/checkpoint", "")
    writing.sweep("x=1")
    assert checkpoint.exists()
    writing.sweep("x=1", "hydra.launcher.on_existing=rerun")
    assert not checkpoint.exists()
    assert held(writing) == {0: "1"}


def test_deleted_results_are_reported(writing: App) -> None:
    writing.sweep("x=1")
    [job] = read_manifest(writing.sweep_dir).jobs()
    (writing.sweep_dir / "0/.job/result.json").unlink()
    backend = LocalBackend(SageMakerLauncherConf(), writing.root / ".hydra_jobs", writing.root, writing.root, None)
    [name] = backend.poll([state.name for state in Path(backend.state_dir).glob("*-0")])
    failure = backend.collect(job, name, Status(State.COMPLETED)).failure
    assert failure is not None
    assert f"there is none in {writing.sweep_dir / '0'} any more" in failure.message
