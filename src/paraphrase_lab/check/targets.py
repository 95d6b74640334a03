"""The second stage on everything behind a `_target_`: it exists, and takes the arguments it will get."""

import importlib
import importlib.util
import inspect
import pkgutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields
from types import ModuleType
from typing import Any

from paraphrase_lab.check.suggestions import HIDDEN_KEYS, closest, did_you_mean, listed, meant_or_valid
from paraphrase_lab.configuration.schema import GROUP_BASES
from paraphrase_lab.runs.own_code import nodes_with_target


@dataclass(frozen=True)
class Injected:
    """The framework's part in a node before its `_target_` is called."""

    positional: tuple[str, ...] = ()
    """Arguments it adds, in order, by what they are."""
    keywords: tuple[str, ...] = ()
    not_passed: frozenset[str] = frozenset()
    """Keys it reads itself and does not pass on."""
    methods: tuple[str, ...] = ()
    """What it calls on the result, when the target is a class."""


def _shared(group: str) -> frozenset[str]:
    return frozenset(field.name for field in fields(GROUP_BASES[group]))


INJECTED: dict[str, Injected] = {
    "data": Injected(not_passed=_shared("data"), methods=("splits",)),
    "model": Injected(not_passed=_shared("model"), methods=("tokenizer", "encoder")),
    "optimizer": Injected(positional=("parameters",)),
    "scheduler": Injected(positional=("optimizer",), keywords=("total_steps",)),
    "metrics.*": Injected(positional=("labels", "probabilities", "threshold")),
    "callbacks.*": Injected(methods=("setup", "on_fit_start")),
    "logger.*": Injected(methods=("log_metrics", "log_hyperparams")),
}
"""By place in the configuration; what is not named here gets its own keys and nothing else."""
RUN_DIR_LOGGER = Injected(keywords=("run_dir",), methods=("log_metrics", "log_hyperparams"))
RUN_DIR_LOGGERS = (
    "paraphrase_lab.tracking.metrics_csv.MetricsCsv",
    "paraphrase_lab.tracking.wandb_logger.WandbRun",
    "paraphrase_lab.tracking.trackio_logger.TrackioRun",
)
"""Our own loggers, which are told the directory of the run."""
USUAL_PACKAGES = ("paraphrase_lab", "torch", "pytorch_lightning", "transformers", "torchmetrics", "sklearn")
ANY_OF: dict[str, tuple[str, ...]] = {
    "pytorch_lightning.loggers.TensorBoardLogger": ("tensorboard", "tensorboardX"),
    "paraphrase_lab.tracking.wandb_logger.WandbRun": ("wandb",),
    "paraphrase_lab.tracking.trackio_logger.TrackioRun": ("trackio",),
}
"""Modules of which a target needs one, although it can be imported without."""


def target_problems(plain: dict[str, Any], *, remote: bool = False) -> list[str]:
    """Find what is wrong with the targets of a resolved configuration."""
    problems: list[str] = []
    for place, node in nodes_with_target(plain):
        found, problem = located(str(node["_target_"]))
        if problem is not None:
            problems.append(f"{place}: {problem}")
            continue
        problems += [f"{place}: {text}" for text in _bound(place, node, found)]
        modules = ANY_OF.get(node["_target_"], ())
        if modules and not remote and not any(importlib.util.find_spec(module) for module in modules):
            problems.append(f"{place}: {node['_target_']} needs a package that is not installed: pip install {modules[0]}.")
    return problems


