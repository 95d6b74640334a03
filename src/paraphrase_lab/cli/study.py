"""`paraphrase study`: runs what is missing of an ablation's sweep, compares the runs and writes the results."""

import argparse
import hashlib
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from paraphrase_lab.check import CheckedRequest
from paraphrase_lab.check.suggestions import closest
from paraphrase_lab.cli import train
from paraphrase_lab.cli.request import add_to_path, checked, parse_request
from paraphrase_lab.configuration.composition import Composer, Request
from paraphrase_lab.configuration.quoting import quoted
from paraphrase_lab.configuration.without_effect import WITHOUT_EFFECT, is_place_of_data
from paraphrase_lab.errors import UserError
from paraphrase_lab.paths import EXPERIMENTS_DIR, RUNS_DIR, SOURCE_ROOT, as_typed, user_path
from paraphrase_lab.studies.lab_notes import lab_note

GROUP = "ablation"
WITHOUT_EFFECT_ON_STUDY = ("compute", "hydra", *(key for key in WITHOUT_EFFECT if key != "study"))
"""Keys that choose where and how a study runs, and do not affect its results."""
REFUSED = {
    "hydra.sweep.subdir": "the directories of a study's runs are named by their numbers",
    "resume": "a study continues by itself, in its own directory",
}
INTERRUPTED = (130, 143)


class StudyRequest(NamedTuple):
    """An ablation's name, and the command line that asked for it."""

    name: str
    overrides: tuple[str, ...]
    changed: tuple[str, ...]
    """Overrides that affect the results, so that this is another study than the one in the file."""
    config_dir: str | None
    results: Path | None

    @property
    def directory(self) -> Path:
        """The directory of the sweep: fixed, so that the same command finds its runs."""
        digest = hashlib.sha256("\n".join(sorted(self.changed)).encode()).hexdigest()[:8]
        return RUNS_DIR / "studies" / (f"{self.name}_{digest}" if self.changed else self.name)

    @property
    def command(self) -> str:
        flags = ["--config-dir", self.config_dir] if self.config_dir else []
        return shlex.join(["paraphrase", "study", *flags, *self.overrides])


def run(words: list[str]) -> int:
    if words == ["--index"]:
        return _index()
    asked = study_request(words)
    add_to_path()
    result, file = _checked(asked)

    from paraphrase_lab.studies.looks import keep_looks
    from paraphrase_lab.studies.outcome import judge
    from paraphrase_lab.studies.plan import plan_study

    question = lab_note(file).get("Question", "")
    study = plan_study(result, asked.name, question, train.sweep_directory(result))
    keep_looks(study)
    while True:
        _print_plan(study)
        code = _train(result)
        if code in INTERRUPTED:
            return code
        if code == 0 and not any(run.row() for run in study.runs):
            print("no run is downloaded yet: run the same command again when the jobs have ended")
            return 0
        if code or not study.next_seeds or judge(study).is_decided:
            return _conclude(study, asked, file) or code
        print(f"undecided with {len(study.seeds)} seeds of each: {len(study.next_seeds)} follow\n", flush=True)
        result, file = _checked(asked, study.next_seeds)
        study = plan_study(result, asked.name, question, study.directory, study.looks)


def study_request(words: Sequence[str]) -> StudyRequest:
    """Read the words behind the verb.

    Raises:
        UserError: not one ablation, or an override that a study sets itself.
    """
    parser = argparse.ArgumentParser("paraphrase study", usage="paraphrase study --help", add_help=False, allow_abbrev=False)
    parser.add_argument("--results", type=user_path, metavar="DIR")
    parser.add_argument("-m", "--multirun", action="store_true")
    arguments, rest = parser.parse_known_args(words)
    request = parse_request(rest, "study")
    chosen = [text for text in request.overrides if text.partition("=")[0] == GROUP]
    name = chosen[0].partition("=")[2] if len(chosen) == 1 else ""
    if not name or "," in name:
        valid = f"ablations: {', '.join(ablations(request.config_dir))}"
        raise UserError("a study is one ablation: ablation=NAME", valid=valid)
    for text in request.overrides:
        if reason := REFUSED.get(text.partition("=")[0]):
            raise UserError(f"{text}: {reason}", hint="leave it out")
    changed = tuple(text for text in request.overrides if text not in chosen and _affects_results(text))
    return StudyRequest(name, request.overrides, changed, request.config_dir, arguments.results)


