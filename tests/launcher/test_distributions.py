"""Packages that the task imports and that a job would lack, and the code of an application that is started elsewhere."""

from __future__ import annotations

import subprocess
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from hydra_apps import AWS, App
from hydra_sagemaker.code.distributions import imports_of, missing_in_job, parsed_line, reached
from hydra_sagemaker.code.root import find_root

TASK = (
    "import hydra\n@hydra.main(version_base=None, config_path='conf', config_name='config')\ndef main(config):\n    return 1\n"
)
END = "if __name__ == '__main__':\n    main()\n"


@pytest.mark.parametrize(
    "line, parsed",
    [
        ("numpy>=2  # fast", "numpy>=2"),
        ("wandb[media]>=0.31 ; python_version > '3'", 'wandb[media]>=0.31; python_version > "3"'),
        ("numpy==2.4.0 --hash=sha256:abc", "numpy==2.4.0"),
        ("numpy==2.4.0 \\", "numpy==2.4.0"),
        ("tool @ https://host/tool.zip", "tool@ https://host/tool.zip"),
        ("./wheels/tiny_tool-1.0-py3-none-any.whl", "tiny-tool==1.0"),
        ("--extra-index-url https://host/simple", None),
        ("    --hash=sha256:abc", None),
        ("# nothing", None),
    ],
)
def test_lines_of_requirements(line: str, parsed: str | None) -> None:
    found = parsed_line(line)
    assert (None if found is None else str(found).replace(" @", "@")) == parsed
    assert isinstance(found, Requirement | None)


@pytest.mark.parametrize("line", ["-e ./package", "--editable git+https://host/x", "./package", "https://host/package.zip"])
def test_lines_that_name_no_distribution(line: str) -> None:
    assert reached([line], through_the_image=True).unknown == [line]


def test_requirements_are_followed_with_their_extras() -> None:
    found = reached(["hydra-core", "not-installed-anywhere"], through_the_image=False)
    assert found.versions["omegaconf"] == metadata.version("omegaconf")
    assert "not-installed-anywhere" in found.names and "not-installed-anywhere" not in found.versions
    assert "torch" not in reached(["torch"], through_the_image=False).versions
    assert "jinja2" in reached(["torch"], through_the_image=True).names
    assert "py-partiql-parser" in reached(["moto[s3]"], through_the_image=True).names
    assert "py-partiql-parser" not in reached(["moto"], through_the_image=True).names


def test_imports_at_the_top_of_modules_count(tmp_path: Path) -> None:
    texts = {
        "app": "import moto.core, helper\nfrom lab.part import f\nif TYPE_CHECKING:\n    import mypy\n"
        "try:\n    import flask\nexcept ImportError:\n    pass\ndef main():\n    import torch\n",
        "helper": "import sys\n",
        "lab": "import yaml\n",
        "lab.part": "from .other import g\nimport numpy.linalg as l\n",
        "lab.other": "if True:\n    import rich\n",
        "lab.unused": "import scipy\n",
    }
    files = {}
    for name, text in texts.items():
        files[name] = str(tmp_path / ("lab/__init__.py" if name == "lab" else f"{name.replace('.', '/')}.py"))
        Path(files[name]).parent.mkdir(exist_ok=True)
        Path(files[name]).write_text(text, encoding="utf-8")
    files["broken"] = str(tmp_path / "broken.py")
    Path(files["broken"]).write_text("import (", encoding="utf-8")
    assert imports_of("broken", files) == {}
    found = imports_of("app", files)
    assert found.keys() - texts.keys() - {"app"} == {"moto", "numpy", "rich", "sys", "yaml"}
    assert found["rich"] == "lab.other"
    import moto  # noqa: F401 (what is not imported here is not missing there)
    import numpy  # noqa: F401
    import rich  # noqa: F401
    import yaml  # noqa: F401

    surely, perhaps = missing_in_job("app", files, ["hydra-core", "torch"])
    assert [sentence.split()[0] for sentence in surely] == ["moto", "rich"]
    assert surely[0] == f"moto (moto {metadata.version('moto')}), imported by app.py"
    assert [one.split()[0] for one in perhaps] == ["numpy"]  # yaml is what omegaconf needs
    assert [one.split()[0] for one in missing_in_job("app", files, ["hydra-core", "rich"])[1]] == ["numpy"]
    assert missing_in_job("app", files, ["moto", "rich", "numpy", "pyyaml"]) == ([], [])
    surely, perhaps = missing_in_job("app", files, ["./something"])
    assert surely == [] and len(perhaps) == 4


def test_a_package_that_no_requirement_names_refuses_the_sweep(app: App) -> None:
    app.write("app.py", f"import moto\n{TASK}{END}")
    finished = app.run(*AWS, "x=1,2")
    assert finished.code == 1 and "Traceback" not in finished.output
    assert "nothing was submitted: 1 problem\n  - the task imports moto (moto " in finished.output
    assert "imported by app.py: it is neither bundled nor among the requirements. Add it to requirements.txt" in finished.output
    app.write("requirements.txt", "moto\n")
    assert app.run(*AWS, "x=1,2").code == 0
    app.write("requirements.txt", "")
    assert app.run(*AWS, "x=1,2", "hydra.launcher.requirements=null").code == 0


def repository(directory: Path) -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    subprocess.run(["git", "init", "-q", str(directory)], check=True)
    return directory.resolve()


def test_the_root_of_an_application_that_is_started_elsewhere(tmp_path: Path) -> None:
    project = repository(tmp_path / "project")
    task, conf = project / "src/lab/cli.py", project / "conf"
    conf.mkdir()
    task.parent.mkdir(parents=True)
    for start in (project, project / "src", tmp_path, repository(tmp_path / "another")):
        assert find_root(start, [task, conf]) == project
    assert find_root(tmp_path / "another") == tmp_path / "another"


def test_the_root_without_git(tmp_path: Path) -> None:
    for name in ("project/scripts/train.py", "project/lab/__init__.py", "project/lab/cli.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    project, conf = tmp_path / "project", tmp_path / "project/conf"
    assert find_root(project, [project / "scripts/train.py", conf]) == project
    (tmp_path / "elsewhere").mkdir()
    assert find_root(tmp_path / "elsewhere", [project / "lab/cli.py"]) == project
    (project / "pyproject.toml").touch()
    for start in (project, tmp_path, tmp_path / "elsewhere"):
        assert find_root(start, [project / "scripts/train.py", conf]) == project


def test_a_sweep_from_another_directory(app: App, tmp_path: Path) -> None:
    repository(app.root)
    (tmp_path / "elsewhere").mkdir()
    words = ("x=1,2", f"hydra.sweep.dir={app.sweep_dir}")
    finished = app.run(*AWS, *words, script=str(app.root / "app.py"), cwd=tmp_path / "elsewhere")
    assert finished.code == 0, finished.output
    assert f"the code is that of {app.root.resolve()}, where the task is" in finished.output
