"""Decides which of the code's files are part of a job's identity, and hashes them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path, PurePosixPath

from hydra_sagemaker.code.import_closure import Imports, source_sha256
from hydra_sagemaker.code.imported_modules import task_file
from hydra_sagemaker.code.source import Code
from hydra_sagemaker.settings import CodeIdentity

CONFIGURATION = (".yaml", ".yml")


class CountedFiles:
    """All bundled files, or with `code.identity=imported` those a task can import and the configuration's.

    Args:
        config_dirs: the directories from which jobs are composed.
        python_path: directories below the root from which is imported, relative to it.
    """

    def __init__(self, code: Code, config_dirs: Sequence[Path], python_path: Sequence[str]) -> None:
        self.code, self.config_dirs, self.python_path = code, config_dirs, python_path
        self._hashes: dict[str, str] = {}
        self.counted: dict[str, str] = {}
        """What has counted for any job so far."""

    def of(self, text: str) -> dict[str, str]:
        """Return path and hash of the files that count for a job whose configuration is `text`."""
        if self.code.settings.identity != CodeIdentity.imported:
            self.counted = self.code.file_hashes
            return self.counted
        file = task_file(self.code.task, self.code.root)
        start = [file.resolve().relative_to(self.code.root).as_posix()] if file and self._is_below(file.resolve()) else []
        counted = self._imports.reached(start, [text]) | self._configuration
        hashes = {name: self._hash(name) for name in sorted(counted)}
        self.counted |= hashes
        return hashes

    def _is_below(self, path: Path) -> bool:
        return path.is_relative_to(self.code.root)

    @cached_property
    def _imports(self) -> Imports:
        return Imports(self.code.root, self.code.files, self.python_path)

    @cached_property
    def _configuration(self) -> set[str]:
        real = (folder.resolve() for folder in self.config_dirs)
        folders = [folder.relative_to(self.code.root) for folder in real if self._is_below(folder)]
        files = (file for file in self.code.files if file.suffix in CONFIGURATION)
        return {file.as_posix() for file in files if any(PurePosixPath(file).is_relative_to(folder) for folder in folders)}

    def _hash(self, name: str) -> str:
        if name not in self._hashes:
            content = (self.code.root / name).read_bytes()
            self._hashes[name] = source_sha256(content) if name.endswith(".py") else hashlib.sha256(content).hexdigest()
        return self._hashes[name]
