"""The names of a run elsewhere: an id that is the same in every attempt and every process, a group, a name, tags.

Only what Hydra says of the job goes in, since a job's directory and process are not the same in a training container.
"""

import hashlib
import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from paraphrase_lab.configuration.without_effect import WITHOUT_EFFECT, is_place_of_data
from paraphrase_lab.paths import SWEPT_VARIABLE
from paraphrase_lab.tracking.redaction import REDACTED, redacted

ID_CHARACTERS = 48
"""Length of a run's id; `wandb leet` lists runs by it, in a narrow column."""
NAME_CHARACTERS = 120
WORD_CHARACTERS = 60
TAG_CHARACTERS = 64
"""https://docs.wandb.ai/models/runs/tags"""
_NOT_IN_NAMES = re.compile(rf"({'|'.join(map(re.escape, (*WITHOUT_EFFECT, 'hydra', 'compute')))})([./]|$)")
_JOB_ID = re.compile(r".+-([0-9a-f]{16})-\d+")
"""The launcher's name of an attempt: beginning, the job's key, the number of the attempt."""
_PATH = re.compile(r"(?<![^\s,\[({'\"=])(?:file://)?(?:~|\.{1,2})?/(?:[^/\s,\[\](){}'\"]+/)*([^/\s,\[\](){}'\"]*)")
_DATE = re.compile(r"\d{4}-\d\d-\d\d")
JOB_VARIABLE, BASE_VARIABLE = "TRAINING_JOB_NAME", "SAGEMAKER_BASE_DIR"
_TAGGED_GROUPS = ("experiment", "ablation", "data", "model", "debug")


@dataclass(frozen=True)
class Identity:
    id: str
    group: str | None
    job_type: str
    name: str
    tags: tuple[str, ...]
    data: str
    """Name of the data set."""


def identify(run_dir: Path, record: Mapping[str, Any], *, searching: bool) -> Identity:
    """Name the run. `record`: run.json, which remembers the id of an earlier attempt; the run may have been moved since."""
    hydra = _hydra_of(run_dir)
    overrides = [str(word) for word in hydra.overrides.task] if hydra is not None else []
    choices = dict(hydra.runtime.choices) if hydra is not None else {}
    chosen = [str(choices[name]) for name in ("data", "model") if choices.get(name)]
    swept, constant = _by_what_varies(hydra, overrides)
    words = distinguishing_words(swept, with_files=bool(constant)) or chosen or ["run"]
    group = sweep_name(hydra) if hydra is not None and hydra.mode is not None and hydra.mode.name == "MULTIRUN" else None
    where = job_key(hydra, overrides) if group is not None else f"{run_dir.absolute()} {record.get('started')}"
    anew = record.get("started_anew", 0)
    suffix = f"-{anew + 1}" if anew else ""
    known = ((record.get("tracking") or {}).get("wandb") or {}).get("id", "")
    return Identity(
        id=known if known and known.endswith(suffix) else run_id(words, group, where) + suffix,
        group=group,
        job_type="search" if searching else "train",
        name=" ".join(fitting(words, NAME_CHARACTERS)),
        tags=tags(
            [
                *(str(choices[name]) for name in _TAGGED_GROUPS if choices.get(name)),
                *distinguishing_words(word for word in constant if word.partition("=")[0] not in choices),
            ]
        ),
        data=str(choices.get("data") or "data"),
    )


def origin(record: Mapping[str, Any]) -> str:
    """Tell runs apart that have one id, as two people's sweeps of one name have: when they began, or in which training job."""
    job = sagemaker_job().get("name", "")
    known = job.rpartition("-")[0] if _JOB_ID.fullmatch(job) else f"{job} {record.get('started')}"
    return hashlib.sha1(known.encode(), usedforsecurity=False).hexdigest()[:12]


def sagemaker_job() -> dict[str, Any]:
    """Name and instance of the training job that this process runs in; empty elsewhere."""
    name = os.environ.get(JOB_VARIABLE)
    if not name:
        return {}
    file = Path(os.environ.get(BASE_VARIABLE, "/opt/ml")) / "input" / "config" / "resourceconfig.json"
    try:
        described = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        described = {}
    kind, machines = described.get("current_instance_type"), len(described.get("hosts", ()))
    return {"name": name} | ({"instance_type": kind} if kind else {}) | ({"instances": machines} if machines else {})


