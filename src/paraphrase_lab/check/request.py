"""The first stage on a command line: every override, every file it chooses, every job of a sweep."""

import copy
import dataclasses
from collections.abc import Sequence

from hydra.errors import HydraException

from paraphrase_lab.check import overrides, sweeps, typed
from paraphrase_lab.check.findings import CheckedRequest, Findings
from paraphrase_lab.check.searches import search_findings
from paraphrase_lab.check.studies import study_findings
from paraphrase_lab.check.values import value_problems
from paraphrase_lab.configuration.composition import Composer, Job, Request, jobs_of, wants_multirun, without_hydra
from paraphrase_lab.configuration.settings import expand_home
from paraphrase_lab.errors import ConfigError


def check_request(request: Request) -> CheckedRequest:
    """Run the first stage on every job. Raises ConfigError with all problems."""
    with Composer(request) as composer:
        words, problems = typed.parsed(request.overrides, composer)
        readable, master, found = _composed(words, composer)
        cleaned = dataclasses.replace(request, overrides=tuple(readable))
        hydra = master.config.hydra if master.config is not None else None
        problems += [*found, *sweeps.unasked_problems(cleaned, master.config, composer), *master.hydra_problems]
        try:
            combinations = jobs_of(cleaned, hydra, composer)
        except (HydraException, ValueError) as error:
            raise ConfigError([*problems, *master.problems, _not_expanded(cleaned, error, composer)]) from error
        jobs, found = _checked_jobs(combinations, master if combinations == [tuple(readable)] else None, composer)
        found = sweeps.without_parts(found, cleaned, master.config, composer)
        problems = [one for one in problems if not typed.is_superseded(one, found)]
        problems += found or ([] if combinations else ["the sweep has no jobs: one of its ranges is empty."])
        warnings: list[str] = []
        if not problems and master.config is not None:
            found = sweeps.launch_problems(combinations, master.config, cleaned, composer)
            found += [*study_findings(master.config, combinations), *search_findings(master.config, combinations)]
            problems, warnings = Findings.of(found)
        if problems or hydra is None:
            raise ConfigError(list(dict.fromkeys([*problems, *([] if problems else master.problems)])))
        return CheckedRequest(request, jobs, hydra, wants_multirun(request, hydra), warnings)


def _composed(words: Sequence[str | typed.Refused], composer: Composer) -> tuple[list[str], overrides.Composed, list[str]]:
    """Return the overrides as they were meant, what they compose, and what is wrong with the words."""
    readable = [word for word in words if isinstance(word, str)]
    master = overrides.compose(readable, composer, with_hydra=True)
    meant, problems = typed.corrected(words, master.config, composer)
    if meant == readable:
        return readable, master, problems
    return meant, overrides.compose(meant, composer, with_hydra=True), problems


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
            expand_home(config)
            problems += [text for text in value_problems(config) if not text.startswith(uncertain)]
            jobs.append(Job(combination, config))
        for problem in dict.fromkeys(problems):
            concerned.setdefault(problem, []).append(number)
    return jobs, sweeps.with_jobs(concerned, len(combinations))
