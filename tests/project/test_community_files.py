"""The files that tools and hosts of repositories read: they parse, and what they run and name exists."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from commands import ROOT
from paraphrase_lab import __version__

LINT_AND_TEST = "make lint test"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def read(name: str) -> Any:
    return yaml.safe_load((ROOT / name).read_text(encoding="utf-8"))


def make_targets() -> set[str]:
    return set(re.findall(r"^([a-z-]+):.*##", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))


def test_continuous_integration_runs_lint_and_test_and_nothing_else() -> None:
    (job,) = read(".github/workflows/ci.yml")["jobs"].values()
    assert [step["run"] for step in job["steps"] if "run" in step] == [LINT_AND_TEST]
    assert job["strategy"]["matrix"]["python"][0] == PROJECT["requires-python"].removeprefix(">=")


def test_pre_commit_runs_the_same() -> None:
    hooks = [hook for repository in read(".pre-commit-config.yaml")["repos"] for hook in repository["hooks"]]
    assert [hook["entry"] for hook in hooks] == [LINT_AND_TEST]
    assert set(LINT_AND_TEST.split()[1:]) <= make_targets()


def test_the_development_container_makes_the_environment() -> None:
    container = json.loads((ROOT / ".devcontainer" / "devcontainer.json").read_text(encoding="utf-8"))
    assert container["postCreateCommand"] == "make setup"
    assert container["image"].endswith(f":{PROJECT['requires-python'].removeprefix('>=')}")


def test_the_citation() -> None:
    citation = read("CITATION.cff")
    assert {"cff-version", "message", "title", "authors", "license", "version"} <= set(citation)
    assert (citation["title"], citation["version"], citation["license"]) == (PROJECT["name"], __version__, PROJECT["license"])


@pytest.mark.parametrize("name", ["bug", "feature"])
def test_issue_forms(name: str) -> None:
    form = read(f".github/ISSUE_TEMPLATE/{name}.yml")
    assert {"name", "description", "body"} <= set(form)
    asked = [part for part in form["body"] if part["type"] != "markdown"]
    assert all(part["attributes"]["label"] for part in asked)
    assert len({part["id"] for part in asked}) == len(asked) and any(part.get("validations") for part in asked)
    assert read(".github/ISSUE_TEMPLATE/config.yml") == {"blank_issues_enabled": True}


@pytest.mark.parametrize(
    "package", ["paraphrase_lab", "hydra-sagemaker-launcher/hydra_sagemaker", "hydra-sagemaker-launcher/sagemaker_local"]
)
def test_packages_say_that_they_are_typed(package: str) -> None:
    assert (ROOT / "src" / package / "py.typed").is_file()


def pins(file: Path) -> dict[str, str]:
    found = re.findall(r"^([\w.-]+)==([^\s;\\]+)", file.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[-_.]+", "-", name).lower(): version for name, version in found}


def test_the_lock_agrees_with_the_constraints() -> None:
    """The versions are those of constraints.txt, and every dependency of the project is there. `make lock` mends it."""
    constraints, lock = pins(ROOT / "constraints.txt"), pins(ROOT / "requirements.lock")
    assert {name: version for name, version in constraints.items() if lock.get(name, version) != version} == {}
    wanted = [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["dev"]]
    names = {re.split(r"[\[<>=~; ]", requirement)[0].lower().replace("_", "-") for requirement in wanted} - {PROJECT["name"]}
    assert names - set(lock) == set()


def test_every_version_in_the_lock_has_a_hash() -> None:
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    requirements = re.findall(r"^\S+==.*?(?=^\S|\Z)", text, re.DOTALL | re.MULTILINE)
    assert len(requirements) > 100
    assert [requirement for requirement in requirements if "--hash=sha256:" not in requirement] == []
