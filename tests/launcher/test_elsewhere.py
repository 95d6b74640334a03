"""What a job would lack on its machine is known before anything is submitted, in one message."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
from hydra.conf import HydraConf
from omegaconf import OmegaConf

from hydra_apps import AWS, CLOSURE, App
from hydra_sagemaker.aws.request_problems import Findings
from hydra_sagemaker.job.job import Job
from hydra_sagemaker.settings import SageMakerLauncherConf
from hydra_sagemaker.sweep.elsewhere import path_problem, variable_findings, without_default


def dry_run(app: App, *words: str, code: int = 0, **options: Any) -> str:
    finished = app.run(*AWS, *words, **options)
    assert finished.code == code and "Traceback" not in finished.output, finished.output
    return finished.output


def test_everything_in_one_message(app: App) -> None:
    """A machine's own configuration file, a variable of this shell, and an output path that no file system takes."""
    app.write("conf/config.yaml", "defaults: [_self_, optional local: default]\nx: 1\nroot: ${oc.env:MY_DATA_ROOT}\n")
    app.write("conf/local/default.yaml", "scratch: /data/me\n")
    app.write("conf/local/other.yaml", "scratch: /data/you\n")
    app.write(".gitignore", "conf/local/\nsweep/\n")
    subprocess.run(["git", "init", "-q", str(app.root)], check=True)
    env = {"MY_DATA_ROOT": "/data"}
    subdir = "hydra.sweep.subdir=${hydra.job.override_dirname}"
    said = dry_run(app, f"x=1,{'v' * 260}", subdir, code=1, env=env)
    assert "nothing was submitted: 3 problems" in said
    assert "- root needs MY_DATA_ROOT, which is set here and not in the job: hydra.launcher.env.MY_DATA_ROOT=… sets it" in said
    assert "- conf/local/default.yaml is part of the configuration and is not bundled" in said and "other.yaml" not in said
    assert "a name in its output directory has 262 bytes, and the file system takes 255: x=vvv" in said
    ways = ("hydra.launcher.env.MY_DATA_ROOT=/opt/data", "~local")
    assert "2 requests in " in dry_run(app, "x=1,2", *ways, env=env)
    subprocess.run(["git", "-C", str(app.root), "add", "-f", "conf/local/default.yaml"], check=True)
    assert "2 requests in " in dry_run(app, "x=1,2", ways[0], env=env)


PLUGIN = """
from hydra.core.config_search_path import ConfigSearchPath
from hydra.plugins.search_path_plugin import SearchPathPlugin


class Colours(SearchPathPlugin):
    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        search_path.append(provider="hydra-colours", path="pkg://colours_conf")
"""


@pytest.mark.slow
def test_a_configuration_of_a_package_that_no_requirement_names(app: App, tmp_path: Path) -> None:
    packages = tmp_path / "site-packages"
    files = {"hydra_plugins/colours.py": PLUGIN, "colours_conf/__init__.py": "", "colours_conf/tone/red.yaml": "is: red\n"}
    files["hydra_colours-1.0.dist-info/METADATA"] = "Metadata-Version: 2.1\nName: hydra-colours\nVersion: 1.0\n"
    for name, text in files.items():
        (packages / name).parent.mkdir(parents=True, exist_ok=True)
        (packages / name).write_text(text, encoding="utf-8")
    env = {"PYTHONPATH": str(packages)}
    assert "1 request in " in dry_run(app, "x=1", env=env)
    said = dry_run(app, "x=1,2", "+tone=red", code=1, env=env)
    assert "nothing was submitted: 1 problem" in said
    assert "tone/red is part of the configuration and comes from hydra-colours, which no requirement names" in said
    app.write("requirements.txt", "hydra-colours\n")
    assert "1 request in " in dry_run(app, "x=1", "+tone=red", env=env)


@pytest.mark.slow
def test_a_token_of_a_private_index(app: App) -> None:
    app.write("requirements.txt", "--extra-index-url https://aws:${INDEX_TOKEN}@private.example/simple\nhydra-core\n")
    said = dry_run(app, "x=1", code=1)
    assert "the requirements name ${INDEX_TOKEN}, which the job lacks: store it in Secrets Manager" in said
    assert "1 request in " in dry_run(app, "x=1", "hydra.launcher.secrets.INDEX_TOKEN=index")


def test_a_closure_is_refused_before_a_job_is_composed(app: App) -> None:
    app.write("app.py", CLOSURE)
    said = dry_run(app, "no_such_key=1,2", code=1)
    assert "the task is a closure or an object, which another machine cannot import: make it a function at the top" in said
    assert "no_such_key" not in said


