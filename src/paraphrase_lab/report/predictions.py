"""The models' predictions: consistency under swapped sentences, calibration, and the pairs that most runs get wrong."""

import numpy as np
from markupsafe import Markup
from scipy.special import expit

from paraphrase_lab.metrics.binary import decide, ece_if_calibrated, reliability_bins
from paraphrase_lab.report.blocks import (
    Block,
    Cell,
    Example,
    Examples,
    Figure,
    Figures,
    Mark,
    Table,
    Text,
    counted,
    listed,
    number,
)
from paraphrase_lab.report.material import EvaluatedRun, Material
from paraphrase_lab.report.svg import Drawing, Scale, frame
from paraphrase_lab.runs.predictions import CALIBRATION_METRICS, calibration_before_after

PROBES = {
    "flip_rate": "prediction changes when swapped",
    "order_gap": "mean change of the probability",
    "symmetrised_accuracy": "accuracy of the mean over both orders",
    "identical_positive_rate": "positive rate on a sentence and itself",
    "random_positive_rate": "positive rate on two random sentences",
}
"""Metrics of run.json, and their meaning."""
DIAGRAMS_AT_MOST = 6
PAIRS_SHOWN = 20
BINS = 10
LABELS = {0: "different meaning", 1: "same meaning"}


def symmetry(material: Material) -> list[Block]:
    names = [name for name in PROBES if any(recipe.values(material.named(name)) for recipe in material.recipes)]
    if not names:
        return [Text(f"No run has scored the swapped pairs of {material.split}.", note=True)]
    rows = []
    for recipe in material.recipes:
        cells = [Cell(recipe.name), number(recipe.mean(material.metric))]
        for name in names:
            mean, spread = recipe.mean(material.named(name)), recipe.spread(material.named(name))
            cell = number(mean)
            cells.append(Cell(f"{cell.text} ± {spread:.4f}", mean) if spread is not None else cell)
        rows.append(cells)
    columns = ("recipe", material.metric, *(PROBES[name] for name in names))
    note = (
        "Whether the order of the two sentences changes the prediction, which it should not, and predictions for pairs that "
        "need no model; mean ± standard deviation over runs."
    )
    return [Table(columns, rows, "Swapped and trivial pairs", note)]


def calibration(material: Material) -> list[Block]:
    if not material.evaluated:
        return [material.no_predictions]
    rows = []
    for one in material.evaluated:
        given, values = one.predictions, calibration_before_after(one.predictions)
        before_after = [number(value) for name in CALIBRATION_METRICS for value in values[name]]
        fitted = [number(value, 3) for value in (given.temperature, given.bias, given.threshold)]
        by_chance = number(ece_if_calibrated(given.probabilities))
        rows.append([Cell(one.row.name), Cell(one.recipe), *fitted, *before_after, by_chance])
    columns = [f"{name} {when}" for name in CALIBRATION_METRICS for when in ("before", "after")]
    caption = "Before and after calibration"
    note = (
        "It is fitted on validation pairs; lower is better. The last column is the ece that a perfectly calibrated model with "
        "these probabilities would have, by chance alone."
    )
    head = ("run", "recipe", "temperature", "bias", "threshold", *columns, "ece if calibrated")
    return [_reliability_figures(material), Table(head, rows, caption, note, folded=len(rows) > 12)]


def _reliability_figures(material: Material) -> Figures:
    by_recipe: dict[str, list[EvaluatedRun]] = {}
    for one in material.evaluated:
        by_recipe.setdefault(one.recipe, []).append(one)
    drawn = dict(list(by_recipe.items())[:DIAGRAMS_AT_MOST])
    figures = tuple(Figure(name, reliability(name, runs)) for name, runs in drawn.items())
    more = f" Drawn for the first {len(drawn)} of {len(by_recipe)} recipes." if len(drawn) < len(by_recipe) else ""
    legend = (Mark("before", "before calibration"), Mark("s1 after", "after"), Mark("diagonal", "as often as it says"))
    caption = (
        "Reliability: of the pairs that got a probability, how many are paraphrases? All runs of a recipe together; larger "
        f"circles hold more pairs.{more}"
    )
    return Figures(figures, legend, caption)


