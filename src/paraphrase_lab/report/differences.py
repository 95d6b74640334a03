"""Which candidate is better, by how much and how sure: intervals of the differences, on the whole set and by slice."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from paraphrase_lab.comparison.compare import RECIPES, Comparison, Difference
from paraphrase_lab.comparison.slices import ALL, slices
from paraphrase_lab.metrics.binary import decide
from paraphrase_lab.metrics.names import higher_is_better
from paraphrase_lab.report.blocks import Block, Cell, Mark, Section, Strip, Strips, Table, Text, counted, integer, number
from paraphrase_lab.report.material import Material
from paraphrase_lab.report.overview import STRIP_HEIGHT, STRIP_WIDTH, axis_of
from paraphrase_lab.report.svg import Drawing, Scale
from paraphrase_lab.statistics.verdict import IN_POINTS

PAIRS_DRAWN_BY_SLICE = 3
STRIPS_DRAWN = 24
LEGEND = (
    Mark("s1 dot", "difference"),
    Mark("interval", "95 % interval over the pairs"),
)
OVER_SEEDS = Mark("seeds", "95 % interval over the seeds")
NO_DIFFERENCE = Mark("floor", "no difference")


def differences(material: Material) -> Section:
    section = Section("differences", "Differences")
    comparison = material.comparison
    if comparison is None:
        section.blocks.append(Text(f"No comparison: {material.why_not}"))
        return section
    section.blocks.append(Text(question_of(comparison)))
    section.blocks.extend(Text(note, note=True) for note in comparison.notes)
    whole = [one for one in comparison.differences if one.slice == ALL]
    if len(comparison.candidates) > 2 and len(first := {one.a for one in whole}) == 1:
        section.blocks.append(Text(f"Each is compared with {first.pop()}; --baseline NAME chooses another.", note=True))
    for metric in dict.fromkeys(one.metric for one in whole):
        section.blocks.append(forest([one for one in whole if one.metric == metric], f"Difference in {metric}"))
    section.blocks.append(difference_table(whole, "All differences on the whole set", folded=len(whole) > 12))
    return section


def question_of(comparison: Comparison) -> str:
    counts = (
        f"{counted(comparison.pairs, 'pair')} of {comparison.split} in {counted(comparison.clusters, 'cluster')} of pairs that "
        f"share sentences, {comparison.resamples:,} resamples of clusters, corrected for the number of comparisons after Holm."
    )
    if comparison.question == RECIPES:
        return (
            "Asked: which recipe is better, whatever the seed? A recipe counts as better only where 0 lies neither in the "
            f"interval over the pairs nor in the one over the seeds. {counts}"
        )
    return (
        "Asked: which of these very models is better on data like these? One run of each says nothing of what another seed "
        f"would give. {counts}"
    )


def points(metric: str) -> tuple[float, str]:
    """(what to multiply by, the unit): shares are told in points of a hundred."""
    return (100.0, " points") if metric in IN_POINTS else (1.0, "")


def forest(found: Sequence[Difference], title: str, *, label: str = "pair") -> Strips:
    """A row per difference with its intervals; `label` says what the rows are called by: pair or slice."""
    factor, unit = points(found[0].metric)
    drawn = sorted(found, key=lambda one: abs(one.difference), reverse=True)[:STRIPS_DRAWN] if label == "pair" else found
    ends = [end for one in drawn for end in (one.low, one.high, one.seeds_low, one.seeds_high) if end is not None]
    scale = Scale.around([0.0, *(factor * end for end in ends if np.isfinite(end))], 8, STRIP_WIDTH - 8)
    rows = tuple(_strip(one, scale, label) for one in drawn)
    with_seeds = any(one.seeds_low is not None for one in drawn)
    direction = "" if higher_is_better(found[0].metric) else " Lower is better here."
    left_out = f" The {len(drawn)} largest of {len(found)}." if len(drawn) < len(found) else ""
    return Strips(
        title, rows, axis_of(scale, f"{found[0].metric},{unit}".rstrip(",") if unit else found[0].metric),
        (*LEGEND, *([OVER_SEEDS] if with_seeds else []), NO_DIFFERENCE),
        f"To the right of the line the first named has the higher value.{direction}{left_out}",
    )  # fmt: skip


def _strip(one: Difference, scale: Scale, label: str) -> Strip:
    factor, unit = points(one.metric)
    name = f"{one.b} against {one.a}" if label == "pair" else f"{one.slice} ({one.pairs:,})" if one.pairs else one.slice
    detail = f"{factor * one.difference:+.{_digits(unit)}f} · {one.better} is better" if one.better else (
        f"{factor * one.difference:+.{_digits(unit)}f} · not distinguishable"
    )  # fmt: skip
    drawing = Drawing(STRIP_WIDTH, STRIP_HEIGHT, f"{name}: {detail}, 95 % interval {interval(one)}")
    middle = STRIP_HEIGHT / 2
    drawing.line(scale(0), 0, scale(0), STRIP_HEIGHT, "floor")
    if one.seeds_low is not None and one.seeds_high is not None:
        low, high = factor * one.seeds_low, factor * one.seeds_high
        drawing.line(scale(low), middle + 6, scale(high), middle + 6, "seeds", tip=f"over the seeds: {low:+.2f} to {high:+.2f}")
    low, high = scale(factor * one.low), scale(factor * one.high)
    drawing.line(low, middle, high, middle, "interval", tip=f"over the pairs: {interval(one)}")
    drawing.marker(scale(factor * one.difference), middle, 1, tip=detail, size=4.5)
    return Strip(name, detail, drawing.markup())


def _digits(unit: str) -> int:
    return 1 if unit else 4


def interval(one: Difference, *, seeds: bool = False) -> str:
    low, high = (one.seeds_low, one.seeds_high) if seeds else (one.low, one.high)
    if low is None or high is None:
        return ""
    factor, unit = points(one.metric)
    digits = _digits(unit)
    return f"{factor * low:+.{digits}f} to {factor * high:+.{digits}f}"


def difference_table(found: Sequence[Difference], caption: str, *, by_slice: bool = False, folded: bool = False) -> Table:
    with_seeds = any(one.seeds_low is not None for one in found)
    columns = ("B against A", "slice" if by_slice else "metric", "A", "B", "B − A", "95 % over pairs",
               *(["95 % over seeds"] if with_seeds else []), "p (Holm)", "verdict")  # fmt: skip
    rows = []
    for one in found:
        factor, unit = points(one.metric)
        seeds = [Cell(interval(one, seeds=True))] if with_seeds else []
        rows.append([
            Cell(f"{one.b} against {one.a}"), Cell(one.slice if by_slice else one.metric),
            number(one.value_a), number(one.value_b),
            Cell(f"{factor * one.difference:+.{_digits(unit)}f}{unit}", one.difference, strong=bool(one.better)),
            Cell(interval(one)), *seeds, Cell(p_value(one.p_adjusted), one.p_adjusted), Cell(one.verdict),
        ])  # fmt: skip
    return Table(columns, rows, caption, folded=folded)


def p_value(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def by_slice(material: Material) -> Section:
    """Accuracy by slice of every recipe, and the differences that the comparison found there."""
    section = Section("slices", "By slice")
    if not material.answered:
        section.blocks.append(Text(f"No run has predictions for {material.split} here.", note=True))
        return section
    section.blocks.append(_slice_table(material))
    section.blocks.extend(_slice_differences(material.comparison))
    return section


def _slice_table(material: Material) -> Table:
    """Share of right answers [slices x recipes], the mean over each recipe's runs."""
    first = material.answered[0].predictions
    masks = slices(first.sentence1, first.sentence2)
    right: dict[str, list[np.ndarray]] = {}
    for one in material.answered:
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
        "The mean over each recipe's runs; larger class: what always answering with it gets; bold: the highest of the row, "
        "whether or not it can be told apart."
    )
    return Table(("slice", "pairs", "larger class", *shares), rows, f"Accuracy on parts of {material.split}", note)


def _slice_differences(comparison: Comparison | None) -> list[Block]:
    if comparison is None:
        return []
    found = [one for one in comparison.differences if one.slice != ALL]
    if not found:
        return []
    pairs = list(dict.fromkeys((one.b, one.a) for one in found))
    blocks: list[Block] = []
    for b, a in pairs[:PAIRS_DRAWN_BY_SLICE]:
        of_pair = [one for one in found if (one.b, one.a) == (b, a)]
        blocks.append(forest(of_pair, f"Difference in {comparison.metric} by slice: {b} against {a}", label="slice"))
    blocks.append(difference_table(found, f"Differences in {comparison.metric} by slice", by_slice=True, folded=True))
    return blocks
