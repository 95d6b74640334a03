"""The user's code: the files that are bundled, and the hash that names them."""

from __future__ import annotations

import hashlib
import logging
import subprocess
import sys
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath

import hydra

from hydra_sagemaker.code import bundle, bundled_files
from hydra_sagemaker.code.distributions import missing_in_job, pins
from hydra_sagemaker.code.imported_modules import loaded_files, task_file, without_entry_point
from hydra_sagemaker.code.own_outputs import is_one_of, output_files, without_outputs
from hydra_sagemaker.code.requirements import AUTO, Requirements, declared, distribution
from hydra_sagemaker.code.root import find_root
from hydra_sagemaker.container.install import OWN, PINS, REQUIREMENTS
from hydra_sagemaker.errors import LauncherError
from hydra_sagemaker.job.task import TaskReference
from hydra_sagemaker.settings import CodeConf, CodeIdentity

log = logging.getLogger(__name__)
PACKAGE = Path(__file__).resolve().parents[1]
PLUGINS = PACKAGE.parent / "hydra_plugins"
IN_THE_JOB = (
    "__init__.py",
    "settings.py",
    "errors.py",
    "secret_names.py",
    "secret_forms.py",
    "files.py",
    "reports.py",
    "container",
    "job",
    "runner",
    "search/__init__.py",
    "search/settings.py",
)
"""The parts of the launcher that a job needs, beside the plugins: Hydra composes launcher and sweeper there again."""
LAUNCHER_DIR = ".launcher"
"""In the bundle, beside the user's files."""
HYDRA = "hydra-core>=1.3.8,<1.4" if hydra.__version__.startswith("1.3.") else "hydra-core>=1.4.0rc1,<1.5"
"""Required in the job: of the same line as here, since it composes the job's configuration again."""
NAMED_AT_MOST = 10


