"""Results are downloaded whatever is in them, stay when S3 forgets them, and never mix with those of another job."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from sagemaker_fixtures import Cloud

pytest.importorskip("moto", reason='needs pip install "paraphrase-lab[local-aws]"')
pytest_plugins = ["sagemaker_fixtures"]
pytestmark = pytest.mark.slow

WRITES = """\
import os
from pathlib import Path

import hydra
from hydra.core.hydra_config import HydraConfig


@hydra.main(version_base=None, config_path="conf", config_name="config")
def main(config):
    output = Path(HydraConfig.get().runtime.output_dir)
    (output / f"e{config.x}.pt").write_text(f"weights of {config.x}")
    (output / "metrics.json").write_text(str(config.x))
    if config.do == "links":
        (output / "best.json").symlink_to("metrics.json")
        (output / "dangling").symlink_to("nowhere")
        (output / "absolute").symlink_to("/etc/hosts")
    return config.x


if __name__ == "__main__":
    main()
"""
MODELS = "hydra.launcher.download_models=true"


def outputs_gone(cloud: Cloud) -> None:
    """Delete objects as a lifecycle rule of the bucket does."""
    for key in cloud.objects():
        if "/output/" in key:
            cloud.account.s3.delete_object(Bucket="sagemaker-local", Key=key)


def files(cloud: Cloud, number: int | str = 0) -> set[str]:
    directory = cloud.output(number)
    names = {file.relative_to(directory).as_posix() for file in directory.rglob("*") if not file.is_dir()}
    return {name for name in names if not name.startswith((".hydra/", ".job/", ".launcher/")) and not name.endswith(".log")}


def test_downloaded_results_stay_when_s3_deletes_them(cloud: Cloud) -> None:
    cloud.app.write("app.py", WRITES)
    cloud.sweep("x=1", MODELS)
    cloud.returns()
    outputs_gone(cloud)
    output = cloud.sweep("x=1", MODELS)
    assert "1 job: 1 reused in" in output and "its models are not in s3://sagemaker-local/" in output
    assert cloud.returns()[0]["value"] == 1 and files(cloud) == {"e1.pt", "metrics.json"}
    assert (cloud.output(0) / ".job/output.log").is_file()


def test_results_that_are_gone_are_reported_with_a_next_step(cloud: Cloud) -> None:
    cloud.app.write("app.py", WRITES)
    cloud.sweep("x=1")
    outputs_gone(cloud)
    output = cloud.sweep("x=1", "hydra.sweep.dir=second", code=1)
    assert "it completed, but its results are not in s3://sagemaker-local/" in output
    assert "Next: the same command for this job alone, with hydra.launcher.on_existing=rerun, runs it again" in output
    assert cloud.count("CreateTrainingJob") == 0
    cloud.sweep("x=1", "hydra.sweep.dir=second", "hydra.launcher.on_existing=rerun")
    assert cloud.returns()[-1]["value"] == 1


def test_links_and_pipes_do_not_lose_the_rest(cloud: Cloud) -> None:
    cloud.app.write("app.py", WRITES)
    output = cloud.sweep("x=1", "do=links")
    assert cloud.returns()[0]["value"] == 1
    assert (cloud.output(0) / "best.json").read_text() == "1"
    assert {"best.json", "dangling", "metrics.json"} <= files(cloud)
    printed = (cloud.output(0) / ".job/output.log").read_text() + cloud.account.log(cloud.names()[0])
    assert "[launcher] 0/absolute is a link to" in printed, output
    assert "absolute" not in files(cloud)


def test_the_sweeps_directory_itself_as_output_directory(cloud: Cloud) -> None:
    cloud.app.write("app.py", WRITES)
    cloud.sweep("x=1", MODELS, "hydra.sweep.subdir=.")
    assert files(cloud, ".") == {"e1.pt", "metrics.json", "multirun.yaml"}
    assert json.loads((cloud.output(".") / ".job/record.json").read_text())["state"] == "completed"


def test_weights_of_another_configuration_do_not_stay_beside_a_result(cloud: Cloud) -> None:
    cloud.app.write("app.py", WRITES)
    cloud.sweep("x=1", MODELS)
    (cloud.output(0) / "notes.txt").write_text("mine")
    cloud.sweep("x=2", "hydra.sweep.dir=sweep")
    assert files(cloud) == {"metrics.json", "notes.txt"} and (cloud.output(0) / "metrics.json").read_text() == "2"
    cloud.sweep("x=2", MODELS)
    assert files(cloud) == {"e2.pt", "metrics.json", "notes.txt"}
    cloud.sweep("x=2")
    assert files(cloud) == {"e2.pt", "metrics.json", "notes.txt"}
    assert json.loads((cloud.output(0) / ".job/result.json").read_text())["return_value"] == 2


def test_code_that_git_ignores_is_refused_before_anything_is_sent(cloud: Cloud) -> None:
    cloud.app.write("helper.py", "VALUE = 1\n")
    cloud.app.write("app.py", "import helper\n" + WRITES)
    cloud.app.write(".gitignore", "helper.py\n")
    output = cloud.sweep("x=1", code=1)
    assert "nothing was submitted" in output and "imported modules are not bundled" in output
    assert ": helper.py. `git add -f` adds them" in output and cloud.count("CreateTrainingJob") == 0
