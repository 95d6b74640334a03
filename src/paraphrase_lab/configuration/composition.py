"""Composes exactly what Hydra would run, without running it: every job of a sweep can be looked at before the first starts.

Hydra composes files first and applies typed values after, so one composition serves all jobs that choose the same files.
"""

from __future__ import annotations

import copy
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from hydra import version
from hydra.core.object_type import ObjectType
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import IntervalSweep, Override
from hydra.core.utils import JobRuntime, setup_globals
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf, open_dict

from paraphrase_lab.configuration import hydra_internals
from paraphrase_lab.configuration.hydra_internals import BASIC_LAUNCHER, BASIC_SWEEPER, CONFIG_NAME, VERSION_BASE
from paraphrase_lab.configuration.registration import register

OPTUNA_SWEEPER = "hydra_plugins.hydra_async_optuna_sweeper.async_optuna_sweeper.AsyncOptunaSweeper"


@dataclass(frozen=True)
class Request:
    """The words typed after the verb."""

    overrides: tuple[str, ...] = ()
    config_dir: str | None = None
    multirun: bool = False
    verb: str = "train"

    def command(self, *, multirun: bool) -> str:
        """Return the command line that asks for it, with or without `-m`."""
        flags = [*(["-m"] if multirun else []), *(["--config-dir", self.config_dir] if self.config_dir else [])]
        return shlex.join(["paraphrase", self.verb, *flags, *self.overrides])


class Job(NamedTuple):
    overrides: tuple[str, ...]
    config: DictConfig


class Composer:
    """Hydra's own loader over conf/, experiments/ and the request's `config_dir` and `hydra.searchpath`; use it in a `with`.

    Its methods raise Hydra's and OmegaConf's exceptions; `paraphrase_lab.check` turns them into sentences.
    """

    def __init__(self, request: Request | None = None) -> None:
        request = request or Request()
        register()
        setup_globals()
        self._previous = (version.VersionBase.instance().getbase(), JobRuntime.instance().conf.get("name"))
        version.setbase(VERSION_BASE)
        JobRuntime.instance().set("name", CONFIG_NAME)
        self.loader = hydra_internals.config_loader(hydra_internals.search_path_of(request.config_dir))
        self._parser = OverridesParser.create(config_loader=self.loader)
        self._parsed: dict[str, Override] = {}
        self._groups: dict[str, bool] = {}
        self._bases: dict[tuple[str, ...], DictConfig] = {}
        added = [text for text in request.overrides if text.lstrip("+").startswith("hydra.searchpath=")]
        self.repository = hydra_internals.repository_of(self.loader, CONFIG_NAME, added)

    def __enter__(self) -> Composer:
        return self

    def __exit__(self, *error: object) -> None:
        base, name = self._previous
        version.VersionBase.instance().version_base = base
        if name is not None:
            JobRuntime.instance().set("name", name)

    def parse(self, override: str) -> Override:
        if override not in self._parsed:
            self._parsed[override] = self._parser.parse_overrides([override])[0]
        return self._parsed[override]

    def is_group(self, key: str) -> bool:
        if key not in self._groups:
            self._groups[key] = self.repository.group_exists(key)
        return self._groups[key]

    def group_options(self, group: str) -> list[str]:
        """List the options, except those in a subdirectory of the group."""
        return self.repository.get_group_options(group, ObjectType.CONFIG)

    def groups(self) -> list[str]:
        """List the groups a user chooses from."""
        found = self.repository.get_group_options("", ObjectType.GROUP)
        return [group for group in found if group not in ("schema", "hydra") and self.group_options(group)]

    def chooses_files(self, override: Override) -> bool:
        """Tell whether the override takes part in choosing files; others set a value afterwards."""
        if override.key_or_group == "hydra.searchpath":
            return True
        return self.is_group(override.key_or_group) and not isinstance(override.value(), dict)

    def base(self, choices: Sequence[str], *, with_hydra: bool) -> DictConfig:
        """Return a fresh copy of the files' configuration before any typed value."""
        key = tuple(choices)
        if key not in self._bases:
            self._bases[key] = self.loader.load_configuration(CONFIG_NAME, list(choices), RunMode.RUN)
        return copy.deepcopy(self._bases[key] if with_hydra else without_hydra(self._bases[key]))


