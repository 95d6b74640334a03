"""Everything that can be known to be wrong before anything is uploaded, of all jobs at once."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from hydra_sagemaker.aws.request_problems import MAX_RUNTIME_SECONDS, Findings
from hydra_sagemaker.job.identity import nodes, unresolved_without, without_hydra
from hydra_sagemaker.job.job import Job, hydra_config
from hydra_sagemaker.job.parsed import parsed
from hydra_sagemaker.pricing.prices import SECONDS_PER_HOUR
from hydra_sagemaker.secret_names import key_under_name, looks_secret, value_looks_secret, variable_within
from hydra_sagemaker.settings import LONGEST_WARM_MINUTES, Mode, SageMakerLauncherConf, keep_warm_seconds
from hydra_sagemaker.sweep.elsewhere import path_problem, variable_findings
from hydra_sagemaker.sweep.hooks import imported

REQUIRED = {"s3_uri": "s3://bucket/prefix", "role_arn": "the ARN of an execution role", "instance_type": "such as ml.g5.xlarge"}
VISIBLE = ("env", "tags", "extra")
HYDRA_NODES = ("job.env_set", "sweeper", "callbacks", "job_logging", "hydra_logging")
"""Keys of the hydra node in which applications write values of their own."""
_DEFAULT = re.compile(r"\$\{oc\.(?:env|select):\s*([\w.]+)\s*,([^${}]*)\}")
NO_SECRETS = ("", "null", "none", "???", "dummy", "unset", "missing", "absent", "nobody", "anonymous")
"""Defaults that stand for the lack of a secret."""
NUMBER_DIGITS = 8
"""Shorter numbers under `token` and the like are identifiers."""


def findings_of(job: Job, sweep_dir: Path, code_problems: Sequence[str]) -> Findings:
    """Return everything wrong with one job; `code_problems` are those of the code that all jobs share."""
    problems = user_check_problems(job)
    if not job.output_dir.is_relative_to(sweep_dir):
        problems.append(f"{job.output_dir} is not below {sweep_dir}: set hydra.sweep.subdir per job, not hydra.sweep.dir")
    if (too_long := path_problem(job.output_dir)) is not None:
        problems.append(too_long)
    if job.settings.mode == Mode.local:
        return Findings(problems, [])
    from hydra_sagemaker.aws import request

    config = job.config
    plain = unresolved_without(config, "hydra") | {"hydra": unresolved_without(config.hydra, "launcher")}
    found, variables = request.findings_of(job), variable_findings(job, plain)
    own = [*setting_problems(job.settings), *config_secrets(plain), *variables.problems]
    return Findings([*problems, *own, *code_problems, *found.problems], [*found.warnings, *variables.warnings])


def user_check_problems(job: Job) -> list[str]:
    """Return what the function named in `hydra.launcher.check` finds wrong with the job's configuration."""
    if (name := job.settings.check) is None:
        return []
    check = imported(name, "hydra.launcher.check")
    config = without_hydra(job.config)
    problems: list[str] = []
    try:
        with hydra_config(job.config):
            found = check(config) or ()
            problems.extend(map(str, [found] if isinstance(found, str) else found))
    except Exception as error:  # a check may raise what it likes: it is a sentence about this job
        problems.append(str(error) or type(error).__name__)
    return problems


def setting_problems(settings: SageMakerLauncherConf) -> Iterator[str]:
    """Yield settings that a training job lacks, and those it must not have."""
    for name, valid in REQUIRED.items():
        if not getattr(settings, name):
            yield f"hydra.launcher.{name} is not set: {valid}"
    if settings.s3_uri and not settings.s3_uri.startswith("s3://"):
        yield f"hydra.launcher.s3_uri={settings.s3_uri}: it begins with s3://"
    minutes = settings.keep_warm_minutes
    if minutes is not None and not 0 <= minutes <= LONGEST_WARM_MINUTES:
        yield f"hydra.launcher.keep_warm_minutes={minutes:g}: from 0 to {LONGEST_WARM_MINUTES}; null or 0 keeps nothing"
    processes = settings.processes_per_instance
    if processes != "auto" and not (isinstance(processes, int) and processes >= 1):
        yield f"hydra.launcher.processes_per_instance={processes}: auto, or a number from 1"
    if settings.extra.get("EnableNetworkIsolation") and settings.secrets:
        yield "hydra.launcher.extra.EnableNetworkIsolation: an isolated job cannot read hydra.launcher.secrets: remove one"
    yield from _sharing_problems(settings)
    environment = dict(os.environ)  # whose own look-ups decode at each
    yield from _visible_secrets(settings, environment)
    for path, value in _leaves({key: node for key, node in asdict(settings).items() if key not in VISIBLE}):
        if kind := _kind_of_secret(value, environment):
            advice = "write its name in Secrets Manager" if path.startswith("secrets.") else "it would leave this machine"
            yield f"hydra.launcher.{path}: its value {kind}: {advice}"


