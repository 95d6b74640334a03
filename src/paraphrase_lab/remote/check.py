"""The project's check as a launcher calls it: on a composed configuration, for a machine that is not this one."""

import json
import logging
from functools import cache

from omegaconf import DictConfig

log = logging.getLogger(__name__)


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
    return findings.problems or _row_problems(json.dumps(plain_config(config)["data"]))


@cache
def _row_problems(data: str) -> list[str]:
    """Return what is wrong with the rows of local files, which are read once for all jobs that share them."""
    from paraphrase_lab.check.rows import row_problems

    return row_problems([json.loads(data)])
