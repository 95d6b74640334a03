"""The beginning of a report: the verdicts, then the runs and their metrics."""

from collections import Counter
from collections.abc import Sequence

from paraphrase_lab.comparison.candidates import FAILED_SEEDS
from paraphrase_lab.metrics.names import FITTED, higher_is_better
from paraphrase_lab.metrics.symmetry import IDENTICAL_RATE, RANDOM_RATE, absurd_probes
from paraphrase_lab.report.blocks import Block, Cell, Items, Mark, Strip, Strips, Table, Text, counted, integer, listed, number
from paraphrase_lab.report.material import Material
from paraphrase_lab.report.svg import Drawing, Scale, short
from paraphrase_lab.runs.differences import distinguishing_keys
from paraphrase_lab.runs.recipe import Recipe
from paraphrase_lab.runs.row import FAILED, FINISHED, RunRow
from paraphrase_lab.runs.short import short_names, shown
from paraphrase_lab.statistics.comparison import Difference
from paraphrase_lab.statistics.verdict import FOR_THESE_TWO

VERDICTS_SHOWN = 6
STRIP_WIDTH, STRIP_HEIGHT = 420, 26
MANY_RECIPES = 30


def verdict(material: Material) -> list[Block]:
    """Say in sentences which runs there are, and what was found."""
    return [Items((_what_there_is(material), *_findings(material), *_absurd(material)))]


def _absurd(material: Material) -> list[str]:
    """Name the recipes that give absurd answers to pairs whose answer is known."""
    said = []
    for recipe in material.recipes:
        rates = {(name := material.named(rate)): recipe.mean(name) for rate in (IDENTICAL_RATE, RANDOM_RATE)}
        known = {name: value for name, value in rates.items() if value is not None}
        said += [f"{recipe.name}: {sentence}." for sentence in absurd_probes(known).values()]
    more = len(said) - VERDICTS_SHOWN
    return said if more <= 0 else [*said[:VERDICTS_SHOWN], f"{more} more such rates are among the probes below."]


def _what_there_is(material: Material) -> str:
    statuses = Counter(row.status for row in material.rows)
    others = [f"{count} {status}" for status, count in statuses.items() if status != FINISHED]
    runs = counted(len(material.rows), "run")
    if others:
        runs += f" ({statuses[FINISHED]} finished, {', '.join(others)})"
    if not material.recipes:
        return f"{runs}; none of them has finished, so there is nothing to compare yet."
    seeds = sorted({len(recipe.rows) for recipe in material.recipes})
    each = counted(seeds[0], "run") if len(seeds) == 1 else f"{seeds[0]} to {seeds[-1]} runs"
    recipes = counted(len(material.recipes), "recipe")
    differ = f", which differ in {listed(material.swept, 4)}" if material.swept else ""
    return f"{runs}: {recipes} with {each}{' each' if len(material.recipes) > 1 else ''}{differ}."


def _findings(material: Material) -> list[str]:
    if not material.recipes:
        return []
    comparison = material.comparison
    if comparison is None:
        why = material.why_not.splitlines()[0].rstrip(":.")
        return [*_best_mean(material), f"No comparison: {why}."]
    main = [one for one in comparison.whole if one.metric == comparison.metric]
    if len(main) <= VERDICTS_SHOWN:
        return [*_best_mean(material), *_verdicts(main)]
    significant = [one for one in main if one.better]
    count = f"{len(significant)} of {len(main)} comparisons in {comparison.metric} are significant."
    largest = sorted(significant, key=lambda one: abs(one.difference), reverse=True)[:VERDICTS_SHOWN]
    return [*_best_mean(material), count, *_verdicts(largest)]


def _verdicts(found: Sequence[Difference]) -> list[str]:
    """Say each verdict once, for all comparisons that it is about, and first what they have in common."""
    ends: dict[str, list[str]] = {}
    starts: dict[str, None] = {}
    for one in found:
        start, between, end = one.verdict.partition(FOR_THESE_TWO)
        ends.setdefault(end if between else start, []).append(f"{one.b} against {one.a}")
        if between:
            starts[start] = None
    common = [f"{start[0].upper()}{start[1:]}: the following is about these models alone." for start in starts]
    return [*common, *(f"{'; '.join(versus)}: {verdict}" for verdict, versus in ends.items())]


def _best_mean(material: Material) -> list[str]:
    """Name the recipe with the best mean; of a single recipe, say what the metric came to."""
    metric = material.metric
    means = {recipe.name: mean for recipe in material.recipes if (mean := recipe.mean(metric)) is not None}
    if not means or (len(means) > 1 and not material.is_one_data_set):
        return []
    baseline = majority(material)
    against = f"; predicting the larger class always gets {baseline:.4f}" if baseline is not None else ""
    best = (max if higher_is_better(metric) else min)(means.values())
    names = listed([name for name, mean in means.items() if mean == best], 4)
    if len(means) == 1:
        return [f"{names}: {metric} {best:.4f}{against}."]
    return [f"The {'highest' if higher_is_better(metric) else 'lowest'} mean of {metric}: {best:.4f}, {names}{against}."]


def majority(material: Material) -> float | None:
    """Return the metric of always predicting the larger class; None where the runs' data differ."""
    prefix, metric = material.metric.split("/", 1)
    baselines = {
        ((row.record.get("baselines") or {}).get(prefix) or {}).get("majority", {}).get(metric)
        for recipe in material.recipes
        for row in recipe.rows
    }
    return baselines.pop() if len(baselines) == 1 else None


