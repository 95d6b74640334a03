"""The outcome of a run, for W&B: numbers in the summary, pictures and the hardest pairs as tables, weights as an artifact."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from paraphrase_lab.errors import RunError
from paraphrase_lab.files import finite, json_text
from paraphrase_lab.metrics.binary import decide, reliability_bins
from paraphrase_lab.metrics.groups import from_record
from paraphrase_lab.metrics.names import PREFIX
from paraphrase_lab.runs.predictions import Predictions, read_predictions
from paraphrase_lab.tracking.identity import sagemaker_job

CURVE_POINTS = 200
BASELINES_SHOWN = ("accuracy", "f1", "nll")
ANSWERS = ("different", "paraphrase")
LEAST_UPLOAD_SECONDS, SECONDS_A_MEGABYTE = 60.0, 1.0
FOLDER_OF_WEIGHTS = "model"


def summary(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return flat names: the metrics as run.json has them, best/…, baselines/…, seconds/…, sagemaker/…"""
    best = record.get("best") or {}
    found: dict[str, Any] = dict(record.get("metrics") or {})
    if best:
        found |= {f"best/{best['monitor'].replace('/', '_')}": best["value"], "best/step": best["step"]}
    for split, kinds in (record.get("baselines") or {}).items():
        for kind, values in kinds.items():
            found |= {f"baselines/{split}/{kind}/{name}": values[name] for name in BASELINES_SHOWN if name in values}
    found |= {f"seconds/{name}": value for name, value in (record.get("seconds") or {}).items()}
    found |= {name: record[name] for name in ("steps", "parameters", "trained_parameters") if name in record}
    found |= {f"calibration/{name}": value for name, value in (record.get("calibration") or {}).items()}
    found |= {f"sagemaker/{name}": value for name, value in sagemaker_job().items()}
    pairs, seconds = (record.get("batches") or {}).get("effective_pairs"), (record.get("seconds") or {}).get("training")
    if seconds and pairs and record.get("steps"):
        found["pairs_per_second"] = round(record["steps"] * pairs / seconds, 1)  # of training as a whole, with validation
    return {name: value for name, value in found.items() if not (isinstance(value, float) and not math.isfinite(value))}


def facts(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the configuration does not say and a comparison of runs wants to know."""
    names = ("seed", "fingerprint", "versions", "git", "device", "precision", "data", "batches")
    return finite({name: record[name] for name in names if name in record})


def log_pictures(run: Any, run_dir: Path, record: Mapping[str, Any], hardest: int) -> None:
    """Log each split's plots and, unless `hardest` is 0, a table of its hardest pairs; and the checklist, kind by kind."""
    import wandb

    for split in record.get("data") or {}:
        if split not in ("validation", "test"):
            continue
        try:
            given = read_predictions(run_dir, split)
        except RunError:  # a search leaves test alone
            continue
        logged = _pictures(given, PREFIX[split])
        if hardest:
            table = wandb.Table(columns=["id", "first", "second", "label", "P(paraphrase)"])
            for row in hardest_pairs(given, hardest):
                table.add_data(*row)
            logged[f"{PREFIX[split]}_hardest_pairs"] = table
        run.log(logged)
    for half in record.get("checklist") or {}:
        kinds = from_record(record["groups"][half])
        table = wandb.Table(columns=["kind", "pairs", "accuracy", "low", "high"])
        for kind, one in kinds.items():
            table.add_data(kind, one.pairs, one.accuracy, one.low, one.high)
        run.log({half: wandb.plot.bar(table, "kind", "accuracy", title=f"{half}: accuracy by kind")})


def _pictures(given: Predictions, prefix: str) -> dict[str, Any]:
    import wandb
    from sklearn.metrics import precision_recall_curve

    predicted = decide(given.probabilities, given.threshold)
    confusion = wandb.plot.confusion_matrix(
        y_true=given.labels.tolist(), preds=predicted.tolist(), class_names=list(ANSWERS), title=f"{prefix}: confusion"
    )
    precision, recall, _ = precision_recall_curve(given.labels, given.probabilities)
    chosen = np.unique(np.linspace(0, len(recall) - 1, CURVE_POINTS).astype(int))
    bins = reliability_bins(given.labels, given.probabilities)
    filled = bins.counts > 0
    reliability = {"mean probability": bins.mean_probability[filled], "share of paraphrases": bins.positive_rate[filled]}
    return {
        f"{prefix}_confusion": confusion,
        f"{prefix}_precision_recall": _line({"recall": recall[chosen], "precision": precision[chosen]}, prefix),
        f"{prefix}_reliability": _line(reliability, prefix),
    }


def _line(columns: dict[str, np.ndarray], prefix: str) -> Any:
    """Draw the second column over the first."""
    import wandb

    x, y = columns
    table = wandb.Table(columns=[x, y], data=list(zip(columns[x].tolist(), columns[y].tolist(), strict=True)))
    return wandb.plot.line(table, x, y, title=f"{prefix}: {y} over {x}")


def hardest_pairs(given: Predictions, most: int) -> list[list[Any]]:
    """Return wrongly answered pairs, the most confident mistake first: id, both sentences, label, probability."""
    wrong = np.flatnonzero(decide(given.probabilities, given.threshold) != given.labels)
    order = wrong[np.argsort(-np.abs(given.probabilities[wrong] - given.labels[wrong]), kind="stable")][:most]
    shown = np.round(given.probabilities, 4)
    return [
        [str(given.ids[i]), given.sentence1[i], given.sentence2[i], ANSWERS[given.labels[i]], float(shown[i])] for i in order
    ]


def use_data(run: Any, name: str, record: Mapping[str, Any]) -> None:
    """Send the data set as an artifact: what it is and its fingerprints, not its texts."""
    import wandb

    # How many pairs are too long is no property of the data: every model would make a version of its own.
    splits = {
        split: {name: value for name, value in values.items() if name != "truncated"} if isinstance(values, Mapping) else values
        for split, values in (record.get("data") or {}).items()
    }
    artifact = wandb.Artifact(_artifact_name(name), type="dataset", metadata=dict(splits))
    with artifact.new_file("splits.json", encoding="utf-8") as file:
        file.write(json_text(splits, indent=2))
    run.use_artifact(artifact)


def log_weights(run: Any, run_dir: Path, record: Mapping[str, Any]) -> None:
    """Send the chosen weights and what reads them, and wait until they are there.

    Raises:
        Exception: what W&B says when it does not take them, or takes too long.
    """
    import wandb

    folder = run_dir / (record.get("model") or FOLDER_OF_WEIGHTS)
    megabytes = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) / 1e6
    best = record.get("best") or {}
    artifact = wandb.Artifact(
        _artifact_name(f"model-{run.id}"), type="model",
        metadata={"fingerprint": record.get("fingerprint"), "metrics": finite(record.get("metrics")), **finite(best)},
    )  # fmt: skip
    artifact.add_dir(str(folder), policy="immutable", skip_cache=True)
    logged = run.log_artifact(artifact, aliases=["best", f"seed-{record.get('seed')}"])
    if not run.offline:
        logged.wait(timeout=int(LEAST_UPLOAD_SECONDS + SECONDS_A_MEGABYTE * megabytes))


def _artifact_name(name: str) -> str:
    """Return letters, digits, dots, underscores and hyphens, at most 128."""
    return "".join(character if character.isalnum() or character in "._-" else "-" for character in name)[:128]
