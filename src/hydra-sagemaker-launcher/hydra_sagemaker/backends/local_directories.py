"""Keeps the output directories of local jobs apart: the files of one job are moved aside for those of another.

A later launch may give the same jobs other numbers in the same sweep directory; no result is lost by that.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from hydra_sagemaker.container.output_files import link
from hydra_sagemaker.errors import LauncherError
from hydra_sagemaker.files import read_json, write_atomically
from hydra_sagemaker.job.identity import parse_job_name
from hydra_sagemaker.job.job import Job

log = logging.getLogger(__name__)
MARKS = (".job", ".launcher")
EVERYTHING = ("*",)
CLOCK_SECONDS = 1.0
"""The time by which a file system's clock may be behind."""


class OutputDirs:
    """The directories of the jobs in a state directory, recorded in each job's `where.json`."""

    def __init__(self, state_dir: Path, runs: Callable[[str], bool]) -> None:
        self.state_dir, self.runs = state_dir, runs
        self.needed: set[str] = set()
        """Jobs that this launch collects. Their results are moved aside where another job would replace them."""
        self._collected: dict[str, Path] = {}

    def where(self, name: str) -> dict[str, Any]:
        file = self.state_dir / name / "where.json"
        return json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}

    def note(self, name: str, **values: Any) -> None:
        write_atomically(self.state_dir / name / "where.json", json.dumps(self.where(name) | values))

    def results_dir(self, name: str) -> Path | None:
        """Return the directory with the job's files."""
        if (aside := self._aside(name)).is_dir():
            return aside
        where = self.where(name)
        return Path(where["output_dir"]) if where else None

    def occupied(self, jobs: Iterable[Job]) -> list[str]:
        """Return a sentence for each output directory in which another job still runs."""
        found = [(job, other) for job in jobs if (other := output_owner(job.output_dir)) and other["key"] != job.key]
        return [f"{job}: {_busy(job.output_dir, other)}" for job, other in found if self.runs(other["name"])]

    def claim(self, output_dir: Path, name: str, *, resumes: bool) -> bool:
        """Give the directory to a job, and remove the files of the job before. Returns whether nothing else is in it.

        `resumes`: keep the files of an earlier attempt at the same job.

        Raises:
            LauncherError: another job runs there.
        """
        key, _ = parse_job_name(name) or ("", 0)
        if (before := output_owner(output_dir)) is None:
            is_folder = output_dir.exists() and not output_dir.is_symlink()  # perhaps with `.job` of a job that never started
            return all(entry.name == ".job" for entry in output_dir.iterdir()) if is_folder else not output_dir.exists()
        earlier = before["name"]
        is_alone = self._is_alone(earlier, output_dir)
        if earlier == name:
            return is_alone
        if self.runs(earlier):
            raise LauncherError(_busy(output_dir, before))
        if resumes and before["key"] == key:
            _unshare(output_dir)
            return is_alone
        if self.results_dir(earlier) == output_dir:
            self._set_aside(earlier, output_dir, is_alone)
            if earlier not in self.needed:
                log.info("%s: the files of %s are in %s now", output_dir, earlier, self.results_dir(earlier))
            if is_alone:
                shutil.rmtree(output_dir)
        elif is_alone:
            self._clear_copy(earlier, output_dir)
        return is_alone

    def collect(self, name: str, output_dir: Path, large: Sequence[str]) -> None:
        """Copy the files of an ended job into a directory; hard-link the large ones where the file system can."""
        source = self.results_dir(name)
        if source is None or source == output_dir or (holder := output_owner(source)) is None or holder["name"] != name:
            return
        was_aside = source == self._aside(name)
        is_alone = self.claim(output_dir, name, resumes=False)
        links = EVERYTHING if was_aside else large
        copy_output(source, output_dir, links, since=self._since(name, was_aside or self._is_alone(name, source)))
        places = {*self.where(name).get("places", ()), *([str(output_dir)] if is_alone else [])}
        self.note(name, places=sorted(places), **({"output_dir": str(output_dir)} if was_aside else {}))
        self._collected[name] = output_dir
        if was_aside:
            shutil.rmtree(source)

    def _set_aside(self, name: str, output_dir: Path, is_alone: bool) -> None:
        """Move results aside, completely or not at all. Without `is_alone` files are copied: they may be written to again."""
        if name in self._collected:
            self.note(name, output_dir=str(self._collected[name]))
            return
        aside = self._aside(name)
        partial = aside.with_name(f"{aside.name}.partial")
        shutil.rmtree(partial, ignore_errors=True)
        copy_output(output_dir, partial, EVERYTHING if is_alone else (), since=self._since(name, is_alone))
        partial.rename(aside)
        self.note(name, output_dir=str(aside))

    def _clear_copy(self, name: str, output_dir: Path) -> None:
        """Delete a copy of results; files that were added to it are kept apart."""
        original = self.results_dir(name)
        files = (file for file in output_dir.rglob("*") if not file.is_dir())
        added = [file for file in files if original is None or not os.path.lexists(original / file.relative_to(output_dir))]
        if not added:
            shutil.rmtree(output_dir)
            return
        kept = self.state_dir / name / f"added-{time.time_ns()}"
        shutil.move(output_dir, kept)
        log.info("%s: files that were added to those of %s are in %s now", output_dir, name, kept)

    def _is_alone(self, name: str, output_dir: Path) -> bool:
        """Return whether the directory holds nothing from before the job claimed it."""
        if output_dir.is_symlink() or str(output_dir) not in self.where(name).get("places", ()):
            return False
        return not list(_other_outputs(output_dir))

    def _since(self, name: str, is_alone: bool) -> float:
        """Return seconds since 1970: in a directory that was not empty, the job's files are the ones written since then."""
        return 0.0 if is_alone else self.where(name).get("submitted", 0.0) - CLOCK_SECONDS

    def _aside(self, name: str) -> Path:
        return self.state_dir / name / "output"