def _by_what_varies(hydra: Any, overrides: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the overrides in which the jobs of this sweep differ, and the others; in a single run all vary."""
    swept = str(hydra.job.env_set.get(SWEPT_VARIABLE) or "").split() if hydra is not None else []
    varies = [word for word in overrides if not swept or word.lstrip("+~").partition("=")[0] in swept]
    return varies, [word for word in overrides if word not in varies]


def distinguishing_words(overrides: Iterable[str], *, with_files: bool = False) -> list[str]:
    """Return what the run tries: overrides, by the last part of their keys where that is clear: `seed=1 num_layers=2`.

    Args:
        with_files: also the names of files of data, which cannot change a result by themselves: of a sweep over them.
    """
    split = [word.lstrip("+~").partition("=") for word in overrides]
    shown = [(key, _PATH.sub(r"\1", value.strip("'\""))) for key, _, value in split]  # paths shortened to their last part
    pairs = [(key, str(redacted(value, name=key))) for key, value in shown if _is_told(key, with_files)]
    pairs = [(key, value) for key, value in pairs if REDACTED not in value]
    lasts = [key.rpartition(".")[2] for key, _ in pairs]
    named = zip(lasts, pairs, strict=True)
    return [shortened(f"{last if lasts.count(last) == 1 else key}={value}", WORD_CHARACTERS) for last, (key, value) in named]


def _is_told(key: str, with_files: bool) -> bool:
    return with_files if is_place_of_data(key) else not _NOT_IN_NAMES.match(key)


def shortened(word: str, room: int) -> str:
    """Leave out the middle of a long word: its beginning names the key, and values often differ at their end."""
    end = room // 3
    return word if len(word) <= room else f"{word[: room - end - 1]}…{word[-end:]}"


def run_id(words: Iterable[str], group: str | None, where: str) -> str:
    """Return letters, digits, dots, underscores and hyphens, which every part of W&B and every file system takes."""
    digest = hashlib.sha1(f"{group}\n{where}".encode(), usedforsecurity=False).hexdigest()[:8]
    plain = [re.sub(r"[^A-Za-z0-9._]+", "-", word).strip("-._") for word in words]
    return "-".join([*fitting(list(filter(None, plain)), ID_CHARACTERS - len(digest) - 1), digest])


def fitting(words: Sequence[str], room: int) -> list[str]:
    """Return the words that fit with one character between them, in their order; the seed comes first, then the earliest."""
    chosen: list[str] = []
    for word in sorted(words, key=lambda word: not word.startswith("seed")):
        if sum(len(one) + 1 for one in chosen) + len(word) <= room:
            chosen.append(word)
    return [word for word in words if word in chosen]


def sweep_name(hydra: Any) -> str:
    """Return `DATE_TIME` of runs/DATE/TIME_sweep, else the last part of the directory as typed: a container has another.

    The repeats of a search's best trials are in a directory below that of the search, and are a group of their own.
    """
    typed = [str(word) for word in hydra.overrides.hydra if str(word).startswith("hydra.sweep.dir=")]
    directory = Path(typed[-1].partition("=")[2].strip("'\"") if typed else str(hydra.sweep.dir))
    ending = "_repeats" if directory.name == "repeats" else ""
    directory = directory.parent if ending else directory
    name = (directory.name.removesuffix("_sweep") or "sweep") + ending
    return f"{directory.parent.name}_{name}" if _DATE.fullmatch(directory.parent.name) else name


def job_key(hydra: Any, overrides: Iterable[str]) -> str:
    """Return the key by which the launcher knows the job, in all its attempts; without that launcher the overrides."""
    match = _JOB_ID.fullmatch(str(hydra.job.id))
    return match[1] if match else " ".join(sorted(overrides))


def tags(words: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(word[:TAG_CHARACTERS] for word in words if word.strip()))


def _hydra_of(run_dir: Path) -> Any:
    """Return Hydra's own configuration, where this run is one of its jobs."""
    from hydra.core.hydra_config import HydraConfig

    if not HydraConfig.initialized():
        return None
    hydra = HydraConfig.get()
    return hydra if Path(hydra.runtime.output_dir).absolute() == run_dir.absolute() else None
