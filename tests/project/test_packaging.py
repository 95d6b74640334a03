"""The wheels of both distributions, used without the checkout, and the launcher's without the framework."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from collections.abc import Collection
from email.parser import Parser
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from commands import FEW_PAIRS, ROOT, TINY, write_documented_files
from hydra_sagemaker import __version__ as launcher_version
from paraphrase_lab import __version__
from typed_pages import DEFAULT_PORT, copy_of, free_port, typed

LAUNCHER = ROOT / "src/hydra-sagemaker-launcher"
WITHOUT_DEPENDENCIES = ("--no-deps", "--no-index", "--disable-pip-version-check", "--quiet")
PIP = (sys.executable, "-m", "pip")


def run(*words: str, cwd: Path) -> str:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(words, cwd=cwd, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def built(source: str, directory: Path) -> Path:
    """Return the wheel that pip builds, without the network."""
    run(*PIP, "wheel", source, "--no-build-isolation", "--wheel-dir", str(directory), *WITHOUT_DEPENDENCIES, cwd=directory)
    (file,) = directory.glob("*.whl")
    return file


def environment(wheel: Path, directory: Path) -> tuple[Path, Path]:
    """Return a fresh environment with the wheel in it, and the directory of its packages."""
    venv.create(directory, with_pip=False)
    run(*PIP, "--python", str(directory / "bin/python"), "install", str(wheel), *WITHOUT_DEPENDENCIES, cwd=directory)
    return directory, Path(sysconfig.get_path("purelib", vars={"base": str(directory), "platbase": str(directory)}))


def required_by(wheel: Path, *extras: str) -> dict[str, Requirement]:
    """Return what the wheel itself requires, by name."""
    archive = zipfile.ZipFile(wheel)
    (file,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
    lines = Parser().parsestr(archive.read(file).decode()).get_all("Requires-Dist") or []
    return {one.name: one for one in map(Requirement, lines) if applies(one, extras)}


def applies(requirement: Requirement, extras: tuple[str, ...]) -> bool:
    return requirement.marker is None or any(requirement.marker.evaluate({"extra": extra}) for extra in ("", *extras))


def with_their_own(requirements: Collection[Requirement]) -> list[metadata.Distribution]:
    """Return the distributions that satisfy these, with all that they require themselves."""
    found: dict[str, metadata.Distribution] = {}
    wanted = [*requirements]
    while wanted:
        one = wanted.pop()
        if one.name.lower() not in found:
            found[one.name.lower()] = distribution = metadata.distribution(one.name)
            lines = map(Requirement, distribution.requires or [])
            wanted += [line for line in lines if applies(line, tuple(one.extras))]
    return [*found.values()]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built(str(ROOT), tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def launcher_wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built(str(LAUNCHER), tmp_path_factory.mktemp("launcher_wheel"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh environment with the wheel in it; the libraries are those of this one, which a .pth file lets it see."""
    directory, packages = environment(wheel, tmp_path_factory.mktemp("installed") / "venv")
    (packages / "libraries.pth").write_text(f"{metadata.distribution('torch').locate_file('')}\n", encoding="utf-8")
    return directory


