"""The differences between candidates with their intervals and verdicts, on the whole set and by slice."""

from collections.abc import Sequence

import numpy as np

from paraphrase_lab.comparison.slices import slices
from paraphrase_lab.metrics.binary import decide
from paraphrase_lab.metrics.names import higher_is_better
from paraphrase_lab.report.blocks import Block, Cell, Mark, Strip, Strips, Table, Text, integer, number
from paraphrase_lab.report.material import Material
from paraphrase_lab.report.overview import STRIP_HEIGHT, STRIP_WIDTH, axis_of
from paraphrase_lab.report.svg import Drawing, Scale
from paraphrase_lab.statistics.comparison import QUESTIONS, Comparison, Difference, difference_columns
from paraphrase_lab.statistics.formatting import factor, interval, signed, with_unit

PAIRS_DRAWN_BY_SLICE = 3
STRIPS_DRAWN = 24
OVER_PAIRS = Mark("interval", "95 % interval over the pairs")
TOGETHER = (Mark("interval", "95 % interval over pairs and seeds"), Mark("seeds", "over the pairs alone, over the seeds alone"))
NO_DIFFERENCE = Mark("floor", "no difference")


def differences(material: Material) -> list[Block]:
    comparison = material.comparison
    if comparison is None:
        return [Text(f"No comparison: {material.why_not}")]
    blocks: list[Block] = [Text(f"{QUESTIONS[comparison.question]} {comparison.scope}. {comparison.explanation}")]
    blocks += [Text(note, note=True) for note in comparison.notes]
    whole = comparison.whole
    if len(comparison.candidates) > 2 and len(first := {one.a for one in whole}) == 1:
        blocks.append(Text(f"Each is compared with {first.pop()}; --baseline NAME chooses another.", note=True))
    for metric in dict.fromkeys(one.metric for one in whole):
        blocks.append(forest([one for one in whole if one.metric == metric], f"Difference in {metric}"))
    return [*blocks, difference_table(comparison, whole, "All differences on the whole set", folded=len(whole) > 12)]


def forest(found: Sequence[Difference], title: str, *, by_slice: bool = False) -> Strips:
    """Draw a row per difference with its intervals, named by its slice or by its pair of candidates."""
    drawn = found if by_slice else sorted(found, key=lambda one: abs(one.difference), reverse=True)[:STRIPS_DRAWN]
    metric = found[0].metric
    ends = [end for one in drawn for ends in ((one.low, one.high), *one.parts) for end in ends]
    scale = Scale.around([0.0, *(factor(metric) * end for end in ends if np.isfinite(end))], 8, STRIP_WIDTH - 8)
    intervals = TOGETHER if any(one.is_of_recipes for one in drawn) else (OVER_PAIRS,)
    direction = "" if higher_is_better(metric) else " Lower is better here."
    left_out = f" The {len(drawn)} largest of {len(found)}." if len(drawn) < len(found) else ""
    return Strips(
        title, tuple(_strip(one, scale, by_slice) for one in drawn), axis_of(scale, with_unit(metric)),
        (Mark("s1 dot", "difference"), *intervals, NO_DIFFERENCE),
        f"To the right of the line the first named has the higher value.{direction}{left_out}",
    )  # fmt: skip


def _strip(one: Difference, scale: Scale, by_slice: bool) -> Strip:
    name = f"{one.slice} ({one.pairs:,})" if by_slice else f"{one.b} against {one.a}"
    detail = f"{signed(one.metric, one.difference)} · {f'{one.better} is better' if one.better else one.outcome}"
    drawing = Drawing(STRIP_WIDTH, STRIP_HEIGHT, f"{name}: {detail}, 95 % interval {interval(one.metric, one.low, one.high)}")
    middle, times = STRIP_HEIGHT / 2, factor(one.metric)
    drawing.line(scale(0), 0, scale(0), STRIP_HEIGHT, "floor")
    lines = [((one.low, one.high), middle, "interval", "pairs and seeds" if one.is_of_recipes else "pairs")]
    if one.is_of_recipes:
        names = ("pairs alone", "seeds alone")
        lines += [
            (ends, middle + 4 * place, "seeds", name)
            for place, (ends, name) in enumerate(zip(one.parts, names, strict=True), 1)
        ]
    for (low, high), y, style, over in lines:
        tip = f"over the {over}: {interval(one.metric, low, high)}"
        drawing.line(scale(times * low), y, scale(times * high), y, style, tip=tip)
    drawing.marker(scale(times * one.difference), middle, 1, tip=detail, size=4.5)
    return Strip(name, detail, drawing.markup())


def difference_table(
    comparison: Comparison, found: Sequence[Difference], caption: str, *, by_slice: bool = False, folded: bool = False
) -> Table:
    with_parts = comparison.with_parts
    columns = (
        "B against A",
        "slice" if by_slice else "metric",
        "A",
        "B",
        *difference_columns(with_parts=with_parts),
        "verdict",
    )
    rows = []
    for one in found:
        difference, *intervals, p_value, better = map(Cell, one.cells(with_parts=with_parts))
        rows.append([
            Cell(f"{one.b} against {one.a}"), Cell(one.slice if by_slice else with_unit(one.metric)),
            number(one.value_a), number(one.value_b), Cell(difference.text, one.difference, strong=bool(one.better)),
            *intervals, Cell(p_value.text, one.p_adjusted), better, Cell(one.verdict),
        ])  # fmt: skip
    return Table(columns, rows, caption, folded=folded)


def by_slice(material: Material) -> list[Block]:
    """Show the accuracy of every recipe by slice, and the differences that the comparison found there."""
    if not material.evaluated:
        return [material.no_predictions]
    return [_slice_table(material), *_slice_differences(material.comparison)]


def _slice_table(material: Material) -> Table:
    """Tabulate the share of right predictions [slices x recipes], the mean over each recipe's runs."""
    first = material.evaluated[0].predictions
    masks = slices(first.sentence1, first.sentence2, first.groups)
    right: dict[str, list[np.ndarray]] = {}
    for one in material.evaluated:
        given = one.predictions
        right.setdefault(one.recipe, []).append(decide(given.probabilities, given.threshold) == given.labels)
    shares = {recipe: np.mean(of, axis=0) for recipe, of in right.items()}
    rows = []
    for name, mask in masks.items():
        values = [float(share[mask].mean()) for share in shares.values()]
        yes = float(first.labels[mask].mean())
        rows.append([Cell(name), integer(int(mask.sum())), number(max(yes, 1 - yes)),
                     *(number(value, strong=len(values) > 1 and value == max(values)) for value in values)])  # fmt: skip
    note = (
        "The mean over each recipe's runs; larger class: what predicting it always gets; bold: the highest of the row, "
        "significant or not."
    )
    return Table(("slice", "pairs", "larger class", *shares), rows, f"Accuracy on parts of {material.split}", note)


def _slice_differences(comparison: Comparison | None) -> list[Block]:
    if comparison is None or not comparison.sliced:
        return []
    found = comparison.sliced
    blocks: list[Block] = []
    for b, a in list(dict.fromkeys((one.b, one.a) for one in found))[:PAIRS_DRAWN_BY_SLICE]:
        of_pair = [one for one in found if (one.b, one.a) == (b, a)]
        blocks.append(forest(of_pair, f"Difference in {comparison.metric} by slice: {b} against {a}", by_slice=True))
    caption = f"Differences in {with_unit(comparison.metric)}, by slice"
    return [*blocks, difference_table(comparison, found, caption, by_slice=True, folded=True)]
