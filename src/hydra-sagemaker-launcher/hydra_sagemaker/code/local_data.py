"""Finds the local files that configuration keys name and that are not bundled with the code: a job gets them by a channel."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from contextlib import suppress
from functools import cached_property
from pathlib import Path, PurePosixPath

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from hydra_sagemaker.code import bundle
from hydra_sagemaker.code.bundled_files import is_dropping
from hydra_sagemaker.code.named_files import Named, NamedFiles
from hydra_sagemaker.code.source import Code
from hydra_sagemaker.job.identity import files_digest
from hydra_sagemaker.job.inputs import CHANNELS, Input, keys_of
from hydra_sagemaker.job.job import Job, hydra_config
from hydra_sagemaker.settings import CodeIdentity, Mode, SageMakerLauncherConf

FILES_AT_MOST = 1000
LONGEST_CHANNEL = 64
"""https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_Channel.html"""


class LocalData:
    """The inputs of a sweep's jobs; what several jobs name is read once."""

    def __init__(self, code: Code, working_dir: Path, settings: SageMakerLauncherConf) -> None:
        self.code, self.working_dir, self.settings = code, working_dir, settings
        self._known: dict[Path, tuple[str, tuple[str, ...]] | str] = {}
        """Content's hash and files, or the end of a sentence that says why it is not uploaded."""
        self._named = NamedFiles(working_dir)
        self._digests: dict[Path, str] = {}

    def inputs_of(self, job: Job) -> tuple[tuple[Input, ...], list[str]]:
        """Return the inputs of a job, and a sentence about each local file that it cannot have."""
        found: list[Input] = []
        problems: list[str] = []
        channels: dict[Path, str] = {}
        for key in keys_of(job.config, self.settings.inputs):
            if (text := _value(job, key)) is None:
                continue
            if (named := PurePosixPath(text)).is_relative_to(CHANNELS):
                problems += _absent_channel(job, key, named)
                continue
            path = self._path(text)
            if not path.exists() or self._is_bundled(text, path):
                continue  # an application's own check knows what may be missing
            path = Path(os.path.abspath(path))  # a link keeps its name, which says how it is read
            known = self._known[path] if path in self._known else self._known.setdefault(path, self._read(path))
            if isinstance(known, str):
                problems.append(f"{key}={text} {known} Instead {_recipe(key, path)}")
            else:
                found.append(Input(key, str(path), channels.setdefault(path, _channel(key)), *known))
        return tuple(found), problems

    def contents_of(self, job: Job) -> dict[str, str]:
        """Return hashes of the inputs that the job reads where they are, unless they count as code already."""
        found: dict[str, str] = {}
        counts_as_code = self.settings.code.identity == CodeIdentity.files
        for key in keys_of(job.config, self.settings.inputs):
            if (text := _value(job, key)) is None or not (path := self._path(text)).exists():
                continue
            is_bundled = self._is_bundled(text, path)
            if not counts_as_code if is_bundled else self.settings.mode == Mode.local:
                found[key] = self._digests.get(path) or self._digests.setdefault(path, files_digest([path]))
        return found

    def unnamed(self, job: Job) -> tuple[list[str], list[str]]:
        """Return sentences about what the configuration names, a job lacks and is no input: problems of files, warnings of
        directories, which jobs may make themselves."""
        lacking = list(self._lacking(job))
        inputs = ",".join([*self.settings.inputs, *(one.key for one in lacking if one.path.is_file())])
        problems = [
            f"{one.key}={one.text} names a file that the job lacks: {self._why(one)}; hydra.launcher.inputs=[{inputs}] "
            f"uploads it once; or {_recipe(one.key, one.path)}. Where the job does not read it: "
            f"hydra.launcher.key_exclude=[{','.join([*self.settings.key_exclude, one.key])}]"
            for one in lacking
            if one.path.is_file()
        ]
        warnings = [
            f"{one.key}={one.text} names a directory that is not bundled with the code: "
            f"hydra.launcher.inputs=[{','.join([*self.settings.inputs, one.key])}] uploads it, if the job reads it"
            for one in lacking
            if not one.path.is_file()
        ]
        return problems, warnings

    def _why(self, one: Named) -> str:
        place = one.path.relative_to(self.code.root).as_posix() if one.path.is_relative_to(self.code.root) else ""
        if place in self._bundled:
            return f"it is bundled with the code, but {one.path.parent} is not there, so write {place}"
        return "it is not bundled with the code"

    def changed_since(self, job: Job, time: float) -> Iterator[Named]:
        """Yield what the configuration names, is no part of the job's key and was written after `time`, seconds since 1970."""
        for one in self._lacking(job):
            with suppress(OSError):
                if max((file.stat().st_mtime for file in _files(one.path)), default=0.0) > time:
                    yield one

    def _lacking(self, job: Job) -> Iterator[Named]:
        """Yield files and directories that the configuration names, that are not bundled and of which no setting speaks."""
        for one in self._named.of(job, [*keys_of(job.config, self.settings.inputs), *self.settings.key_exclude]):
            holds_the_code = self.code.root.is_relative_to(one.path)
            if not holds_the_code and not job.output_dir.is_relative_to(one.path) and not self._is_bundled(one.text, one.path):
                yield one

    def _path(self, text: str) -> Path:
        return Path(self.working_dir / Path(text).expanduser())

    @cached_property
    def _bundled(self) -> set[str]:
        return {file.as_posix() for file in self.code.files}

    def _is_bundled(self, text: str, path: Path) -> bool:
        """Return whether the job finds it by the same relative path, below its copy of the code."""
        root = self.code.root
        if Path(text).is_absolute() or text.startswith("~") or not self.working_dir.resolve().is_relative_to(root):
            return False
        here = Path(os.path.normpath(self.working_dir.resolve() / text))
        if not here.is_relative_to(root):
            return False
        return all(file.relative_to(root).as_posix() in self._bundled for file in _files(here))

    def _read(self, path: Path) -> tuple[str, tuple[str, ...]] | str:
        files = list(_files(path))
        if len(files) > FILES_AT_MOST:
            return f"is not bundled with the code, and holds more than the {FILES_AT_MOST:,} files that are uploaded at most."
        size = sum(file.stat().st_size for file in files)
        if size > self.settings.inputs_max_mb * bundle.BYTES_PER_MB:
            return (
                f"is not bundled with the code, and its {size / bundle.BYTES_PER_MB:,.2f} MB are more than "
                f"hydra.launcher.inputs_max_mb={self.settings.inputs_max_mb:g}, up to which it is uploaded."
            )
        names = tuple(file.relative_to(path.parent).as_posix() for file in files)
        allowed = self.settings.code.allow_secret_names
        if problem := bundle.secret_file_problem(path.parent, [PurePosixPath(name) for name in names], allowed):
            return f"would be uploaded: {problem}."
        return content_sha256(path, files), names


