"""Lists the files that are bundled: what git tracks or would track, without what .sagemakerignore names.

Without git the root is walked, honouring every .gitignore. Patterns mean what the library pathspec makes of them.
"""

from __future__ import annotations

import logging
import os
import re
import stat
import subprocess
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing
from itertools import chain
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from hydra_sagemaker.code.root import git_environment, git_toplevel
from hydra_sagemaker.code.secret_files import looks_secret_file
from hydra_sagemaker.errors import LauncherError

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

    Rules = Sequence[tuple[str, GitIgnoreSpec]]
    """The patterns of each .gitignore, under its directory: "" for the root, else with a slash at the end."""

FILES_AT_MOST = 200_000
IGNORE_FILE = ".sagemakerignore"
_NEVER_SENT = re.compile(
    r"(^|/)(\.git|\.hg|\.svn|\.venv|venv|\.tox|\.nox|node_modules|__pycache__|\.eggs|[^/]+\.egg-info|\.ipynb_checkpoints"
    r"|\.(mypy|pytest|ruff)_cache|\.hypothesis|\.DS_Store|[^/]+\.py[co]"
    r"|[^/]+~|\.#[^/]+|#[^/]+#|\.[^/]+\.sw[a-p]|\.~lock\.[^/]+#|\.nfs[0-9a-f]+|\.idea|\.vscode|\.virtual_documents"
    r"|Thumbs\.db|desktop\.ini|nohup\.out|\.cache|\.coverage(\.[^/]+)?|htmlcov|\.(pytype|pyre|ropeproject|benchmarks)"
    r"|wandb/((offline-)?run-[^/]+|latest-run|debug[^/]*\.log))(/|$)"
)
"""Droppings of editors, notebooks, tools and shells, which are sent where git tracks them."""
ENVIRONMENT_MARKS = ("/pyvenv.cfg", "/conda-meta/history")
"""Files that the top directory of a virtual environment has: of venv and virtualenv, and of conda."""

log = logging.getLogger(__name__)


def is_dropping(name: str) -> bool:
    """Tell whether an untracked file is one that editors, tools and caches leave, by its path."""
    return _NEVER_SENT.search(name) is not None


def list_files(root: Path, *, exclude: Sequence[str] = ()) -> list[PurePosixPath]:
    """Return sorted paths relative to `root`; `exclude` and .sagemakerignore hold gitignore patterns, `exclude` the last ones.

    A symbolic link to a file of the root stands for that file, one to a directory of the root for the listed files in it.
    A link that leaves the root, holds itself, points to nothing or to what looks like a secret is left out with a warning.

    Raises LauncherError above 200,000 files, for a root that is no directory, and where pathspec is needed and missing.
    """
    if not root.is_dir():
        raise LauncherError(f"{root} is no directory: hydra.launcher.code.root must be the directory of the code to send")
    ignore = _sagemakerignore(root, exclude)
    tree = _Tree(root)
    with closing(_git_files(root)) as names:
        first = next(names, None) if git_toplevel(root) else None
        if first is None:  # no repository, or a directory that its repository ignores as a whole
            tree.add(_walk(root, ignore, []))
        else:
            tree.add(name for name in chain([first], names) if not (ignore and ignore.match_file(name)))
    tree.leave_out_environments()
    return sorted(PurePosixPath(name) for name in tree.files | tree.linked_files(ignore))


def tracked_files(root: Path) -> set[str]:
    """Return the files in the repository of `root`; none without one. A submodule counts as one file."""
    return set(_git_names(root, "--cached")) if git_toplevel(root) else set()


def named_by_patterns(root: Path, names: Sequence[str], *, exclude: Sequence[str] = ()) -> set[str]:
    """Return the names that .sagemakerignore or `exclude` leaves out."""
    ignore = _sagemakerignore(root, exclude)
    return {name for name in names if ignore and ignore.match_file(name)}


