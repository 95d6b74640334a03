"""Jobs that run from a copy of the code in another directory, with nothing but their specification."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hydra
import packaging
import pytest

from hydra_apps import App, Elsewhere
from hydra_sagemaker.code.requirements import Requirements
from hydra_sagemaker.code.source import Code
from hydra_sagemaker.settings import CodeConf

TASK = """\
import json
import logging
import os
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

import hydra
from hydra.core.config_store import ConfigStore
from hydra.core.hydra_config import HydraConfig
from omegaconf import MISSING, OmegaConf

OmegaConf.register_new_resolver("twice", lambda number: 2 * number)


class Colour(Enum):
    RED = 1
    GREEN = 2


@dataclass
class Inner:
    colour: Colour = Colour.RED
    colours: dict[Colour, int] = field(default_factory=lambda: {Colour.GREEN: 1})


@dataclass
class Schema:
    inner: Inner = field(default_factory=Inner)
    anything: Any = Colour.GREEN
    folder: Path = Path("some/where")
    ratio: float = 1e-3
    text: str = "1e-3"
    yes: str = "yes"
    number_as_text: str = "012"
    none: str | None = None
    numbers: list[int] = field(default_factory=lambda: [1, 2])
    data: bytes = b"\\x00binary"
    later: str = MISSING
    endless: float = float("nan")
    lines: str = "a\\nb: c\\n"
    model: dict[str, int] = field(default_factory=dict)
    extra: dict[str, Any] = field(default_factory=dict)
    x: int = 0
    doubled: int = "${twice:${x}}"
    started: str = "${now:%H:%M:%S.%f}"
    started_again: str = "${now:%H:%M:%S.%f}"
    number: int = "${hydra:job.num}"
    mode: str = "${hydra:mode}"
    secret: str = "${oc.env:THE_SECRET,none}"


ConfigStore.instance().store(name="schema", node=Schema)


def seen(node):
    if OmegaConf.is_config(node):
        keys = node.keys() if OmegaConf.is_dict(node) else range(len(node))
        return {str(key): "???" if OmegaConf.is_missing(node, key) else seen(node[key]) for key in keys}
    return f"{type(node).__name__} {node!r}"


@hydra.main(version_base=None, config_path="conf", config_name="config")
def main(config):
    hydra_config = HydraConfig.get()
    logging.getLogger("task").info("logged")
    told = {
        "config": seen(config),
        "type": OmegaConf.get_type(config.inner).__name__,
        "cwd": str(Path.cwd()),
        "output_dir": hydra_config.runtime.output_dir,
        "job": [hydra_config.job.name, hydra_config.job.num, hydra_config.job.override_dirname],
        "choices": dict(hydra_config.runtime.choices),
        "overrides": list(hydra_config.overrides.task),
        "env": os.environ.get("FROM_HYDRA"),
    }
    told["config"]["secret"] = len(config.secret)
    Path(hydra_config.runtime.output_dir, "seen.json").write_text(json.dumps(told))


if __name__ == "__main__":
    main()
"""
CONFIG = """\
defaults:
  - schema
  - model: small
  - _self_
extra: {a: [1, {b: 2}]}
"""
OVERRIDES = ("x=1,2", "+extra.more=${inner.colour}", "model=large", "inner.colour=GREEN", "text='1e-3'")


def write_task(app: App) -> None:
    app.write("app.py", TASK)
    app.write("conf/config.yaml", CONFIG)
    app.write("conf/model/small.yaml", "layers: 1\n")
    app.write("conf/model/large.yaml", "layers: 24\n")


@pytest.fixture(scope="module")
def submitted(shared_app: App, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Elsewhere]:
    """As Hydra's own launcher ran it, as local mode did, and with a specification for elsewhere."""
    write_task(shared_app)
    elsewhere = Elsewhere(shared_app, tmp_path_factory.mktemp("other"))
    finished = shared_app.run("-m", "hydra.sweep.dir=basic", *OVERRIDES)
    assert finished.code == 0, finished.output
    shared_app.sweep("hydra.sweep.dir=local", *OVERRIDES, env={"THE_SECRET": "open sesame"})
    elsewhere.submit(*OVERRIDES, env={"THE_SECRET": "open sesame"})
    yield elsewhere


