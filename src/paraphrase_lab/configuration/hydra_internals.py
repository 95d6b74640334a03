"""Everything the lab takes from Hydra and OmegaConf beyond their public interfaces, and why it has to.

Made for hydra-core 1.3 and OmegaConf 2.3: a release that changes one of these names breaks this file and no other.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hydra._internal.config_loader_impl import ConfigLoaderImpl, get_overrides_dirname
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra._internal.utils import create_config_search_path
from hydra.core.override_parser.types import Override
from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf._utils import split_key as split_key  # "a[0].b" -> ["a", "0", "b"]: problems name the part that is wrong

BASIC_LAUNCHER = "hydra._internal.core_plugins.basic_launcher.BasicLauncher"
BASIC_SWEEPER = "hydra._internal.core_plugins.basic_sweeper.BasicSweeper"
"""`_target_` of what Hydra uses unless another launcher or sweeper is chosen."""

# --- Composition. `hydra.compose` reads every file again for each job and stops at the first mistake; the loader behind it
# composes the files once for all jobs that choose the same, and applies overrides one by one.

search_path_of = create_config_search_path
"""The search path of `hydra.main(config_path=…)`, plugins included: `initialize_config_dir` keeps its own to itself."""
config_loader = ConfigLoaderImpl
override_dirname = get_overrides_dirname
"""The value of hydra.job.override_dirname, which file names of a user's own may hold."""


def repository_of(loader: ConfigLoaderImpl, config_name: str, search_path: Sequence[str]) -> Any:
    """Return the cache of files in which groups, options and the path of a file are looked up."""
    return loader._parse_overrides_and_create_caching_repo(config_name, list(search_path))[1]


def apply_override(config: DictConfig, override: Override) -> None:
    """Apply one override in place: Hydra publishes no way to do it after the files are composed."""
    ConfigLoaderImpl._apply_overrides_to_config([override], config)


def sweep_jobs(overrides: Sequence[Override]) -> list[tuple[str, ...]]:
    """Return the overrides of each job as Hydra's own sweeper expands them, without starting the sweep."""
    return [tuple(job) for job in BasicSweeper.split_arguments(list(overrides), None)[0]]


# --- Nodes. OmegaConf resolves `${…}` on every public access and raises where one leads nowhere; the check looks at each value
# as it is written, so that it can report all that are broken.


def is_absent(node: Any) -> bool:
    """True of null, `???` and a whole node given by `${…}`: it has no keys of its own."""
    return node._is_none() or node._is_missing() or node._is_interpolation()


def child(node: Any, name: Any) -> Any:
    """Return the node below, not resolved; None when there is none."""
    if isinstance(node, DictConfig) and not is_absent(node):
        return node._get_node(name) if name in node.keys() else None
    if isinstance(node, ListConfig) and str(name).isdigit() and int(name) < len(node):
        return node._get_node(int(name))
    return None


def raw_value(node: Any) -> Any:
    """Return the value of a node as it is written, with its `${…}`."""
    return None if node is None else node._value()


def root_of(node: Any) -> Any:
    return node._get_root()


def schema_type(node: DictConfig) -> Any:
    """Return the dataclass that fixes the keys of a mapping, also where the mapping is null."""
    return OmegaConf.get_type(node) or getattr(node._metadata, "ref_type", None)


def is_open(node: Any) -> bool:
    """True of a mapping that takes new keys although its configuration does not."""
    return isinstance(node, DictConfig) and node._get_flag("struct") is False


# --- The start of a run.


class Ended(BaseException):
    """Carries a known error of a single run past Hydra, which would print a traceback of any Exception and exit with 1."""

    def __init__(self, error: Exception) -> None:
        self.error = error


@contextmanager
def _errors_are_raised() -> Iterator[None]:
    """Hydra prints an error and exits, whether it is a mistake or a fault; with this variable it raises it."""
    before = os.environ.get("HYDRA_FULL_ERROR")
    os.environ["HYDRA_FULL_ERROR"] = "1"
    try:
        yield
    finally:
        del os.environ["HYDRA_FULL_ERROR"]
        if before is not None:
            os.environ["HYDRA_FULL_ERROR"] = before


def run_main(decorated: Callable[[], Any], words: Sequence[str], *, verb: str, raise_errors: bool) -> None:
    """Call a function decorated with `hydra.main`, which reads its overrides from sys.argv alone.

    Args:
        words: Hydra's flags and overrides.
        verb: what stands before them when the process starts another one as itself.

    Raises:
        Exception: whatever the function or Hydra raised, if `raise_errors`.
    """
    command = sys.argv[0]
    sys.argv = [command, *words]
    try:
        if not raise_errors:
            decorated()
            return
        with _errors_are_raised():
            decorated()
    except Ended as end:
        raise end.error from None
    finally:
        sys.argv = [command, verb, *words]


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
