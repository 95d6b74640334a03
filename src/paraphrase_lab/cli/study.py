"""`paraphrase study`: an ablation as a sweep, of which only what is missing runs, and its answer written down."""

from __future__ import annotations

import hashlib
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from paraphrase_lab.check import CheckedRequest
from paraphrase_lab.check.wording import closest
from paraphrase_lab.cli import train
from paraphrase_lab.cli.request import add_to_path, checked, parse_request
from paraphrase_lab.configuration.composition import Composer, Request, quoted
from paraphrase_lab.errors import UserError
from paraphrase_lab.paths import EXPERIMENTS_DIR, RUNS_DIR, SOURCE_ROOT
from paraphrase_lab.runs.fingerprint import WITHOUT_EFFECT
from paraphrase_lab.studies.lab_notes import lab_note

GROUP = "ablation"
ELSEWHERE = ("compute", "hydra", *(key for key in WITHOUT_EFFECT if key != "study"))
"""Overrides that say where and how a study runs, and change nothing of what it finds."""
REFUSED = {
    "hydra.sweep.subdir": "the runs of a study lie under their numbers",
    "resume": "a study goes on by itself, in its own directory",
}
INTERRUPTED = (130, 143)


class Typed(NamedTuple):
    name: str
    words: tuple[str, ...]
    """Overrides, without the directory of the sweep."""
    changed: tuple[str, ...]
    """Those of them that make another study of it than the one in the file."""
    config_dir: str | None
    results: Path | None

    @property
    def is_changed(self) -> bool:
        return bool(self.changed)

    @property
    def directory(self) -> Path:
        """Fixed, so that the same command finds what it has run."""
        digest = hashlib.sha256("\n".join(sorted(self.changed)).encode()).hexdigest()[:8]
        return RUNS_DIR / "studies" / (f"{self.name}_{digest}" if self.is_changed else self.name)

    @property
    def command(self) -> str:
        flags = ["--config-dir", self.config_dir] if self.config_dir else []
        return shlex.join(["paraphrase", "study", *flags, *self.words])


def run(words: list[str]) -> int:
    if words == ["--index"]:
        return _index()
    typed = _typed(words)
    add_to_path()
    result, file = _checked(typed)

    from paraphrase_lab.studies.plan import plan_study

    directory = _sweep_directory(result)
    study = plan_study(result, typed.name, lab_note(file).get("Question", ""), directory)
    _say_plan(study)
    code = _train(result)
    if code in INTERRUPTED:
        return code
    if code == 0 and not any(run.row() for run in study.runs):
        print("nothing is home yet: the same command goes on when the jobs have ended")
        return 0
    return _conclude(study, typed, file) or code


def _typed(words: Sequence[str]) -> Typed:
    words, results = _results_option(list(words))
    request = parse_request([word for word in words if word not in ("-m", "--multirun")], "study")
    chosen = [text for text in request.overrides if text.partition("=")[0] == GROUP]
    if len(chosen) != 1 or not chosen[0].partition("=")[2] or "," in chosen[0]:
        raise UserError(
            "a study is one ablation: ablation=NAME", valid=f"ablations: {', '.join(ablations(request.config_dir))}"
        )
    for text in request.overrides:
        if why := REFUSED.get(text.partition("=")[0]):
            raise UserError(f"{text}: {why}", hint="leave it out")
    changed = tuple(text for text in request.overrides if text not in chosen and not _is_elsewhere(text))
    return Typed(chosen[0].partition("=")[2], request.overrides, changed, request.config_dir, results)


def _is_elsewhere(text: str) -> bool:
    key = text.lstrip("+~").partition("=")[0]
    return any(key == name or key.startswith((f"{name}.", f"{name}/")) for name in ELSEWHERE)


def _results_option(words: list[str]) -> tuple[list[str], Path | None]:
    for place, word in enumerate(words):
        if word.startswith("--results="):
            return words[:place] + words[place + 1 :], Path(word.partition("=")[2])
        if word == "--results":
            if place + 1 == len(words):
                raise UserError("--results needs a directory", hint="paraphrase study ablation=NAME --results DIR")
            return words[:place] + words[place + 2 :], Path(words[place + 1])
    return words, None


def ablations(config_dir: str | None = None) -> list[str]:
    with Composer(Request(config_dir=config_dir)) as composer:
        return composer.group_options(GROUP)


def _checked(typed: Typed) -> tuple[CheckedRequest, Path]:
    """With every job of the sweep, and the ablation's file."""
    known = ablations(typed.config_dir)
    if typed.name not in known:
        near = closest(typed.name, known)
        hint = f"did you mean ablation={near}?" if near else ""
        raise UserError(f"there is no ablation {typed.name!r}", valid=f"ablations: {', '.join(known)}", hint=hint)
    words = list(typed.words)
    if not any(text.startswith("hydra.sweep.dir=") for text in words):
        words.append(f"hydra.sweep.dir={quoted(str(typed.directory))}")
    request = Request(tuple(words), typed.config_dir, multirun=True)
    with Composer(request) as composer:
        loaded = composer.repository.load_config(f"{GROUP}/{typed.name}")
    assert loaded is not None
    return checked(request), Path(loaded.path.removeprefix("file://")) / GROUP / f"{typed.name}.yaml"


def _sweep_directory(result: CheckedRequest) -> Path:
    return train.sweep_directory(result)


def _train(result: CheckedRequest) -> int:
    """A job that failed is told by the exit code alone: what has finished is compared all the same."""
    try:
        return train.start(result)
    except SystemExit as end:
        if end.code in INTERRUPTED:
            return int(end.code)
        raise
    except Exception as error:
        if not train.was_reported(error):
            raise
        return 1


def _say_plan(study: Any) -> None:
    recorded = sum(run.is_recorded() for run in study.runs)
    names = [arm.name for arm in study.arms]
    against = f"; compared with {study.baseline}" if study.baseline else ""
    print(f"{study.name}: {study.question}")
    print(f"hypothesis: {study.hypothesis}")
    print(f"{len(study.runs)} runs: {', '.join(names)}; seeds {', '.join(map(str, study.seeds))}; test/{study.metric}{against}")
    print(f"{recorded} of them are recorded with this code in {study.directory}")
    print(f"budget: {study.budget_minutes:g} minutes of {study.budget_machine} for all {len(study.runs)}", flush=True)


def _conclude(study: Any, typed: Typed, file: Path) -> int:
    from paraphrase_lab.cli.comparison_tables import print_comparison
    from paraphrase_lab.studies.outcome import judge
    from paraphrase_lab.studies.results import RESULTS, results_directory, write_results

    outcome = judge(study)
    print_comparison(outcome.comparison, with_slices=False)
    for note in outcome.notes:
        print(f"note: {note}")
    directory = typed.results or (study.directory / RESULTS if typed.is_changed else results_directory(file))
    files = write_results(outcome, directory, typed.command)
    print(f"\n{outcome.verdict}\n\nwritten: {', '.join(map(str, files))}")
    if typed.is_changed and not typed.results:
        print("overrides made another study of it: the results of the one in the file stay as they are")
    if SOURCE_ROOT is not None and directory == EXPERIMENTS_DIR / RESULTS:
        _index()
    return 0


def _index() -> int:
    from paraphrase_lab.studies.index import NAME, index

    if SOURCE_ROOT is None:
        raise UserError("only a checkout has an index of experiments", hint="git clone, then `paraphrase study --index`")
    (EXPERIMENTS_DIR / NAME).write_text(index(EXPERIMENTS_DIR), encoding="utf-8")
    print(f"written: {EXPERIMENTS_DIR / NAME}", file=sys.stderr)
    return 0
