"""W&B's directories: in the run's own directory, with which it is moved and deleted; a sweep has links to all its runs."""

import logging
import os
import shutil
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from paraphrase_lab.paths import as_typed

log = logging.getLogger(__name__)
FOLDER = "wandb"
LOCAL_FOLDER = ".local"
STAGED = "WANDB_DATA_DIR"
VARIABLES = {"WANDB_CACHE_DIR": "cache", "WANDB_ARTIFACT_DIR": "artifacts"}
"""Else W&B keeps what is not uploaded yet in the home directory, where it dies with a container."""
OF_A_SWEEP = ("multirun.yaml", ".launcher")
SWEEP_AT_MOST_ABOVE = 4


class Environment:
    """W&B's directories below those of the run, unless the user has said otherwise, until the run has ended."""

    def __init__(self, run_dir: Path) -> None:
        self.directory = (run_dir / FOLDER / LOCAL_FOLDER).absolute()
        self._added: list[str] = []
        self._temporary: str | None = None

    def enter(self) -> None:
        places = {name: str(self.directory / folder) for name, folder in VARIABLES.items()}
        self._set({**places, "WANDB_ERROR_REPORTING": "false"})

    def stage(self, *, online: bool) -> None:
        """Choose where W&B copies files before it uploads them: online, outside the run's directory, since paths go up too."""
        if online:
            self._temporary = tempfile.mkdtemp(prefix="wandb-")
        elif STAGED in self._added:
            self._added.remove(STAGED)
            del os.environ[STAGED]
        self._set({STAGED: self._temporary if online and self._temporary else str(self.directory / "data")})

    def leave(self, *, uploaded: bool) -> None:
        """Undo `enter` and `stage`; what was staged for an upload that has not happened stays."""
        for name in self._added:
            os.environ.pop(name, None)
        self._added.clear()
        for folder in VARIABLES.values():
            shutil.rmtree(self.directory / folder, ignore_errors=True)
        if uploaded and self._temporary:
            shutil.rmtree(self._temporary, ignore_errors=True)
        with suppress(OSError):
            self.directory.rmdir()

    def _set(self, variables: Mapping[str, str]) -> None:
        for name, value in variables.items():
            if name not in os.environ:
                os.environ[name] = value
                self._added.append(name)


def attempts(run_dir: Path, run_id: str) -> list[Path]:
    """Return what earlier processes of the run have left, oldest first: `run-…` those online, `offline-run-…` the others."""
    found = [path for path in (run_dir / FOLDER).glob(f"*run-*-{run_id}") if path.is_dir() and not path.is_symlink()]
    return sorted(found, key=lambda path: path.name.removeprefix("offline-"))


def is_offline(attempt: Path) -> bool:
    return attempt.name.startswith("offline-")


def never_went_up(attempt: Path) -> bool:
    """Tell whether it is offline and `wandb sync`, which notes it beside the file, has not sent it."""
    return is_offline(attempt) and not any(attempt.glob("*.wandb.synced"))


def forget(attempt: Path, run_dir: Path) -> None:
    shutil.rmtree(attempt, ignore_errors=True)
    if (sweep := sweep_of(run_dir)) is not None:
        (sweep / FOLDER / attempt.name).unlink(missing_ok=True)


def sweep_of(run_dir: Path) -> Path | None:
    """Return the directory of the sweep that the run belongs to; in a training container there is none."""
    above = list(run_dir.absolute().parents)[:SWEEP_AT_MOST_ABOVE]
    return next((parent for parent in above if any((parent / name).exists() for name in OF_A_SWEEP)), None)


def link_into_sweep(run_dir: Path) -> Path | None:
    """Keep one directory with links to every run of the sweep: `wandb leet` and `wandb sync` look one level deep.

    Returns that directory, or None where there is no sweep. The links are relative: a sweep can be moved as a whole.
    """
    sweep = sweep_of(run_dir)
    if sweep is None:
        return None
    folder = sweep / FOLDER
    folder.mkdir(exist_ok=True)
    for link in (link for link in list(folder.iterdir()) if link.is_symlink() and not link.exists()):
        link.unlink(missing_ok=True)
    for attempt in (run_dir / FOLDER).glob("*run-*"):
        link = folder / attempt.name
        try:
            if attempt.is_dir() and not link.is_symlink():
                link.symlink_to(os.path.relpath(attempt.absolute(), folder), target_is_directory=True)
        except OSError as error:  # a file system without links
            log.debug("no link %s: %s", link, error)
    return folder


def shown_folder(run_dir: Path) -> Path:
    """Return the directory as the user would type it: of the sweep, where there is one."""
    return as_typed((sweep_of(run_dir) or run_dir) / FOLDER)
