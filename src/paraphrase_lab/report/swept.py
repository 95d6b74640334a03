"""Parallel coordinates: one line per run through the values of every swept key, to the metric it reached."""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from paraphrase_lab.metrics.names import higher_is_better
from paraphrase_lab.report.blocks import Block, Figure, Figures, Mark, Text
from paraphrase_lab.report.material import Material
from paraphrase_lab.report.svg import Drawing, Scale, short
from paraphrase_lab.runs.row import RunRow
from paraphrase_lab.runs.short import short_names, shown

HEIGHT, TOP, BOTTOM = 300, 44, 16
AXIS_WIDTH, EDGE = 150, 70
KEYS_AT_MOST = 8
LOGARITHMIC_FROM = 20
"""Ratio of largest to smallest value from which a numeric axis is logarithmic."""


@dataclass(frozen=True)
class Axis:
    name: str
    places: dict[int, float]
    """Height of each run on the drawing, by its identity."""
    ticks: list[tuple[float, str]]


def swept(material: Material) -> list[Block]:
    keys = material.swept[:KEYS_AT_MOST]
    rows = [row for recipe in material.recipes for row in recipe.rows if material.metric in row.metrics]
    if not keys and len(rows) > 1:
        return [Text("The runs differ in no key but the seed: there is nothing to draw here.", note=True)]
    if not keys or not rows:
        return []
    drawing = parallel(rows, keys, material.metric)
    word = "highest" if higher_is_better(material.metric) else "lowest"
    legend = (Mark("line best", f"the runs with the {word} {material.metric}"), Mark("line", "the other runs"))
    caption = f"Parallel coordinates: each line is a run, through its settings to its {material.metric}, on the right."
    return [Figures((Figure("", drawing, wide=True),), legend, caption)]


def parallel(rows: Sequence[RunRow], keys: Sequence[str], metric: str) -> Markup:
    names = short_names(keys, [key for row in rows for key in row.config])
    values = [row.metrics[metric] for row in rows]
    axes = [_axis(names[key], rows, [row.config.get(key) for row in rows]) for key in keys]
    axes.append(_axis(metric, rows, values))
    sign = 1 if higher_is_better(metric) else -1
    least = sorted(sign * value for value in values)[-max(1, len(values) // 10)]
    width, what = 2 * EDGE + AXIS_WIDTH * (len(axes) - 1), f"Parallel coordinates of {', '.join(keys)} and {metric}"
    drawing = Drawing(width, HEIGHT, what)
    for row in sorted(rows, key=lambda row: sign * row.metrics[metric]):  # the best on top
        settings = ", ".join(f"{names[key]}={shown(row.config.get(key))}" for key in keys)
        line = [(EDGE + AXIS_WIDTH * number, axis.places[id(row)]) for number, axis in enumerate(axes)]
        style = "line best" if sign * row.metrics[metric] >= least else "line"
        drawing.path(line, style, tip=f"{row.name}: {settings}, {metric} {row.metrics[metric]:.4f}")
    for number, axis in enumerate(axes):
        x, last = EDGE + AXIS_WIDTH * number, number == len(axes) - 1
        drawing.line(x, TOP, x, HEIGHT - BOTTOM, "axis")
        drawing.text(x, TOP - 24, axis.name, "name", anchor="middle")
        for height, label in axis.ticks:
            drawing.line(x - 4, height, x, height, "axis")
            drawing.text(x + 7 if last else x - 7, height + 4, label, "halo", anchor="start" if last else "end")
    return drawing.markup()


def _axis(name: str, rows: Sequence[RunRow], values: Sequence[object]) -> Axis:
    numbers = [float(value) for value in values if isinstance(value, int | float) and not isinstance(value, bool)]
    few = len(set(numbers)) <= 6
    start, end = HEIGHT - BOTTOM - 8, TOP + 8
    if len(numbers) < len(values):
        options = sorted({shown(value) for value in values})
        scale = Scale(0, max(1, len(options) - 1), start, end)
        at = {option: scale(number) if len(options) > 1 else (start + end) / 2 for number, option in enumerate(options)}
        return Axis(name, {id(row): at[shown(value)] for row, value in zip(rows, values, strict=True)}, [
            (height, option if len(option) <= 18 else option[:17] + "…") for option, height in at.items()
        ])  # fmt: skip
    low, high = min(numbers), max(numbers)
    scale = Scale(low, high, start, end, logarithmic=low > 0 and high / low >= LOGARITHMIC_FROM)
    ticks = sorted(set(numbers)) if few and "/" not in name else scale.ticks()
    places = {id(row): scale(value) for row, value in zip(rows, numbers, strict=True)}
    return Axis(name, places, [(scale(tick), short(tick)) for tick in ticks])
