"""The launcher's own page: its application runs as it stands there, its table is the dataclass, its limits hold."""

from __future__ import annotations

import dataclasses
import json
import re
import types
import typing
from enum import Enum
from pathlib import Path
from typing import Any

import pytest
import yaml
from omegaconf import OmegaConf

from commands import ROOT, blocks, write_documented_files
from hydra_sagemaker.cli.main import PROGRAM, parser
from hydra_sagemaker.errors import Cause
from hydra_sagemaker.pricing.prices import price_table
from hydra_sagemaker.scheduling.retries import retried_as
from hydra_sagemaker.settings import PER_JOB, SageMakerLauncherConf

pytest.importorskip("moto", reason='needs pip install "paraphrase-lab[local-aws]"')
from typed_pages import DEFAULT_PORT, free_port, typed  # noqa: E402

README = ROOT / "src/hydra-sagemaker-launcher/README.md"
WORDS = {str: "text", int: "integer", float: "number", bool: "true or false", Any: "anything", type(None): "null"}


@pytest.fixture(scope="module")
def page() -> str:
    return README.read_text(encoding="utf-8")


def fields(conf: Any, prefix: str = "") -> dict[str, tuple[str, Any, bool]]:
    """Return for each field in the order of the dataclass: type in words, default, and whether a job may have its own."""
    defaults = OmegaConf.to_container(OmegaConf.structured(conf), enum_to_str=True)
    assert isinstance(defaults, dict)
    found = {}
    for name, annotation in typing.get_type_hints(conf).items():
        if dataclasses.is_dataclass(annotation):
            found |= fields(annotation, f"{name}.")
        elif name != "_target_":
            found[prefix + name] = (in_words(annotation), defaults[name], (prefix.rstrip(".") or name) in PER_JOB)
    return found


def in_words(annotation: Any) -> str:
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is list:
        return f"list of {in_words(arguments[0])}"
    if origin is dict:
        return f"mapping of {in_words(arguments[1])}"
    if origin in (typing.Union, types.UnionType):
        return " or ".join(in_words(argument) for argument in arguments)
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        *first, last = [member.name for member in annotation]
        return f"{', '.join(first)} or {last}"
    return WORDS[annotation]


def test_the_table_is_the_dataclass(page: str) -> None:
    table = page.split("\n## Fields of hydra.launcher")[1].split("\n## ")[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines() if line.startswith("| `")]
    described = {name.strip("`"): (kind, yaml.safe_load(default), per_job == "yes") for name, kind, default, per_job, _ in rows}
    wanted = fields(SageMakerLauncherConf)
    assert list(described) == list(wanted)
    assert described == wanted
    assert all(len(meaning) > 5 for *_, meaning in rows)


def test_what_the_page_names_is_there(page: str) -> None:
    named = re.findall(r"hydra\.launcher\.([a-z_0-9]+)", page)
    assert len(named) >= 5 and set(named) <= {*SageMakerLauncherConf.__dataclass_fields__}
    headings = {"#" + re.sub(r"[^\w-]", "", title.lower().replace(" ", "-")) for title in re.findall(r"^#+ (.+)$", page, re.M)}
    for link in re.findall(r"\]\(([^)\s]+)\)", page):
        assert link.startswith("https://") or link in headings or (README.parent / link).is_file(), link


def section(page: str, name: str) -> str:
    return page.split(f"\n## {name}\n")[1].split("\n## ")[0]


def test_every_cause_has_a_row_and_says_what_is_tried_again(page: str) -> None:
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in section(page, "Failures and retries").splitlines()
    ]
    again = {row[0].strip("`"): row[3] for row in rows if len(row) == 4 and row[0].startswith("`")}
    assert list(again) == [cause.value for cause in Cause]
    for cause in Cause:
        kind = retried_as(cause, keeps_checkpoints=True)
        assert again[cause].startswith(f"`retries.{kind}`" if kind else "no")


def test_the_days_of_the_prices(page: str) -> None:
    said = set(re.findall(r"\d{4}-\d{2}-\d{2}", section(page, "Cost")))
    assert said == {listed.dated for listed in price_table().values()}


def test_the_verbs_as_they_are_typed(page: str) -> None:
    typed_there = re.findall(rf"^{re.escape(PROGRAM)} (.+?)  ", section(page, "Coming and going"), re.MULTILINE)
    verbs = {parser().parse_args(line.split()).verb for line in typed_there}
    assert verbs == {"list", "logs", "stop", "collect", "prices", "bootstrap"}


@pytest.fixture(scope="module")
def ran(page: str, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The page's files in a directory of their own, and what its commands printed there."""
    directory, port = tmp_path_factory.mktemp("application"), free_port()
    write_documented_files(README, directory)
    where = directory / "conf/where/local_sagemaker.yaml"
    where.write_text(where.read_text(encoding="utf-8").replace(DEFAULT_PORT, port), encoding="utf-8")
    return directory, typed(page, directory, port)


@pytest.mark.slow
def test_the_application_is_ten_lines(ran: tuple[Path, str]) -> None:
    (block,) = [block for block in blocks(README) if block.file == "app.py"]
    assert len(block.lines) <= 10


@pytest.mark.slow
def test_the_application_runs_in_local_mode(ran: tuple[Path, str]) -> None:
    directory, printed = ran
    results = sorted(directory.glob("multirun/*/*/*/.job/result.json"))
    assert [json.loads(file.read_text(encoding="utf-8"))["return_value"] for file in results] == [6, 15]
    assert "2 jobs: 2 new" in printed


@pytest.mark.slow
def test_the_application_runs_on_the_local_sagemaker(ran: tuple[Path, str]) -> None:
    directory, printed = ran
    jobs = [directory / "areas" / str(number) for number in range(3)]
    results = [json.loads((job / ".job/result.json").read_text(encoding="utf-8")) for job in jobs]
    assert [result["return_value"] for result in results] == [6, 15, 21]
    assert "\n5 x 3 = 15\n" in printed
    assert "3 jobs: 1 new, 2 reused" in printed
    assert re.search(r"^  0  width=2 +completed ", printed, re.MULTILINE), "by the verb `list`"
    assert len(re.findall(r"^\S+ \S+ Training$", printed, re.MULTILINE)) == 3  # the server's own lines: a job each, once


@pytest.mark.slow
def test_the_sweep_from_python(ran: tuple[Path, str]) -> None:
    _, printed = ran
    assert "\n[6, 15, 21]\n" in printed
    assert "[('completed', 6), ('completed', 15), ('completed', 21)]" in printed


@pytest.mark.slow
def test_the_files_that_the_page_lists(ran: tuple[Path, str], page: str) -> None:
    directory, _ = ran
    listed = re.findall(r"^SWEEP/(\S+)", page, re.MULTILINE)
    assert len(listed) == 10
    for name in listed:
        if "requests" not in name:  # mode=dry_run
            assert (directory / "areas" / name.replace("NUMBER", "2")).is_file(), name


@pytest.mark.slow
def test_the_record_says_what_the_page_says(ran: tuple[Path, str], page: str) -> None:
    record = json.loads((ran[0] / "areas/2/.job/record.json").read_text(encoding="utf-8"))
    assert {"name", "TrainingJobArn", "image", "output", "cost"} <= record.keys()
    assert re.fullmatch(r"app-[0-9a-f]{16}-0", record["name"])
    assert all(f"`{name}`" in page for name in record["cost"] if not name.startswith("instance_"))
