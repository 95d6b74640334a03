"""The first stage on a command line: every override, every file it chooses, every job of a sweep."""

import copy
from collections.abc import Sequence

from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig

from paraphrase_lab.check import overrides, sweeps
from paraphrase_lab.check.findings import CheckedRequest, Findings
from paraphrase_lab.check.searches import search_findings
from paraphrase_lab.check.studies import study_findings
from paraphrase_lab.check.values import value_problems
from paraphrase_lab.configuration.composition import Composer, Job, Request, jobs_of, wants_multirun, without_hydra
from paraphrase_lab.errors import ConfigError


def check_request(request: Request) -> CheckedRequest:
    """Run the first stage on every job. Raises ConfigError with all problems."""
    with Composer(request) as composer:
        readable, problems = overrides.parsed(request.overrides, composer)
        cleaned = Request(tuple(readable), request.config_dir, request.multirun)
        master = overrides.compose(readable, composer, with_hydra=True)
        hydra = master.config.hydra if master.config is not None else None
        problems += [*_needless_sweep(cleaned, hydra, composer), *master.hydra_problems]
        try:
            combinations = jobs_of(cleaned, hydra, composer)
        except (HydraException, ValueError) as error:
            raise ConfigError([*problems, *master.problems, _not_expanded(cleaned, error, composer)]) from error
        jobs, found = _checked_jobs(combinations, master if combinations == [tuple(readable)] else None, composer)
        problems += found or ([] if combinations else ["the sweep has no jobs: one of its ranges is empty."])
        warnings: list[str] = []
        if not problems and master.config is not None:
            found = sweeps.launch_problems(combinations, master.config, cleaned, composer)
            found += [*study_findings(master.config, combinations), *search_findings(master.config, combinations)]
            problems, warnings = Findings.of(found)
        if problems or hydra is None:
            raise ConfigError(list(dict.fromkeys([*problems, *([] if problems else master.problems)])))
        return CheckedRequest(request, jobs, hydra, wants_multirun(request, hydra), warnings)


def _needless_sweep(request: Request, hydra: DictConfig | None, composer: Composer) -> list[str]:
    swept = [text for text in request.overrides if composer.parse(text).is_sweep_override()]
    if request.multirun or hydra is None or hydra.get("mode") != RunMode.RUN or not swept:
        return []
    return [f"{swept[0]} is a sweep, but hydra.mode=RUN asks for a single run: leave one of them out."]


def _not_expanded(request: Request, error: Exception, composer: Composer) -> str:
    for text in request.overrides:
        override = composer.parse(text)
        if override.is_sweep_override() and not override.is_discrete_sweep():
            return (
                f"{text}: Hydra's basic sweeper cannot search an interval. Valid: values ({override.key_or_group}=1,2,3) or "
                "range(first,end,step); intervals need another hydra/sweeper."
            )
    return f"the sweep cannot be expanded: {' '.join(str(error).partition('See https')[0].split())}."


def _checked_jobs(
    combinations: Sequence[tuple[str, ...]], composed_before: overrides.Composed | None, composer: Composer
) -> tuple[list[Job], list[str]]:
    """Return the jobs and the problems of all; a single run was composed with Hydra's own keys before."""
    concerned: dict[str, list[int]] = {}
    jobs = []
    for number, combination in enumerate(combinations):
        composed = composed_before or overrides.compose(combination, composer)
        problems = [*composed.problems]
        if composed.config is not None:
            config = without_hydra(copy.deepcopy(composed.config)) if composed_before else composed.config
            uncertain = tuple(f"{group}{mark}" for group in composed.uncertain for mark in (".", " ", "="))
            problems += [text for text in value_problems(config) if not text.startswith(uncertain)]
            jobs.append(Job(combination, config))
        for problem in dict.fromkeys(problems):
            concerned.setdefault(problem, []).append(number)
    return jobs, sweeps.with_jobs(concerned, len(combinations))
