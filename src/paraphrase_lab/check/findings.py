"""The results of a check: problems and warnings, each a sentence."""

from collections.abc import Iterable
from typing import NamedTuple, Self

from omegaconf import DictConfig

from paraphrase_lab.configuration.composition import Job, Request


class Warned(str):
    """Tells of something that runs, but is probably not meant; any other finding is a reason not to start.

    A text made from a warning is no warning: checks yield `Warned(…)` of the whole sentence.
    """


class Findings(NamedTuple):
    problems: list[str]
    warnings: list[str]

    @classmethod
    def of(cls, found: Iterable[str]) -> Self:
        """Separate problems from warnings, each once."""
        findings = cls([], [])
        for one in dict.fromkeys(found):
            (findings.warnings if isinstance(one, Warned) else findings.problems).append(one)
        return findings


class CheckedRequest(NamedTuple):
    request: Request
    jobs: list[Job]
    """One of a single run; all of a sweep, in Hydra's order."""
    hydra: DictConfig
    """The composed, unresolved `hydra` node; interpolations refer to the configuration without swept keys."""
    multirun_reason: str | None
    """Why `-m` has to be added, when it has to be."""
    warnings: list[str]