@dataclass
class Code:
    root: Path
    settings: CodeConf
    task: TaskReference | None = None
    """Its own file has to be bundled."""
    outputs_before: frozenset[str] = frozenset()
    """The files that earlier launches wrote their output to: they are still no code."""
    search_files: frozenset[Path] = frozenset()
    """Files of a search, whether git tracks them or not."""
    left_out: set[str] = field(default_factory=set)
    """The same of this launch too, once `files` is read."""

    @classmethod
    def of(cls, settings: CodeConf, working_dir: Path, own: Sequence[Path] = ()) -> Code:
        """Return the code of an application; `own` are its task's file and its configuration's directory, where it has them.

        Raises:
            LauncherError: the root that the settings name is not there.
        """
        root = Path(working_dir / settings.root) if settings.root else find_root(working_dir, own)
        if not root.is_dir():
            raise LauncherError(f"hydra.launcher.code.root={settings.root}: there is no such directory")
        return cls(root.resolve(), settings)

    @cached_property
    def files(self) -> list[PurePosixPath]:
        files = without_outputs(self.root, bundled_files.list_files(self.root, exclude=self.settings.exclude))
        before = self.outputs_before - bundled_files.tracked_files(self.root) if self.outputs_before else ()
        outputs = output_files()
        self.left_out = {str(file) for file in files if str(file) in before or is_one_of(self.root / file, outputs)}
        return [file for file in files if str(file) not in self.left_out and self.root / file not in self.search_files]

    @cached_property
    def not_bundled(self) -> list[str]:
        """Files of imported modules below the root that are not bundled."""
        bundled = {file.as_posix() for file in self.files}
        loaded = without_entry_point(loaded_files(self.root), self.task)
        return sorted({paths[0] for paths in loaded.values() if bundled.isdisjoint(paths)})

    @cached_property
    def commit(self) -> str | None:
        """The commit of the repository; None without one."""
        if (commit := self._git("rev-parse", "HEAD")) is None:
            return None
        return f"{commit}-dirty" if self._git("status", "--porcelain", "--untracked-files=no") else commit

    def _git(self, *words: str) -> str | None:
        try:
            done = subprocess.run(["git", "-C", str(self.root), *words], capture_output=True, text=True, timeout=10)
        except (OSError, subprocess.TimeoutExpired):
            return None
        return done.stdout.strip() if done.returncode == 0 else None

    def problems(self) -> list[str]:
        """Return why the code must not be uploaded."""
        found = (
            bundle.size_problem(self.root, self.files, self.settings.max_mb),
            bundle.secret_file_problem(self.root, self.files, self.settings.allow_secret_names),
        )
        return [*(problem for problem in found if problem is not None), *self._missing()]

    @cached_property
    def file_hashes(self) -> dict[str, str]:
        return bundle.file_hashes(self.root, self.files)

    def identity(self, *, limited: bool, package: str | None, requirements: str | None = AUTO) -> str:
        """Return a hash of the user's files, and of the task's own package where that is installed.

        `limited`, for local jobs: a tree that is too large to read at each start never counts as the same.
        """
        if limited and self.is_too_large():
            return uuid.uuid4().hex
        beside = self.identity_beside(limited=limited, package=package, requirements=requirements)
        return bundle.hash_of_hashes(self.file_hashes) + beside

    def identity_beside(self, *, limited: bool, package: str | None, requirements: str | None) -> str:
        """Return hashes of the code that is not bundled: an installed package, ignored files, requirements."""
        if limited:  # jobs here import files that are not bundled, too
            files = [PurePosixPath(name) for name in self.not_bundled]
            beside = bundle.content_hash(self.root, files) if files else ""
        else:
            beside = self._required(requirements)
        return self._installed(package) + beside

    def is_too_large(self) -> bool:
        """Tell, with a warning, whether the files are too large to be read at each start."""
        if problem := self._too_large():
            log.warning("no job of this sweep will be recognised as one that ran before: %s", problem)
        return problem is not None

    def _required(self, setting: str | None) -> str:
        """Hash the requirements, where the bundled files do not contain them."""
        found = declared(self.root, setting)
        names = {file.relative_to(self.root).as_posix() for file in found.files if file.is_relative_to(self.root)}
        all_count = self.settings.identity == CodeIdentity.files and names <= {file.as_posix() for file in self.files}
        if all_count and setting == AUTO and len(names) == len(found.files):
            return ""
        return hashlib.sha256("\n".join([str(setting is None), *found.lines]).encode()).hexdigest()

    def _missing(self) -> Iterator[str]:
        """Yield a sentence about the task's own file, and one about other modules, that the jobs would not find."""
        file = task_file(self.task, self.root)
        same = (name for name in self.not_bundled if file is not None and (self.root / name).resolve() == file.resolve())
        if (task := next(same, None)) is not None:
            yield (
                f"{task} holds the task and is not bundled: .gitignore, {bundled_files.IGNORE_FILE} or "
                f"hydra.launcher.code.exclude leaves it out. Change the pattern, or `git add -f {task}`"
            )
        others = [name for name in self.not_bundled if name != task]
        knowingly = bundled_files.named_by_patterns(self.root, others, exclude=self.settings.exclude)
        if missing := [name for name in others if name not in knowingly]:
            more = f" and {len(missing) - NAMED_AT_MOST} more" if len(missing) > NAMED_AT_MOST else ""
            yield (
                "imported modules are not bundled, since .gitignore names them or a link leads out of the root: "
                f"{', '.join(missing[:NAMED_AT_MOST])}{more}. `git add -f` adds them; "
                f"install them, or list in {self.root / bundled_files.IGNORE_FILE} what the jobs do not need"
            )

    def missing_packages(self, requirements: Sequence[str]) -> tuple[list[str], list[str]]:
        """Return sentences about packages that the task imports and that a job lacks, surely or perhaps."""
        if self.task is None:
            return [], []
        files = {name: str(self.root / paths[0]) for name, paths in loaded_files(self.root).items()}
        module = "__main__" if self.task.module is None else self.task.module
        if module not in files and "__main__" in files:  # python -m package.module
            files[module] = files["__main__"]
        surely, perhaps = missing_in_job(module, files, requirements)
        return (
            [
                f"the task imports {one}: it is neither bundled nor among the requirements. Add it to requirements.txt or to "
                "the dependencies in pyproject.toml (an image that has it installs nothing), or set "
                "hydra.launcher.requirements=null for an image that has everything"
                for one in surely
            ],
            [f"the task imports {one}, which no requirement names: the image has to have it" for one in perhaps],
        )

    def _installed(self, package: str | None) -> str:
        """Hash the sources of the task's package where that is installed."""
        module = sys.modules.get((package or "").partition(".")[0])
        file = Path(getattr(module, "__file__", None) or self.root)
        if file.name != "__init__.py" or file.resolve().is_relative_to(self.root):
            return ""
        sources = sorted(PurePosixPath(source.relative_to(file.parent)) for source in file.parent.rglob("*.py"))
        return bundle.content_hash(file.parent, sources)

    def _too_large(self) -> str | None:
        try:
            return bundle.size_problem(self.root, self.files, self.settings.max_mb)
        except LauncherError as error:
            return str(error)

    def requirements(self, setting: str | None, *, with_boto3: bool, with_versions: bool = False) -> Requirements:
        """Return what the job installs; `with_versions` in the versions of this machine.

        Raises:
            LauncherError: a file does not exist or cannot be read.
        """
        lines = declared(self.root, setting).lines
        names = {distribution(line) for line in lines}
        own = [HYDRA] if setting is not None and "hydra-core" not in names else []
        own += ["boto3"] if with_boto3 and "boto3" not in names else []
        return Requirements(lines, own, pins([*lines, *own]) if with_versions and setting is not None else [])

    def unbundled_requirements(self, setting: str | None) -> list[str]:
        """Return sentences about what pip would look for in the job and not find: constraints and packages beside the code."""
        bundled = {file.as_posix() for file in self.files}
        folders = {folder.as_posix() for file in self.files for folder in file.parents}
        names = [path.relative_to(self.root).as_posix() for path in declared(self.root, setting).needed]
        return [
            f"the requirements name {name}, which is not bundled: .gitignore, {bundled_files.IGNORE_FILE} or "
            f"hydra.launcher.code.exclude leaves it out. `git add -f {name}` sends it"
            for name in dict.fromkeys(names)
            if name not in bundled | folders
        ]

    def extra(self, requirements: Requirements) -> dict[str, bytes]:
        """Return the files that the launcher adds to the bundle: its own runner and the requirements."""
        files = [
            file for name in IN_THE_JOB for file in ((PACKAGE / name).rglob("*.py") if "." not in name else [PACKAGE / name])
        ]
        found = {
            f"{LAUNCHER_DIR}/path/{file.relative_to(PACKAGE.parent).as_posix()}": file.read_bytes()
            for file in sorted([*files, *PLUGINS.rglob("*.py")])
        }
        found[f"{LAUNCHER_DIR}/entry.py"] = (PACKAGE / "container" / "entry.py").read_bytes()
        parts = {REQUIREMENTS: requirements.lines, OWN: requirements.own, PINS: requirements.pins}
        for name, lines in parts.items():
            found[f"{LAUNCHER_DIR}/{name}"] = "".join(f"{line}\n" for line in lines).encode()
        return found

    def bundle_sha256(self, requirements: Requirements) -> str:
        return bundle.content_hash(self.root, self.files, extra=self.extra(requirements))