def runs(material: Material) -> list[Block]:
    notes = list(material.left_out)
    if any(row.status == FAILED for row in material.rows):
        notes.append(FAILED_SEEDS)
    blocks: list[Block] = [Text(note, note=True) for note in notes]
    if any(recipe.values(material.metric) for recipe in material.recipes):
        blocks = [recipe_strips(material), recipe_table(material), *blocks]
    return [*blocks, run_table(material)]


def recipe_strips(material: Material) -> Strips:
    """Draw a row per recipe: every run a dot, their mean a line."""
    metric = material.metric
    recipes = [recipe for recipe in material.recipes if recipe.values(metric)]
    left_out = max(0, len(recipes) - MANY_RECIPES)
    recipes = recipes[:MANY_RECIPES]
    baseline = majority(material)
    values = [value for recipe in recipes for value in recipe.values(metric)] + ([] if baseline is None else [baseline])
    scale = Scale.around(values, 8, STRIP_WIDTH - 8)
    rows = tuple(Strip(one.name, _mean_and_spread(one, metric), _dots(one, metric, scale, baseline)) for one in recipes)
    legend = [Mark("s1 dot", "a run"), Mark("mean", "mean of the runs")]
    legend += [Mark("floor", f"always the larger class ({baseline:.4f})")] if baseline is not None else []
    more = f" The other {left_out} recipes are in the table." if left_out else ""
    return Strips(metric, rows, axis_of(scale, metric), tuple(legend), f"Each dot is one run.{more}")


def _mean_and_spread(recipe: Recipe, metric: str) -> str:
    mean, spread = recipe.mean(metric), recipe.spread(metric)
    return f"{mean:.4f}" + ("" if spread is None else f" ± {spread:.4f}")


def _dots(recipe: Recipe, metric: str, scale: Scale, baseline: float | None):
    middle = STRIP_HEIGHT / 2
    drawing = Drawing(STRIP_WIDTH, STRIP_HEIGHT, f"{recipe.name}: {metric} {_mean_and_spread(recipe, metric)}")
    drawing.line(scale.start, middle, scale.end, middle, "grid")
    if baseline is not None:
        drawing.line(
            scale(baseline), 1, scale(baseline), STRIP_HEIGHT - 1, "floor", tip=f"always the larger class: {baseline:.4f}"
        )
    mean = recipe.mean(metric)
    assert mean is not None
    drawing.line(scale(mean), 3, scale(mean), STRIP_HEIGHT - 3, "mean", tip=f"mean: {mean:.4f}")
    for row in recipe.rows:
        if (value := row.metrics.get(metric)) is not None:
            drawing.marker(scale(value), middle, 1, tip=f"{row.name} (seed {row.config.get('seed')}): {value:.4f}", size=4.5)
    return drawing.markup()


def axis_of(scale: Scale, name: str):
    """Draw the numbers under a chart of strips."""
    drawing = Drawing(STRIP_WIDTH, 38, f"{name}: from {short(scale.low)} to {short(scale.high)}")
    drawing.line(scale.start, 1, scale.end, 1, "axis")
    for tick in scale.ticks():
        drawing.line(scale(tick), 1, scale(tick), 5, "axis")
        drawing.text(scale(tick), 18, short(tick), anchor="middle")
    drawing.text(scale.end, 34, name, "name", anchor="end")
    return drawing.markup()


def recipe_table(material: Material) -> Table:
    """Tabulate mean and standard deviation of each recipe."""
    named = [material.named(metric) for metric in material.metrics]
    others = [f"{FITTED}/{material.metrics[0]}"] if material.split != "validation" else []
    columns = ("recipe", "runs", "seeds", *(text for name in [*named, *others] for text in (name, "± sd")))
    rows = []
    for recipe in material.recipes:
        seeds = sorted(row.seed for row in recipe.rows)
        cells = [Cell(recipe.name), integer(len(recipe.rows)), Cell(listed([str(seed) for seed in seeds], 8))]
        for name in [*named, *others]:
            cells += [number(recipe.mean(name)), number(recipe.spread(name))]
        rows.append(cells)
    note = "Runs whose configuration differs in the seed only are one recipe; mean and standard deviation over its runs."
    return Table(columns, rows, "Recipes", note)


def run_table(material: Material) -> Table:
    keys = distinguishing_keys(material.rows)
    names = short_names(keys, [key for row in material.rows for key in row.config])
    metrics = [material.named(metric) for metric in material.metrics]
    metrics += [f"{FITTED}/{material.metrics[0]}"] if material.split != "validation" else []
    columns = ("run", *(names[key] for key in keys), "status", *metrics)
    rows = []
    for row in material.rows:
        measured = [number(row.metrics.get(name)) for name in metrics]
        error = row.record.get("error") if row.status != FINISHED else None
        status = Cell(f"{row.status}: {error}" if error else row.status, strong=row.status != FINISHED)
        rows.append([Cell(row.name), *(_config_cell(row, key) for key in keys), status, *measured])
    return Table(columns, rows, "Every run, with the settings that distinguish them", folded=len(rows) > 24)


def _config_cell(row: RunRow, key: str) -> Cell:
    value = row.config.get(key)
    numeric = float(value) if isinstance(value, int | float) else None
    return Cell(shown(value) if key in row.config else "", numeric)
