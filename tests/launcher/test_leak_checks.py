"""Secrets that come by another way than under their own name: by `$NAME` of a shell, by `${oc.env:…}`, by Hydra's fields."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize
from omegaconf import OmegaConf

from hydra_sagemaker.secret_names import looks_secret, redacted, variable_within
from hydra_sagemaker.settings import SageMakerLauncherConf
from hydra_sagemaker.sweep.checks import config_secrets, requirement_secrets, setting_problems
from wire_contents import words_in

PASSWORD = "correct-horse-battery"
OWNER = "ann:hunter2"
HF_TOKEN = "hf_" + "aB3d" * 9


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DB_PASSWORD", PASSWORD)
    monkeypatch.setenv("GREETING", "good morning, everybody")


def in_config(values: dict[str, Any]) -> list[str]:
    """Where secrets are."""
    found = list(config_secrets(values))
    assert not [text for text in found if PASSWORD in text or HF_TOKEN in text]
    return [text.partition("configuration's ")[2].split()[0] for text in found]


def in_settings(**values: Any) -> list[str]:
    settings = SageMakerLauncherConf(s3_uri="s3://b", role_arn="r", instance_type="i", **values)
    found = list(setting_problems(settings))
    assert not [text for text in found if PASSWORD in text or HF_TOKEN in text]
    return found


def test_the_value_of_a_secret_variable() -> None:
    environment = {"DB_PASSWORD": PASSWORD, "GREETING": "good morning, everybody", "PGPASSWORD": "postgres", "PIN_CODE": ""}
    assert variable_within(PASSWORD, environment) == "DB_PASSWORD"
    assert variable_within(f"mysql://ann@db?password={PASSWORD}", environment) == "DB_PASSWORD"
    assert variable_within("postgres", environment) == "PGPASSWORD"
    for value in ("good morning, everybody", "postgresql://db", "", "correct-horse", "x" + PASSWORD[:-1]):
        assert variable_within(value, environment) is None
    assert variable_within("local", {"AWS_SECRET_ACCESS_KEY": "local"}) is None


def test_a_variable_that_names_a_file_holds_no_secret(tmp_path: Path) -> None:
    file = tmp_path / "credentials-of-google.json"
    environment = {"GOOGLE_APPLICATION_CREDENTIALS": str(file)}
    assert variable_within(str(file), environment) == "GOOGLE_APPLICATION_CREDENTIALS"
    file.touch()
    assert variable_within(str(file), environment) is None


def test_a_value_that_the_shell_put_into_the_configuration() -> None:
    values = {"note": f"use {PASSWORD}!", "greeting": "good morning, everybody", "a": {"b": [1, PASSWORD]}}
    assert in_config(values) == ["note", "a.b[1]"]
    (problem, _) = config_secrets(values)
    assert problem == (
        "the configuration's note holds the value of DB_PASSWORD of this machine's environment: "
        "write ${oc.env:DB_PASSWORD} there, and DB_PASSWORD under hydra.launcher.secrets"
    )


def test_literals_beside_interpolations_and_numbers() -> None:
    values = {"url": "${scheme}://h?key=" + HF_TOKEN, "scheme": "https", "default": f"${{oc.env:HF_TOKEN,{HF_TOKEN}}}"}
    assert in_config(values) == ["url", "default"]
    assert in_config({"password": 1234567890, "tracker": {"token": 250001}, "max_tokens": 1234567890}) == ["password"]
    assert in_config({"api_key": "${oc.env:API_KEY}", "password": None, "use_auth_token": True}) == []


def test_fields_of_hydra_that_applications_fill() -> None:
    hydra = {
        "job": {"env_set": {"WANDB_API_KEY": "planted", "LOGLEVEL": "debug"}, "override_dirname": f"note={PASSWORD}"},
        "sweeper": {"storage": f"postgresql://{OWNER}@db/optuna"},
        "callbacks": {"slack": {"auth_token": "planted"}},
        "job_logging": {"handlers": {"http": {"users": ["ann", "planted"], "token": "planted"}}},
    }
    found = ["job.env_set.WANDB_API_KEY", "sweeper.storage", "callbacks.slack.auth_token", "job_logging.handlers.http.token"]
    assert in_config({"hydra": hydra}) == [f"hydra.{path}" for path in found]


def test_what_is_typed_and_what_another_word_overrides() -> None:
    words = ["+a.api_key=planted", f"b={{c: [{HF_TOKEN}]}}", "use_auth_token=true", "token=null", "password=''", "x=1"]
    own = [
        "hydra.launcher.secrets.TOKEN=team/token",
        "+hydra.job.env_set.API_KEY=planted",
        "+hydra.launcher.env.API_KEY=judged-apart",
    ]
    config = {"a": {"api_key": "${oc.env:A}"}, "b": {"c": [HF_TOKEN]}, "hydra": {"overrides": {"hydra": own, "task": words}}}
    assert in_config(config) == ["b.c[0]", "hydra.job.env_set.API_KEY", "a.api_key"]


def test_copies_of_variables() -> None:
    job = {"env_copy": ["DB_PASSWORD"], "env_set": {"DB_PASSWORD": PASSWORD, "API_KEY": "planted"}}
    copied, other = config_secrets({"hydra": {"job": job}})
    assert copied == (
        "hydra.job.env_copy: a job has no DB_PASSWORD of this machine, and the value of its own would be written to its "
        ".hydra/hydra.yaml: write hydra.launcher.env.DB_PASSWORD, or hydra.launcher.secrets.DB_PASSWORD"
    )
    assert other.startswith("the configuration's hydra.job.env_set.API_KEY looks like a secret")


def test_hydras_own_fields_hold_none() -> None:
    with initialize(version_base=None, config_path=None):
        config = compose(overrides=["hydra.launcher={}", "+x=1"], return_hydra_config=True)
    assert in_config({"hydra": OmegaConf.to_container(config.hydra, resolve=False)}) == []


def test_an_interpolation_that_this_machine_resolves() -> None:
    (problem,) = in_settings(env={"SETTING": PASSWORD}, extra={"HyperParameters": {"greeting": "good morning, everybody"}})
    assert problem == (
        "hydra.launcher.env.SETTING: its value is that of DB_PASSWORD in this machine's environment, and everyone who may "
        "describe the job reads it. Store it in Secrets Manager and write hydra.launcher.secrets.SETTING=NAME_THERE"
    )


def test_extra_fields_at_any_depth() -> None:
    extra = {
        "AlgorithmSpecification": {"ContainerArguments": ["--port", "1", f"--key={HF_TOKEN}"]},
        "ExperimentConfig": {"TrialName": PASSWORD},
        "Environment": {"API_KEY": "planted", "PORT": 1},
        "Tags": [{"Key": "team", "Value": PASSWORD}, {"Key": "a"}, "no tag"],
        "RetryStrategy": None,
    }
    starts = [
        "Tags.team: its value is",
        "AlgorithmSpecification.ContainerArguments[2]: its value looks like Hugging Face token",
    ]
    starts += ["ExperimentConfig.TrialName: its value is", "Environment.API_KEY: its name looks like a secret"]
    problems = in_settings(extra=extra)
    assert [
        text for text, start in zip(problems, starts, strict=True) if not text.startswith(f"hydra.launcher.extra.{start}")
    ] == []
    assert "write hydra.launcher.secrets.VARIABLE=NAME_THERE" in problems[1]


def test_a_secret_where_its_name_belongs_and_in_other_fields() -> None:
    problems = in_settings(
        secrets={"HF_TOKEN": HF_TOKEN, "DB": "team/db"}, endpoint_url=f"http://{OWNER}@host", profile=PASSWORD
    )
    assert problems == [
        "hydra.launcher.profile: its value is that of DB_PASSWORD in this machine's environment: it would leave this machine",
        "hydra.launcher.endpoint_url: its value looks like password in a URL: it would leave this machine",
        "hydra.launcher.secrets.HF_TOKEN: its value looks like Hugging Face token: write its name in Secrets Manager",
    ]


def test_no_field_of_the_api_looks_like_a_secret_itself() -> None:
    session = pytest.importorskip("botocore.session")
    shapes, names = [session.get_session().get_service_model("sagemaker").shape_for("CreateTrainingJobRequest")], set()
    while shapes:
        shape = shapes.pop()
        members = getattr(shape, "members", {})
        names |= members.keys()
        shapes += [*members.values(), *([shape.member] if shape.type_name == "list" else [])]
    assert len(names) > 80 and not [name for name in names if looks_secret(name)]


def test_requirements_with_a_password() -> None:
    lines = [
        "torch>=2",
        f"--extra-index-url https://{OWNER}@pypi.internal/simple",
        f"mine @ git+https://{HF_TOKEN}@host/mine.git",
    ]
    lines += ["git+https://github.com/owner/name.git@v1", f"-i https://{PASSWORD}@host/simple", "# comment", ""]
    problems = list(requirement_secrets(lines))
    said = [text.removeprefix("the requirement ").split(" …: it ")[0] for text in problems]
    assert said == ["--extra-index-url", "mine", "-i"]
    assert problems[0].endswith(
        "looks like password in a URL: install it in the image, or from an index that needs no password"
    )
    assert not [text for text in problems if "hunter2" in text or HF_TOKEN in text or PASSWORD in text]


QUOTED = ["{}", "{!r}", "{!a}", "[{!r}]", 'it\'s {!r} and "{}"']
TO_HIDE = {
    "plain": PASSWORD,
    "backslash": "back\\slash\\\\s",
    "quotes": 'quo\'te "and" é% €',
    "lines": "-----BEGIN KEY-----\nMIIEvQIBADANBg\n-----END KEY-----\n",
}


@pytest.mark.parametrize("form", QUOTED)
@pytest.mark.parametrize("secret", TO_HIDE.values(), ids=TO_HIDE)
def test_a_record_without_its_secrets(secret: str, form: str) -> None:
    text = form.format(secret, secret)
    record = {"message": f"no entry: {text}", "args": [{"a": json.dumps(repr(text))}], "code": 1, "trace": f"  {text}\n"}
    found = redacted(record, {"KEY": secret, "PIN": "entry"})
    assert found["message"].startswith("no entry: ") and found["code"] == 1
    assert "[hydra.launcher.secrets.KEY]" in found["message"] and "[hydra.launcher.secrets.KEY]" in found["args"][0]["a"]
    assert words_in(json.dumps(record).encode(), secret.splitlines()) == set(secret.splitlines())
    assert words_in(json.dumps(found).encode(), secret.splitlines()) == set()


def test_parts_of_a_secret_in_json() -> None:
    secret = json.dumps(
        {"username": "ann", "password": PASSWORD, "hosts": [{"port": 5432, "name": "db.internal.example"}], "on": True}
    )
    text = f"ann:{PASSWORD}@db.internal.example:5432 is True"
    assert redacted(text, {"DB": secret}) == "ann:[hydra.launcher.secrets.DB]@[hydra.launcher.secrets.DB]:5432 is True"
    assert redacted([None, 1.5, True, "text"], {"DB": "[1, nonsense"}) == [None, 1.5, True, "text"]
