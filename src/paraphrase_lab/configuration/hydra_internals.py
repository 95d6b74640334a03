"""Everything the lab takes from Hydra and OmegaConf beyond their public interfaces, and why it has to.

Made for hydra-core 1.3 and OmegaConf 2.3: a release that changes one of these names breaks this file and no other.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from hydra import version
from hydra._internal.config_loader_impl import ConfigLoaderImpl, get_overrides_dirname
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra._internal.hydra import Hydra
from hydra._internal.utils import create_config_search_path
from hydra.core.config_search_path import ConfigSearchPath, SearchPathQuery
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.types import Override
from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf._utils import split_key as split_key  # "a[0].b" -> ["a", "0", "b"]: problems name the part that is wrong

from paraphrase_lab.errors import UserError
from paraphrase_lab.paths import CONF_DIR

VERSION_BASE = "1.3"
CONFIG_NAME = "train"
BASIC_LAUNCHER = "hydra._internal.core_plugins.basic_launcher.BasicLauncher"
BASIC_SWEEPER = "hydra._internal.core_plugins.basic_sweeper.BasicSweeper"
"""`_target_` of what Hydra uses unless another launcher or sweeper is chosen."""

# `hydra.compose` reads every file again for each job and stops at the first mistake; the loader behind it
# composes the files once for all jobs that choose the same, and applies overrides one by one.

config_loader = ConfigLoaderImpl
override_dirname = get_overrides_dirname
"""The value of hydra.job.override_dirname, which file names of a user's own may hold."""


def search_path_of(config_dir: str | None = None) -> ConfigSearchPath:
    """Return the search path of `hydra.main`, plugins and `--config-dir` included: `initialize_config_dir` keeps its own.

    Raises:
        UserError: there is no such directory.
    """
    search_path = create_config_search_path(str(CONF_DIR))
    if config_dir is not None:
        directory = Path(config_dir).absolute()
        if not directory.is_dir():
            raise UserError(f"--config-dir {config_dir}: there is no such directory.")
        search_path.prepend("command-line", f"file://{directory}", SearchPathQuery(provider="schema"))
    return search_path


def repository_of(loader: ConfigLoaderImpl, config_name: str, search_path: Sequence[str]) -> Any:
    """Return the cache of files in which groups, options and the path of a file are looked up."""
    return loader._parse_overrides_and_create_caching_repo(config_name, list(search_path))[1]


def apply_override(config: DictConfig, override: Override) -> None:
    """Apply one override in place: Hydra publishes no way to do it after the files are composed."""
    ConfigLoaderImpl._apply_overrides_to_config([override], config)


def sweep_jobs(overrides: Sequence[Override]) -> list[tuple[str, ...]]:
    """Return the overrides of each job as Hydra's own sweeper expands them, without starting the sweep."""
    return [tuple(job) for job in BasicSweeper.split_arguments(list(overrides), None)[0]]


# OmegaConf resolves `${…}` on every public access and raises where one leads nowhere; the check looks at each value
# as it is written, so that it can report all that are broken.


def is_absent(node: Any) -> bool:
    """Tell whether it is null, `???` or a whole node given by `${…}`: it has no keys of its own."""
    return node._is_none() or node._is_missing() or node._is_interpolation()


def child(node: Any, name: Any) -> Any:
    """Return the node below, not resolved; None when there is none."""
    if isinstance(node, DictConfig) and not is_absent(node):
        return node._get_node(name) if name in node.keys() else None
    if isinstance(node, ListConfig) and str(name).isdigit() and int(name) < len(node):
        return node._get_node(int(name))
    return None


def leaves(node: Any, prefix: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Yield dotted key, parent and name of every value that is no mapping or list, not resolved; none of the hydra node."""
    if is_absent(node):
        return
    for name in range(len(node)) if isinstance(node, ListConfig) else list(node.keys()):
        dotted = f"{prefix}[{name}]" if isinstance(node, ListConfig) else f"{prefix}.{name}" if prefix else str(name)
        below = child(node, name)
        if dotted == "hydra":
            continue
        if isinstance(below, (DictConfig, ListConfig)) and not OmegaConf.is_interpolation(node, name):
            yield from leaves(below, dotted)
        else:
            yield dotted, node, name


def raw_value(node: Any) -> Any:
    """Return the value of a node as it is written, with its `${…}`."""
    return None if node is None else node._value()


def root_of(node: Any) -> Any:
    return node._get_root()


def schema_type(node: DictConfig) -> Any:
    """Return the dataclass that fixes the keys of a mapping, also where the mapping is null."""
    return OmegaConf.get_type(node) or getattr(node._metadata, "ref_type", None)


def is_open(node: Any) -> bool:
    """Tell whether it is a mapping that takes new keys although its configuration does not."""
    return isinstance(node, DictConfig) and node._get_flag("struct") is False


class Ended(BaseException):
    """Carries a known error of a single run past Hydra, which would print a traceback of any Exception and exit with 1."""

    def __init__(self, error: Exception) -> None:
        self.error = error


def run_task(task: Callable[[Any], Any], overrides: Sequence[str], config_dir: str | None, *, multirun: bool) -> None:
    """Let Hydra run the task, or a sweep of it, with the overrides.

    `hydra.main` would take them from sys.argv, compose once more only to read hydra.mode, and print a traceback of every
    error, without distinguishing mistakes from faults, before it exits with 1.

    Raises:
        Exception: what the task or Hydra raised; of an `Ended` the error it carries.
    """
    version.setbase(VERSION_BASE)
    hydra = Hydra.create_main_hydra2(CONFIG_NAME, search_path_of(config_dir))
    run = hydra.multirun if multirun else hydra.run
    try:
        run(CONFIG_NAME, task, [*overrides, f"hydra.mode={'MULTIRUN' if multirun else 'RUN'}"])
    except Ended as end:
        raise end.error from None
    finally:
        GlobalHydra.instance().clear()


def show(task: Callable[[Any], Any], words: Sequence[str]) -> None:
    """Let `hydra.main` answer flags such as `--cfg job`, which show something and run nothing; it reads sys.argv alone."""
    import hydra

    before = sys.argv
    sys.argv = [before[0], *words]
    try:
        hydra.main(version_base=VERSION_BASE, config_path=str(CONF_DIR), config_name=CONFIG_NAME)(task)()
    finally:
        sys.argv = before


def name_this_process(module: str, words: Sequence[str]) -> None:
    """Set the command by which Lightning starts the other processes of a distributed run: `python -m module words`.

    Lightning repeats sys.argv, and the `-m` of `sys.modules["__main__"]`. In a sweep those are the sweep's, not the job's.
    """
    sys.argv = [sys.argv[0], *words]
    main = sys.modules["__main__"]
    if main.__spec__ is not None and main.__spec__.name != module:  # started by python -m, but not as `module`
        main.__spec__ = importlib.util.find_spec(module)


def config_dir_of(hydra: Any) -> Path | None:
    """Return the `--config-dir` that was typed: Hydra keeps it among the sources of the configuration alone."""
    return next((Path(entry.path) for entry in hydra.runtime.config_sources if entry.provider == "command-line"), None)
