"""What a check hands back."""

from typing import NamedTuple

from omegaconf import DictConfig

from paraphrase_lab.configuration.composition import Job, Request


class Findings(NamedTuple):
    problems: list[str]
    """Reasons not to start."""
    warnings: list[str]
    """What runs, but is probably not meant."""


class CheckedRequest(NamedTuple):
    request: Request
    jobs: list[Job]
    """One of a single run; all of a sweep, in Hydra's order."""
    hydra: DictConfig
    """The composed, unresolved `hydra` node; interpolations refer to the configuration without swept keys."""
    multirun_reason: str | None
    """Why `-m` has to be added, when it has to be."""
    warnings: list[str]
