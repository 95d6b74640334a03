"""Finds every mistake of a configuration before anything is loaded, downloaded, paid for or trained.

The first stage (`check_request`, `check_config`) needs neither torch nor the network and takes a fraction of a second; the
second (`check_built`) imports what the configuration names and looks at this machine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from omegaconf import DictConfig

from paraphrase_lab.check.findings import CheckedRequest, Findings
from paraphrase_lab.check.request import check_request
from paraphrase_lab.check.values import value_problems

if TYPE_CHECKING:
    from paraphrase_lab.runtime.hardware import Machine

__all__ = ["CheckedRequest", "Findings", "check_built", "check_config", "check_request"]


def check_config(config: DictConfig) -> Findings:
    """First stage on a configuration composed before, as that of a run."""
    return Findings(value_problems(config), [])


def check_built(config: DictConfig, *, machine: Machine | None = None, remote: bool = False, training: bool = True) -> Findings:
    """Second stage, on a configuration that passed the first.

    Args:
        machine: what to judge devices and precision by; None: this machine.
        training: False when the data are only looked at, whatever the machine.
        remote: the run happens on another machine: leave out devices, precision and what needs the network.
    """
    from paraphrase_lab.check.built import built_findings  # imports torch, Lightning and transformers

    return built_findings(config, machine=machine, remote=remote, training=training)
