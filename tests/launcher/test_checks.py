from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hydra.conf import HydraConf, JobConf
from hydra.core.hydra_config import HydraConfig
from hydra.core.utils import setup_globals
from omegaconf import DictConfig, OmegaConf

from hydra_sagemaker.errors import LauncherError
from hydra_sagemaker.job.job import Job
from hydra_sagemaker.settings import SageMakerLauncherConf
from hydra_sagemaker.sweep.checks import config_secrets, grouped, setting_problems, user_check_problems

HERE = Path(__file__).stem
setup_globals()


def returns_list(config: DictConfig) -> list[str]:
    assert "hydra" not in config
    return [f"x={config.x}", "another"]


def returns_sentence(config: DictConfig) -> str:
    return f"job {config.number} is wrong"


def returns_nothing(config: DictConfig) -> None:
    config.x = 7
    config.added = 1


def yields(config: DictConfig) -> Any:
    yield "first"
    raise ValueError("second")


def raises(config: DictConfig) -> None:
    raise ValueError("the data set is not there")


def raises_silently(config: DictConfig) -> None:
    raise KeyError


def job(check: str | None, number: int = 3) -> Job:
    config = OmegaConf.create({"x": 1, "number": "${hydra:job.num}"})
    OmegaConf.update(config, "hydra", OmegaConf.structured(HydraConf(job=JobConf(num=number))))
    settings = SageMakerLauncherConf(check=None if check is None else f"{HERE}.{check}")
    return Job(number, (f"x={number}",), config, settings, Path("out"), distinguishing_overrides=(f"x={number}",))


@pytest.mark.parametrize(
    "check, problems",
    [
        (None, []),
        ("returns_nothing", []),
        ("returns_list", ["x=1", "another"]),
        ("returns_sentence", ["job 3 is wrong"]),
        ("yields", ["first", "second"]),
        ("raises", ["the data set is not there"]),
        ("raises_silently", ["KeyError"]),
    ],
)
def test_what_a_check_says(check: str | None, problems: list[str]) -> None:
    assert user_check_problems(job(check)) == problems
    assert HydraConfig.instance().cfg is None


def test_a_check_cannot_change_the_job() -> None:
    checked = job("returns_nothing")
    before = OmegaConf.to_yaml(checked.config)
    OmegaConf.set_struct(checked.config, True)
    user_check_problems(checked)
    assert OmegaConf.to_yaml(checked.config) == before


@pytest.mark.parametrize(
    "check, words",
    [
        ("absent_module.check", "No module named 'absent_module'"),
        ("json.absent", "module 'json' has no attribute 'absent'"),
        ("check", "Empty module name"),
    ],
)
def test_a_check_that_is_not_there(check: str, words: str) -> None:
    unchecked = job(None)
    unchecked.settings.check = check
    with pytest.raises(
        LauncherError, match=f"hydra.launcher.check={check}: {words}.*dotted name of a function, as my_app.checks"
    ):
        user_check_problems(unchecked)


@pytest.mark.parametrize("processes", [0, -1, "many"])
def test_a_number_of_processes_below_one(processes: int | str) -> None:
    said = f"hydra.launcher.processes_per_instance={processes}: auto, or a number from 1"
    assert said in list(setting_problems(SageMakerLauncherConf(processes_per_instance=processes)))
    assert not any("processes_per_instance" in problem for problem in setting_problems(SageMakerLauncherConf()))


def test_problems_are_grouped_by_what_they_say() -> None:
    jobs = [job(None, number) for number in range(5)]
    problems = [(one, "all of them") for one in jobs] + [(one, "four") for one in jobs[:4]] + [(jobs[2], "one")]
    assert grouped(problems, len(jobs)) == [
        "all of them",
        "job 0 (x=0), job 1 (x=1), job 2 (x=2) and 1 more: four",
        "job 2 (x=2): one",
    ]


@pytest.mark.parametrize(
    "values, found",
    [
        ({"api_key": "abc"}, ["api_key"]),
        ({"logger": {"wandb": {"api_key": "abc"}}}, ["logger.wandb.api_key"]),
        ({"a": [{"password": "abc"}]}, ["a[0].password"]),
        ({"note": "AKIA" + "0123456789ABCDEF"}, ["note"]),
        ({"api_key": "${oc.env:API_KEY}", "password": None, "secret": "???", "token_count": 5, "model": "small"}, []),
        ({"hydra": {"password": "abc"}}, []),
    ],
)
def test_literal_secrets_of_a_configuration(values: dict[str, Any], found: list[str]) -> None:
    said = list(config_secrets(values))
    assert [sentence.split()[2] for sentence in said] == found
    assert not any("abc" in sentence or "AKIA" in sentence for sentence in said)
