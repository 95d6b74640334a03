"""The first stage on a sweep: what differs between jobs although Hydra launches all of them alike."""

from collections.abc import Mapping, Sequence

from omegaconf import DictConfig, OmegaConf

from paraphrase_lab.check.values import broken_interpolations
from paraphrase_lab.configuration.composition import Composer, Request, target_of
from paraphrase_lab.configuration.hydra_internals import BASIC_LAUNCHER, apply_override


def with_jobs(concerned: Mapping[str, Sequence[int]], jobs: int) -> list[str]:
    """Name the jobs of a problem that not all have, numbered from 0 as in Hydra's directories."""
    sentences = []
    for problem, some in concerned.items():
        shown = ", ".join(map(str, some[:8])) + (", …" if len(some) > 8 else "")
        sentences.append(problem if len(some) == jobs else f"{problem} (in {len(some)} of {jobs} jobs: {shown})")
    return sentences


def launch_problems(jobs: Sequence[tuple[str, ...]], master: DictConfig, request: Request, composer: Composer) -> list[str]:
    """Judge launcher and sweeper: Hydra resolves them before the first job, and ignores what the jobs' own files say."""
    problems: list[str] = []
    launcher = master.hydra.launcher
    if isinstance(launcher, DictConfig) and target_of(launcher) != BASIC_LAUNCHER:
        problems += [problem.sentence for problem in broken_interpolations(launcher, "hydra.launcher")]
    if len(jobs) < 2:
        return problems
    hydra_texts = [text for text in request.overrides if composer.parse(text).is_hydra_override()]
    chosen = [[text for text in (*hydra_texts, *job) if composer.chooses_files(composer.parse(text))] for job in jobs]
    for choices in dict.fromkeys(map(tuple, chosen)):
        config = composer.base(choices, with_hydra=True)
        for text in hydra_texts:
            if not composer.chooses_files(composer.parse(text)):
                apply_override(config, composer.parse(text))
        for part in ("launcher", "sweeper"):
            if _plain(config.hydra, part) != _plain(master.hydra, part):
                problems.append(_differing(part, choices, config, master))
    return list(dict.fromkeys(problems))


def _differing(part: str, choices: Sequence[str], config: DictConfig, master: DictConfig) -> str:
    here, there = target_of(config.hydra[part]).rpartition(".")[2], target_of(master.hydra[part]).rpartition(".")[2]
    names = f"{here} instead of {there}" if here != there else f"other settings of {here}"
    job = " ".join(text for text in choices if not text.startswith("hydra"))
    return (
        f"the sweep cannot change its hydra.{part}: the job '{job}' asks for {names}, but Hydra uses one {part} for all jobs. "
        f"Start one sweep for each, and do not sweep over the file that chooses the {part}."
    )


def _plain(hydra: DictConfig, part: str) -> object:
    node = hydra.get(part)
    return OmegaConf.to_container(node, resolve=False) if OmegaConf.is_config(node) else node
