"""The wheel, used without the checkout: configuration, experiments and the Hydra plugin come along."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

from commands import FEW_PAIRS, ROOT, TINY
from paraphrase_lab import __version__

WITHOUT_DEPENDENCIES = ("--no-deps", "--no-index", "--disable-pip-version-check", "--quiet")
PIP = (sys.executable, "-m", "pip")


def run(*words: str, cwd: Path) -> str:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(words, cwd=cwd, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("wheel")
    run(*PIP, "wheel", str(ROOT), "--no-build-isolation", "--wheel-dir", str(directory), *WITHOUT_DEPENDENCIES, cwd=directory)
    (file,) = directory.glob("*.whl")
    return file


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh environment with the wheel in it; the libraries are those of this one, which a .pth file lets it see."""
    directory = tmp_path_factory.mktemp("installed") / "venv"
    venv.create(directory, with_pip=False)
    packages = Path(sysconfig.get_path("purelib", vars={"base": str(directory), "platbase": str(directory)}))
    (packages / "libraries.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    python = str(directory / "bin" / "python")
    run(*PIP, "--python", python, "install", str(wheel), *WITHOUT_DEPENDENCIES, cwd=directory)
    return directory


def test_what_is_inside(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert wheel.name.startswith(f"paraphrase_lab-{__version__}-py3")
    files = [file.relative_to(ROOT) for place in ("conf", "experiments") for file in (ROOT / place).rglob("*.yaml")]
    assert {f"paraphrase_lab/{file.as_posix()}" for file in files} <= set(names)
    modules = [file.relative_to(ROOT / "src").as_posix() for file in (ROOT / "src").rglob("*.py")]
    assert {name.removeprefix("hydra-sagemaker-launcher/") for name in modules} <= set(names)
    assert "hydra_sagemaker/pricing/prices.csv" in names
    assert "hydra_plugins/__init__.py" not in names
    assert {name.split("/")[0] for name in names} == {
        "paraphrase_lab", "hydra_plugins", "hydra_sagemaker", "sagemaker_local", f"paraphrase_lab-{__version__}.dist-info",
    }  # fmt: skip
    entry_points = zipfile.ZipFile(wheel).read(f"paraphrase_lab-{__version__}.dist-info/entry_points.txt").decode()
    assert "paraphrase = paraphrase_lab.cli:main" in entry_points
    assert "paraphrase-sagemaker-local = sagemaker_local.cli:main" in entry_points


@pytest.mark.slow
def test_the_wheel_is_what_runs(installed: Path, tmp_path: Path) -> None:
    code = (
        "import paraphrase_lab.paths as p, hydra_plugins.paraphrase_lab_searchpath as s; "
        "print(p.CONF_DIR, p.EXPERIMENTS_DIR, s.__file__, p.SOURCE_ROOT)"
    )
    conf, experiments, plugin, source = run(str(installed / "bin" / "python"), "-c", code, cwd=tmp_path).split()
    package = Path(conf).parent
    assert package.is_relative_to(installed) and experiments == str(package / "experiments")
    assert plugin.startswith(str(installed)) and source == "None"


@pytest.mark.slow
def test_commands_from_the_wheel(installed: Path, tmp_path: Path) -> None:
    def paraphrase(*words: str) -> str:
        return run(str(installed / "bin" / "paraphrase"), *words, cwd=tmp_path)

    assert paraphrase("check") == "no problems found\n"
    assert paraphrase("check", "experiment=paws_roberta_large", "--elsewhere") == "no problems found\n"
    assert "_target_: paraphrase_lab.data.sources.WordOrder" in paraphrase("train", "--cfg", "job")
    assert "ParaphraseLabSearchPath" in paraphrase("train", "--info", "plugins")
    assert "encoder_depth" in paraphrase("train", "--help")
    assert "best val/accuracy" in paraphrase("train", *TINY, *FEW_PAIRS)
