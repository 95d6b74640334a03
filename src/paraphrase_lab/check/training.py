"""The second stage on what would go wrong, or hardly be meant, once training runs."""

import math
from collections.abc import Iterator
from dataclasses import fields
from typing import Any

from paraphrase_lab.check.findings import Warned
from paraphrase_lab.check.suggestions import closest, listed, meant_or_valid, shown
from paraphrase_lab.check.targets import INJECTED, located
from paraphrase_lab.configuration.schema import DistilConfig
from paraphrase_lab.data.checklist import Checklist
from paraphrase_lab.data.mixture import Source
from paraphrase_lab.data.tables import READING_ARGUMENTS
from paraphrase_lab.errors import UserError
from paraphrase_lab.metrics.names import BY_GROUP, HIGHER_IS_BETTER
from paraphrase_lab.runtime.hardware import Machine, cpu_cores, devices_used, resolve_precision


def monitor_problems(plain: dict[str, Any]) -> Iterator[str]:
    """Find names that nothing logs. Training values go to the loggers only."""
    known = [f"val/{name}" for name in (*HIGHER_IS_BETTER, *plain["metrics"])]
    known += [f"val_{source}/{name}" for source in plain["data"].get("sources") or () for name in BY_GROUP]
    watched = {"monitor": plain["monitor"]}
    for name, node in plain["callbacks"].items():
        if isinstance(node, dict) and isinstance(node.get("monitor"), str) and node["monitor"] != plain["monitor"]:
            watched[f"callbacks.{name}.monitor"] = node["monitor"]
    for key, name in watched.items():
        if name not in known:
            leaf = closest(name.rpartition("/")[2], [one.removeprefix("val/") for one in known])
            near = closest(name, known) or (f"val/{leaf}" if leaf else None)
            yield f"{key}={name}: nothing logs this metric.{meant_or_valid(near, f'Valid: {listed(known)}.')}"


