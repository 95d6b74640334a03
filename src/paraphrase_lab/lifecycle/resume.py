"""Finds the directory that `resume` continues: Hydra must know it before it starts."""

import sys
from pathlib import Path

from omegaconf import OmegaConf

from paraphrase_lab import build
from paraphrase_lab.check import CheckedRequest
from paraphrase_lab.configuration.composition import OPTUNA_SWEEPER, target_of
from paraphrase_lab.configuration.settings import plain_config
from paraphrase_lab.errors import UserError
from paraphrase_lab.lifecycle.run import LAST_CHECKPOINT, fingerprint_parts
from paraphrase_lab.lifecycle.teacher import Teacher
from paraphrase_lab.paths import RUNS_DIR, user_path
from paraphrase_lab.runs import fingerprint
from paraphrase_lab.runs.record import find_runs, run_directory
from paraphrase_lab.runtime.hardware import resolve_precision, this_machine

SWEEP_FILE = "multirun.yaml"


def directory_to_resume(request: CheckedRequest) -> Path | None:
    """Return the directory of the run or sweep that `resume` continues; None when there is none and training starts anew."""
    resume = request.jobs[0].config.resume
    if len(request.jobs) > 1 or request.request.multirun or request.multirun_reason is not None:
        return _sweep_directory(request, resume)
    return run_directory(resume) if resume != "auto" else _newest_interrupted(request)


def _newest_interrupted(request: CheckedRequest) -> Path | None:
    config = request.jobs[0].config
    machine = this_machine(config.trainer.accelerator)
    precision, _ = resolve_precision(config.trainer.precision, machine)
    plain, tables = plain_config(config), None
    for record in find_runs(RUNS_DIR):
        if record.status != "interrupted" or not (record.run_dir / LAST_CHECKPOINT).is_file():
            continue
        recorded = record.values.get("fingerprint_parts")
        if recorded is None or recorded["configuration"] != fingerprint.config_fingerprint(plain):
            continue
        tables = tables or build.build_tables(config)
        parts = fingerprint_parts(plain, tables, machine, precision, Teacher.of(config, record.run_dir))
        if not (changed := fingerprint.differences(parts, recorded)):
            _say(f"resume=auto: continuing {record.run_dir} ({record.status})")
            return record.run_dir
        _say(f"resume=auto: {record.run_dir} has the same configuration, but not the same {', '.join(changed)}: left alone")
    _say("resume=auto: no interrupted run of this configuration: starting anew")
    return None


def _sweep_directory(request: CheckedRequest, resume: str) -> Path | None:
    """Return the newest sweep with the same overrides: its finished jobs are kept, the others continue or start anew."""
    if resume != "auto":
        if not (user_path(resume) / SWEEP_FILE).is_file():
            raise UserError(
                f"resume={resume} is not the directory of a sweep", valid="resume=auto, or a directory with multirun.yaml"
            )
        return user_path(resume)
    wanted, sweeper = _task_overrides(request.request.overrides), request.hydra.sweeper
    # The jobs of a search that is checked stand for its trials.
    planned = int(sweeper.n_trials) if target_of(sweeper) == OPTUNA_SWEEPER else len(request.jobs)
    for file in sorted(RUNS_DIR.rglob(SWEEP_FILE), key=lambda file: file.stat().st_mtime, reverse=True):
        recorded = OmegaConf.select(OmegaConf.load(file), "hydra.overrides.task", default=[])
        if _task_overrides(recorded) != wanted:
            continue
        statuses = [record.status for record in find_runs(file.parent)]
        finished = statuses.count("finished") + statuses.count("pruned")
        if "running" not in statuses and finished < max(planned, len(statuses)):
            _say(f"resume=auto: continuing the sweep {file.parent}: {finished} jobs are finished")
            return file.parent
    _say("resume=auto: no unfinished sweep with these overrides: starting anew")
    return None


def _task_overrides(overrides: object) -> list[str]:
    return sorted(text for text in list(overrides) if not text.startswith(("resume=", "hydra.")))  # type: ignore[call-overload]


def _say(line: str) -> None:
    print(line, file=sys.stderr)
