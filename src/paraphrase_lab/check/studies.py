"""The first stage on an ablation's `study`: what is compared with what, by which metric, over how many seeds."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from omegaconf import DictConfig, OmegaConf

from paraphrase_lab.check.findings import Warned
from paraphrase_lab.check.suggestions import closest, did_you_mean, listed, meant_or_valid, shown
from paraphrase_lab.configuration.hydra_internals import child, is_absent
from paraphrase_lab.metrics.names import HIGHER_IS_BETTER, PROBE_HIGHER_IS_BETTER
from paraphrase_lab.runs.arms import SEED, arm_with, arms_of
from paraphrase_lab.statistics import FEWEST_SEEDS


def metric_problems(values: Mapping[str, Any]) -> Iterator[str]:
    """Judge the split and the metrics of a study: a rule on the values by dotted key."""
    split = str(values.get("study.split", "test"))
    known = _splits(values)
    if split not in known:
        near = closest(split, known)
        yield f"study.split={split}: no run scores such pairs.{meant_or_valid(near, f'Valid: {listed(known)}.')}"
    compared, reported = list(HIGHER_IS_BETTER), [*HIGHER_IS_BETTER, *PROBE_HIGHER_IS_BETTER]
    metric = values.get("study.metric")
    if metric is not None and metric not in compared:
        near = closest(str(metric).rpartition("/")[2], compared)
        yield f"study.metric={metric}: there is no such metric of test.{meant_or_valid(near, f'Valid: {listed(compared)}.')}"
    for name in values.get("study.report") or ():
        place, _, leaf = str(name).rpartition("/")
        place = place or split
        recorded = ["accuracy"] if place.startswith("checklist") else reported if place == "test" else compared
        if place not in known:
            near = closest(place, known)
            yield f"study.report: {name}: no run scores such pairs.{meant_or_valid(near, f'Valid: {listed(known)}.')}"
        elif leaf not in recorded:
            near = f"test/{leaf}" if leaf in reported else closest(leaf, recorded)
            yield f"study.report: {name} is no metric of {place}.{meant_or_valid(near, f'Valid: {listed(recorded)}.')}"


def _splits(values: Mapping[str, Any]) -> list[str]:
    return ["test", *(f"test_{name}" for name in values.get("data.sources") or ()), "checklist_test"]


def study_findings(master: DictConfig, jobs: Sequence[tuple[str, ...]]) -> Iterator[str]:
    """Judge the configuration without swept keys, and its jobs."""
    study = child(master, "study")
    if not isinstance(study, DictConfig) or is_absent(study):
        return
    axes = [key for key in OmegaConf.select(master, "hydra.sweeper.params") or {} if key != SEED]
    arms = {arm.name: arm for arm in arms_of(jobs)}
    if len(arms) < 2:
        if not axes:
            yield "the study has no axis: name one under hydra.sweeper.params, as in 'model.num_layers: 1,2,3'."
        return
    seeds = len(jobs) / len(arms)
    if seeds < FEWEST_SEEDS:
        yield Warned(
            f"{seeds:g} seed{'s' if seeds > 1 else ''} of each: with fewer than {FEWEST_SEEDS} nothing can be said about the "
            "recipes, only about these very models, as in seed=0,1,2."
        )
    baseline = [str(word) for word in study.baseline]
    readable = all("=" in word.strip("=") for word in baseline)
    if not baseline or (readable and arm_with(arms.values(), baseline) is not None):
        return
    valid = [" ".join(f"{key}={shown(value)}" for key, value in arm.values.items()) for arm in arms.values()]
    near = closest(" ".join(baseline), valid)
    yield (
        f"study.baseline={' '.join(baseline)} is nothing that the study compares.{did_you_mean(near)} "
        f"Valid: {'; '.join(valid)}; or 'study.baseline=[]', which compares each with each."
    )
