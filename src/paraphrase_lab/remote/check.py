"""The project's check as a launcher calls it: on a composed configuration, for a machine that is not this one."""

import logging

from omegaconf import DictConfig

log = logging.getLogger(__name__)


def check_job(config: DictConfig) -> list[str]:
    """Return every problem as a sentence; warnings go to the log."""
    from paraphrase_lab.check.built import check_built
    from paraphrase_lab.check.values import value_problems

    if problems := value_problems(config):
        return problems
    findings = check_built(config, remote=True)
    for warning in findings.warnings:
        log.warning(warning)
    return findings.problems