def reliability(name: str, evaluated: list[EvaluatedRun]) -> Markup:
    """Draw the share of paraphrases over the mean probability, before (hollow) and after (filled) calibration."""
    width, height = 320, 300
    labels = np.concatenate([one.predictions.labels for one in evaluated])
    after = np.concatenate([one.predictions.probabilities for one in evaluated])
    before = np.concatenate([expit(one.predictions.margins) for one in evaluated])
    drawing = Drawing(width, height, f"Reliability diagram of {name}, {len(labels):,} predictions")
    x, y = Scale(0, 1, 46, width - 14), Scale(0, 1, height - 44, 26)
    frame(drawing, x, y, "probability", "share of paraphrases")
    drawing.line(x(0), y(0), x(1), y(1), "diagonal")
    for probabilities, style, when in ((before, "before", "before"), (after, "s1 after", "after")):
        bins = reliability_bins(labels, probabilities, BINS)
        points = []
        for count, probability, share in zip(*bins, strict=True):
            if count:
                tip = f"{when}: {share:.1%} of {count:,} predictions with mean probability {probability:.2f} are paraphrases"
                points.append((float(x(probability)), float(y(share)), 2.5 + 6 * float(np.sqrt(count / len(labels))), tip))
        drawing.path([point[:2] for point in points], f"curve {style}")
        for across, up, radius, tip in points:
            drawing.add("circle", f"bubble {style}", tip=tip, cx=across, cy=up, r=radius)
    return drawing.markup()


def hardest(material: Material) -> list[Block]:
    """List pairs by how many runs fail on them, then by how little probability the label got."""
    if not material.evaluated:
        return [material.no_predictions]
    first = material.evaluated[0].predictions
    given = [one.predictions for one in material.evaluated]
    wrong = np.stack([decide(one.probabilities, one.threshold) != first.labels for one in given])
    probabilities = np.stack([one.probabilities for one in given])  # [runs, pairs]
    for_label = np.where(first.labels == 1, probabilities, 1 - probabilities).mean(axis=0)
    failures = wrong.sum(axis=0)
    order = [index for index in np.lexsort((for_label, -failures)) if failures[index]]
    runs = len(material.evaluated)
    if not order:
        return [Text("No run got any pair wrong.")]
    everywhere = int((failures == runs).sum())
    intro = (
        f"{counted(len(order), 'pair')} of {len(first.labels):,} wrong in at least one run"
        + (f", {everywhere:,} in all {runs}." if runs > 1 else ".")
        + (f" The first {PAIRS_SHOWN}, wrong in most runs first:" if len(order) > PAIRS_SHOWN else "")
    )
    pairs = []
    for index in order[:PAIRS_SHOWN]:
        facts = f"mean probability of the same meaning {probabilities[:, index].mean():.3f}"
        facts += f" · wrong in {failures[index]} of {runs}: {_who(material, wrong[:, index])}" if runs > 1 else ""
        pairs.append(Example(first.sentence1[index], first.sentence2[index], LABELS[int(first.labels[index])], facts))
    return [Text(intro), Examples(tuple(pairs))]


def _who(material: Material, wrong: np.ndarray) -> str:
    """Name the runs that fail; of many runs, count those of each recipe."""
    if wrong.all():
        return "every run"
    failing = [one for one, fails in zip(material.evaluated, wrong, strict=True) if fails]
    if len(material.evaluated) <= 8:
        return listed([one.row.name for one in failing], 8)
    of = {recipe.name: sum(one.recipe == recipe.name for one in failing) for recipe in material.recipes}
    return listed([f"{count} of {name}" for name, count in of.items() if count], 4)