class _Tree:
    """Regular files and symbolic links found so far; other kinds, deleted files and unreadable directories are left out."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        self.files: set[str] = set()
        self.links: set[str] = set()

    def add(self, names: Iterable[str]) -> None:
        for name in names:
            try:
                mode = (self.root / name).lstat().st_mode
            except OSError:
                continue
            if stat.S_ISREG(mode):
                self.files.add(name)
            elif stat.S_ISLNK(mode):
                self.links.add(name)
            if len(self.files) + len(self.links) > FILES_AT_MOST:
                raise LauncherError(
                    f"{self.root} holds more than {FILES_AT_MOST:,} files: set hydra.launcher.code.root to the directory of "
                    f"your code, or name what the jobs do not need in {self.root / IGNORE_FILE} (gitignore syntax)"
                )

    def leave_out_environments(self) -> None:
        """Drop virtual environments that git does not track: a job cannot use those of another machine."""
        marks = {name for name in self.files if name.endswith(ENVIRONMENT_MARKS)}
        if marks:
            marks -= tracked_files(self.root)
        for root in sorted(mark.removesuffix("pyvenv.cfg").removesuffix("conda-meta/history") for mark in marks):
            log.info("the virtual environment %s is not sent", root)
            self.files = {name for name in self.files if not name.startswith(root)}
            self.links = {name for name in self.links if not name.startswith(root)}

    def linked_files(self, ignore: GitIgnoreSpec | None) -> set[str]:
        """Return the files that links stand for. Names below links to directories are new, so `ignore` applies to them too."""
        found: set[str] = set()
        refused: list[str] = []
        for link in sorted(self.links):
            target = Path(os.path.realpath(self.root / link))
            inside = target.relative_to(self.root).as_posix() if target.is_relative_to(self.root) else ""
            if not inside:
                refused.append(f"{link} (leaves the root)")
            elif not target.exists():
                refused.append(f"{link} (points to nothing)")
            elif looks_secret_file(inside):
                refused.append(f"{link} (points to {inside}, which looks like a secret)")
            elif target.is_file():
                found.add(link)
            elif inside == "." or link.startswith(f"{inside}/"):
                refused.append(f"{link} (holds itself)")
            else:
                found |= {f"{link}/{name.removeprefix(f'{inside}/')}" for name in self.files if name.startswith(f"{inside}/")}
        if refused:
            more = f" and {len(refused) - 10} more" if len(refused) > 10 else ""
            log.warning("symbolic links that are not sent: %s%s", "; ".join(refused[:10]), more)
        return {name for name in found if not (ignore and ignore.match_file(name))}


def _git_files(root: Path) -> Generator[str, None, None]:
    """Yield the files of the repository, of its submodules and of other repositories in it."""
    for selection in (("--cached",), ("--others", "--exclude-standard")):
        for name in _git_names(root, *selection):
            if (folder := root / name).is_dir() and not folder.is_symlink():
                if (folder / ".git").exists():  # else a submodule that was never fetched
                    yield from (f"{name.rstrip('/')}/{inner}" for inner in _git_files(folder))
            elif selection == ("--cached",) or not is_dropping(name):
                yield name


def _git_names(root: Path, *selection: str) -> Iterator[str]:
    """Yield names while git finds them, so that a reader can stop it early."""
    command = ["git", "-C", str(root), "ls-files", "-z", *selection]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=git_environment()) as process:
        assert process.stdout
        try:
            rest = b""
            while chunk := process.stdout.read(1 << 16):
                *names, rest = (rest + chunk).split(b"\0")
                yield from map(os.fsdecode, names)
            if process.wait() != 0:
                raise LauncherError(f"exit code {process.returncode} from `{' '.join(command)}`: run it to see why")
        finally:
            process.kill()


def _sagemakerignore(root: Path, exclude: Sequence[str]) -> GitIgnoreSpec | None:
    if (file := root / IGNORE_FILE).is_file():
        return _patterns([*_lines(file), *exclude], f"{file} and code.exclude" if exclude else str(file))
    return _patterns(exclude, "hydra.launcher.code.exclude") if exclude else None


def _lines(file: Path) -> list[str]:
    return file.read_text(encoding="utf-8", errors="surrogateescape").splitlines()


def _patterns(lines: Sequence[str], place: str) -> GitIgnoreSpec:
    try:
        from pathspec import GitIgnoreSpec
    except ImportError as error:
        raise LauncherError(f"the patterns of {place} need a library that is missing: pip install pathspec") from error
    try:
        return GitIgnoreSpec.from_lines(lines)
    except ValueError as error:
        raise LauncherError(f"{place}: {error}") from error


def _walk(root: Path, ignore: GitIgnoreSpec | None, outer: Rules, base: str = "") -> Iterator[str]:
    rules = list(outer)
    try:
        entries = sorted(os.scandir(root / base), key=lambda entry: entry.name)
        if (file := root / base / ".gitignore").is_file():
            rules.append((base, _patterns(_lines(file), str(file))))
    except OSError as error:
        log.warning("%s is not sent: %s", root / base, error.strerror)
        return
    specs = [spec for _, spec in rules] + ([ignore] if ignore else [])
    # below an ignored directory a `!pattern` may name a file that is not ignored
    negates = any(pattern.include is False for spec in specs for pattern in spec.patterns)
    for entry in entries:
        name = base + entry.name
        if is_dropping(name):
            continue
        if not entry.is_dir(follow_symlinks=False):
            if not _is_ignored(name, ignore, rules):
                yield name
        elif negates or not _is_ignored(f"{name}/", ignore, rules):
            yield from _walk(root, ignore, rules, f"{name}/")


def _is_ignored(name: str, ignore: GitIgnoreSpec | None, rules: Rules) -> bool:
    """Decide as git does: the nearest .gitignore with a pattern for the file."""
    if ignore and ignore.match_file(name):
        return True
    verdicts = (spec.check_file(name.removeprefix(base)).include for base, spec in reversed(rules))
    return bool(next((verdict for verdict in verdicts if verdict is not None), False))
