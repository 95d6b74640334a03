"""Files that the configuration names: a job that lacks them is refused, and a result of other contents is named."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from hydra_apps import AWS, App
from hydra_sagemaker.job.identity import files_digest

if TYPE_CHECKING:
    from sagemaker_fixtures import Cloud

pytest.importorskip("moto", reason='needs pip install "paraphrase-lab[local-aws]"')
pytest_plugins = ["sagemaker_fixtures"]
READER = """\
from pathlib import Path

import hydra


@hydra.main(version_base=None, config_path="conf", config_name="config")
def main(config):
    return [Path(file).read_text() for file in config.files]


if __name__ == "__main__":
    main()
"""


@pytest.fixture
def reader(app: App) -> App:
    app.write("app.py", READER)
    app.write("conf/config.yaml", "x: 0\nfolder: data\nfiles: ['${folder}/a.csv', '${hydra:runtime.cwd}/words.txt']\n")
    app.write(".gitignore", "data/\nsweep/\n")
    app.write("data/a.csv", "a")
    app.write("words.txt", "w")
    return app


def test_files_that_a_job_lacks_are_refused_with_the_ways(reader: App, tmp_path: Path) -> None:
    outside = tmp_path / "own.csv"
    outside.write_text("o", encoding="utf-8")
    absolute = reader.root / "words.txt"
    words = ("x=1,2", f"+nested.own={outside}", f"+again={absolute}", f"+cache={tmp_path}/cache", "+shell=/bin/sh", "+no=a.csv")
    (tmp_path / "cache").mkdir()
    finished = reader.run(*AWS, *words)
    output = " ".join(finished.output.split())
    assert finished.code == 1 and "nothing was submitted: 3 problems" in output
    inputs = "hydra.launcher.inputs=[files.0,nested.own,again] uploads it once"
    assert (
        f"files.0=data/a.csv names a file that the job lacks: it is not bundled with the code; {inputs}; or copy it" in output
    )
    assert f"`aws s3 cp {outside} s3://BUCKET/own/`, hydra.launcher.channels.own=s3://BUCKET/own/ nested.own=/opt/ml" in output
    assert f"again={absolute} names a file that the job lacks: it is bundled with the code, but {reader.root} is not" in output
    assert "Where the job does not read it: hydra.launcher.key_exclude=[files.0]" in output
    assert "shell" not in output.replace("+shell", "") and "files.1" not in output
    assert (
        f"cache={tmp_path}/cache names a directory that is not bundled with the code: hydra.launcher.inputs=[cache]" in output
    )

    ways = ("hydra.launcher.inputs=[files.0,nested.own]", "hydra.launcher.key_exclude=[again]")
    assert reader.run(*AWS, *words, *ways).code == 0


@pytest.mark.slow
def test_items_of_a_list_are_uploaded(cloud: Cloud, reader: App) -> None:
    cloud.sweep("hydra.launcher.inputs=[files.0]")
    assert cloud.returns()[0]["value"] == ["a", "w"]


def test_a_local_job_counts_the_contents_of_its_inputs(reader: App) -> None:
    inputs = "hydra.launcher.inputs=[files.0]"
    reader.sweep(inputs)
    assert "1 job: 1 reused" in reader.sweep(inputs)
    reader.write("data/a.csv", "b")
    assert "all new: input files.0 changed" in reader.sweep(inputs)
    assert reader.result(0)["return_value"] == ["b", "w"]


@pytest.mark.slow
def test_a_bundled_input_counts_where_only_imported_modules_do(reader: App) -> None:
    words = ("hydra.launcher.code.identity=imported", "hydra.launcher.inputs=[files.1]")
    reader.sweep(*words)
    reader.write("words.txt", "x")
    assert "all new: input files.1 changed" in reader.sweep(*words)


@pytest.mark.slow
def test_a_local_result_of_other_contents_is_named(reader: App) -> None:
    reader.sweep("x=1,2")
    assert "has changed" not in reader.sweep("x=1,2")
    later = (reader.sweep_dir / "1/.job/result.json").stat().st_mtime + 10
    os.utime(reader.root / "data/a.csv", (later, later))
    assert (
        "2 jobs: 2 reused in " in (output := reader.sweep("x=1,2"))
        and "has changed since, and is reused nevertheless: files.0=data/a.csv; hydra.launcher.inputs=[files.0] makes" in output
    )


def test_contents_behind_links_count(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real/a").write_text("1")
    (tmp_path / "data").mkdir()
    (tmp_path / "data/train").symlink_to(tmp_path / "real")
    (tmp_path / "real/loop").symlink_to(tmp_path / "real")
    before = files_digest([tmp_path / "data"])
    assert files_digest([tmp_path / "data"]) == before
    (tmp_path / "real/a").write_text("2")
    assert files_digest([tmp_path / "data"]) != before
