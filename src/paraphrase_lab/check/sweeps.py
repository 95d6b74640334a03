"""The first stage on a sweep: what differs between jobs although Hydra launches all of them alike."""

from collections.abc import Sequence

from omegaconf import DictConfig, OmegaConf

from paraphrase_lab.check.values import broken_interpolations
from paraphrase_lab.configuration.composition import Composer, target_of
from paraphrase_lab.configuration.hydra_internals import BASIC_LAUNCHER, apply_override


class Collected:
    """Problems of all jobs, each once, in the order found."""

    def __init__(self) -> None:
        self._jobs: dict[str, set[int]] = {}

    def add(self, job: int, problems: Sequence[str]) -> None:
        for problem in problems:
            self._jobs.setdefault(problem, set()).add(job)

    def sentences(self, jobs: int) -> list[str]:
        of = self._jobs.items()
        return [problem if len(some) == jobs else f"{problem} ({_named(sorted(some), jobs)})" for problem, some in of]


def _named(concerned: Sequence[int], jobs: int) -> str:
    """Jobs are numbered from 0, as in Hydra's directories."""
    shown = ", ".join(str(job) for job in concerned[:8]) + (", …" if len(concerned) > 8 else "")
    return f"in {len(concerned)} of {jobs} jobs: {shown}"


def launch_problems(
    jobs: Sequence[tuple[str, ...]], master: DictConfig, hydra_texts: Sequence[str], composer: Composer
) -> list[str]:
    """Hydra takes launcher and sweeper from what is not swept and ignores what the jobs' own files say about them."""
    problems: list[str] = []
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


def launcher_interpolations(master: DictConfig) -> list[str]:
    """A launcher's `${…}` are resolved before the first job, so every configuration must have the keys they name."""
    launcher = master.hydra.launcher
    if not isinstance(launcher, DictConfig) or target_of(launcher) == BASIC_LAUNCHER:
        return []
    return [problem.sentence for problem in broken_interpolations(launcher, "hydra.launcher")]


def _plain(hydra: DictConfig, part: str) -> object:
    node = hydra.get(part)
    return OmegaConf.to_container(node, resolve=False) if OmegaConf.is_config(node) else node
