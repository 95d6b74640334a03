"""The runs that `distil.teacher` names, and what their answers depend on."""

import hashlib
from collections.abc import Iterable
from pathlib import Path

from paraphrase_lab.errors import UserError
from paraphrase_lab.model.directory import MODEL_DIR
from paraphrase_lab.paths import CHANNELS_DIR, absence, user_path
from paraphrase_lab.runs.record import FILE_NAME, LATEST, RunRecord

NO_PART_OF_ANSWERS = ("README.md", "training_input.json")
"""Files of an exported model that its answers do not depend on."""


def teacher_runs(name: str) -> list[Path]:
    """Return the run that is named, or the runs in the directory that is named, in the order of their names.

    Raises:
        UserError: no run there, or one that has no model.
    """
    path = user_path(name)
    if name == LATEST and not path.exists():
        raise UserError(f"distil.teacher={LATEST} would be another teacher after the next run", hint="type the run's directory")
    if not path.exists():
        if path.is_relative_to(CHANNELS_DIR):  # of a job on another machine
            return []
        raise UserError(f"distil.teacher={name} is no run", hint=f"it {absence(name).rstrip('.')}")
    found = [path] if (path / FILE_NAME).is_file() else sorted(file.parent for file in path.glob(f"*/{FILE_NAME}"))
    if not found:
        hint = "name a run, or a directory with runs below it, as of a sweep"
        raise UserError(f"distil.teacher={name} is no run, and holds none", hint=hint)
    for run in found:
        if not (run / MODEL_DIR / "config.json").is_file():
            status = RunRecord.read(run).status
            hint = "a teacher has finished and kept its model (keep_model=always in a search)"
            raise UserError(f"distil.teacher={name}: {run} has no model, it is {status}", hint=hint)
    return found


def teacher_fingerprint(runs: Iterable[Path]) -> str:
    """Return a hash of the exported models: of weights, tokenizers and calibrations."""
    digest = hashlib.sha256()
    for run in runs:
        directory = run / MODEL_DIR
        for file in sorted(one for one in directory.rglob("*") if one.is_file() and one.name not in NO_PART_OF_ANSWERS):
            digest.update(f"{file.relative_to(directory)} {file.stat().st_size} ".encode())
            with file.open("rb") as stream:
                while block := stream.read(1 << 20):
                    digest.update(block)
    return digest.hexdigest()