def local(app: App, directory: str, number: int) -> dict[str, Any]:
    return json.loads((app.root / directory / str(number) / "seen.json").read_text())


def comparable(told: dict[str, Any]) -> dict[str, Any]:
    config = {key: value for key, value in told["config"].items() if key not in ("started", "started_again", "secret")}
    choices = {key: value for key, value in told["choices"].items() if key != "hydra/launcher"}
    return {**told, "config": config, "cwd": "", "output_dir": "", "choices": choices}


def test_a_job_sees_what_it_sees_under_hydras_own_launcher(submitted: Elsewhere) -> None:
    submitted.run(1, THE_SECRET="open sesame")
    assert submitted.result()["status"] == "completed"
    theirs = local(submitted.app, "basic", 1)
    assert comparable(local(submitted.app, "local", 1)) == comparable(theirs)
    assert comparable(submitted.seen(1)) == comparable(theirs)
    config = submitted.seen(1)["config"]
    assert config["inner"] == {"colour": "Colour <Colour.GREEN: 2>", "colours": {"Colour.GREEN": "int 1"}}
    assert config["extra"] == {"a": {"0": "int 1", "1": {"b": "int 2"}}, "more": "Colour <Colour.GREEN: 2>"}
    assert config["anything"] == "Colour <Colour.GREEN: 2>"
    assert config["folder"] == "PosixPath PosixPath('some/where')"
    assert config["doubled"] == "int 4"
    assert config["later"] == "???"
    assert config["started"] == config["started_again"]


def test_a_job_writes_below_its_own_output_directory(submitted: Elsewhere) -> None:
    submitted.run(0)
    told = submitted.seen(0)
    assert told["output_dir"] == str(submitted.output / "0")
    assert told["cwd"] == str(submitted.root)
    assert "[task][INFO] - logged" in (submitted.output / "0/app.log").read_text()
    assert told["config"]["secret"] == len("none"), "read in the job's own environment"


def test_no_value_of_the_environment_is_written(submitted: Elsewhere) -> None:
    for directory in ("sweep", "local", ".hydra_jobs"):
        files = [file for file in (submitted.app.root / directory).rglob("*") if file.is_file()]
        assert len(files) > 3
        assert [file for file in files if b"sesame" in file.read_bytes()] == []
    assert "oc.env:THE_SECRET" in submitted.spec().read_text()


@pytest.mark.parametrize("own_option", [False, True], ids=["an override with +", "an option that extends ours"])
def test_a_job_composes_with_nothing_but_the_bundle(app: App, elsewhere: Elsewhere, tmp_path: Path, own_option: bool) -> None:
    """The launcher is not installed there: no site file, so no editable installation, and the bundle's modules alone."""
    words = ["x=1", "+hydra.launcher.tags.team=nlp"]
    if own_option:
        app.write("conf/hydra/launcher/mine.yaml", "defaults: [sagemaker]\ntags: {team: nlp}\n")
        words = ["x=1", "hydra/launcher=mine"]
    elsewhere.submit(*words)
    for name, content in Code.of(CodeConf(), app.root).extra(Requirements()).items():
        (tmp_path / "bundle" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "bundle" / name).write_bytes(content)
    path = [tmp_path / "bundle/.launcher/path", *(Path(str(one.__file__)).parents[1] for one in (hydra, packaging))]
    command = [sys.executable, "-S", "-m", "hydra_sagemaker.runner", str(elsewhere.spec()), "--root", str(elsewhere.root)]
    command += ["--job-dir", str(elsewhere.output / ".job"), "--output-root", str(elsewhere.output)]
    environment = {**os.environ, "PYTHONPATH": ":".join(map(str, path)), "MARKS": str(app.marks_file)}
    done = subprocess.run(command, cwd=elsewhere.root, env=environment, capture_output=True, text=True)
    assert elsewhere.result()["status"] == "completed", done.stdout + done.stderr
