"""The directory that `model.name` means, for checks that must not load torch."""

from pathlib import Path

from paraphrase_lab.paths import user_path

MODEL_DIR = "model"
"""The folder of a run that holds its exported model."""


def model_directory(name: str) -> Path | None:
    """Return the directory with the files of a model: the one named, or that of the run that is named. None: a Hub name."""
    path = user_path(name)
    if not path.is_dir():
        return None
    exported = path / MODEL_DIR
    is_run = (path / "run.json").is_file() and not (path / "config.json").is_file()
    return exported if is_run and exported.is_dir() else path