def _affects_results(text: str) -> bool:
    key = text.lstrip("+~").partition("=")[0]
    return not is_place_of_data(key) and not any(
        key == name or key.startswith((f"{name}.", f"{name}/")) for name in WITHOUT_EFFECT_ON_STUDY
    )


def ablations(config_dir: str | None = None) -> list[str]:
    with Composer(Request(config_dir=config_dir)) as composer:
        return composer.group_options(GROUP)


def _checked(asked: StudyRequest, seeds: Sequence[int] = ()) -> tuple[CheckedRequest, Path]:
    """Check every job of the sweep, with these seeds if any; return the ablation's file, too."""
    known = ablations(asked.config_dir)
    if asked.name not in known:
        near = closest(asked.name, known)
        valid, hint = ("", f"did you mean ablation={near}?") if near else (f"ablations: {', '.join(known)}", "")
        raise UserError(f"there is no ablation {asked.name!r}", valid=valid, hint=hint)
    overrides = list(asked.overrides)
    if seeds:
        overrides = [text for text in overrides if not text.startswith("seed=")]
        overrides.append(f"seed={','.join(map(str, seeds))}")
    if not any(text.startswith("hydra.sweep.dir=") for text in overrides):
        overrides.append(f"hydra.sweep.dir={quoted(str(asked.directory))}")
    request = Request(tuple(overrides), asked.config_dir, multirun=True)
    with Composer(request) as composer:
        loaded = composer.repository.load_config(f"{GROUP}/{asked.name}")
    assert loaded is not None
    return checked(request), Path(loaded.path.removeprefix("file://")) / GROUP / f"{asked.name}.yaml"


def _train(result: CheckedRequest) -> int:
    """Run the sweep and return its exit code; a failed job does not keep the finished ones from being compared."""
    try:
        return train.start(result, is_study=True)
    except SystemExit as end:
        if end.code in INTERRUPTED:
            return int(end.code)
        raise
    except Exception as error:
        if not train.was_reported(error):
            raise
        return 1


def _print_plan(study: Any) -> None:
    from paraphrase_lab.studies.plan import power_of

    recorded = sum(run.is_recorded() for run in study.runs)
    names = ", ".join(arm.name for arm in study.arms)
    against = f"; compared with {study.baseline}" if study.baseline else ""
    print(f"{study.name}: {study.question}")
    print(f"hypothesis: {study.hypothesis}")
    print(f"{len(study.runs)} runs: {names}; seeds {', '.join(map(str, study.seeds))}; {study.compared}{against}")
    for line in power_of(study):
        print(line)
    print(f"{recorded} of them are recorded with this code in {study.directory}")
    print(f"budget: {study.budget_minutes:g} minutes of {study.budget_machine} for all {len(study.runs)}", flush=True)


def _conclude(study: Any, asked: StudyRequest, file: Path) -> int:
    from paraphrase_lab.cli.comparison_tables import print_comparison
    from paraphrase_lab.runtime.next_commands import print_next
    from paraphrase_lab.studies.outcome import judge
    from paraphrase_lab.studies.results import RESULTS, results_directory, write_results

    outcome = judge(study)
    print_comparison(outcome.comparison, with_slices=False)
    for note in outcome.notes:
        print(f"note: {note}")
    directory = asked.results or (study.directory / RESULTS if asked.changed else results_directory(file))
    files = write_results(outcome, directory, asked.command)
    print(f"\n{outcome.verdict}\n\nwritten: {', '.join(map(str, files))}")
    if asked.changed and not asked.results:
        print("overrides given: recorded results not overwritten")
    if SOURCE_ROOT is not None and directory == EXPERIMENTS_DIR / RESULTS:
        _index()
    place = shlex.quote(str(as_typed(study.directory)))
    print_next(f"paraphrase report {place}", f"paraphrase runs {place}")
    return 0


def _index() -> int:
    from paraphrase_lab.studies.index import NAME, index

    if SOURCE_ROOT is None:
        raise UserError("only a checkout has an index of experiments", hint="git clone, then `paraphrase study --index`")
    (EXPERIMENTS_DIR / NAME).write_text(index(EXPERIMENTS_DIR), encoding="utf-8")
    print(f"written: {EXPERIMENTS_DIR / NAME}", file=sys.stderr)
    return 0
