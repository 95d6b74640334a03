"""Composes, in the job, the configuration that was submitted, or says why that fails."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from hydra import version
from hydra._internal.callbacks import Callbacks
from hydra._internal.config_search_path_impl import ConfigSearchPathImpl
from hydra._internal.hydra import Hydra
from hydra.core.config_search_path import SearchPathElement
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.plugins import Plugins
from hydra.core.singleton import Singleton
from hydra.core.utils import JobReturn, run_job
from hydra.types import HydraContext, RunMode
from omegaconf import DictConfig, OmegaConf, open_dict, read_write

from hydra_sagemaker.errors import LauncherError
from hydra_sagemaker.job.identity import flat, task_yaml, without_hydra
from hydra_sagemaker.job.inputs import CHANNELS, in_container
from hydra_sagemaker.job.spec import Spec, located
from hydra_sagemaker.job.task import load


def composed(spec: Spec, root: Path, closure: Path | None, *, writes: bool) -> Callable[[], JobReturn]:
    """Compose the job's configuration; return a function that runs the job.

    `writes` is False for the further processes of a job, which leave `.hydra` and the log file to the first.

    Raises:
        LauncherError: the code here composes another configuration than the one submitted.
    """
    task = _task(spec, root, closure)
    version.setbase(spec.version_base)
    Plugins.instance()
    _stand_in_for_plugins(spec)
    search_path = ConfigSearchPathImpl()
    search_path.config_search_path = [SearchPathElement(provider, located(path, root)) for provider, path in spec.search_path]
    GlobalHydra.instance().clear()  # a closure arrives with that of the process that made it
    hydra = Hydra.create_main_hydra2(spec.task_name, search_path)
    overrides = [*spec.hydra_overrides, *spec.task_overrides]
    config = hydra.config_loader.load_configuration(spec.config_name, overrides, RunMode.RUN)
    _refuse_drift(task_yaml(config), spec.config)
    _lead_to_channels(config)
    OmegaConf.set_cache(config, defaultdict(dict, {"now": {tuple(words): value for words, value in spec.now}}))
    with open_dict(config.hydra), read_write(config.hydra):  # known where it was submitted
        config.hydra.job.num = spec.number
        config.hydra.job.id = spec.name
        config.hydra.sweep.dir = spec.sweep_dir
        config.hydra.sweep.subdir = spec.sweep_subdir
    if not writes:
        _keep_to_the_console(config)
    context = HydraContext(config_loader=hydra.config_loader, callbacks=Callbacks(config))
    HydraConfig.instance().set_config(config)
    keys = {"job_dir_key": "hydra.sweep.dir", "job_subdir_key": "hydra.sweep.subdir"}
    return partial(run_job, task_function=task, config=config, hydra_context=context, **keys)


def _task(spec: Spec, root: Path, closure: Path | None) -> Callable[..., Any]:
    if closure is None:
        assert spec.task is not None
        return load(spec.task, root)
    import cloudpickle

    state = cloudpickle.loads(closure.read_bytes())  # stays until the job has ended: Lightning may start this again
    Singleton.set_state(state["singletons"])
    return state["task"]


def _stand_in_for_plugins(spec: Spec) -> None:
    """Register the chosen sweeper and launcher by their values: they are not used any more, and may not be installed."""
    store = ConfigStore.instance()
    for group, chosen in spec.plugins.items():
        directory, name = group.rpartition("/")[2], chosen["name"]
        known = store.repo.get("hydra", {}).get(directory, {})
        if name is not None and f"{name}.yaml" not in known:
            store.store(group=group, name=name, node=OmegaConf.create(chosen["values"]), provider="hydra_sagemaker_launcher")


def _refuse_drift(composed: str, submitted_yaml: str) -> None:
    """Compare as words: an enumeration in YAML is its name, and a number that is not equal to itself is no drift."""
    plain = [OmegaConf.to_container(OmegaConf.create(text), resolve=False) for text in (composed, submitted_yaml)]
    here, there = (flat(tree) if isinstance(tree, dict) else {} for tree in plain)
    keys = here.keys() | there.keys()
    shown = {key: [repr(side[key]) if key in side else "nothing" for side in (there, here)] for key in keys}
    if lines := [f"{key}: {a} was submitted, {b} is composed here" for key, (a, b) in sorted(shown.items()) if a != b]:
        raise LauncherError(
            "the configuration composed in the job is not the one submitted; the code or an installed package differs:\n  "
            + "\n  ".join(lines)
        )


def _lead_to_channels(config: DictConfig) -> None:
    """Correct paths below `/opt/ml/input/data` for a local SageMaker, which names another directory for `/opt/ml`."""
    if in_container(CHANNELS) == CHANNELS:
        return
    plain = OmegaConf.to_container(without_hydra(config), resolve=False)
    assert isinstance(plain, dict)
    with read_write(config):
        for path, value in flat(plain).items():
            values = value if isinstance(value, list) else [value]
            there = [in_container(one) if isinstance(one, str) else one for one in values]
            if there != values:
                OmegaConf.update(config, path, there if isinstance(value, list) else there[0])


def _keep_to_the_console(config: DictConfig) -> None:
    with open_dict(config.hydra), read_write(config.hydra):
        config.hydra.output_subdir = None
        logging = config.hydra.job_logging
        handlers = (logging or {}).get("handlers") or {}
        to_files = {name for name, handler in handlers.items() if handler and "filename" in handler}
        for logger in [logging.get("root"), *(logging.get("loggers") or {}).values()] if to_files else []:
            if logger and logger.get("handlers"):
                logger.handlers = [name for name in logger.handlers if name not in to_files]
        for name in to_files:
            del handlers[name]
