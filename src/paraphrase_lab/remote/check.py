"""The project's check as a launcher calls it: on a composed configuration, for a machine that is not this one."""

import logging
from typing import Any

from omegaconf import DictConfig

log = logging.getLogger(__name__)
_found: dict[str, list[str]] = {}
"""The problems of rows that were read in this process."""


def check_job(config: DictConfig) -> list[str]:
    """Return every problem as a sentence; warnings go to the log."""
    from paraphrase_lab.check.built import check_built
    from paraphrase_lab.check.values import value_problems
    from paraphrase_lab.configuration.settings import plain_config

    if problems := value_problems(config):
        return problems
    findings = check_built(config, remote=True)
    for warning in findings.warnings:
        log.warning(warning)
    return findings.problems or _row_problems(plain_config(config)["data"])


def _row_problems(data: dict[str, Any]) -> list[str]:
    """Return what is wrong with the rows of local files, which are read once for all jobs that share them."""
    from paraphrase_lab.check.rows import reading_of, row_problems

    if (reading := reading_of(data)) not in _found:
        _found[reading] = row_problems([data])
    return _found[reading]
