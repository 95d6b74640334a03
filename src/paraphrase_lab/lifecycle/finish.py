"""The end of a training: the best weights are calibrated, evaluated, drawn and written, and the record closed."""

import logging
import os
import shutil
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pytorch_lightning as pl
from rich.console import Console

from paraphrase_lab import build, plots
from paraphrase_lab.data.known_input import KnownInput
from paraphrase_lab.files import atomic_directory
from paraphrase_lab.lifecycle import evaluation
from paraphrase_lab.lifecycle.card import card_facts
from paraphrase_lab.lifecycle.checklist import score_checklist
from paraphrase_lab.lifecycle.evaluation import ScoredSplit
from paraphrase_lab.lifecycle.group_tables import print_checklist, print_checklist_floor, print_groups
from paraphrase_lab.lifecycle.rerun import compare_numbers
from paraphrase_lab.lifecycle.run import LAST_CHECKPOINT, Run
from paraphrase_lab.metrics.calibration import NEUTRAL, Calibration
from paraphrase_lab.metrics.groups import GroupResult, accuracy_of, as_record
from paraphrase_lab.metrics.names import PREFIX
from paraphrase_lab.metrics.symmetry import absurd_probes
from paraphrase_lab.model.card import model_card
from paraphrase_lab.model.directory import model_directory
from paraphrase_lab.model.encoder import Tiny
from paraphrase_lab.model.export import MODEL_DIR, TrainedModel, kind_of, save_model
from paraphrase_lab.model.head import takes_bias
from paraphrase_lab.model.lora import count, merge_adapters
from paraphrase_lab.runs.record import now
from paraphrase_lab.tracking import hooks
from paraphrase_lab.tracking.metrics_csv import read_rows
from paraphrase_lab.training.checkpoints import BestCheckpoint, load_weights

log = logging.getLogger(__name__)


class Results(NamedTuple):
    """Scores and metrics of a finished training, by split, or by the prefix of its metrics: val_fitted, test and the like."""

    model: TrainedModel
    scored: dict[str, ScoredSplit]
    checklist: dict[str, ScoredSplit]
    metrics: dict[str, float]
    baselines: dict[str, dict[str, dict[str, float]]]
    groups: dict[str, dict[str, GroupResult]]

    @property
    def prefixed(self) -> dict[str, ScoredSplit]:
        return {PREFIX[split]: given for split, given in self.scored.items()}

    @property
    def last(self) -> str:
        """The prefix of the split that stands for the run: test where it was scored, else validation, else nothing."""
        return next(reversed(self.prefixed), "")


def finish(run: Run, trainer: pl.Trainer, best: BestCheckpoint) -> None:
    """Evaluate the chosen checkpoint once, write everything, and print the table."""
    encoder: Any = trainer.lightning_module.encoder
    encoder.zero_grad(set_to_none=True)  # a copy of the parameters' size that scoring has no use for
    encoder.to(trainer.strategy.root_device)  # Lightning took it to the CPU after fit
    load_weights(encoder, best.path)
    trained = count(encoder, trained=True)
    merge_adapters(encoder)  # before anything is scored: the numbers are those of the exported model
    found = _evaluated(run, encoder)
    run.watch.lap("evaluation")
    console, keep = Console(), _wanted(run, run.config.keep_model)
    _show(run, console, found)  # first: the disk may be full
    _record_results(run, found)
    evaluation.write_predictions(found.scored | found.checklist, found.model.calibration, run.directory / "predictions.parquet")
    if keep:
        _export(run, found.model, found.metrics)
    _draw(run, found.scored, found.checklist, found.model.calibration)
    run.watch.lap("writing")
    run.record.update(
        status="finished", ended=now(),
        best={"monitor": best.monitor, "value": best.value, "step": best.step}, steps=trainer.global_step,
        parameters=count(encoder), trained_parameters=trained, seconds=run.watch.seconds, model=MODEL_DIR if keep else None,
    )  # fmt: skip
    _tidy_checkpoints(run.directory, keep)
    if found.scored and not run.searching:
        _add_floors(run, console, found)  # last: nothing else waits for them
    say = partial(console.print, soft_wrap=True, highlight=False, markup=False)
    say(
        f"best {best.monitor} {best.value:.4f} at step {best.step:,} of {trainer.global_step:,}; "
        f"{run.watch.seconds['training']:.0f} s of training; everything is in {run.directory}"
    )
    if run.origin is not None:
        same = compare_numbers(console, run.origin.record, found.metrics)
        run.record.update(rerun_of={**run.record.values["rerun_of"], "same_metrics": same})
    for profile in sorted(run.directory.glob("fit-profile*.txt")):
        say(f"where the time went: {profile}")
    hooks.log_outcome(trainer.loggers, run.directory, run.record.values, keep=keep)


