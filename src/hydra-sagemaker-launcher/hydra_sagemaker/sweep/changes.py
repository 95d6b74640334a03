"""Remembers what the jobs of a sweep directory were made of, so that a later launch says why its jobs are others.

`identity.json` lies beside the manifest. It has the unresolved configuration, and no value of an environment variable.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import OmegaConf

from hydra_sagemaker.code.requirements import distribution
from hydra_sagemaker.display.tables import counted
from hydra_sagemaker.files import read_json, write_atomically
from hydra_sagemaker.job.identity import flat
from hydra_sagemaker.job.job import Job
from hydra_sagemaker.scheduling.tracker import NEW, Submission
from hydra_sagemaker.secret_names import looks_secret

if TYPE_CHECKING:
    from hydra_sagemaker.sweep.sweep import Sweep

FORMAT = 1
FILE = ".launcher/identity.json"
DATED = re.compile(r"\d{4}-\d\d-\d\d")
NAMED_AT_MOST = 5
MORE = 1.2


class Changes:
    """Compares this launch with an earlier one in its directory, or in the newest directory beside it, which `since` names."""

    def __init__(self, directory: Path) -> None:
        self.file = directory / FILE
        self.before = _read(self.file)
        self.since = ""
        if not self.before and (latest := _latest_beside(directory)) is not None:
            self.before, self.since = _read(latest), f", since {latest.parents[1]}"
        self.now: dict[str, Any] = {}
        self._written = 0
        """Jobs in the file."""

    def note(self, sweep: Sweep, jobs: Sequence[Job]) -> None:
        """Add jobs of this launch; `write` writes them down."""
        if not self.now:
            base = _configuration(jobs[0]) if jobs else {}
            self.now = {"format": FORMAT, "root": str(sweep.code.root), "base": base, "jobs": {}}
        base = self.now["base"]
        self.now |= {"files": sweep.counted.counted, "requirements": _requirements(sweep), "task": str(sweep.task)}
        self.now |= {"beside": sweep.identity_beside, "left_out": sorted(sweep.code.left_out)}
        for job in jobs:
            config = _configuration(job)
            changed = {key: value for key, value in config.items() if key not in base or base[key] != value}
            gone = sorted(base.keys() - config.keys())
            self.now["jobs"][str(job.number)] = _parts(job) | {"changed": changed, "gone": gone}

    def forget(self, job: Job) -> None:
        """Leave out a job that has ended and that nothing asks about any more, of a search of thousands."""
        self.now.get("jobs", {}).pop(str(job.number), None)

    def write(self, *, all_jobs: bool = True) -> None:
        """Write the file; without `all_jobs` only where it lacks a good part of them: it is there for explanations alone."""
        if not self.now or (not all_jobs and len(self.now["jobs"]) < self._written * MORE):
            return
        self._written = len(self.now["jobs"])
        write_atomically(self.file, json.dumps(self.now, default=str))

    def reasons(self, submissions: Sequence[Submission]) -> list[str]:
        """Return sentences that say why jobs are new although the like ran before; to be asked after `note`."""
        if not self.before or not self.now or self.before["root"] != self.now["root"]:
            return []
        found: dict[str, int] = {}
        keys = {one.job.key for one in submissions}
        general = list(_general(self.before, self.now))
        for one in submissions:
            if one.origin != NEW or not one.name.endswith("-0") or (old := self._like(one.job, keys)) is None:
                continue
            new = self.now["jobs"][str(one.job.number)]
            reason = "; ".join([*general, *_particular(self.before, old, self.now, new)])
            if reason:
                found[reason] = found.get(reason, 0) + 1
        total = len(submissions)
        return [
            f"{'all' if count == total else counted(count, 'job')} new: {reason}{self.since}" for reason, count in found.items()
        ]

    def _like(self, job: Job, keys: set[str]) -> dict[str, Any] | None:
        """Return the job of before with the same overrides, else the one of the same number that is in no other place now."""
        jobs = self.before["jobs"]
        own = self.now["jobs"][str(job.number)]
        same = [old for old in jobs.values() if old["overrides"] == own["overrides"]]
        if same:
            return None if any(old["key"] == job.key for old in same) else same[-1]
        old = None if self.since else jobs.get(str(job.number))
        return None if old is None or old["key"] in keys else old


def _parts(job: Job) -> dict[str, Any]:
    refers = json.loads(job.beside.get("refers") or "{}")
    return {
        "key": job.key,
        "overrides": [word for word in job.overrides if not word.lstrip("+~").startswith("hydra.")],
        "image": job.beside.get("image"),
        "data": job.beside.get("data"),
        "data_files": [file for file in job.settings.key_files if file is not None],
        "refers": {name: hashlib.sha256(str(value).encode()).hexdigest()[:12] for name, value in refers.items()},
    }


def _configuration(job: Job) -> dict[str, str]:
    """Return the unresolved configuration by dotted keys, as far as it is in the job's key, its values as JSON."""
    found: dict[str, Any] = {}
    for name in job.config:
        if name != "hydra":
            node = job.config._get_node(name)
            found[str(name)] = OmegaConf.to_container(node, resolve=False) if OmegaConf.is_config(node) else _plain(node)
    without = (*job.settings.key_exclude, *(one.key for one in job.inputs))
    return {
        key: "…" if looks_secret(key.rpartition(".")[2]) else json.dumps(value, default=str)
        for key, value in flat(found).items()
        if not any(key == name or key.startswith(f"{name}.") for name in without)
    }


