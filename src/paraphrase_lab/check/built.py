"""The second stage: what can only be known by importing what the configuration names and by looking at the machine."""

from __future__ import annotations

import copy
from typing import Any, cast

from omegaconf import DictConfig, OmegaConf, read_write

from paraphrase_lab.check import training
from paraphrase_lab.check.findings import Findings
from paraphrase_lab.check.hub import hub_problems
from paraphrase_lab.check.targets import target_problems
from paraphrase_lab.check.values import FRAMEWORK_RESOLVERS, leaves
from paraphrase_lab.errors import UserError
from paraphrase_lab.hardware import Machine, this_machine


def built_findings(config: DictConfig, *, machine: Machine | None, elsewhere: bool) -> Findings:
    plain = _plain(config)
    problems = target_problems(plain, elsewhere=elsewhere)
    warnings: list[str] = []
    problems += [*training.monitor_problems(plain), *training.model_problems(plain)]
    if machine is None and not elsewhere:
        try:
            machine = this_machine(plain["trainer"]["accelerator"])
        except UserError as error:
            problems.append(training.one_line(error))
    if machine is not None and not elsewhere:
        more, warned = training.machine_problems(plain, machine)
        problems, warnings = [*problems, *more], [*warnings, *warned]
    if not any(problem.startswith("data:") for problem in problems):  # else the source cannot be constructed
        more, warned = training.step_findings(plain, machine)
        problems, warnings = [*problems, *more], [*warnings, *warned]
        problems += [] if elsewhere else hub_problems(plain)
    return Findings(list(dict.fromkeys(problems)), list(dict.fromkeys(warnings)))


def _plain(config: DictConfig) -> dict[str, Any]:
    """Resolved, with a stand-in for what only a started run knows (`${hydra:…}`)."""
    config = copy.deepcopy(config)
    for _, parent, name in leaves(config):
        text = parent._get_node(name)._value()
        if isinstance(text, str) and any(resolver in text for resolver in FRAMEWORK_RESOLVERS):
            with read_write(parent):
                parent[name] = "known-once-the-run-starts"
    return cast(dict[str, Any], OmegaConf.to_container(config, resolve=True))
