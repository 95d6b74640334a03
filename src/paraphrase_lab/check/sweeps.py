"""The first stage on a sweep: what differs between jobs although Hydra launches all of them alike."""

import shlex
from collections.abc import Mapping, Sequence

from hydra.core.override_parser.types import Override
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from paraphrase_lab.check.typed import as_text, holds_text
from paraphrase_lab.check.values import broken_interpolations
from paraphrase_lab.configuration.composition import Composer, Request, swept_by_files, target_of
from paraphrase_lab.configuration.hydra_internals import BASIC_LAUNCHER, apply_override
from paraphrase_lab.paths import user_path


def with_jobs(concerned: Mapping[str, Sequence[int]], jobs: int) -> list[str]:
    """Name the jobs of a problem that not all have, numbered from 0 as in Hydra's directories."""
    sentences = []
    for problem, some in concerned.items():
        shown = ", ".join(map(str, some[:8])) + (", …" if len(some) > 8 else "")
        sentences.append(problem if len(some) == jobs else f"{problem} (in {len(some)} of {jobs} jobs: {shown})")
    return sentences


def unasked_problems(request: Request, config: DictConfig | None, composer: Composer) -> list[str]:
    """Refuse commas that were not asked for: those in the name of a file, and those of a sweep without `-m`."""
    if config is None:
        return []
    swept = [override for text in request.overrides if (override := composer.parse(text)).is_sweep_override()]
    named = [override for override in swept if _names_a_file(override)]
    problems = [
        f"{override.input_line}: the comma makes it a sweep, but there is a file of that name. Quote it: {_quoted(override)}"
        for override in named
    ]
    unasked = [override for override in swept if override not in named]
    if request.multirun or swept_by_files(config.hydra) or not unasked:
        return problems
    texts = [override.input_line or "" for override in unasked]
    if config.hydra.get("mode") == RunMode.RUN:
        return [*problems, f"{texts[0]} is a sweep, but hydra.mode=RUN asks for a single run: leave one of them out."]
    as_texts = [_quoted(override) for override in unasked if _is_text(override, config, composer)]
    one_text = f" One text with a comma is quoted: {' '.join(as_texts)}" if as_texts else ""
    if request.verb == "data":
        return [*problems, f"{texts[0]} is a sweep, and paraphrase data describes one data set at a time.{one_text}"]
    verb = "is a sweep" if len(texts) == 1 else "are a sweep"
    otherwise = f".{one_text} The sweep:" if one_text else ":"
    return [*problems, f"{' and '.join(texts)} {verb}, which only -m starts{otherwise} {request.command(multirun=True)}"]


def without_parts(problems: Sequence[str], request: Request, config: DictConfig | None, composer: Composer) -> list[str]:
    """Leave out the problems of values into which a comma may have cut a text by mistake."""
    if config is None or request.multirun and not any(map(_names_a_file, map(composer.parse, request.overrides))):
        return list(problems)
    parsed = [composer.parse(text) for text in request.overrides]
    cut = tuple(f"{override.key_or_group}=" for override in parsed if _is_text(override, config, composer))
    return [problem for problem in problems if not problem.startswith(cut)]


def _is_text(override: Override, config: DictConfig, composer: Composer) -> bool:
    is_choice = override.is_sweep_override() and override.is_choice_sweep() and not composer.is_group(override.key_or_group)
    return is_choice and holds_text(config, override.key_or_group)


def _names_a_file(override: Override) -> bool:
    if not override.is_sweep_override():
        return False
    path = (override.input_line or "").partition("=")[2]
    return "," in path and user_path(path).exists()


def _quoted(override: Override) -> str:
    return shlex.quote(as_text(override.input_line or ""))


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