def content_sha256(path: Path, files: list[Path] | None = None) -> str:
    """Return the SHA-256 of a file, of a directory that of its files' names and contents."""
    if path.is_file():
        return _sha256(path)
    digest = hashlib.sha256()
    for file in files or list(_files(path)):
        digest.update(f"{file.relative_to(path).as_posix()}\0{_sha256(file)}\0".encode())
    return digest.hexdigest()


def _sha256(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _files(path: Path) -> Iterator[Path]:
    """Yield a file, or the files below a directory, through links too; without droppings of editors and tools."""
    if path.is_file():
        yield path
        return
    found: list[Path] = []
    for folder, folders, names in os.walk(path, followlinks=True):
        here = Path(folder).relative_to(path)
        folders[:] = [name for name in folders if not is_dropping((here / name).as_posix())]
        found += [path / here / name for name in names if not is_dropping((here / name).as_posix())]
        if len(found) > FILES_AT_MOST:  # links may lead in a circle
            break
    yield from sorted(file for file in found if file.is_file())


def _value(job: Job, key: str) -> str | None:
    try:
        with hydra_config(job.config):
            value = OmegaConf.select(job.config, key)
    except OmegaConfBaseException:  # it cannot be resolved here: the job's own affair
        return None
    return str(value) if isinstance(value, str | Path) and str(value) else None


def _channel(key: str) -> str:
    return re.sub(r"[^a-zA-Z0-9-]", "-", f"input-{key}")[:LONGEST_CHANNEL]


def _absent_channel(job: Job, key: str, path: PurePosixPath) -> Iterator[str]:
    for name in path.relative_to(CHANNELS).parts[:1]:
        if name not in job.settings.channels:
            yield f"{key}={path}: the job has no channel {name}: hydra.launcher.channels.{name}=s3://BUCKET/PREFIX"


def _recipe(key: str, path: Path) -> str:
    name = re.sub(r"[^a-zA-Z0-9-]", "-", path.stem).strip("-") or "data"
    copy = "cp" if path.is_file() else "cp --recursive"
    there = f"{CHANNELS}/{name}/{path.name}" if path.is_file() else f"{CHANNELS}/{name}"
    target = f"s3://BUCKET/{name}/"
    words = f"hydra.launcher.channels.{name}={target} {key}={there}"
    return f"copy it to S3, and name its place there: `aws s3 {copy} {path} {target}`, {words}"
