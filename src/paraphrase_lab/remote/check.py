"""The project's check as a launcher calls it: on a composed configuration, for a machine that is not this one."""

import logging

from omegaconf import DictConfig

log = logging.getLogger(__name__)


def check_job(config: DictConfig) -> list[str]:
    """Every problem as a sentence; warnings go to the log."""
    from paraphrase_lab.check import check_built, check_config

    if problems := list(check_config(config).problems):
        return problems
    findings = check_built(config, remote=True, training=True)
    for warning in findings.warnings:
        log.warning(warning)
    return list(findings.problems)
