"""docs/sagemaker.md: the local part is typed in a copy of the checkout; of the AWS part is checked what needs no account."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest

from checking import composed
from commands import ROOT, paraphrase
from hydra_sagemaker.cli.main import parser
from hydra_sagemaker.errors import Cause
from hydra_sagemaker.pricing.prices import price_table
from paraphrase_lab.configuration.composition import Composer

pytest.importorskip("moto", reason='needs pip install "paraphrase-lab[local-aws]"')
from typed_pages import bash_blocks, copy_of, free_port, typed  # noqa: E402

PAGE = (ROOT / "docs" / "sagemaker.md").read_text(encoding="utf-8")
LOCAL, ON_AWS = PAGE.split("\n## On AWS\n")
NEEDS_AWS = ("aws", "docker", "export", "pip")
"""First words of the AWS part's lines that nothing here can run."""


def aws_commands() -> list[list[str]]:
    lines = [line for block in bash_blocks(ON_AWS) for line in block.replace("\\\n", " ").splitlines()]
    return [shlex.split(line) for line in lines]


@pytest.fixture(scope="module")
def walked(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The copy, and what the commands of the local part printed there."""
    directory = tmp_path_factory.mktemp("page")
    checkout = copy_of(ROOT, directory / "checkout")
    variables = {
        "PYTHONPATH": f"{checkout / 'src'}:{checkout / 'src/hydra-sagemaker-launcher'}",
        "PARAPHRASE_CACHE_DIR": str(directory / "cache"),
        "HF_HUB_OFFLINE": "1",
    }
    return checkout, typed(LOCAL, checkout, free_port(), **variables)


def run(directory: Path) -> dict:
    return json.loads((directory / "run.json").read_text(encoding="utf-8"))


@pytest.mark.slow
def test_from_nothing_to_a_finished_sweep(walked: tuple[Path, str]) -> None:
    checkout, printed = walked
    requests = sorted((checkout / "runs/dry/.launcher/requests").glob("*.request.json"))
    assert [json.loads(file.read_text(encoding="utf-8"))["ResourceConfig"]["InstanceType"] for file in requests] == [
        "ml.m5.xlarge"
    ] * 2
    assert not (checkout / "runs/dry/0").exists()
    for sweep, seeds in (("first", [0, 1]), ("second", [0, 1, 2, 3])):
        runs = [run(checkout / "runs" / sweep / str(number)) for number in range(len(seeds))]
        assert [(values["status"], values["seed"]) for values in runs] == [("finished", seed) for seed in seeds]
    assert "2 jobs: 2 new" in printed and "4 jobs: 2 new, 2 reused" in printed
    assert "Emma helped Jack" in printed


@pytest.mark.slow
def test_each_job_ran_once(walked: tuple[Path, str]) -> None:
    """The server prints a line as a job starts training: those of the second sweep once more after the interruption."""
    assert (
        len(re.findall(r"^\S+ \S+ Training$", walked[1], re.MULTILINE)) == 2 + 2 * 2
    )  # the last two also after the interruption


@pytest.mark.slow
def test_the_plan_is_the_one_on_the_page(walked: tuple[Path, str]) -> None:
    (plan,) = re.findall(r"^```text\n(job  overrides.*?)^```$", LOCAL, re.DOTALL | re.MULTILINE)
    assert plan in walked[1]


@pytest.mark.slow
def test_left_and_collected(walked: tuple[Path, str]) -> None:
    printed = walked[1].split(" in SageMaker; the same command attaches to")[1]
    assert "running" in printed.split("4 jobs, ")[0], "by `list`, before it has ended"
    assert "best val/accuracy" in printed, "by `logs`"
    assert "job 3 (seed=3): completed, in " in printed


@pytest.mark.slow
def test_quota_throttling_and_interruptions_change_no_result(walked: tuple[Path, str]) -> None:
    checkout, printed = walked
    assert "waiting (The account-level service limit 'ml.m5.xlarge for training job usage' is 1 Instances" in printed
    jobs = [run(checkout / "runs/second" / str(number))["job"] for number in (2, 3)]
    assert [(job["spot"], job["interruptions"]) for job in jobs] == [(True, 1)] * 2
    assert all(job["cost"]["saved_by_spot_usd"] > 0 for job in jobs)


@pytest.mark.slow
def test_commands_of_the_aws_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    checked, verbs = 0, set()
    for program, *words in aws_commands():
        if program == "paraphrase" and words[0] == "jobs":
            arguments = parser().parse_args(words[1:])
            verbs.add(arguments.verb)
        elif program == "paraphrase":
            assert words[0] == "train"
            assert paraphrase("check", "--remote", *words[1:]) == 0, capsys.readouterr().err
            checked += 1
        elif program == "python":
            assert (ROOT / words[0]).is_file()
        else:
            assert program in NEEDS_AWS
    assert checked >= 8 and verbs == {"list", "logs", "stop", "collect"}


def test_what_the_page_says_of_the_configuration() -> None:
    with Composer() as composer:
        types = {model: composed(composer, [f"model={model}"]).model.instance_type for model in composer.group_options("model")}
        launcher = composed(composer, ["compute=sagemaker"], with_hydra=True).hydra.launcher
        hours, parallel = launcher.max_run_hours, launcher.max_parallel
    assert types.pop("tiny") == "ml.m5.xlarge" and set(types.values()) == {"ml.g5.2xlarge"}
    assert f"`hydra.launcher.max_run_hours` ({hours:g})" in PAGE and f"`hydra.launcher.max_parallel={parallel}`" in PAGE
    price = price_table()["ml.g5.2xlarge"].usd_per_hour
    assert f"can reach 72 hours and, by the launcher's table, ${6 * hours * price:.2f}" in " ".join(PAGE.split())
    assert 3 * 3 * price < 15, "the limit of the example lets its sweep pass"
    assert ", ".join(Cause) in " ".join(PAGE.split())
    settings = (ROOT / "conf/compute/sagemaker.yaml").read_text(encoding="utf-8")
    for variable in re.findall(r"export (PARAPHRASE_\w+)=", ON_AWS):
        assert f"oc.env:{variable}," in settings


def test_every_difference_and_gap_is_said() -> None:
    assert "\n## The local SageMaker and AWS\n" in PAGE
    gaps = PAGE.split("\n## Never seen on AWS\n")[1]
    assert len(re.findall(r"^- ", gaps, re.MULTILINE)) >= 6
    assert "was run on AWS itself yet" in PAGE[:1500]
