"""Local data of a job: uploaded once, found by the job under another path, and under the local one in what is downloaded."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from omegaconf import OmegaConf

from hydra_sagemaker.job.inputs import keys_of

if TYPE_CHECKING:
    from sagemaker_fixtures import Cloud

pytest.importorskip("moto", reason='needs pip install "paraphrase-lab[local-aws]"')
pytest_plugins = ["sagemaker_fixtures"]

READER = """\
from pathlib import Path

import hydra


@hydra.main(version_base=None, config_path="conf", config_name="config")
def main(config):
    files = [Path(config.data.train), Path(config.data.test)]
    found = [sorted(file.rglob("*.csv")) if file.is_dir() else [file] for file in files]
    return [[file.name, file.read_text()] for one in found for file in one]


if __name__ == "__main__":
    main()
"""
INPUTS = "hydra.launcher.inputs=[data.train,data.test]"


@pytest.fixture
def reader(cloud: Cloud) -> Cloud:
    cloud.app.write("app.py", READER)
    cloud.app.write("conf/config.yaml", "x: 0\ndata:\n  train: ???\n  test: ${data.train}\n")
    return cloud


def own(directory: Path, name: str, text: str) -> Path:
    file = directory / "my data" / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    return file


@pytest.mark.slow
def test_local_files_are_uploaded_once_and_lead_back_here(reader: Cloud, tmp_path: Path) -> None:
    file = own(tmp_path, "pairs (1).csv", "a,b")
    output = reader.sweep("x=1,2", INPUTS, f"data.train='{file}'")
    assert [one["value"] for one in reader.returns()] == [[["pairs__1_.csv", "a,b"]] * 2] * 2
    assert reader.count("PutObject", "/inputs/") == 1 and output.count("pairs (1).csv, 0.00 MB to s3://") == 1
    [request, _] = reader.created()
    [channel] = [one for one in request["InputDataConfig"] if one["ChannelName"] == "input-data-train"]
    assert "/inputs/" in channel["DataSource"]["S3DataSource"]["S3Uri"]
    folder = reader.output(0) / ".hydra"
    assert OmegaConf.load(folder / "config.yaml").data.train == str(file)
    assert OmegaConf.load(folder / "overrides.yaml") == ["x=1", f"data.train='{file}'"]
    assert OmegaConf.load(folder / "hydra.yaml").hydra.overrides.task == ["x=1", f"data.train='{file}'"]
    assert str(file) in reader.record(0)["inputs"].values()

    moved = file.rename(file.with_name("elsewhere.csv"))
    assert "2 jobs: 2 reused" in reader.sweep("x=1,2", INPUTS, f"data.train='{moved}'"), "the same content is the same job"
    moved.write_text("c,d", encoding="utf-8")
    assert "2 jobs: 2 new" in reader.sweep("x=1,2", INPUTS, f"data.train='{moved}'"), "other content is another job"
    assert reader.returns()[-1]["value"] == [["elsewhere.csv", "c,d"]] * 2


@pytest.mark.slow
def test_directories_ignored_files_and_bundled_ones(reader: Cloud, tmp_path: Path) -> None:
    reader.app.write(".gitignore", "ignored.csv\n")
    reader.app.write("ignored.csv", "ignored")
    reader.app.write("bundled.csv", "bundled")
    subprocess.run(["git", "init", "-q"], cwd=reader.app.root, check=True)
    own(tmp_path, "../blobs/a", "1")
    own(tmp_path, "part/b.csv~", "an editor's")
    (tmp_path / "my data/part/a.csv").symlink_to("../../blobs/a")
    (tmp_path / "my data/other").symlink_to("part")
    own(tmp_path, "b.csv", "2")
    directory = tmp_path / "my data"
    reader.sweep(f"data.train=ignored.csv,bundled.csv,'{directory}'", INPUTS, "data.test=bundled.csv")
    bundled = ["bundled.csv", "bundled"]
    values = [one["value"] for one in reader.returns()]
    assert values[:2] == [[["ignored.csv", "ignored"], bundled], [bundled] * 2]
    assert values[2] == [["b.csv", "2"], ["a.csv", "1"], ["a.csv", "1"], bundled]
    assert reader.count("PutObject", "/inputs/") == 4
    assert [len(one["InputDataConfig"]) for one in reader.created()] == [3, 2, 3]


def test_data_that_cannot_be_there_are_refused_with_the_way(reader: Cloud, tmp_path: Path) -> None:
    file = own(tmp_path, "big.csv", "x" * 3000)
    token = own(tmp_path, "leak.csv", "hf_" + "aBcDeFgHiJ" * 3 + "KlMn")
    lost = "/opt/ml/input/data/pairs/a.csv"
    words = [f"data.train='{file}','{token}',{lost}", INPUTS, "hydra.launcher.inputs_max_mb=0.001", "data.test=app.py"]
    output = " ".join(reader.sweep(*words, code=1).split())
    assert reader.account.requests == []
    assert f"data.train={file} is not bundled with the code, and its 0.00 MB are more than" in output
    assert "hydra.launcher.inputs_max_mb=0.001, up to which it is uploaded." in output
    assert f"`aws s3 cp {file} s3://BUCKET/big/`, hydra.launcher.channels.big=s3://BUCKET/big/" in output
    assert "data.train=/opt/ml/input/data/big/big.csv" in output
    assert f"data.train={token} would be uploaded: what would be sent may hold secrets: leak.csv:1 (Hugging" in output
    assert f"data.train={lost}: the job has no channel pairs: hydra.launcher.channels.pairs=s3://BUCKET/PREFIX" in output


@pytest.mark.slow
def test_a_channel_is_found_by_its_path_on_the_local_sagemaker(reader: Cloud) -> None:
    reader.account.s3.put_object(Bucket="sagemaker-local", Key=f"{reader.prefix}/own/a.csv", Body=b"channel")
    channel = f"+hydra.launcher.channels.own=s3://sagemaker-local/{reader.prefix}/own/"
    reader.sweep("data.train=/opt/ml/input/data/own/a.csv", INPUTS, channel)
    assert reader.returns()[0]["value"] == [["a.csv", "channel"]] * 2


@pytest.mark.slow
def test_detached_jobs_lead_back_to_local_data_too(reader: Cloud, tmp_path: Path) -> None:
    file = own(tmp_path, "a.csv", "a")
    reader.sweep(INPUTS, f"data.train='{file}'", "hydra.launcher.wait=false")
    words = [sys.executable, "-m", "hydra_sagemaker", "collect", "--wait", str(reader.app.sweep_dir)]
    subprocess.run(words, env=reader.env, check=True, timeout=60, capture_output=True)
    result = json.loads((reader.output(0) / ".job/result.json").read_text(encoding="utf-8"))
    assert result["return_value"] == [["a.csv", "a"]] * 2
    assert OmegaConf.load(reader.output(0) / ".hydra/config.yaml").data.train == str(file)


def test_a_star_stands_for_any_one_name() -> None:
    sources = {"a": {"path": "x", "test": None}, "b": {"path": "y"}, "c": "no mapping"}
    config = OmegaConf.create({"data": {"sources": sources}, "model": {"name": "m"}})
    patterns = ["model.name", "data.sources.*.path", "other.*.path", "data.sources.a.path"]
    assert keys_of(config, patterns) == [
        "model.name", "data.sources.a.path", "data.sources.b.path", "data.sources.c.path",
    ]  # fmt: skip
