"""A study's results as a page: the question, the verdict, and what it was made with."""

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import product
from typing import Any

from paraphrase_lab.markdown import markdown_table
from paraphrase_lab.metrics.names import FLOOR_NAMES, HIGHER_IS_BETTER
from paraphrase_lab.runs.recipe import Recipe
from paraphrase_lab.statistics import FEWEST_SEEDS
from paraphrase_lab.statistics.comparison import difference_columns
from paraphrase_lab.statistics.formatting import interval, mean_and_spread, shown, signed, with_unit
from paraphrase_lab.statistics.seeds import welch
from paraphrase_lab.studies.outcome import StudyOutcome, seconds
from paraphrase_lab.studies.run_table import place

LIBRARIES = ("paraphrase-lab", "torch", "pytorch-lightning", "transformers", "numpy")
SHORT = 12
"""Characters of a hash that are shown."""


def page(outcome: StudyOutcome, command: str, picture: str) -> str:
    """Return the page.

    Args:
        picture: name of the file beside this one.
    """
    study, comparison = outcome.study, outcome.comparison
    notes = [*outcome.notes, *comparison.notes]
    parts = [
        f"# {study.name}",
        f"**Question.** {study.question}",
        f"**Hypothesis.** {study.hypothesis}",
        f"**Verdict.** {outcome.verdict}",
        _looks(outcome),
        _arms(outcome),
        _floors(outcome),
        _validation(outcome),
        _differences(outcome),
        *(_reported(outcome) if study.report else []),
        f"![{study.metric} of the runs]({picture})",
        *(["Notes: " + " ".join(notes)] if notes else []),
        "## Made with",
        _origin(outcome, command),
        "## Runs",
        _runs(outcome),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _looks(outcome: StudyOutcome) -> str:
    """Name the looks of a study that adds seeds until it is decided."""
    study = outcome.study
    if len(study.looks) == 1:
        return ""
    taken = study.looks[: study.looks.index(study.look) + 1]
    if outcome.is_decided:
        end = "It ended when every comparison was decided"
    else:
        end = "It is not finished" if study.next_seeds else "It ended when there were no more seeds to add"
    return f"**Looks.** {len(taken)} of {len(study.looks)}: at {', '.join(map(str, taken))}. {end}."


def _arms(outcome: StudyOutcome) -> str:
    study, comparison = outcome.study, outcome.comparison
    columns = [study.compared, *study.reported, study.on_validation]
    lines = []
    for name, recipe in outcome.recipes.items():
        minutes = sum(map(seconds, recipe.rows)) / len(recipe.rows) / 60
        lines.append([name, str(len(recipe.rows)), *(_spread(metric, recipe) for metric in columns), f"{minutes:.1f}"])
    return (
        f"{comparison.pairs:,} {comparison.split} pairs in {comparison.clusters:,} clusters that share no sentence; mean ± "
        f"standard deviation over the seeds {', '.join(map(str, study.seeds))}.\n\n"
        + markdown_table(["", "runs", *map(with_unit, columns), "minutes a run"], lines)
    )


def _floors(outcome: StudyOutcome) -> str:
    """Name what the majority class and the classifiers of floors.py reach, the highest of all runs' training pairs."""
    metric = outcome.study.compared
    known = [(row.record.get("baselines") or {}).get(outcome.study.split, {}) for _, row in outcome.finished]
    found = {
        name.replace("_", " "): [one[name][outcome.study.metric] for one in known if outcome.study.metric in one.get(name, {})]
        for name in ("majority", *FLOOR_NAMES)
    }
    best = max if HIGHER_IS_BETTER[outcome.study.metric] else min
    reached = [f"{name} {shown(metric, best(values))}" for name, values in found.items() if values]
    said = "Floors on the same test pairs, the best of all trainings' pairs"
    return f"{said}, {with_unit(metric)}: {', '.join(reached)}." if reached else ""


def _spread(metric: str, recipe: Recipe) -> str:
    mean = recipe.mean(metric)
    return "" if mean is None else mean_and_spread(metric, mean, recipe.spread(metric))


def _validation(outcome: StudyOutcome) -> str:
    """Name the arm with the best mean on validation, on which a choice should rest."""
    metric = outcome.study.on_validation
    known = {name: recipe.mean(metric) for name, recipe in outcome.recipes.items()}
    means = {name: mean for name, mean in known.items() if mean is not None}
    if not means:
        return ""
    arm = (max if HIGHER_IS_BETTER[outcome.study.metric] else min)(means, key=means.__getitem__)
    return (
        f"A choice among these rests on validation: there {arm} is best, {metric} {shown(metric, means[arm])} on average. "
        "Checkpoint and calibration of each run were chosen on validation, too; test was scored once a run."
    )


def _differences(outcome: StudyOutcome) -> str:
    comparison = outcome.comparison
    columns = [with_unit(comparison.metric), *difference_columns(with_parts=comparison.with_parts)]
    lines = [[f"{one.b} - {one.a}", *one.cells(with_parts=comparison.with_parts)] for one in comparison.differences]
    return f"{markdown_table(columns, lines)}\n\n{comparison.explanation.removesuffix('.')} (docs/comparing.md)."


def _reported(outcome: StudyOutcome) -> Iterator[str]:
    """Name the metrics without a verdict; tabulate their differences: intervals over the seeds alone, not corrected."""
    study, recipes = outcome.study, outcome.recipes
    lines = []
    baseline = recipes.get(study.baseline or "")
    arms = {arm: recipe for arm, recipe in recipes.items() if recipe is not baseline}
    for metric, (arm, recipe) in product(study.reported, arms.items()):
        base, values = baseline.values(metric) if baseline else [], recipe.values(metric)
        if min(len(values), len(base)) >= FEWEST_SEEDS:
            found = welch(base, values)
            cells = [signed(metric, found.difference), interval(metric, found.low, found.high)]
            lines.append([f"{arm} - {study.baseline}", with_unit(metric), *cells])
    if others := [name.removeprefix(f"{study.split}/") for name in study.reported]:
        below = "; below, their differences from the baseline" if lines else ""
        about = study.metric if study.split == "test" else study.compared
        yield f"The verdict is about {about} only. Without a verdict, in the first table{below}: {', '.join(others)}."
    if lines:
        yield "Beside the verdict, each interval by itself and over the seeds alone (Welch):"
        yield markdown_table(["", "metric", "difference", "95 % over seeds"], lines)


def _origin(outcome: StudyOutcome, command: str) -> str:
    study, comparison, rows = outcome.study, outcome.comparison, [row for _, row in outcome.finished]
    records = [row.record for row in rows]
    gits = [git for record in records if (git := record.get("git") or {}).get("commit")]
    commits = [f"{git['commit'][:SHORT]}{', with uncommitted changes' if git.get('dirty') else ''}" for git in gits]
    versions = {f"{name} {one}": None for name in LIBRARIES for record in records if (one := record["versions"].get(name))}
    days = sorted({str(record[end])[:10] for record in records for end in ("started", "ended") if record.get(end)})
    spent = f"{outcome.minutes:.1f} minutes of the {study.budget_minutes:g} planned for {study.budget_machine}"
    costs = [row.cost_usd for row in rows if row.cost_usd is not None]
    between = f"; {' to '.join(dict.fromkeys((days[0], days[-1])))}" if days else ""
    lines = [
        ("command", f"`{command}`"),
        ("commit", "; ".join(dict.fromkeys(commits)) or "unknown"),
        ("test data", f"fingerprint {comparison.fingerprint[:SHORT]}"),
        ("machine", "; ".join(dict.fromkeys(map(_machine, records)))),
        ("time", f"{spent}, all runs one after the other{between}"),
        ("cost", f"${sum(costs):,.2f} billed" if costs else ""),
        ("versions", ", ".join(versions)),
        ("written", datetime.now(UTC).date().isoformat()),
    ]  # fmt: skip
    return markdown_table(["", ""], [line for line in lines if line[1]])


def _machine(record: dict[str, Any]) -> str:
    device = record.get("device") or {}
    devices = f"{device.get('count')} x {device.get('kind')}"
    instance, precision = (record.get("job") or {}).get("instance_type"), (record.get("precision") or {}).get("used")
    return ", ".join(str(part) for part in (instance, device.get("name"), devices, precision) if part)


def _runs(outcome: StudyOutcome) -> str:
    metric = outcome.study.compared
    lines = []
    for run, row in outcome.finished:
        value = shown(metric, row.metrics[metric]) if metric in row.metrics else ""
        fingerprint = str(row.record.get("fingerprint"))[:SHORT]
        lines.append([run.arm.name, str(run.seed), value, f"{seconds(row):.0f}", f"`{place(row)}`", fingerprint])
    return markdown_table(["", "seed", with_unit(metric), "seconds", "run", "fingerprint"], lines)