def output_owner(output_dir: Path) -> dict[str, Any] | None:
    """Return the specification of the job that claimed an output directory last."""
    spec = read_json(output_dir / ".job" / "spec.json")
    return spec if isinstance(spec, dict) and {"name", "key", "sweep_dir"} <= spec.keys() else None


def copy_output(source: Path, target: Path, links: Sequence[str] = (), since: float = 0.0) -> None:
    """Copy a job's files without other jobs' directories below; hard-link what matches `links` where the file system can."""
    others = [*_other_outputs(source), source / ".launcher", target]
    skipped: list[str] = []
    target.mkdir(parents=True, exist_ok=True)
    for file in sorted(source.rglob("*")):
        if file.lstat().st_ctime < since or any(file.is_relative_to(other) for other in others):
            continue
        copy = target / file.relative_to(source)
        if file.is_dir() and not file.is_symlink():
            copy.mkdir(parents=True, exist_ok=True)
            continue
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.unlink(missing_ok=True)
        if file.is_symlink():
            copy.symlink_to(_target_within(file, source))
        elif not file.is_file():
            skipped.append(str(file.relative_to(source)))
        elif any(fnmatch(file.name, pattern) for pattern in links):
            link(file, copy)
        else:
            shutil.copy2(file, copy)
    if skipped:
        log.warning("%s: not copied to %s, since these are no files: %s", source, target, ", ".join(skipped))


def _busy(output_dir: Path, other: dict[str, Any]) -> str:
    return (
        f"{other['name']} still runs in {output_dir}: wait for it, stop it with `hydra-sagemaker stop {other['sweep_dir']}`, "
        "or give this sweep a directory of its own with hydra.sweep.dir"
    )


def _other_outputs(output_dir: Path) -> Iterator[Path]:
    """Yield directories of other jobs and sweeps below this one."""
    for mark in MARKS:
        yield from (found.parent for found in output_dir.rglob(mark) if found.parent != output_dir)


def _unshare(output_dir: Path) -> None:
    """Replace hard links by copies, so that a resumed attempt does not write to files of another sweep."""
    for file in list(output_dir.rglob("*")):
        if file.is_file() and not file.is_symlink() and file.stat().st_nlink > 1:
            copy = file.with_name(f".{file.name}.{os.getpid()}-{time.monotonic_ns()}")
            shutil.copy2(file, copy)
            copy.replace(file)


def _target_within(link: Path, source: Path) -> str:
    """Return a link's target; absolute links within a job's files become relative, and lead to the copy's own."""
    text = os.readlink(link)
    is_own = os.path.isabs(text) and Path(text).is_relative_to(source)
    return os.path.relpath(text, link.parent) if is_own else text