def located(path: str) -> tuple[Any, str | None]:
    """Return the object of a dotted path, imported part by part as Hydra does, or what is wrong with the path."""
    first, *rest = path.split(".")
    if not all([first, *rest]):
        return None, f"_target_={path} is no dotted path, package.module.Name."
    found, problem = _imported(first, path, set(USUAL_PACKAGES))
    for depth, part in enumerate(rest, start=1):
        if problem is not None:
            return None, problem
        owner = found
        if hasattr(owner, part):
            found = getattr(owner, part)
        elif isinstance(owner, ModuleType) and hasattr(owner, "__path__"):
            submodules = [module.name for module in pkgutil.iter_modules(owner.__path__)]
            found, problem = _imported(f"{owner.__name__}.{part}", path, {*submodules, *_public(owner)})
        else:
            meant = closest(part, _public(owner))
            return None, f"_target_={path}: {'.'.join([first, *rest][:depth])} has no '{part}'.{did_you_mean(meant)}"
    if problem is None and not callable(found):
        return None, f"_target_={path} is no class or function: {type(found).__name__}."
    return found, problem


def _imported(name: str, path: str, candidates: set[str]) -> tuple[Any, str | None]:
    try:
        return importlib.import_module(name), None
    except ModuleNotFoundError as error:
        if error.name != name:
            return None, f"_target_={path}: importing {name} failed, since there is no module '{error.name}': is it installed?"
        parent, _, last = name.rpartition(".")
        meant = closest(last, candidates)
        whole = f"{parent}.{meant}" if parent and meant else meant
        where = f"{parent} has no '{last}'" if parent else f"there is no module '{last}'; is its directory on PYTHONPATH?"
        return None, f"_target_={path}: {where}{'.' if parent else ''}{did_you_mean(whole)}"
    except Exception as error:  # whatever the module does when it is imported
        return None, f"_target_={path}: importing {name} failed with {type(error).__name__}: {error}"


def _public(owner: Any) -> list[str]:
    return [name for name in dir(owner) if not name.startswith("_")]


def _bound(place: str, node: Mapping[str, Any], target: Callable[..., Any]) -> Iterator[str]:
    """Tell why calling the target with its keys and what the framework adds would fail."""
    group, _, entry = place.partition(".")
    is_entry = entry and "." not in entry and "[" not in entry
    name = node["_target_"]
    injected = INJECTED.get(f"{group}.*" if is_entry else place) or Injected()
    if place.startswith("data.sources.") and place.count(".") == 2:  # a data set of a mixture
        injected = INJECTED["data"]
    if name in RUN_DIR_LOGGERS:
        injected = RUN_DIR_LOGGER
    absent = [method for method in injected.methods if isinstance(target, type) and not hasattr(target, method)]
    if absent:
        yield f"{name} has no {' and no '.join(f'method {method}' for method in absent)}, so it cannot serve here."
    try:
        parameters = list(inspect.signature(target).parameters.values())
    except (ValueError, TypeError):  # some functions written in C do not tell
        return
    given = [key for key in node if key not in HIDDEN_KEYS and key not in injected.not_passed]
    by_position = len(injected.positional) + len(node.get("_args_") or ())
    named = [p for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    positional = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    takes_any = any(p.kind is p.VAR_KEYWORD for p in parameters)
    taken = positional[:by_position]
    if by_position > len(positional) and not any(p.kind is p.VAR_POSITIONAL for p in parameters):
        wanted = ", ".join(injected.positional) or f"{by_position} by position"
        yield f"{name} takes too few arguments: it is called with ({wanted}), and takes ({', '.join(positional)})."
    own = [p.name for p in named if p.name not in taken and p.name not in injected.keywords]
    for key in given:
        if key in taken:
            yield f"{name} gets its argument '{key}' from the framework: leave out {place}.{key}."
        elif not takes_any and key not in {p.name for p in named}:
            yield f"{name} takes no argument '{key}'.{meant_or_valid(closest(key, own), f'It takes: {listed(own)}.')}"
    for keyword in injected.keywords:
        if not takes_any and keyword not in {p.name for p in named}:
            yield f"{name} takes no argument '{keyword}', which training passes to it."
    required = [p.name for p in parameters if p.default is p.empty and p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)]
    missing = [key for key in required if key not in (*taken, *given, *injected.keywords)]
    called_later = node.get("_partial_") and injected == Injected()
    if missing and not called_later:
        yield f"{name} needs the argument {listed(missing)}: give it as {place}.{missing[0]}=VALUE."
