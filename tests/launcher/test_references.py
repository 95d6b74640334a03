"""What a job computes with beside its configuration's own text is part of its key, or the sweep is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hydra.conf import HydraConf
from hydra.core.utils import setup_globals
from omegaconf import DictConfig, OmegaConf

from hydra_apps import App
from hydra_sagemaker.errors import LauncherError, SubmissionRefused
from hydra_sagemaker.job.assign_keys import identify, referred
from hydra_sagemaker.job.identity import task_yaml
from hydra_sagemaker.job.job import Job, settings_of
from hydra_sagemaker.settings import Mode, SageMakerLauncherConf


def job(number: int = 0, *, hydra: Any = None, **values: Any) -> Job:
    settings = SageMakerLauncherConf(mode=values.pop("mode", Mode.sagemaker), **values.pop("settings", {}))
    config = OmegaConf.create({"hydra": {"job": {"num": number}, **(hydra or {})}, **values})
    assert isinstance(config, DictConfig)
    return Job(number, (), config, settings, Path(f"sweep/{number}"))


def launching(values: dict[str, Any]) -> DictConfig:
    config = OmegaConf.create({"hydra": OmegaConf.structured(HydraConf)})
    config.hydra.launcher = OmegaConf.create(values)
    return config


def value_of(of: Job) -> str:
    return referred(of, task_yaml(of.config))


def identified(*jobs: Job) -> list[str]:
    identify(jobs, slug="app", code=lambda text: "c", image=lambda settings: "i", task=None, working_dir=Path())
    return [one.key for one in jobs]


@pytest.mark.parametrize(
    "text",
    [
        "${oc.env:LR}",
        "${oc.env:LR,0.1}",
        "${ oc.env : LR }",
        "a ${oc.decode:${oc.env:LR}} b",
        "${oc.env:'LR'}",
        '${oc.env:"LR"}',
    ],
)
def test_a_variable_of_the_job_counts_where_the_configuration_names_it(text: str) -> None:
    texts = [value_of(job(a={"b": [text]}, settings={"env": env})) for env in ({"LR": "1"}, {"LR": "2"}, {}, {"OTHER": "1"})]
    assert texts[0] == '{"env LR": "1"}' and texts[1] == '{"env LR": "2"}' and texts[2:] == ["", ""]
    assert value_of(job(a="LR", settings={"env": {"LR": "1"}})) == ""


def test_this_machines_environment_counts_where_the_job_runs_on_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LR", "1")
    assert value_of(job(a="${oc.env:LR,0}")) == ""
    assert value_of(job(a="${oc.env:LR,0}", mode=Mode.local)) == '{"env LR": "1"}'
    assert value_of(job(a="${oc.env:LR,0}", mode=Mode.local, settings={"env": {"LR": "2"}})) == '{"env LR": "2"}'
    env_set = {"job": {"env_set": {"LR": "${oc.env:LR}3", "LATER": "${oc.env:ABSENT}"}}}
    assert (
        value_of(job(a="${oc.env:LR,0} ${oc.env:LATER}", hydra=env_set)) == '{"env LATER": "${oc.env:ABSENT}", "env LR": "13"}'
    )


def test_secrets_do_not_count() -> None:
    settings = {"env": {"HF_TOKEN": "a", "KEY": "b"}, "secrets": {"KEY": "name"}}
    assert value_of(job(a="${oc.env:HF_TOKEN} ${oc.env:KEY}", settings=settings)) == ""


def test_the_number_and_what_was_chosen_count_where_the_configuration_names_them() -> None:
    assert value_of(job(7, a="${hydra:job.num}")) == value_of(job(7, a="${hydra:job.id}")) == '{"number": "7"}'
    assert value_of(job(7, a="${hydra:runtime.output_dir}")) == value_of(job(7, a="${x.job.num}")) == ""
    chosen = {"runtime": {"choices": {"db": "mysql", "more/db": "pg"}}}
    assert value_of(job(a="${hydra:runtime.choices.db} ${hydra:runtime.choices.more/db}", hydra=chosen)) == (
        '{"runtime.choices.db": "mysql", "runtime.choices.more/db": "pg"}'
    )


def test_an_excluded_key_refers_to_nothing() -> None:
    excluding = {"env": {"LR": "1"}, "key_exclude": ["lr"]}
    assert identified(job(lr="${oc.env:LR}", x=1, settings=excluding)) == identified(job(lr=5, x=1, settings=excluding))
    assert identified(job(lr="${oc.env:LR}", x=1, settings={"env": {"LR": "1"}})) != identified(job(lr="${oc.env:LR}", x=1))


@pytest.mark.parametrize(
    "field, one, other",
    [
        ("hydra.launcher.env.SEED", {"env": {"SEED": "1"}}, {"env": {"SEED": "2"}}),
        ("hydra.launcher.env.SEED", {"env": {"SEED": "1"}}, {}),
        ("hydra.launcher.instance_type", {"instance_type": "ml.m5.large"}, {"instance_type": "ml.m5.xlarge"}),
        ("hydra.launcher.channels.train", {"channels": {"train": "s3://a/1"}}, {"channels": {"train": "s3://a/2"}}),
        ("hydra.launcher.extra.RetryStrategy", {"extra": {"RetryStrategy": {"Attempts": 1}}}, {}),
    ],
)  # fmt: skip
def test_one_job_that_is_to_run_in_two_ways_is_refused(field: str, one: dict[str, Any], other: dict[str, Any]) -> None:
    jobs = [job(0, x=1, settings=one), job(1, x=1, settings=other), job(2, x=2, settings=other)]
    with pytest.raises(
        SubmissionRefused, match=f"job 1 and job 0 have the same configuration .* yet differ in {field}: put the"
    ):
        identified(*jobs)


def test_duplicates_that_differ_in_nothing_or_in_their_tags_share_a_run() -> None:
    assert len(set(identified(job(0, x=1), job(1, x=1, settings={"tags": {"a": "b"}})))) == 1
    same = {"job": {"env_set": {"SEED": "1"}}}
    assert len(set(identified(job(0, hydra=same), job(1, hydra=same)))) == 1


def test_what_hydra_sets_in_the_environment_tells_jobs_apart() -> None:
    setup_globals()
    env_set = {"env_set": {"SEED": "${hydra:job.num}"}}
    jobs = [job(number, x=1, hydra={"job": {"num": number, **env_set}}) for number in (0, 1)]
    with pytest.raises(SubmissionRefused, match="yet differ in hydra.job.env_set.SEED: put the value into the configuration"):
        identified(*jobs)


@pytest.mark.parametrize(
    "field, value, said",
    [
        ("max_run_hours", float("nan"), r"max_run_hours=nan: it must be a finite number"),
        ("max_run_hours", float("inf"), r"max_run_hours=inf: it must be a finite number"),
        ("code", {"max_mb": float("nan")}, r"code\.max_mb=nan: it must be a finite number"),
        ("price_per_hour", {"ml.x": float("nan")}, r"price_per_hour\.ml\.x=nan: it must be a finite number"),
        ("endpoint_url", "127.0.0.1:5005", r"endpoint_url=127\.0\.0\.1:5005: it begins with http:// or https://"),
    ],
)
def test_values_that_make_no_sense_are_sentences(field: str, value: Any, said: str) -> None:
    with pytest.raises(LauncherError, match=f"hydra.launcher.{said}"):
        settings_of(launching({field: value}))
    unlimited = {"code": {"max_mb": float("inf")}, "max_cost_usd": float("inf"), "endpoint_url": "https://x"}
    assert settings_of(launching(unlimited)).code.max_mb == float("inf")


@pytest.mark.slow
def test_the_same_command_in_another_environment_is_another_job(app: App) -> None:
    app.write("conf/config.yaml", "x: ${oc.env:LR}\ndo: nothing\nonly: 0\n")
    for lr in ("1", "2", "1"):
        output = app.sweep("only=0", f"hydra.sweep.dir=sweep{lr}", env={"LR": lr})
    assert app.marks() == ["1", "2"] and "1 job: 1 reused in" in output


@pytest.mark.slow
def test_the_number_of_a_job_makes_two_of_one(app: App) -> None:
    app.write("conf/db/a.yaml", "host: here\n")
    app.sweep("+db=a,a", "x='${hydra:job.num}'")
    assert sorted(app.marks()) == ["0", "1"]


@pytest.mark.slow
def test_a_group_that_sets_the_launcher_alone_is_refused(app: App) -> None:
    for name, seed in (("one", 1), ("two", 2)):
        app.write(f"conf/data/{name}.yaml", f"# @package _global_\nhydra:\n  launcher:\n    env: {{SEED: '{seed}'}}\n")
    output = app.sweep("+data=one,two", code=1)
    assert "nothing was submitted: 1 problem" in output and app.marks() == []
    assert "job 1 (+data=two) and job 0 (+data=one) have the same configuration" in output
    assert "differ in hydra.launcher.env.SEED: put the value" in output and "Traceback" not in output


@pytest.mark.slow
@pytest.mark.parametrize("subdir", ["../up", "a/../../up", "/tmp/up"])
def test_an_output_directory_outside_the_sweeps_is_refused(app: App, subdir: str) -> None:
    output = app.sweep("x=1", f"hydra.sweep.subdir={subdir}", code=1)
    assert f"hydra.sweep.subdir={subdir} leaves the sweep's directory sweep: it is a path below that" in output
    assert app.marks() == [] and not (app.root / "up").exists()
