"""A sweep of training jobs: its results, and the messages about jobs that fail."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import pytest
from omegaconf import OmegaConf

if TYPE_CHECKING:
    from sagemaker_fixtures import Cloud

pytest.importorskip("moto", reason='needs pip install "paraphrase-lab[local-aws]"')
pytest_plugins = ["sagemaker_fixtures"]

FILES = {
    *(".hydra/config.yaml", ".hydra/hydra.yaml", ".hydra/overrides.yaml", "app.log", ".job/output.log"),
    *(".job/files.json", ".job/record.json", ".job/result.json", ".job/spec.json", ".job/started.json"),
}
FAILING_APP = """\
import os, signal
import hydra


class Broken(Exception):
    pass


class Odd(Exception):
    def __init__(self, code, *, where):
        super().__init__(f"{code} at {where}")


@hydra.main(version_base=None, config_path="conf", config_name="config")
def main(config):
    if config.do == "raise":
        raise Broken("it is broken")
    if config.do == "odd":
        raise Odd(7, where="sea")
    if config.do == "kill":
        print("the last line", flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
    return config.x


if __name__ == "__main__":
    main()
"""


class Swept(NamedTuple):
    output: str
    created: int
    puts: list[str]
    returns: list[dict]


@pytest.fixture(scope="module")
def swept(shared_cloud: Cloud) -> Swept:
    output = shared_cloud.sweep("x=3,1,2,4")
    puts = [request.path for request in shared_cloud.sent("PutObject")]
    return Swept(output, shared_cloud.count("CreateTrainingJob"), puts, shared_cloud.returns())


def test_every_file_is_where_a_local_run_would_put_it(swept: Swept, shared_cloud: Cloud) -> None:
    for number, x in enumerate((3, 1, 2, 4)):
        assert shared_cloud.app.files(number) == FILES
        assert shared_cloud.app.result(number)["return_value"] == x * 10
        output = shared_cloud.output(number)
        assert f"x is {x}" in (output / ".job/output.log").read_text(encoding="utf-8")
        assert OmegaConf.load(output / ".hydra/overrides.yaml") == [f"x={x}"]
    assert (shared_cloud.app.sweep_dir / "multirun.yaml").is_file()
    assert not list(shared_cloud.app.sweep_dir.glob(".arriving-*"))


def test_the_sweeper_gets_the_values_in_its_order(swept: Swept, shared_cloud: Cloud) -> None:
    assert [one["value"] for one in swept.returns] == [30, 10, 20, 40]
    assert {one["status"] for one in swept.returns} == {"COMPLETED"}
    assert [one["overrides"] for one in swept.returns] == [["x=3"], ["x=1"], ["x=2"], ["x=4"]]
    assert [one["dir"] for one in swept.returns] == [str(shared_cloud.output(number)) for number in range(4)]


def test_the_code_is_uploaded_once_and_a_specification_per_job(swept: Swept) -> None:
    assert swept.created == 4
    assert sum(path.endswith("/bundle.tar.gz") for path in swept.puts) == 1
    assert sum(path.endswith("/spec.json") for path in swept.puts) == 4 and len(swept.puts) == 5


def test_the_configuration_names_this_machine(swept: Swept, shared_cloud: Cloud) -> None:
    hydra = OmegaConf.load(shared_cloud.output(1) / ".hydra/hydra.yaml").hydra
    assert hydra.runtime.output_dir == str(shared_cloud.output(1))
    assert (hydra.runtime.cwd, hydra.sweep.dir, hydra.sweep.subdir) == (str(shared_cloud.app.root), "sweep", "1")
    assert str(shared_cloud.app.root / "conf") in [source.path for source in hydra.runtime.config_sources]
    assert "opt_ml" not in OmegaConf.to_yaml(hydra)


def test_the_record_says_what_ran_where(swept: Swept, shared_cloud: Cloud) -> None:
    record = shared_cloud.record(0)
    assert record["name"].startswith(f"{shared_cloud.name}-") and record["name"].endswith("-0")
    assert (record["mode"], record["state"], record["TrainingJobStatus"]) == ("sagemaker", "completed", "Completed")
    assert (record["instance_type"], record["instance_count"]) == ("ml.m5.large", 1)
    assert record["image"].endswith("/image:1") and record["TrainingJobArn"].endswith(f"/{record['name']}")
    assert record["TrainingTimeInSeconds"] > 0 and "url" not in record, "no console shows them"
    assert f"{record['output']}output.tar.gz".removeprefix("s3://sagemaker-local/") in shared_cloud.objects()
    assert shared_cloud.app.result(0)["name"] == record["name"]


def test_the_same_again_submits_and_uploads_nothing(swept: Swept, shared_cloud: Cloud) -> None:
    output = shared_cloud.sweep("x=3,1,2,4,3", "hydra.sweep.dir=second")
    assert "5 jobs: 4 reused, 1 the same as another in" in output
    assert shared_cloud.count("CreateTrainingJob") == 0 and shared_cloud.count("PutObject") == 0
    assert [one["value"] for one in shared_cloud.returns()] == [30, 10, 20, 40, 30]
    for number in range(5):
        assert shared_cloud.app.files(number, "second") == FILES
    hydra = OmegaConf.load(shared_cloud.output(4, "second") / ".hydra/hydra.yaml").hydra
    assert hydra.runtime.output_dir == str(shared_cloud.output(4, "second"))


@pytest.mark.slow
def test_failures_are_told_apart_and_only_they_run_again(cloud: Cloud) -> None:
    cloud.app.write("app.py", FAILING_APP)
    output = cloud.sweep("x=5", "do=nothing,raise,kill,odd", code=1)
    returns = cloud.returns()
    assert [one["status"] for one in returns] == ["COMPLETED", "FAILED", "FAILED", "FAILED"]
    assert returns[0]["value"] == 5 and returns[1]["error"] == ["Broken", "it is broken"]
    assert returns[3]["error"][0] == "RemoteJobError" and returns[3]["error"][1].endswith(".Odd: 7 at sea")
    killed = returns[2]["error"][1]
    assert "killed by signal 9: out of memory?; the last lines were\nthe last line" in killed
    assert "Next: a larger hydra.launcher.instance_type, or a smaller batch; the same command submits it again" in killed
    assert f"job 1 (do=raise) failed as {cloud.record(1)['name']} (code)\nTraceback (most recent call last):" in output
    assert 'raise Broken("it is broken")' in output and f"its files: {cloud.output(3)}" in output
    assert "3 of 4 jobs failed, 1 completed; the same command runs only the failed ones again" in output
    assert cloud.app.result(0)["return_value"] == 5 and cloud.app.files(0) == FILES

    output = cloud.sweep("x=5", "do=nothing,raise,kill,odd", code=1)
    assert "4 jobs: 3 new, 1 reused in" in output
    first = [cloud.record(number)["name"] for number in range(1, 4)]
    assert sorted(one["TrainingJobName"] for one in cloud.created()) == sorted(first)
    assert all(name.endswith("-1") for name in first)
    assert cloud.record(0)["name"].endswith("-0") and cloud.count("PutObject", "bundle.tar.gz") == 0
    assert not (cloud.output(2) / ".job/result.json").exists()
