"""What a job installs: AWS's newest PyTorch image is admitted, and the launcher's Dockerfile installs everything but torch."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
DOCKERFILE = ROOT / "src/hydra-sagemaker-launcher/Dockerfile"
NEWEST_TORCH, NEWEST_PYTHON = "2.10.0", "3.13.5"
"""Versions in AWS's newest PyTorch training image, November 2026."""
REQUIREMENTS = [Requirement(line) for line in PROJECT["dependencies"]]


def test_awss_newest_image_is_admitted() -> None:
    (torch,) = [requirement for requirement in REQUIREMENTS if requirement.name == "torch"]
    assert torch.specifier.contains(f"{NEWEST_TORCH}+cu130") and not torch.specifier.contains("2.7.1")
    assert SpecifierSet(PROJECT["requires-python"]).contains(NEWEST_PYTHON)


def instructions(name: str) -> list[str]:
    joined = re.sub(r"^#.*\n", "", DOCKERFILE.read_text(encoding="utf-8"), flags=re.MULTILINE).replace("\\\n", " ")
    return [line.partition(" ")[2].strip() for line in joined.splitlines() if line.startswith(f"{name} ")]


def test_the_dockerfile_has_no_image_of_its_own() -> None:
    assert instructions("ARG") == ["BASE"] and instructions("FROM") == ["${BASE}"]
    assert instructions("COPY") == ["pyproject.toml* requirements.txt* ./"]


def installed(directory: Path, installs: bool = False) -> subprocess.CompletedProcess[str]:
    """The installation step as /bin/sh runs it in an image, here with this interpreter as the image's; pip asks no index."""
    (step,) = instructions("RUN")
    if not installs:
        step = step.rpartition("&&")[0]
    (directory / "python3").write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n', encoding="utf-8")
    (directory / "python3").chmod(0o755)
    environment = {"PATH": f"{directory}:/usr/bin:/bin", "PIP_NO_INDEX": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    return subprocess.run(["sh", "-c", step], cwd=directory, env=environment, capture_output=True, text=True)


def lines(file: Path) -> list[str]:
    return file.read_text(encoding="utf-8").splitlines()


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def test_every_dependency_but_torch_is_installed(directory: Path) -> None:
    done = installed(directory)
    assert done.returncode == 0, done.stderr
    assert lines(directory / "wanted.txt") == [line for line in PROJECT["dependencies"] if Requirement(line).name != "torch"]
    assert {"pytorch-lightning", "transformers"} <= {Requirement(line).name for line in lines(directory / "wanted.txt")}
    (step,) = instructions("RUN")
    assert step.rpartition("&&")[2].split()[:4] == ["python3", "-m", "pip", "install"] and "-r wanted.txt" in step


def test_the_images_torch_is_kept(directory: Path) -> None:
    import torch

    assert installed(directory).returncode == 0
    assert f"torch=={torch.__version__}" in lines(directory / "of-the-image.txt")
    (step,) = instructions("RUN")
    assert "-c of-the-image.txt" in step


def test_requirements_txt_comes_first(directory: Path) -> None:
    (directory / "requirements.txt").write_text("torch>=2.8\n# a note\nrich>=13\ntorch\n", encoding="utf-8")
    assert installed(directory).returncode == 0
    assert lines(directory / "wanted.txt") == ["# a note", "rich>=13"]


@pytest.mark.slow
def test_nothing_is_left_to_install_where_all_is_there(directory: Path) -> None:
    done = installed(directory, installs=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Successfully installed" not in done.stdout and "Requirement already satisfied" in done.stdout


def test_a_requirement_that_wants_another_torch_fails(directory: Path) -> None:
    wheel = directory / "wants_torch-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr(
            "wants_torch-1.0.dist-info/METADATA",
            "Metadata-Version: 2.1\nName: wants-torch\nVersion: 1.0\nRequires-Dist: torch<2\n",
        )
        archive.writestr("wants_torch-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr("wants_torch-1.0.dist-info/RECORD", "")
    (directory / "requirements.txt").write_text(f"torch>=2.8\n./{wheel.name}\n", encoding="utf-8")
    done = installed(directory, installs=True)
    assert done.returncode != 0
    assert "wants-torch 1.0 depends on torch<2" in done.stdout, done.stdout
    assert re.search(r"\(constraint\) torch\S*==2", done.stdout), done.stdout