@pytest.mark.parametrize(
    "text, names",
    [
        ("${oc.env:A}", ["A"]),
        ("x ${ oc.env : A } ${oc.env:'B'}", ["A", "B"]),
        ("${oc.decode:${oc.env:A}}", ["A"]),
        ("${oc.env:A,null} ${oc.env:B,'x}'}", []),
        ("${oc.env:A,${oc.env:B}}", ["B"]),
        ("${oc.env:DO_${x}}", ["DO_${x}"]),
        ("${oc.env:DO_${f:1,2}}", ["DO_${f:1,2}"]),
        (r"\${oc.env:A}", []),
        ("${oc.env:A", []),
    ],
)
def test_variables_without_a_default(text: str, names: list[str]) -> None:
    assert list(without_default(text)) == names


def job(hydra: dict[str, Any] | None = None, settings: dict[str, Any] | None = None, **values: Any) -> Job:
    config = OmegaConf.create(values)
    OmegaConf.update(config, "hydra", OmegaConf.merge(OmegaConf.structured(HydraConf), hydra or {}), force_add=True)
    return Job(0, (), config, SageMakerLauncherConf(**(settings or {})), Path("out"))


def findings(job: Job) -> Findings:
    plain = OmegaConf.to_container(job.config, resolve=False)
    assert isinstance(plain, dict)
    return variable_findings(job, plain)


@pytest.mark.parametrize(
    "hydra, settings, values, missing",
    [
        ({}, {}, {"a": ["${oc.env:HERE}"]}, "a[0] needs HERE, which is set here and not in the job: hydra.launcher.env.HERE=…"),
        ({}, {}, {"a": {"b": "${oc.env:THE_TOKEN}"}}, "a.b needs THE_TOKEN, which is set here and not in the job: "
         "hydra.launcher.secrets.THE_TOKEN=…"),
        ({}, {}, {"n": "HERE", "a": "${oc.env:${n}}"}, "a needs HERE, "),
        ({"job": {"env_set": {"HERE": "${oc.env:HERE}"}}}, {}, {}, "hydra.job.env_set.HERE needs HERE, "),
        ({"job": {"env_set": {"HERE": "1"}}}, {}, {"a": "${oc.env:HERE}"}, None),
        ({"sweep": {"dir": "${oc.env:HERE}"}}, {}, {}, None),
        ({}, {"env": {"HERE": "1"}}, {"a": "${oc.env:HERE}"}, None),
        ({}, {"secrets": {"THE_TOKEN": "name"}}, {"a": "${oc.env:THE_TOKEN}"}, None),
        ({}, {"extra": {"Environment": {"HERE": "1"}}}, {"a": "${oc.env:HERE}"}, None),
        ({}, {}, {"a": "${oc.env:HOME} ${oc.env:SM_CHANNEL_PAIRS} ${oc.env:LOCAL_RANK}"}, None),
        ({}, {}, {"a": "${oc.env:${missing}}"}, None),
    ],
)  # fmt: skip
def test_variables_that_a_job_lacks(
    monkeypatch: pytest.MonkeyPatch,
    hydra: dict[str, Any],
    settings: dict[str, Any],
    values: dict[str, Any],
    missing: str | None,
) -> None:
    monkeypatch.setenv("HERE", "/data")
    monkeypatch.setenv("THE_TOKEN", "abc")
    found = findings(job(hydra, settings, **values))
    assert found.warnings == [] and len(found.problems) == (missing is not None)
    assert missing is None or found.problems[0].startswith(missing)


def test_a_variable_that_is_set_nowhere_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HERE", raising=False)
    found = findings(job(a="${oc.env:HERE}"))
    assert found.problems == [] and "a needs HERE, which is not set here: unless the image sets it" in found.warnings[0]


def test_long_paths(tmp_path: Path) -> None:
    assert path_problem(tmp_path / ("v" * 255)) is None
    assert "has 256 bytes, and the file system takes 255: ääää" in str(path_problem(tmp_path / ("ä" * 128) / "0"))
    deep = tmp_path.joinpath(*["v" * 200] * 21)
    assert "at most 4032: shorten hydra.sweep.dir or .subdir" in str(path_problem(deep))


def test_a_profile_that_does_not_exist(app: App) -> None:
    """A dry run needs none; to submit, it is a sentence."""
    files = dict.fromkeys(("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"), "/dev/null")
    env = {**files, "AWS_PROFILE": "nosuch"}
    assert "1 request in " in dry_run(app, "x=1", env=env)
    said = dry_run(app, "x=1", "hydra.launcher.mode=sagemaker", code=1, env=env)
    assert "The config profile (nosuch) could not be found\nNext: `aws configure list-profiles` lists the valid ones" in said
