"""Everything that can be known to be wrong before anything is uploaded, of all jobs at once."""

from __future__ import annotations

import copy
import importlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf, open_dict, read_write

from hydra_plugins.hydra_sagemaker_launcher._errors import LauncherError
from hydra_plugins.hydra_sagemaker_launcher._jobs import Job
from hydra_plugins.hydra_sagemaker_launcher._secret_names import looks_secret, value_looks_secret
from hydra_plugins.hydra_sagemaker_launcher.config import SageMakerLauncherConf

REQUIRED = {
    "s3_uri": "s3://bucket/prefix",
    "role_arn": "the ARN of an execution role",
    "instance_type": "such as ml.g5.xlarge",
}


def user_check_problems(job: Job) -> list[str]:
    """What the function named in `hydra.launcher.check` says of the job's configuration."""
    name = job.settings.check
    if name is None:
        return []
    check = _imported(name)
    config = copy.deepcopy(job.config)
    with open_dict(config), read_write(config):
        del config["hydra"]
    previous = HydraConfig.instance().cfg
    HydraConfig.instance().set_config(job.config)  # for ${hydra:…}
    problems: list[str] = []
    try:
        found = check(config) or ()
        for problem in [found] if isinstance(found, str) else found:
            problems.append(str(problem))
    except Exception as error:  # a check may raise what it likes: it is a sentence about this job
        problems.append(str(error) or type(error).__name__)
    finally:
        HydraConfig.instance().cfg = previous
    return problems


def setting_problems(settings: SageMakerLauncherConf) -> Iterator[str]:
    """What a training job needs, and what must not be in one."""
    for name, valid in REQUIRED.items():
        if not getattr(settings, name):
            yield f"hydra.launcher.{name} is not set: {valid}"
    if settings.s3_uri and not settings.s3_uri.startswith("s3://"):
        yield f"hydra.launcher.s3_uri={settings.s3_uri}: it begins with s3://"
    if settings.network_isolation and settings.secrets:
        yield "hydra.launcher.network_isolation: an isolated job cannot reach Secrets Manager; give up one of the two"
    for field in ("env", "hyperparameters", "tags"):
        yield from _secrets_in(f"hydra.launcher.{field}", getattr(settings, field))
    for field in ("Environment", "HyperParameters"):
        yield from _secrets_in(f"hydra.launcher.extra.{field}", _mapping(settings.extra.get(field)))
    tags = settings.extra.get("Tags")
    pairs = [tag for tag in tags if isinstance(tag, dict)] if isinstance(tags, list) else []
    yield from _secrets_in("hydra.launcher.extra.Tags", {str(tag.get("Key")): tag.get("Value") for tag in pairs})


def config_secrets(config: DictConfig) -> Iterator[str]:
    """Literal values under names that look like secrets; `${oc.env:NAME}` travels as these words."""
    values = OmegaConf.to_container(config, resolve=False)
    assert isinstance(values, dict)
    for path, value in _leaves({key: node for key, node in values.items() if key != "hydra"}):
        if not isinstance(value, str) or not value or "${" in value or value == "???":
            continue
        if looks_secret(path.rpartition(".")[2]) or value_looks_secret(value):
            yield (
                f"the configuration's {path} looks like a secret: "
                "write ${oc.env:NAME} there, and NAME under hydra.launcher.secrets"
            )


def grouped(problems: Sequence[tuple[Job, str]], count: int) -> list[str]:
    """A problem that all jobs share is said once."""
    jobs: dict[str, list[Job]] = {}
    for job, problem in problems:
        jobs.setdefault(problem, []).append(job)
    return [problem if len(those) == count else f"{_named(those)}: {problem}" for problem, those in jobs.items()]


def _named(jobs: Sequence[Job]) -> str:
    shown = ", ".join(str(job) for job in jobs[:3])
    return shown if len(jobs) <= 3 else f"{shown} and {len(jobs) - 3} more"


def _mapping(value: Any) -> Mapping[str, Any]:
    """Anything else is a problem that the check of the request names."""
    return value if isinstance(value, Mapping) else {}


def _secrets_in(field: str, values: Mapping[str, Any]) -> Iterator[str]:
    for name, value in values.items():
        kind = value_looks_secret(str(value))
        if looks_secret(name) or kind:
            said = f"its value looks like {kind}" if kind and not looks_secret(name) else "its name looks like a secret"
            yield (
                f"{field}.{name}: {said}, and everyone who may describe the job reads it. "
                f"Store it in Secrets Manager and write hydra.launcher.secrets.{name}=NAME_THERE"
            )


def _leaves(node: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(node, dict):
        for key, value in node.items():
            yield from _leaves(value, f"{path}.{key}" if path else str(key))
    elif isinstance(node, list):
        for index, value in enumerate(node):
            yield from _leaves(value, f"{path}[{index}]")
    else:
        yield path, node


def _imported(name: str) -> Any:
    module, _, attribute = name.rpartition(".")
    try:
        return getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise LauncherError(
            f"hydra.launcher.check={name}: {error}. It is the dotted name of a function, as my_app.checks.check"
        ) from None