def _sharing_problems(settings: SageMakerLauncherConf) -> Iterator[str]:
    """Yield settings that jobs on a shared machine cannot have."""
    if (count := settings.jobs_per_machine) == 1:
        return
    if settings.instance_count > 1:
        yield (
            f"hydra.launcher.jobs_per_machine={count} with instance_count={settings.instance_count}: jobs share one machine: "
            "instance_count=1, or jobs_per_machine=1"
        )
    if count * settings.max_run_hours > MAX_RUNTIME_SECONDS / SECONDS_PER_HOUR >= settings.max_run_hours:
        yield (
            f"hydra.launcher.jobs_per_machine={count} times max_run_hours={settings.max_run_hours:g} is "
            f"{count * settings.max_run_hours:g} hours, and a machine runs for 672 (28 days) at most: lower one of them"
        )
    if keep_warm_seconds(settings):
        yield (
            f"hydra.launcher.jobs_per_machine={count} with keep_warm_minutes={settings.keep_warm_minutes}: each pays for the "
            "start of a machine once for several jobs: jobs_per_machine=1, or keep_warm_minutes=null"
        )
    for field in ("StoppingCondition", "CheckpointConfig"):
        if field in settings.extra:
            yield (
                f"hydra.launcher.extra.{field} with jobs_per_machine={count}: the launcher sets it for a shared machine: "
                "type hydra.launcher.max_run_hours, max_wait_hours and checkpoints, which are those of each job"
            )


def config_secrets(plain: Mapping[Any, Any]) -> Iterator[str]:
    """Yield literal values of an unresolved configuration under names that look like secrets.

    `${oc.env:NAME}` is sent unresolved, and passes.
    """
    values = {key: node for key, node in plain.items() if key != "hydra"}
    hydra = dict(nodes(plain.get("hydra", {}), (*HYDRA_NODES, "job.env_copy", "overrides")))
    words = [word for words in hydra.pop("overrides", {}).values() for word in words]
    hydra["job.env_set"] = dict(hydra["job.env_set"])
    for name in hydra.pop("job.env_copy", ()):  # Hydra has copied it already
        hydra["job.env_set"].pop(name, None)
        yield (
            f"hydra.job.env_copy: a job has no {name} of this machine, and the value of its own would be written to its "
            f".hydra/hydra.yaml: write hydra.launcher.env.{name}, or hydra.launcher.secrets.{name}"
        )
    values |= {f"hydra.{path}": node for path, node in hydra.items()}
    environment = dict(os.environ)
    found = (_literal_secret(path, value, environment) for path, value in [*_leaves(values), *_typed(words)])
    yield from dict.fromkeys(problem for problem in found if problem is not None)


def requirement_secrets(lines: Sequence[str]) -> Iterator[str]:
    """Yield requirements that hold a secret: they are sent, and pip prints them."""
    for line in lines:
        if kind := _kind_of_secret(line, os.environ):
            name = line.strip().split()[0].partition("@")[0].partition("://")[0]
            yield f"the requirement {name} …: it {kind}: install it in the image, or from an index that needs no password"


def grouped(problems: Sequence[tuple[Job, str]], count: int) -> list[str]:
    """Merge equal problems; one that all jobs share names no job."""
    jobs: dict[str, list[Job]] = {}
    for job, problem in problems:
        jobs.setdefault(problem, []).append(job)
    found = []
    for problem, those in jobs.items():
        named = ", ".join(map(str, those[:3])) + (f" and {len(those) - 3} more" if len(those) > 3 else "")
        found.append(problem if len(those) == count else f"{named}: {problem}")
    return found


