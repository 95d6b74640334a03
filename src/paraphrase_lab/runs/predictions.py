"""A run's answers for every pair of a split, read back from its predictions.parquet: comparisons start from them."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from paraphrase_lab.data.pair_table import PairTable
from paraphrase_lab.errors import RunError
from paraphrase_lab.metrics.binary import binary_metrics
from paraphrase_lab.metrics.calibration import Calibration
from paraphrase_lab.runs.record import RunRecord

FILE_NAME = "predictions.parquet"
CALIBRATION_METRICS = ("nll", "brier", "ece")


class Predictions(NamedTuple):
    """One split as one run answered it, in the order of the data."""

    run_dir: Path
    split: str
    ids: list[str]
    sentence1: list[str]
    sentence2: list[str]
    labels: np.ndarray
    """int64 [pairs]"""
    margins: np.ndarray
    """float64 [pairs], uncalibrated logit"""
    probabilities: np.ndarray
    """float64 [pairs], calibrated"""
    threshold: float
    temperature: float
    bias: float
    fingerprint: str
    """The fingerprint of the data of that split."""
    groups: list[str | None] | None = None
    """The kind, source or domain of each pair, where the data name any."""

    @property
    def calibration(self) -> Calibration:
        return Calibration(self.temperature, self.threshold, pairs=0, bias=self.bias)


def read_predictions(run_dir: Path, split: str = "test") -> Predictions:
    """Return the predictions of a finished run, with its calibration.

    Args:
        split: its name, as in test; or one with that of a group of its pairs, a source of a mixture say, as in test_paws.

    Raises:
        RunError: no run there, or one without predictions of that split.
    """
    run_dir = Path(run_dir)
    record = RunRecord.read(run_dir)
    table = _table(run_dir, record.status)
    splits = np.array(table.column("split").to_pylist(), dtype=object)
    if not (splits == split).any():
        for whole in [name for name in dict.fromkeys(splits) if split.startswith(f"{name}_")]:
            if part := parts_of(read_predictions(run_dir, whole)).get(split):
                return part
        raise missing_split(run_dir, split, scored_splits(run_dir))
    rows = table.filter(pa.array(splits == split))
    if "calibration" not in record.values:
        raise RunError(
            f"{run_dir} was interrupted before calibration", hint=f"`paraphrase train … resume={run_dir}` finishes it"
        )
    calibration = Calibration.from_dict(record.values["calibration"])
    recorded = {**record.values["data"], **record.values.get("checklist", {})}
    return with_calibration(run_dir, split, rows, calibration, recorded[split]["fingerprint"])


def read_evaluation(run_dir: Path, directory: Path, split: str) -> Predictions:
    """Return the predictions that `paraphrase evaluate` has written into the directory."""
    report = json.loads((directory / "metrics.json").read_text(encoding="utf-8"))
    calibration = Calibration.from_dict(report["calibration"])
    return with_calibration(run_dir, split, pq.read_table(directory / FILE_NAME), calibration, report["fingerprint"])


def parts_of(given: Predictions) -> dict[str, Predictions]:
    """Return the predictions of each group of a split by the name of the part, as in test_paws; empty without groups."""
    names = np.array([name or "" for name in given.groups or []])
    return {
        f"{given.split}_{name}": _part(given, f"{given.split}_{name}", np.flatnonzero(names == name))
        for name in dict.fromkeys(names.tolist())
        if name
    }


def _part(given: Predictions, split: str, rows: np.ndarray) -> Predictions:
    ids, sentence1, sentence2 = (
        [column[row] for row in rows.tolist()] for column in (given.ids, given.sentence1, given.sentence2)
    )
    table = PairTable(ids, sentence1, sentence2, given.labels[rows])
    return given._replace(
        split=split, ids=ids, sentence1=sentence1, sentence2=sentence2, labels=table.labels, margins=given.margins[rows],
        probabilities=given.probabilities[rows], fingerprint=table.fingerprint, groups=None,
    )  # fmt: skip


def missing_split(run_dir: Path, split: str, scored: Sequence[str], *notes: str) -> RunError:
    valid = "\n".join([f"splits it scored: {', '.join(scored)}", *notes])
    hint = "a search leaves test alone; evaluate_test=always scores it" if split == "test" else ""
    return RunError(f"{run_dir} has no predictions for {split}", valid=valid, hint=hint)


def scored_splits(run_dir: Path) -> list[str]:
    """Name the splits of a run's predictions.parquet. Raises RunError where it has none."""
    return list(dict.fromkeys(_table(run_dir, RunRecord.read(run_dir).status, ["split"]).column("split").to_pylist()))


def with_calibration(run_dir: Path, split: str, rows: pa.Table, calibration: Calibration, fingerprint: str) -> Predictions:
    """Return the rows of a predictions.parquet, with probabilities by this calibration."""
    margins = rows.column("margin").to_numpy().astype(np.float64)
    groups = rows.column("group").to_pylist() if "group" in rows.column_names else []
    return Predictions(
        run_dir, split, *(rows.column(name).to_pylist() for name in ("id", "sentence1", "sentence2")),
        labels=rows.column("label").to_numpy().astype(np.int64),
        margins=margins,
        probabilities=calibration.probabilities(margins),
        threshold=calibration.threshold,
        temperature=calibration.temperature,
        bias=calibration.bias,
        fingerprint=fingerprint,
        groups=groups if any(groups) else None,
    )  # fmt: skip


def calibration_before_after(predictions: Predictions) -> dict[str, tuple[float, float]]:
    """Return nll, brier and ece of the model's own probabilities, and of those calibrated on validation pairs."""
    uncalibrated = Calibration(1.0, predictions.threshold, pairs=0).probabilities(predictions.margins)
    before = binary_metrics(predictions.labels, uncalibrated, predictions.threshold)
    after = binary_metrics(predictions.labels, predictions.probabilities, predictions.threshold)
    return {name: (before[name], after[name]) for name in CALIBRATION_METRICS}


def _table(run_dir: Path, status: str, columns: list[str] | None = None) -> pa.Table:
    path = run_dir / FILE_NAME
    if not path.is_file():
        go_on = f"`paraphrase train … resume={run_dir}` continues it"
        hint = go_on if status in ("interrupted", "failed") else "`paraphrase runs --where status=finished` lists others"
        raise RunError(f"{run_dir} has no predictions: it is {status}", hint=hint)
    try:
        return pq.read_table(path, columns=columns)
    except (pa.ArrowException, OSError) as error:
        raise RunError(f"{path} cannot be read: {error}", hint="copy the run again, or train it anew") from None