def without_hydra(config: DictConfig) -> DictConfig:
    """Copy the part that a run sees."""
    config = copy.copy(config)
    with open_dict(config):
        del config["hydra"]
    return config


def note_overrides(config: DictConfig, overrides: Sequence[Override]) -> None:
    """Write into the hydra node what was typed, as Hydra's loader does."""
    task = [override for override in overrides if not override.is_hydra_override()]
    config.hydra.overrides.task = [override.input_line for override in task]
    config.hydra.overrides.hydra = [override.input_line for override in overrides if override.is_hydra_override()]
    names = config.hydra.job.config.override_dirname
    config.hydra.job.override_dirname = hydra_internals.override_dirname(
        task, kv_sep=names.kv_sep, item_sep=names.item_sep, exclude_keys=list(names.exclude_keys)
    )


def target_of(node: Any) -> str:
    found = node.get("_target_") if isinstance(node, DictConfig) else None
    return found if isinstance(found, str) else ""


def swept_by_files(hydra: DictConfig) -> str | None:
    """Return what the configuration itself sweeps over, in words; None when it describes no sweep."""
    params = OmegaConf.select(hydra, "sweeper.params")
    if hydra.get("mode") != RunMode.MULTIRUN and not params:
        return None
    return f"a sweep over {', '.join(str(key) for key in params)}" if params else "a sweep"


def wants_multirun(request: Request, hydra: DictConfig) -> str | None:
    """Return one line that says why `-m` has to be added; None when it was typed or is not needed.

    Typed values alone are no reason: a comma too many must not start many runs.
    """
    if request.multirun or hydra.get("mode") == RunMode.RUN:
        return None
    launcher = hydra.get("launcher")
    if target_of(launcher) not in ("", BASIC_LAUNCHER):
        is_local = getattr(launcher.get("mode"), "name", None) == "local"  # where a single run needs no launcher
        if not is_local:
            name = hydra.runtime.choices.get("hydra/launcher") or target_of(launcher)
            return f"-m added: only a sweep uses the launcher {name}"
    described = swept_by_files(hydra)
    return f"-m added: the configuration describes {described}" if described else None


def jobs_of(request: Request, hydra: DictConfig | None, composer: Composer) -> list[tuple[str, ...]]:
    """Return the overrides of every job: of a sweep as Hydra's sweeper passes them on (without `hydra.*`), else those typed.

    Args:
        hydra: the composed hydra node, without swept keys; None where the files do not compose.
    """
    is_typed = any(composer.parse(text).is_sweep_override() for text in request.overrides)
    is_sweep = request.multirun or is_typed or hydra is None or wants_multirun(request, hydra) is not None
    if not is_sweep:
        return [request.overrides]
    params = (OmegaConf.select(hydra, "sweeper.params") if hydra is not None else None) or {}
    texts = [*(f"{key}={value}" for key, value in params.items()), *request.overrides]
    parsed = [override for override in map(composer.parse, texts) if not override.is_hydra_override()]
    if hydra is not None and target_of(hydra.get("sweeper")) != BASIC_SWEEPER:
        return _ends(parsed)
    return hydra_internals.sweep_jobs(parsed)


def _ends(overrides: Sequence[Override]) -> list[tuple[str, ...]]:
    """Return two jobs that stand for those of a search, with the first and the last value of every range."""
    jobs: list[list[str]] = [[], []]
    for override in overrides:
        key = override.get_key_element()
        if not override.is_sweep_override():
            first = last = override.get_value_element_as_str()
        elif isinstance(interval := override.value(), IntervalSweep):
            first, last = interval.start, interval.end
        else:
            values = list(override.sweep_string_iterator())
            first, last = values[0], values[-1]
        jobs[0].append(f"{key}={first}")
        jobs[1].append(f"{key}={last}")
    return list(dict.fromkeys(tuple(job) for job in jobs))
