"""Requirements of a job are installed in a container whose Python is this one's with an environment of its own on top."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from container_fixtures import Container, Wheel

pytest.importorskip("moto", reason='needs pip install "paraphrase-lab[local-aws]"')
pytest_plugins = ["container_fixtures"]

from hydra_sagemaker.code.requirements import Requirements  # noqa: E402
from hydra_sagemaker.code.source import HYDRA, Code  # noqa: E402
from hydra_sagemaker.errors import LauncherError  # noqa: E402
from hydra_sagemaker.settings import CodeConf  # noqa: E402
from sagemaker_local.environment import Environments  # noqa: E402

OFFLINE = {"PIP_NO_INDEX": "1", "PIP_CONFIG_FILE": os.devnull, "PIP_EXTRA_INDEX_URL": "", "PIP_FIND_LINKS": ""}


@pytest.fixture(scope="module")
def environments(tmp_path_factory: pytest.TempPathFactory) -> Environments:
    return Environments(sys.executable, tmp_path_factory.mktemp("environments"))


def installed(environment: Path) -> list[str]:
    return sorted(path.name for path in environment.glob("lib/python*/site-packages/*") if not path.name.startswith("_"))


def run(container: Container, environments: Environments, tmp_path: Path, **env: str) -> tuple[int, str]:
    path = environments.create(tmp_path / "environment")
    return container.run("python3", **{**OFFLINE, "PATH": path, **env})


@pytest.mark.slow
def test_a_requirement_is_installed_in_the_job_and_nowhere_else(
    container: Container, environments: Environments, wheel: Wheel, tmp_path: Path
) -> None:
    wheel(container.root / "wheels", "tiny_extension")
    app = (container.root / "app.py").read_text(encoding="utf-8")
    (container.root / "app.py").write_text(
        f"import tiny_extension\nprint('has', tiny_extension.VERSION)\n{app}", encoding="utf-8"
    )
    container.prepare(requirements=["hydra-core>=1.3", "./wheels/tiny_extension-1.0-py3-none-any.whl"])
    code, output = run(container, environments, tmp_path)
    assert code == 0, output
    assert "has 1.0" in output and "requirements: ./wheels/tiny_extension-1.0-py3-none-any.whl installed, " in output
    assert installed(tmp_path / "environment") == ["tiny_extension-1.0.dist-info", "tiny_extension.py"]
    assert importlib.util.find_spec("tiny_extension") is None
    pinned = (container.base / "output/data/.job/constraints.txt").read_text(encoding="utf-8").splitlines()
    assert f"torch=={metadata.version('torch')}" in pinned and "torch<0" not in pinned


def test_what_wants_another_torch_fails_with_pips_own_words(
    container: Container, environments: Environments, wheel: Wheel, tmp_path: Path
) -> None:
    wheels = tmp_path / "index"
    wheel(wheels, "wants_old", requires="torch==1.0")
    wheel(wheels, "torch", "1.0")
    wheel(wheels, "harmless")
    container.prepare(requirements=["hydra-core", "harmless", "wants_old"])
    code, output = run(container, environments, tmp_path, PIP_FIND_LINKS=str(wheels))
    assert code == 1 and "the task's own line" not in output
    assert container.failure.startswith("RuntimeError: pip could not install the requirements: ERROR: ")
    assert "wants-old 1.0 depends on torch==1.0" in container.failure
    assert f"The user requested (constraint) torch=={metadata.version('torch')}" in container.failure
    assert installed(tmp_path / "environment") == []


def test_a_package_of_the_images_driver_is_never_installed(
    container: Container, environments: Environments, wheel: Wheel, tmp_path: Path
) -> None:
    wheel(tmp_path / "index", "nvidia_unheard_cu13")
    container.prepare(requirements=["hydra-core", "nvidia-unheard-cu13==1.0"])
    code, _ = run(container, environments, tmp_path, PIP_FIND_LINKS=str(tmp_path / "index"))
    assert code == 1 and installed(tmp_path / "environment") == []
    assert container.failure == (
        "RuntimeError: the image has no nvidia-unheard-cu13==1.0, "
        "and the launcher never installs it: choose an image that has it"
    )


@pytest.mark.slow
def test_an_image_without_torch_gets_none_by_way_of_another_package(container: Container, wheel: Wheel, tmp_path: Path) -> None:
    environment, wheels = tmp_path / "environment", tmp_path / "index"
    subprocess.run([sys.executable, "-m", "venv", str(environment)], check=True)
    wheel(wheels, "torch", "9.0")
    wheel(wheels, "wants_torch", requires="torch")
    wheel(wheels, "hydra_core", "1.3.2")
    container.prepare(requirements=["hydra-core", "wants_torch"])
    before = installed(environment)
    env = OFFLINE | {"PIP_FIND_LINKS": str(wheels), "PYTHONPATH": ""}
    code, output = container.run(str(environment / "bin/python"), **env)
    assert code == 1, output
    assert "wants-torch 1.0 depends on torch" in container.failure and "(constraint) torch<0" in container.failure
    assert installed(environment) == before


def code_of(root: Path, **files: str) -> Code:
    for name, text in files.items():
        file = root / name.replace("__", "/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.with_suffix(".txt").write_text(text, encoding="utf-8")
    return Code(root, CodeConf())


def test_files_of_requirements_that_name_others_arrive_as_one(tmp_path: Path) -> None:
    code = code_of(
        tmp_path,
        requirements="-r parts/train.txt\nnumpy\n",
        parts__train="--requirement=base.txt\nscipy\n",
        parts__base="pandas",
    )
    assert code.requirements("auto", with_boto3=False) == Requirements(["pandas", "scipy", "numpy"], [HYDRA])
    assert code.requirements("parts/base.txt", with_boto3=True) == Requirements(["pandas"], [HYDRA, "boto3"])


def test_a_file_of_requirements_that_is_not_there_is_named(tmp_path: Path) -> None:
    code = code_of(tmp_path, requirements="-r base.txt")
    with pytest.raises(LauncherError, match=r"requirements\.txt names base\.txt, and there is no .*base\.txt"):
        code.requirements("auto", with_boto3=False)
    with pytest.raises(LauncherError, match=r"hydra\.launcher\.requirements=gone\.txt: there is no .*gone\.txt"):
        code.requirements("gone.txt", with_boto3=False)