@pytest.fixture(scope="module")
def launcher_alone(launcher_wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh environment with the launcher's wheel, what it and its extra `local` require, and nothing else."""
    directory, packages = environment(launcher_wheel, tmp_path_factory.mktemp("launcher_alone") / "venv")
    for distribution in with_their_own(required_by(launcher_wheel, "local").values()):
        for name in {file.parts[0] for file in distribution.files or ()} - {"..", "__pycache__"}:
            if not (packages / name).exists():
                (packages / name).symlink_to(Path(str(distribution.locate_file(name))))
    return directory


def test_what_is_inside(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert wheel.name.startswith(f"paraphrase_lab-{__version__}-py3")
    files = [file.relative_to(ROOT) for place in ("conf", "experiments") for file in (ROOT / place).rglob("*.yaml")]
    assert {f"paraphrase_lab/{file.as_posix()}" for file in files} <= set(names)
    modules = [file.relative_to(ROOT / "src").as_posix() for file in (ROOT / "src").rglob("*.py")]
    assert {name.removeprefix("hydra-sagemaker-launcher/") for name in modules} <= set(names)
    assert {"hydra_sagemaker/pricing/prices.csv", "hydra_sagemaker/py.typed", "paraphrase_lab/py.typed"} <= set(names)
    assert "hydra_plugins/__init__.py" not in names
    assert {name.split("/")[0] for name in names} == {
        "paraphrase_lab", "hydra_plugins", "hydra_sagemaker", "sagemaker_local", f"paraphrase_lab-{__version__}.dist-info",
    }  # fmt: skip
    entry_points = zipfile.ZipFile(wheel).read(f"paraphrase_lab-{__version__}.dist-info/entry_points.txt").decode()
    assert "paraphrase = paraphrase_lab.cli:main" in entry_points
    for command in ("hydra-sagemaker-local", "paraphrase-sagemaker-local"):
        assert f"{command} = sagemaker_local.cli:main" in entry_points


def test_nothing_is_required_that_an_index_does_not_have(wheel: Path) -> None:
    """The launcher is bundled until it is published: someone else could take its name."""
    every_extra = ("aws", "docs", "local-aws", "lora", "reports", "sagemaker", "search", "trackio")
    assert not [name for name in required_by(wheel, *every_extra) if "launcher" in name]


def test_what_the_launcher_requires(launcher_wheel: Path) -> None:
    always = {"hydra-core", "omegaconf", "boto3", "packaging", "pathspec", "rich"}
    assert required_by(launcher_wheel).keys() == always
    assert required_by(launcher_wheel, "images").keys() == always | {"sagemaker-core"}
    assert required_by(launcher_wheel, "local").keys() == always | {"moto", "flask", "flask-cors"}


def test_what_is_inside_the_launcher(launcher_wheel: Path) -> None:
    names = zipfile.ZipFile(launcher_wheel).namelist()
    about = f"hydra_sagemaker_launcher-{launcher_version}.dist-info"
    assert {name.split("/")[0] for name in names} == {"hydra_plugins", "hydra_sagemaker", "sagemaker_local", about}
    assert {file.relative_to(LAUNCHER).as_posix() for file in LAUNCHER.rglob("*.py")} <= set(names)
    entry_points = zipfile.ZipFile(launcher_wheel).read(f"{about}/entry_points.txt").decode()
    assert "hydra-sagemaker = hydra_sagemaker.cli.main:main" in entry_points
    assert "hydra-sagemaker-local = sagemaker_local.cli:main" in entry_points


@pytest.mark.slow
def test_every_module_of_the_launcher_without_the_framework(launcher_alone: Path, tmp_path: Path) -> None:
    code = """
import importlib, pkgutil, sys
import hydra_sagemaker, sagemaker_local
for package in (hydra_sagemaker, sagemaker_local):
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
from hydra.core.plugins import Plugins
from hydra.plugins.launcher import Launcher
print(*sorted(one.__name__ for one in Plugins.instance().discover(Launcher)))
print(*{"torch", "pytorch_lightning", "lightning", "wandb", "transformers", "paraphrase_lab"} & set(sys.modules))
"""
    assert run(str(launcher_alone / "bin/python"), "-c", code, cwd=tmp_path) == "BasicLauncher SageMakerLauncher\n\n"
    for absent in ("torch", "paraphrase_lab"):
        with pytest.raises(AssertionError, match=f"No module named '{absent}'"):
            run(str(launcher_alone / "bin/python"), "-c", f"import {absent}", cwd=tmp_path)


@pytest.mark.slow
def test_the_recipe_of_the_launchers_page_without_the_framework(launcher_alone: Path, tmp_path: Path) -> None:
    page, port = LAUNCHER / "README.md", free_port()
    write_documented_files(page, tmp_path)
    where = tmp_path / "conf/where/local_sagemaker.yaml"
    where.write_text(where.read_text(encoding="utf-8").replace(DEFAULT_PORT, port), encoding="utf-8")
    recipe = page.read_text(encoding="utf-8").split("\n## On AWS")[0]
    path = f"{launcher_alone / 'bin'}:{os.environ['PATH']}"
    printed = typed(recipe, tmp_path, port, PATH=path)
    assert "3 jobs: 1 new, 2 reused" in printed
    for number, value in enumerate((6, 15, 21)):
        result = json.loads((tmp_path / f"areas/{number}/.job/result.json").read_text(encoding="utf-8"))
        assert result["return_value"] == value


@pytest.mark.slow
def test_the_launcher_from_git(launcher_wheel: Path, tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    copy_of(ROOT, clone)
    run("git", "add", ".", cwd=clone)
    run("git", "-c", "user.name=x", "-c", "user.email=x@y.z", "commit", "--quiet", "-m", "all", cwd=clone)
    (tmp_path / "wheel").mkdir()
    from_git = built(f"git+file://{clone}#subdirectory=src/hydra-sagemaker-launcher", tmp_path / "wheel")
    assert sorted(zipfile.ZipFile(from_git).namelist()) == sorted(zipfile.ZipFile(launcher_wheel).namelist())


@pytest.mark.slow
def test_the_launcher_from_its_source_distribution(launcher_wheel: Path, tmp_path: Path) -> None:
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", str(tmp_path), str(LAUNCHER), cwd=tmp_path)
    (from_sources,) = tmp_path.glob("*.whl")
    assert sorted(zipfile.ZipFile(from_sources).namelist()) == sorted(zipfile.ZipFile(launcher_wheel).namelist())


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
    assert paraphrase("check", "experiment=paws_roberta_large", "--remote") == "no problems found\n"
    assert "_target_: paraphrase_lab.data.sources.WordOrder" in paraphrase("train", "--cfg", "job")
    assert "ParaphraseLabSearchPath" in paraphrase("train", "--info", "plugins")
    assert "encoder_depth" in paraphrase("train", "--help")
    assert "best val/accuracy" in paraphrase("train", *TINY, *FEW_PAIRS)
