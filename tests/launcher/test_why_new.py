"""A launch that cannot reuse what ran before says what has changed since."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from hydra_apps import LOCAL, App

if TYPE_CHECKING:
    from sagemaker_fixtures import Cloud

pytest.importorskip("moto", reason='needs pip install "paraphrase-lab[local-aws]"')
pytest_plugins = ["sagemaker_fixtures"]


def reasons(output: str) -> list[str]:
    return re.findall(r"\[HYDRA\] ((?:all|\d+ jobs?) new: .*)", output)


@pytest.mark.slow
def test_what_has_changed_is_named(app: App) -> None:
    app.write("conf/config.yaml", "x: 0\ndo: nothing\napi_token: ${oc.env:UNSET_TOKEN,null}\nnested:\n  a: 1\n")
    app.write("data.csv", "1")
    words = ("x=1,2", "hydra.launcher.key_files=[../data.csv]")
    (app.root.parent / "data.csv").write_text("1", encoding="utf-8")
    assert reasons(app.sweep(*words)) == []
    assert reasons(app.sweep(*words)) == []

    app.write("app.py", (app.root / "app.py").read_text(encoding="utf-8") + "# a comment\n")
    app.write("notes.txt", "new")
    (app.root / "data.csv").unlink()
    said = app.sweep(*words)
    assert reasons(said) == ["all new: app.py changed, data.csv is gone, notes.txt is new"]
    assert said.index("2 jobs: 2 new in") < said.index("all new:")

    assert reasons(app.sweep("x=1,3", *words[1:])) == ["1 job new: configuration: x 2 -> 3"], "the other one is reused"
    (app.root.parent / "data.csv").write_text("2", encoding="utf-8")
    assert reasons(app.sweep("x=1,3", *words[1:])) == ["all new: data: ../data.csv"]
    assert reasons(app.sweep("x=1,3", "nested.a=2", "+more=y", *words[1:])) == [
        'all new: configuration: more absent -> "y", nested.a 1 -> 2'
    ]


@pytest.mark.slow
def test_a_directory_of_its_own_is_compared_with_the_newest_one_beside_it(app: App) -> None:
    app.sweep("x=1", "hydra.sweep.dir=sweeps/2026-01-01/10-00-00")
    app.write("app.py", (app.root / "app.py").read_text(encoding="utf-8") + "# a comment\n")
    before = app.root / "sweeps/2026-01-01/10-00-00"
    (reason,) = reasons(app.sweep("x=1", "hydra.sweep.dir=sweeps/2026-01-02/11-00-00"))
    assert reason == f"all new: app.py changed, since {before}"
    assert reasons(app.sweep("x=7", "hydra.sweep.dir=sweeps/2026-01-02/12-00-00")) == []


def test_no_secret_is_remembered(app: App) -> None:
    app.write("conf/config.yaml", "x: 0\ndo: nothing\nservice_password: hunter2hunter2\nhost: ${oc.env:THE_HOST}\n")
    app.sweep("x=1", env={"THE_HOST": "sesame.example"})
    text = (app.sweep_dir / ".launcher/identity.json").read_text(encoding="utf-8")
    assert "hunter2" not in text and "sesame" not in text
    assert reasons(app.sweep("x=1", env={"THE_HOST": "other.example"})) == ["all new: env THE_HOST changed"]


@pytest.mark.slow
def test_a_log_of_an_earlier_launch_is_still_no_code(app: App) -> None:
    subprocess.run(["git", "init", "-q"], cwd=app.root, check=True)
    command = f"{' '.join([sys.executable, 'app.py', *LOCAL])} x=1 > run.out 2>&1"
    subprocess.run(
        ["bash", "-c", command], cwd=app.root, check=True, timeout=60, env={**os.environ, "MARKS": str(app.marks_file)}
    )
    assert "1 job: 1 reused" in app.sweep("x=1")
    assert json.loads((app.sweep_dir / ".launcher/identity.json").read_text(encoding="utf-8"))["left_out"] == ["run.out"]
    assert "1 job: 1 reused" in app.sweep("x=1")


@pytest.mark.slow
def test_changes_of_image_and_requirements_are_named_and_told_to_who_would_displace_a_running_job(cloud: Cloud) -> None:
    cloud.app.write("requirements.txt", "omegaconf\n")
    cloud.sweep("x=1", "do=wait", "hydra.launcher.wait=false")
    cloud.app.write("requirements.txt", "omegaconf>=2\n")
    image = "hydra.launcher.image_uri=123456789012.dkr.ecr.us-east-1.amazonaws.com/image:2"
    output = " ".join(cloud.sweep("x=1", "do=wait", image, code=1).split())
    assert "would take the place" in output
    assert "all new: requirements.txt changed; requirements: omegaconf changed; image 123456789012.dkr" in output
