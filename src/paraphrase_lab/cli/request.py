"""Makes a checked request of the words behind a verb, for every verb that composes a configuration."""

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from paraphrase_lab.check import CheckedRequest, check_request
from paraphrase_lab.configuration.composition import Request
from paraphrase_lab.configuration.quoting import expand_home
from paraphrase_lab.configuration.settings import plain_config
from paraphrase_lab.errors import ConfigError, UserError
from paraphrase_lab.paths import with_home


def parse_request(words: Sequence[str], verb: str) -> Request:
    """Read overrides, `-m` and `--config-dir DIR`; other flags are refused by name."""
    overrides: list[str] = []
    multirun = False
    config_dir: str | None = None
    remaining = iter(words)
    for word in remaining:
        if word in ("-m", "--multirun"):
            multirun = True
        elif word in ("-cd", "--config-dir"):
            config_dir = next(remaining, None)
            if config_dir is None:
                raise UserError(f"{word} needs a directory", hint=f"paraphrase {verb} {word} DIR …")
        elif word.startswith("--config-dir="):
            config_dir = word.partition("=")[2]
        elif word.startswith("-") and "=" not in word:
            raise UserError(f"paraphrase {verb} has no option {word}", hint=f"`paraphrase {verb} --help`")
        else:
            overrides.append(expand_home(word))
    return Request(tuple(overrides), config_dir and with_home(config_dir), multirun, verb)


def checked(request: Request) -> CheckedRequest:
    """Run stage 1, with its warnings on the screen."""
    result = check_request(request)
    warn(result.warnings)
    return result


def check_jobs(result: CheckedRequest, *, remote: bool = False, training: bool = True) -> None:
    """Run stage 2 of every job, all problems at once.

    Raises:
        ConfigError: whatever would go wrong.
    """
    from paraphrase_lab.check.built import check_built  # imports torch, Lightning and transformers

    found = [check_built(job.config, remote=remote, training=training) for job in result.jobs]
    warn(dict.fromkeys(warning for findings in found for warning in findings.warnings))
    problems = list(dict.fromkeys(problem for findings in found for problem in findings.problems))
    if not problems and training and len(result.jobs) > 1:
        from paraphrase_lab.check.rows import row_problems

        problems = row_problems([plain_config(job.config)["data"] for job in result.jobs])
    if problems:
        raise ConfigError(problems)


def warn(warnings: Iterable[str]) -> None:
    for warning in warnings:
        print(f"warning: {warning}", file=sys.stderr)


def add_to_path() -> None:
    """Let a researcher's own package be found where the command is typed: a console script does not look there."""
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.append(here)