def _visible_secrets(settings: SageMakerLauncherConf, environment: Mapping[str, str]) -> Iterator[str]:
    for field in ("env", "tags"):
        yield from _secrets_in(f"hydra.launcher.{field}", getattr(settings, field), environment)
    rest = dict(settings.extra)
    tags = rest.pop("Tags", None)
    pairs = [tag for tag in tags if isinstance(tag, dict)] if isinstance(tags, list) else []
    yield from _secrets_in("hydra.launcher.extra.Tags", {str(tag.get("Key")): tag.get("Value") for tag in pairs}, environment)
    for path, value in _leaves(rest):
        field, _, name = f"hydra.launcher.extra.{path}".rpartition(".")
        yield from _secrets_in(field, {name: value}, environment)


def _secrets_in(field: str, values: Mapping[str, Any], environment: Mapping[str, str]) -> Iterator[str]:
    for name, value in values.items():
        kind = _kind_of_secret(value, environment, name)
        if looks_secret(name) or kind:
            reason = "its name looks like a secret" if looks_secret(name) else f"its value {kind}"
            variable = name if name.isidentifier() else "VARIABLE"
            yield (
                f"{field}.{name}: {reason}, and everyone who may describe the job reads it. "
                f"Store it in Secrets Manager and write hydra.launcher.secrets.{variable}=NAME_THERE"
            )


def _typed(words: list[str]) -> Iterator[tuple[str, Any]]:
    """Yield the values of overrides, which are sent as typed; the launcher's own fields are judged apart."""
    others = [word for word in words if not word.lstrip("+~").startswith("hydra.launcher.")]
    for override in map(parsed, others):
        yield from _leaves({override.key_or_group: override.value()})


def _literal_secret(path: str, value: Any, environment: Mapping[str, str]) -> str | None:
    text = "" if value is None or isinstance(value, bool) else str(value)
    if (variable := variable_within(text, environment)) is not None:
        return (
            f"the configuration's {path} holds the value of {variable} of this machine's environment: "
            f"write ${{oc.env:{variable}}} there, and {variable} under hydra.launcher.secrets"
        )
    name = path.rpartition(".")[2]
    literal = isinstance(value, str) and text not in ("", "???") and "${" not in text
    if looks_secret(name) and (literal or text.isdigit() and len(text) >= NUMBER_DIGITS):
        kind: str | None = ""
    elif "${" in text and any(looks_secret(name) or looks_secret(variable) for variable, _ in _defaults(text)):
        kind = " (the default after its variable)"
    else:
        found = value_looks_secret(text)
        if found is None and "${" in text:
            found = value_looks_secret(text := _DEFAULT.sub(lambda match: match[2].strip("\"' "), text))
        found = found or key_under_name(name, text)
        kind = found and f" ({found})"
    if kind is None:
        return None
    advice = "write ${oc.env:NAME} there, and NAME under hydra.launcher.secrets"
    return f"the configuration's {path} looks like a secret{kind}: {advice}"


def _defaults(text: str) -> Iterator[tuple[str, str]]:
    """Yield the variable and the default of each `${oc.env:NAME,default}` whose default is text that could be one."""
    for match in _DEFAULT.finditer(text):
        default = match[2].strip("\"' ")
        if default.lower() not in NO_SECRETS:
            yield match[1], default


def _kind_of_secret(value: Any, environment: Mapping[str, str], name: str = "") -> str | None:
    """Return the end of a sentence about `value`: looks like …, is that of …; None for a harmless one."""
    if kind := value_looks_secret(str(value)) or key_under_name(name, str(value)):
        return f"looks like {kind}"
    variable = variable_within(str(value), environment)
    return variable and f"is that of {variable} in this machine's environment"


def _leaves(node: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(node, dict):
        for key, value in node.items():
            yield from _leaves(value, f"{path}.{key}" if path else str(key))
    elif isinstance(node, list):
        for index, value in enumerate(node):
            yield from _leaves(value, f"{path}[{index}]")
    else:
        yield path, node