def _evaluated(run: Run, encoder: Any) -> Results:
    """Score the splits and the checklist, with a calibration fitted on validation."""
    splits = _splits(run)
    both = splits[-1:] if splits[-1:] == ["test"] or not run.searching else []  # scored with the sentences swapped, too
    model = TrainedModel(encoder, run.datamodule.tokenizer, NEUTRAL, run.config.data.max_length)
    scored = {split: evaluation.score_split(model, run.datamodule, split, both_orders=split in both) for split in splits}
    calibration = _calibration(run, encoder, scored)
    model = model._replace(calibration=calibration)
    own = build.build_metrics(run.config)
    checklist = score_checklist(run.directory, model, run.datamodule, splits) if run.config.checklist else {}
    prefixed = {PREFIX[split]: given for split, given in scored.items()}
    metrics: dict[str, float] = {}
    for prefix, given in prefixed.items():
        metrics |= evaluation.split_metrics(prefix, given, calibration, own)
    groups = {prefix: evaluation.split_groups(given, calibration) for prefix, given in (prefixed | checklist).items()}
    metrics |= {f"{half}/accuracy": accuracy_of(groups[half]) for half in checklist}
    baselines = evaluation.split_baselines(prefixed)
    for prefix, given in prefixed.items() if "sources" in run.config.data else ():
        values, trivial = evaluation.source_metrics(prefix, given, calibration)
        metrics, baselines = metrics | values, baselines | trivial
    return Results(model, scored, checklist, metrics, baselines, groups)


def _calibration(run: Run, encoder: Any, scored: Mapping[str, ScoredSplit]) -> Calibration:
    if (validation := scored.get("validation")) is None:
        return NEUTRAL
    calibration = Calibration.fit(
        validation.margins,
        validation.table.labels,
        with_bias=takes_bias(encoder),
        with_threshold=run.config.threshold == "fitted",
    )
    if calibration.threshold != 0.5:
        log.warning(
            "threshold=fitted: a pair is a paraphrase from a probability of %.4f on; the exported model decides at 0.5",
            calibration.threshold,
        )
    return calibration


def _show(run: Run, console: Console, found: Results) -> None:
    whole = {prefix: found.baselines[prefix] for prefix in found.prefixed}
    evaluation.print_metrics(console, str(run.directory), found.metrics, whole)
    if found.last:
        print_groups(console, f"{found.last}, group by group", found.groups[found.last])
    for half in list(found.checklist)[-1:]:
        print_checklist(console, half, found.groups[half])
    for sentence in absurd_probes(found.metrics).values():
        log.warning(sentence)


def _record_results(run: Run, found: Results) -> None:
    run.record.update(
        metrics=found.metrics, baselines=found.baselines, calibration=found.model.calibration.to_dict(),
        groups={prefix: as_record(results) for prefix, results in found.groups.items() if results},
        checklist={
            half: {"pairs": len(one.table), "fingerprint": one.table.fingerprint} for half, one in found.checklist.items()
        },
    )  # fmt: skip


