"""The second stage: what can only be known by importing what the configuration names and by looking at the machine."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from paraphrase_lab.check import training as rules
from paraphrase_lab.check.adapters import adapter_findings
from paraphrase_lab.check.findings import Findings
from paraphrase_lab.check.mixture import overruled_findings
from paraphrase_lab.check.targets import target_problems
from paraphrase_lab.configuration.settings import plain_config
from paraphrase_lab.configuration.without_effect import PLACES
from paraphrase_lab.errors import UserError
from paraphrase_lab.paths import CHANNELS_DIR
from paraphrase_lab.runtime.hardware import Machine, this_machine


def check_built(config: DictConfig, *, machine: Machine | None = None, remote: bool = False, training: bool = True) -> Findings:
    """Run the second stage on a configuration that passed the first.

    Args:
        machine: what to judge devices and precision by; None: this machine.
        training: False when the data are only looked at, whatever the machine: the lab's own models, whose keys the first
            stage knows, are not imported then.
        remote: the run happens on another machine: leave out devices, precision and what needs the network.
    """
    plain = plain_config(config)
    found = target_problems(plain if training else _looked_at(plain), remote=remote)
    if training:
        found += _training_findings(plain, machine, remote=remote)
    if not remote and not any(problem.startswith("data:") for problem in found) and _names_the_hub(plain):
        from paraphrase_lab.check.hub import hub_problems

        found += hub_problems(plain)
    return Findings.of(found)


def _looked_at(plain: dict[str, Any]) -> dict[str, Any]:
    is_ours = str(plain["model"]["_target_"]).startswith("paraphrase_lab.")
    return {group: plain[group] for group in (("data",) if is_ours else ("data", "model"))}


def _names_the_hub(plain: dict[str, Any]) -> bool:
    try:
        names = [
            getattr(rules.data_source({"data": node}), "hub_name", None) for node in rules.data_sets(plain["data"]).values()
        ]
    except UserError:  # reported with the number of pairs
        names = []
    return any(names) or isinstance(plain["model"].get("name"), str)


def _training_findings(plain: dict[str, Any], machine: Machine | None, *, remote: bool) -> Iterator[str]:
    yield from rules.monitor_problems(plain)
    yield from rules.model_problems(plain)
    yield from adapter_findings(plain, remote=remote)
    yield from rules.teacher_findings(plain)
    yield from overruled_findings(plain)
    if machine is None and not remote:
        try:
            machine = this_machine(plain["trainer"]["accelerator"])
        except UserError as error:
            yield rules.one_line(error)
    if machine is not None and not remote:
        yield from rules.machine_findings(plain, machine)
    paths = [node.get(key) for node in rules.data_sets(plain["data"]).values() for key in PLACES]
    by_channel = any(isinstance(path, str) and Path(path).is_relative_to(CHANNELS_DIR) for path in paths)
    if not by_channel and not target_problems({"data": plain["data"]}):  # else nothing can be counted
        yield from rules.step_findings(plain, machine)