def _plain(node: Any) -> Any:
    value = node._value()
    return value if isinstance(value, str | int | float | bool | None) else str(value)


def _requirements(sweep: Sweep) -> dict[str, str]:
    lines = [] if sweep.is_local else sweep.requirements.all
    named = {distribution(line) or line.split()[0]: line for line in lines if line.strip()}
    return {name: hashlib.sha256(line.encode()).hexdigest()[:12] for name, line in named.items()}


def _general(before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    """Yield what has changed for all jobs."""
    if before["task"] != now["task"]:
        yield "the task is another function"
    files = _differences(before["files"], now["files"])
    if files:
        yield _shortened(files)
    if names := _differences(before["requirements"], now["requirements"]):
        yield f"requirements: {_shortened(names)}"
    elif before["beside"] != now["beside"] and not files:
        yield "code that is not bundled has changed: an installed package, or files that git ignores"


def _particular(
    before: Mapping[str, Any], old: Mapping[str, Any], now: Mapping[str, Any], new: Mapping[str, Any]
) -> Iterator[str]:
    """Yield what has changed of one job, `old` of the launch `before` and `new` of the launch `now`."""
    if old["image"] != new["image"]:
        yield f"image {old['image']} -> {new['image']}"
    if old["data"] != new["data"]:
        yield f"data: {', '.join(new['data_files']) or 'none any more'}"
    if names := _differences(old["refers"], new["refers"]):
        yield _shortened(names)
    one, other = _complete(before, old), _complete(now, new)
    changed = [
        f"{key} {one.get(key, 'absent')} -> {other.get(key, 'absent')}"
        for key in sorted(one.keys() | other.keys())
        if one.get(key) != other.get(key)
    ]
    if changed:
        yield f"configuration: {_shortened(changed)}"


def _complete(launch: Mapping[str, Any], job: Mapping[str, Any]) -> dict[str, str]:
    return {key: value for key, value in launch["base"].items() if key not in job["gone"]} | job["changed"]


def _differences(old: Mapping[str, str], new: Mapping[str, str]) -> list[str]:
    found = []
    for name in sorted(old.keys() | new.keys()):
        if old.get(name) != new.get(name):
            found.append(f"{name} {'is new' if name not in old else 'is gone' if name not in new else 'changed'}")
    return found


def _shortened(words: Sequence[str]) -> str:
    more = f" and {len(words) - NAMED_AT_MOST} more" if len(words) > NAMED_AT_MOST else ""
    return ", ".join(words[:NAMED_AT_MOST]) + more


def _read(file: Path) -> dict[str, Any]:
    values = read_json(file)
    return values if isinstance(values, dict) and values.get("format") == FORMAT else {}


def _latest_beside(directory: Path) -> Path | None:
    """Return the file of the newest sweep beside a directory, as in `multirun/DATE/TIME`."""
    parent = directory.parent
    files = [*parent.glob(f"*/{FILE}"), *(parent.parent.glob(f"*/*/{FILE}") if DATED.fullmatch(parent.name) else ())]
    return max(files, key=lambda file: file.stat().st_mtime, default=None)
