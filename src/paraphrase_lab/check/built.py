"""The second stage: what can only be known by importing what the configuration names and by looking at the machine."""

from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from paraphrase_lab.check import training as rules
from paraphrase_lab.check.findings import Findings
from paraphrase_lab.check.hub import hub_problems
from paraphrase_lab.check.targets import target_problems
from paraphrase_lab.configuration.settings import plain_config
from paraphrase_lab.errors import UserError
from paraphrase_lab.paths import CHANNELS_DIR
from paraphrase_lab.runtime.hardware import Machine, this_machine


def built_findings(config: DictConfig, *, machine: Machine | None, remote: bool, training: bool) -> Findings:
    plain = plain_config(config)
    problems = target_problems(plain, remote=remote)
    warnings: list[str] = []
    if training:
        more, warnings = training_findings(plain, machine, remote=remote)
        problems += more
    if not remote and not any(problem.startswith("data:") for problem in problems):
        problems += hub_problems(plain)
    return Findings(list(dict.fromkeys(problems)), list(dict.fromkeys(warnings)))


def training_findings(plain: dict[str, Any], machine: Machine | None, *, remote: bool) -> tuple[list[str], list[str]]:
    """Problems and warnings."""
    problems = [*rules.monitor_problems(plain), *rules.model_problems(plain)]
    warnings: list[str] = []
    if machine is None and not remote:
        try:
            machine = this_machine(plain["trainer"]["accelerator"])
        except UserError as error:
            problems.append(rules.one_line(error))
    if machine is not None and not remote:
        more, warned = rules.machine_problems(plain, machine)
        problems, warnings = [*problems, *more], [*warnings, *warned]
    paths = [plain["data"].get(key) for key in ("path", "train", "validation", "test")]
    by_channel = any(isinstance(path, str) and Path(path).is_relative_to(CHANNELS_DIR) for path in paths)
    if not by_channel and not target_problems({"data": plain["data"]}):  # else nothing can be counted
        more, warned = rules.step_findings(plain, machine)
        problems, warnings = [*problems, *more], [*warnings, *warned]
    return problems, warnings