def _add_floors(run: Run, console: Console, found: Results) -> None:
    """Train the floors; print and record them beside the trivial models, of a mixture for each of its sources, too."""
    from paraphrase_lab.metrics.checklist_floor import checklist_floor
    from paraphrase_lab.metrics.floors import FLOORS  # of scikit-learn, which a training has no other use for

    checklist = run.record.values.get("checklist") or {}
    for half, one in found.checklist.items():
        checklist[half]["floor"] = checklist_floor(half, one.table)
    for half in list(found.checklist)[-1:]:
        print_checklist_floor(console, half, checklist[half]["floor"])
    floors = FLOORS.of(run.tables.splits["train"], found.prefixed[found.last].table)
    reached = {found.last: floors.whole} | {f"{found.last}_{group}": values for group, values in floors.of_groups.items()}
    baselines = {prefix: values | reached.get(prefix, {}) for prefix, values in found.baselines.items()}
    for prefix in [prefix for prefix in reached if prefix in baselines]:
        evaluation.print_floors(console, prefix, baselines[prefix])
    run.watch.lap("floors")
    run.record.update(baselines=baselines, checklist=checklist, seconds=run.watch.seconds)


def _wanted(run: Run, choice: str) -> bool:
    return choice == "always" or (choice == "auto" and not run.searching)


def _splits(run: Run) -> list[str]:
    with_test = _wanted(run, run.config.evaluate_test)
    return [split for split in ("validation", "test") if split in run.tables.splits and (split != "test" or with_test)]


def _draw(run: Run, scored: dict[str, ScoredSplit], checklist: dict[str, ScoredSplit], calibration: Calibration) -> None:
    directory = run.directory / "plots"
    directory.mkdir(exist_ok=True)
    for split, given in scored.items():
        evaluation.draw(split, given, calibration, directory)
    for half, given in checklist.items():
        title = f"Capability checklist, {half.rpartition('_')[2]} half: {len(given.table)} short pairs, kind by kind"
        plots.plot_groups(evaluation.split_groups(given, calibration), directory / f"{half}.png", title)
    if rows := read_rows(run.directory / "metrics.csv"):
        yes = float(scored["validation"].table.labels.mean())
        plots.plot_training([dict(row) for row in rows], directory / "training.png", majority_accuracy=max(yes, 1 - yes))
    lengths = {split: encoded.full_lengths for split, encoded in run.datamodule.encoded.items()}
    plots.plot_lengths(lengths, run.config.data.max_length, directory / "lengths.png")


def _export(run: Run, model: TrainedModel, metrics: dict[str, float]) -> None:
    with atomic_directory(run.directory / MODEL_DIR) as directory:
        saved = save_model(model, directory)
        if not saved.head_is_calibrated:
            log.warning("the model does not end with one linear layer: its logits are not calibrated; its README.md says how")
        card = model_card(
            card_facts(run, metrics, model.calibration), is_calibrated=saved.head_is_calibrated, kind=kind_of(directory)
        )
        (directory / "README.md").write_text(card, encoding="utf-8")
        _known_input(run).write(directory)


def _known_input(run: Run) -> KnownInput:
    """Return what input the model of a run has had, with that of the run which training started from.

    Words count where the weights have learnt them here: a pre-trained encoder brings words of its own.
    """
    config, train, lengths = run.config, run.tables.splits["train"], run.datamodule.encoded["train"].full_lengths
    start = config.model.get("name")
    place = None if start is None or config.model.get("random_weights") else model_directory(start)
    earlier = KnownInput.read(place) if place is not None else None
    from_scratch = isinstance(build.build_recipe(config), Tiny) or bool(config.model.get("random_weights"))
    with_words = from_scratch or (earlier is not None and earlier.word_hashes is not None)
    known = KnownInput.of([*train.sentence1, *train.sentence2], int(lengths.max()), with_words=with_words)
    return known if earlier is None else known.after(earlier)


def _tidy_checkpoints(directory: Path, keep: bool) -> None:
    """Keep one copy of the best weights on the disk, under two names where the file system can."""
    checkpoints = (directory / LAST_CHECKPOINT).parent
    shutil.rmtree(checkpoints)
    if keep:
        try:
            checkpoints.mkdir()
            os.link(directory / MODEL_DIR / "model.safetensors", checkpoints / "best.safetensors")
        except OSError:
            log.debug("no hard links here: the best weights are in %s only", MODEL_DIR)