def model_problems(plain: dict[str, Any]) -> Iterator[str]:
    model = plain["model"]
    if model["_target_"] == "paraphrase_lab.model.encoder.Tiny" and model["hidden_size"] % (2 * model["num_heads"]):
        hidden_size, num_heads = model["hidden_size"], model["num_heads"]
        near = max(2 * num_heads, hidden_size // (2 * num_heads) * 2 * num_heads)
        yield (
            f"model.hidden_size={hidden_size} is not a multiple of twice model.num_heads={num_heads}: "
            f"every head gets an equal and even share, for example model.hidden_size={near}."
        )


def machine_findings(plain: dict[str, Any], machine: Machine) -> Iterator[str]:
    trainer = plain["trainer"]
    try:
        resolve_precision(trainer["precision"], machine)
    except UserError as error:
        yield one_line(error)
    asked = devices_used(trainer["devices"], machine)
    if machine.accelerator == "cpu":
        if asked > cpu_cores():
            yield Warned(f"trainer.devices={asked} processes share the {cpu_cores()} CPU cores of this machine.")
    elif asked > machine.devices:
        has = "1 device" if machine.devices == 1 else f"{machine.devices} devices"
        yield (
            f"trainer.devices={asked}, but this machine has {has} ({machine.name}): "
            f"trainer.devices={machine.devices}, or auto for all there are."
        )


def step_findings(plain: dict[str, Any], machine: Machine | None) -> Iterator[str]:
    """Judge the arithmetic of optimiser steps, as far as the number of pairs is known beforehand."""
    data, trainer = plain["data"], plain["trainer"]
    if located(data["_target_"])[0] is Checklist:
        yield "data: the checklist is never trained on: `paraphrase evaluate RUN data=checklist` scores it."
        return
    try:
        if (require_columns := getattr(data_source(plain), "require_columns", None)) is not None:
            require_columns()
    except UserError as error:
        yield f"data: {one_line(error)}"
        return
    devices = trainer["devices"] if machine is None else devices_used(trainer["devices"], machine)
    try:
        pairs = training_pairs(plain)
    except UserError as error:
        yield f"data: {one_line(error)}"
        return
    batch = data["batch_size"]
    if pairs is None or batch is None or not isinstance(devices, int):
        return
    processes = devices * trainer["num_nodes"]
    if batch * processes > pairs:
        each = f"data.batch_size={batch}" + (f" x {processes} devices" if processes > 1 else "")
        most = max(1, pairs // processes)
        yield f"{each} is more than the {pairs:,} training pairs there are: data.batch_size={most} at most."
    else:
        yield from _warmup_warning(plain, pairs, devices)


def teacher_findings(plain: dict[str, Any]) -> Iterator[Warned]:
    """Warn of keys of distillation without a teacher."""
    usual = {field.name: field.default for field in fields(DistilConfig)}
    distil = plain["distil"]
    if distil["teacher"] is None:
        for name in (name for name in usual if distil[name] != usual[name]):
            yield Warned(f"distil.{name}={shown(distil[name])} has no effect without distil.teacher=RUN.")


def _warmup_warning(plain: dict[str, Any], pairs: int, devices: int) -> Iterator[Warned]:
    trainer, warmup, batch = plain["trainer"], plain["scheduler"].get("warmup_steps"), plain["data"]["batch_size"]
    nodes, accumulated = trainer["num_nodes"], trainer["accumulate_grad_batches"]
    epochs, limit = trainer["max_epochs"], trainer["max_steps"]
    steps = math.ceil(pairs / (batch * devices * nodes * accumulated)) * epochs
    factors = [f"{batch} pairs", f"{devices} devices", f"{nodes} nodes", f"{accumulated} accumulated"]
    shown = " x ".join(factor for factor in factors if factor == factors[0] or not factor.startswith("1 "))
    shown = f"({shown})" if " x " in shown else shown
    arithmetic = f"{pairs:,} pairs / {shown} x {epochs} epochs"
    if 0 < limit < steps:
        steps, arithmetic = limit, f"trainer.max_steps={limit}"
    if isinstance(warmup, int) and warmup > steps:
        rate = plain["optimizer"].get("lr")
        peak = f": the peak rate {rate:.1e} is never reached" if isinstance(rate, float) else ""
        training = f"about {steps} optimiser steps ({arithmetic})"
        yield Warned(f"scheduler.warmup_steps={warmup} is longer than the training: {training}{peak}.")


def training_pairs(plain: dict[str, Any]) -> int | None:
    """Count the examples of an epoch without loading them; None when the source does not know. Raises its UserError."""
    source = data_source(plain)
    count = getattr(source, "count", None)
    if not callable(count) or not isinstance(pairs := count("train"), int):
        return None
    data = plain["data"]
    if data["folds"] is not None and getattr(source, "hub_name", None) is None:
        given = count("validation")
        pairs += given if isinstance(given, int) else 0
        pairs = round(pairs * (1 - (data["test_fraction"] if count("test") is None else 0.0)) * (1 - 1 / data["folds"]))
    elif count("validation") is None and getattr(source, "hub_name", None) is None:
        cut = data["validation_fraction"] + (data["test_fraction"] if count("test") is None else 0.0)
        pairs -= round(pairs * cut)  # what is cut off train for the splits that are missing
    if data["train_limit"] is not None:
        pairs = min(pairs, data["train_limit"])
    return pairs * (2 if plain["model"]["swap_augmentation"] else 1)


def data_source(plain: dict[str, Any]) -> Any:
    """Construct the source of the pairs, which is cheap and loads nothing."""
    return _source(plain["data"])


def data_sets(data: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the data set by its place in the configuration; of a mixture its sources."""
    sources = data.get("sources")
    if not isinstance(sources, dict):
        return {"data": data}
    return {f"data.sources.{name}": node for name, node in sources.items()}


def _source(data: dict[str, Any]) -> Any:
    arguments = {key: value for key, value in data.items() if key not in INJECTED["data"].not_passed}
    if isinstance(sources := arguments.get("sources"), dict):
        arguments["sources"] = {
            name: Source(_source(node), {key: node[key] for key in READING_ARGUMENTS}) for name, node in sources.items()
        }
    target, _ = located(data["_target_"])
    return target(**arguments) if target is not None else None


def one_line(error: UserError) -> str:
    return " ".join(part if part.endswith((".", "?")) else f"{part}." for part in str(error).splitlines())
