"""Rules between keys, for the first stage: what each key allows alone but not together. No torch.

A rule reads the values that passed on their own, by dotted key, and gives sentences; an absent value has been reported.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from paraphrase_lab.check.studies import metric_problems
from paraphrase_lab.check.suggestions import shown
from paraphrase_lab.errors import UserError
from paraphrase_lab.paths import absence, can_exist, is_path, user_path
from paraphrase_lab.runs.teacher import teacher_runs

Values = Mapping[str, Any]


def warmup(values: Values) -> Iterator[str]:
    steps, fraction = values.get("scheduler.warmup_steps"), values.get("scheduler.warmup_fraction")
    if steps is not None and fraction is not None:
        yield (
            f"scheduler.warmup_steps={steps} and scheduler.warmup_fraction={fraction:g} exclude each other: set one to null, "
            f"as in scheduler.warmup_steps={steps} scheduler.warmup_fraction=null."
        )


def batch(values: Values) -> Iterator[str]:
    if "data.batch_size" not in values or "data.batch_tokens" not in values:
        return
    size, tokens = values["data.batch_size"], values["data.batch_tokens"]
    if size is not None and tokens is not None:
        yield (
            f"data.batch_size={size} and data.batch_tokens={tokens} exclude each other: set one to null, "
            f"as in data.batch_tokens={tokens} data.batch_size=null."
        )
    if size is None and tokens is None:
        yield "data.batch_size and data.batch_tokens are both null: give one of them, as in data.batch_size=32."


def both_orders(values: Values) -> Iterator[str]:
    weight = values.get("model.consistency_weight") or 0.0
    if values.get("model.swap_augmentation") and weight > 0:
        yield (
            f"model.swap_augmentation=true and model.consistency_weight={weight:g} exclude each other: the consistency loss "
            "already trains on both orders of every pair. Set model.swap_augmentation=false or model.consistency_weight=0."
        )


def lora(values: Values) -> Iterator[str]:
    if values.get("model.lora.rank") is not None and values.get("model.random_weights"):
        yield (
            "model.lora.rank and model.random_weights=true exclude each other: adapters adjust trained weights and would leave "
            "random ones as they are. Set model.lora.rank=null or model.random_weights=false."
        )


def class_weights(values: Values) -> Iterator[str]:
    for key in ("model.class_weights", "loss.class_weights"):
        weights = values.get(key)
        if key == "loss.class_weights" and weights == values.get("model.class_weights"):
            continue  # the same by interpolation
        if weights is not None and not (len(weights) == 2 and all(math.isfinite(w) and w > 0 for w in weights)):
            yield f"{key}={shown(weights)} must be two numbers above 0, of label 0 and label 1, as in {key}=[1.0,1.3]."


def betas(values: Values) -> Iterator[str]:
    given = values.get("optimizer.betas")
    if given is not None and not (len(given) == 2 and all(0 <= beta < 1 for beta in given)):
        yield f"optimizer.betas={shown(given)} must be two numbers from 0 to below 1, as in optimizer.betas=[0.9,0.999]."


def labels(values: Values) -> Iterator[str]:
    given = values.get("data.labels")
    if given and set(given.values()) - {None} != {0, 1}:
        pairs = ",".join(f"{name}:{'null' if label is None else label}" for name, label in given.items())
        yield (
            f"data.labels={{{pairs}}} must lead to 0 (another meaning) and 1 (a paraphrase), both of them and nothing else, "
            "as in 'data.labels={no:0,yes:1}'; null leaves the pairs of a label out."
        )


def monitor(values: Values) -> Iterator[str]:
    name = values.get("monitor")
    if name is not None and name.startswith("test/"):
        yield (
            f"monitor={name} would choose the checkpoint on the test split, whose result then says nothing: "
            f"monitor a validation metric, as in monitor=val/{name.removeprefix('test/')}."
        )


def devices(values: Values) -> Iterator[str]:
    given = values.get("trainer.devices")
    if given != "auto" and (not isinstance(given, int) or isinstance(given, bool) or given < 1) and "trainer.devices" in values:
        yield f"trainer.devices={shown(given)} must be auto or a number of devices, 1 or more; CUDA_VISIBLE_DEVICES says which."


def hardware(values: Values) -> Iterator[str]:
    accelerator, precision = values.get("trainer.accelerator"), values.get("trainer.precision")
    if accelerator == "cpu" and precision == "16-mixed":
        yield (
            "trainer.precision=16-mixed does not run on trainer.accelerator=cpu: "
            "there choose trainer.precision=auto, bf16-mixed or 32."
        )
    if accelerator == "mps" and values.get("trainer.strategy") == "ddp":
        yield "trainer.strategy=ddp does not run on trainer.accelerator=mps, which is one device: choose trainer=auto."


def steps(values: Values) -> Iterator[str]:
    if values.get("trainer.max_steps") == 0:
        yield "trainer.max_steps=0 trains nothing: give 1 or more, or -1 for as long as trainer.max_epochs says."


def partial(values: Values) -> Iterator[str]:
    for group in ("optimizer", "scheduler"):
        if values.get(f"{group}._partial_") is False:
            yield f"{group}._partial_ must be true: training supplies what the {group} still needs."


def resume(values: Values) -> Iterator[str]:
    run = values.get("resume")
    if run in (None, "auto") or user_path(run).exists():
        return
    valid = "give a run directory, or auto for the newest interrupted run of its kind."
    yield f"resume={run} {'names no run' if run in ('True', 'False') else 'does not exist'}: {valid}"


def pairs(values: Values) -> Iterator[str]:
    if "data.labels" not in values:  # not data=pairs
        return
    path = values.get("data.path") or ""
    if all(values.get(f"data.{key}", "reported") is None for key in ("path", "train", "validation", "test")):
        yield ("nothing says where the pairs are: data.path=FILE, data.path=DIRECTORY, data.path=HUB_NAME or data.train=FILE.")
    elif is_path(path) and not can_exist(path):
        yield f"data.path={path} {absence(path)}"


def fold(values: Values) -> Iterator[str]:
    folds, number = values.get("data.folds"), values.get("data.fold")
    if number is None or "data.folds" not in values:
        return
    if folds is None and number > 0:
        yield f"data.fold={number} is one of several folds: say of how many, as in data.folds=5."
    elif folds is not None and number >= folds:
        yield f"data.fold={number} is none of data.folds={folds}, which count from 0: -m 'data.fold=range({folds})' trains all."


def teacher(values: Values) -> Iterator[str]:
    if name := values.get("distil.teacher"):
        try:
            teacher_runs(name)
        except UserError as error:
            yield f"{error.problem}: {error.hint}."


RULES: tuple[Callable[[Values], Iterator[str]], ...] = (
    warmup, batch, both_orders, lora, class_weights, betas, labels, monitor, devices, hardware, steps, partial, resume, pairs,
    fold, teacher, metric_problems,
)  # fmt: skip
