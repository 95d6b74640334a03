"""A result that is reused says when it was computed with other versions than a new job would have."""

from __future__ import annotations

import json
import sys
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from hydra_apps import App
from hydra_sagemaker.runner.imported import imported_versions

if TYPE_CHECKING:
    from sagemaker_fixtures import Cloud

pytest.importorskip("moto", reason='needs pip install "paraphrase-lab[local-aws]"')
pytest_plugins = ["sagemaker_fixtures"]
NOTHING = "other versions"


def install(packages: Path, version: str) -> None:
    for old in packages.glob("*.dist-info"):
        (old / "METADATA").unlink()
        (old / "RECORD").unlink()
        old.rmdir()
    folder = packages / f"tiny_lib-{version}.dist-info"
    folder.mkdir(parents=True)
    (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: tiny-lib\nVersion: {version}\n", encoding="utf-8")
    (folder / "RECORD").write_text("tiny/__init__.py,,\n", encoding="utf-8")
    (packages / "tiny").mkdir(exist_ok=True)
    (packages / "tiny/__init__.py").write_text(f"VERSION = {version}\n", encoding="utf-8")


def test_a_package_that_the_task_imports_is_named_with_both_versions(app: App, tmp_path: Path) -> None:
    env = {"PYTHONPATH": str(tmp_path / "packages")}
    source = (app.root / "app.py").read_text(encoding="utf-8")
    app.write("app.py", source.replace("return config.x * 10", "import tiny\n    return tiny.VERSION"))
    install(tmp_path / "packages", "1.0")
    app.sweep("x=1,2", env=env)
    assert app.result(0)["versions"]["tiny-lib"] == "1.0"
    assert NOTHING not in app.sweep("x=1,2", env=env)

    install(tmp_path / "packages", "2.0")
    said = (
        ". 2 reused jobs had other versions than a new one would have: tiny-lib 1.0 -> 2.0; "
        "hydra.launcher.on_existing=rerun computes all of this sweep anew"
    )
    assert f"2 jobs: 2 reused in {app.sweep_dir}{said}" in app.sweep("x=1,2", env=env)
    elsewhere = app.sweep("x=1,3", "hydra.sweep.dir=other", env=env)
    assert "2 jobs: 1 new, 1 reused in" in elsewhere and "1 reused job had other versions than a new one would" in elsewhere

    app.sweep("x=1,2", "hydra.launcher.on_existing=rerun", env=env)
    assert app.result(0)["return_value"] == 2.0
    assert NOTHING not in app.sweep("x=1,2", env=env)


@pytest.mark.slow
def test_of_a_training_job_the_versions_that_it_installs_count(cloud: Cloud) -> None:
    numpy = metadata.version("numpy")
    cloud.app.write("requirements.txt", "hydra-core\nnumpy\n")
    cloud.sweep("x=1,2")
    job_dir = cloud.app.root / "sweep/0/.job"

    def had(file: str, **versions: str) -> None:
        record = json.loads((job_dir / file).read_text(encoding="utf-8"))
        record["versions"] |= versions
        (job_dir / file).write_text(json.dumps(record), encoding="utf-8")

    had("result.json", torch="1.0", python="3.0", unknown="1.0")
    assert NOTHING not in cloud.sweep("x=1,2"), "they are the image's"
    had("result.json", numpy="1.0")
    assert NOTHING not in cloud.sweep("x=1,2"), "the image's torch did not work with the version of this machine"
    had("result.json", numpy="1.0")
    had("spec.json", numpy="1.0")
    assert NOTHING not in cloud.sweep("x=1,2", "hydra.launcher.versions=any"), "pip chooses"
    had("result.json", numpy="1.0")
    had("spec.json", numpy="1.0")
    assert f"1 reused job had other versions than a new one would have: numpy 1.0 -> {numpy}; " in cloud.sweep("x=1,2")


def test_the_versions_of_imported_modules() -> None:
    found = imported_versions()
    assert found["hydra-core"] == metadata.version("hydra-core")
    assert found["pyyaml"] == metadata.version("pyyaml"), "named otherwise than its module"
    assert ("optuna" in found) is ("optuna" in sys.modules)
