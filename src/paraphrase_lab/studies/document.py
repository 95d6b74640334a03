"""A study's results as a page: what was asked, what came out, and what it was made with."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from typing import Any

from paraphrase_lab.comparison.compare import RECIPES, Difference
from paraphrase_lab.runs.listing import RunRow
from paraphrase_lab.statistics import FEWEST_SEEDS
from paraphrase_lab.statistics.seeds import welch
from paraphrase_lab.statistics.verdict import IN_POINTS, shown
from paraphrase_lab.studies.outcome import StudyOutcome, chosen_on_validation, seconds
from paraphrase_lab.studies.run_table import place

LIBRARIES = ("paraphrase-lab", "torch", "pytorch-lightning", "transformers", "numpy")
SHORT = 12
"""Characters of a hash that are shown."""


def page(outcome: StudyOutcome, command: str, picture: str) -> str:
    """
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
        _arms(outcome),
        _validation(outcome),
        _differences(outcome),
        *([_about(outcome), _reported(outcome)] if study.report else []),
        f"![{study.metric} of the runs]({picture})",
        *(["Notes: " + " ".join(notes)] if notes else []),
        "## Made with",
        _origin(outcome, command),
        "## Runs",
        _runs(outcome),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _arms(outcome: StudyOutcome) -> str:
    study, comparison = outcome.study, outcome.comparison
    columns = [f"test/{name}" for name in dict.fromkeys((study.metric, *study.report))] + [f"val/{study.metric}"]
    lines = []
    for one in comparison.candidates:
        rows = outcome.rows_of(one.name)
        minutes = sum(map(seconds, rows)) / len(rows) / 60
        lines.append([f"{one.name}", str(len(rows)), *(_spread(name, rows) for name in columns), f"{minutes:.1f}"])
    return (
        f"{comparison.pairs:,} {comparison.split} pairs in {comparison.clusters:,} clusters that share no sentence; mean ± "
        f"standard deviation over the seeds {_listed(study.seeds)}.\n\n"
        + _table(["", "runs", *(f"{name}{_unit(name)}" for name in columns), "minutes a run"], lines)
    )


def _validation(outcome: StudyOutcome) -> str:
    chosen = chosen_on_validation(outcome)
    if chosen is None:
        return ""
    arm, metric, value = chosen
    places = 2 if outcome.study.metric in IN_POINTS else 4
    return (
        f"Whoever chooses among these chooses on validation: there {arm} is best, {metric} {_value(metric, value, places)} on "
        "average. Checkpoint, threshold and temperature of each run were chosen on validation, too; test was scored once a run."
    )


def _differences(outcome: StudyOutcome) -> str:
    comparison = outcome.comparison
    seeds = comparison.question == RECIPES
    lines = []
    for one in comparison.differences:
        over_seeds = [_ends(one.metric, one.seeds_low, one.seeds_high)] if seeds else []
        p_value = "< 0.001" if one.p_adjusted < 0.001 else f"{one.p_adjusted:.3f}"
        ends = _ends(one.metric, one.low, one.high)
        lines.append([f"{one.b} - {one.a}", _difference(one), ends, *over_seeds, p_value, one.better or "-"])
    head = [f"{comparison.metric}{_unit(comparison.metric)}", "difference", "95 % over pairs"]
    head += [*(["95 % over seeds"] if seeds else []), "p", "better"]
    return _table(head, lines) + (
        "\n\np is corrected for the number of comparisons (Holm). Better: p below 0.05, and 0 in no interval "
        "(docs/comparing.md)."
    )


def _about(outcome: StudyOutcome) -> str:
    """Which metrics the verdict leaves out, and where they stand."""
    study = outcome.study
    others = [name for name in dict.fromkeys(study.report) if name != study.metric]
    below = "; below, their differences from the baseline" if _reported(outcome) else ""
    if not others:
        return ""
    return f"The verdict is about {study.metric} only. Without a verdict, in the first table{below}: {', '.join(others)}."


def _reported(outcome: StudyOutcome) -> str:
    """Without a verdict: intervals over the seeds alone, not corrected."""
    study = outcome.study
    first = study.baseline if study.baseline and outcome.rows_of(study.baseline) else None
    if first is None:
        return ""
    lines = []
    for name in study.report:
        metric = f"test/{name}"
        base = _values(metric, outcome.rows_of(first))
        for arm in study.arms:
            values = _values(metric, outcome.rows_of(arm.name))
            if arm.name != first and min(len(values), len(base)) >= FEWEST_SEEDS:
                found = welch(base, values)
                ends = _ends(name, float(found.low), float(found.high))
                lines.append([f"{arm.name} - {first}", f"{metric}{_unit(name)}", _signed(name, float(found.difference)), ends])
    intro = "Beside the verdict, each interval by itself and over the seeds alone (Welch):\n\n"
    return intro + _table(["", "metric", "difference", "95 % over seeds"], lines) if lines else ""


def _origin(outcome: StudyOutcome, command: str) -> str:
    study, comparison, rows = outcome.study, outcome.comparison, [row for _, row in outcome.finished]
    records = [row.record for row in rows]
    gits = [git for record in records if (git := record.get("git") or {}).get("commit")]
    commits = [f"{git['commit'][:SHORT]}{', with uncommitted changes' if git.get('dirty') else ''}" for git in gits]
    versions = {f"{name} {one}": None for name in LIBRARIES for record in records if (one := record["versions"].get(name))}
    days = sorted({str(record[end])[:10] for record in records for end in ("started", "ended") if record.get(end)})
    spent = f"{outcome.minutes:.1f} minutes of the {study.budget_minutes:g} planned for {study.budget_machine}"
    between = f"; {' to '.join(dict.fromkeys((days[0], days[-1])))}" if days else ""
    lines = [
        ("command", f"`{command}`"),
        ("commit", "; ".join(dict.fromkeys(commits)) or "unknown"),
        ("test data", f"fingerprint {comparison.fingerprint[:SHORT]}"),
        ("machine", "; ".join(dict.fromkeys(map(_machine, records)))),
        ("time", f"{spent}, all runs one after the other{between}"),
        ("cost", _cost(rows)),
        ("versions", ", ".join(versions)),
        ("written", outcome.written),
    ]  # fmt: skip
    return _table(["", ""], [[name, value] for name, value in lines if value])


def _machine(record: dict[str, Any]) -> str:
    device = record.get("device") or {}
    devices = f"{device.get('count')} x {device.get('kind')}"
    instance, precision = (record.get("job") or {}).get("instance_type"), (record.get("precision") or {}).get("used")
    return ", ".join(str(part) for part in (instance, device.get("name"), devices, precision) if part)


def _cost(rows: Sequence[RunRow]) -> str:
    costs = [row.cost_usd for row in rows if row.cost_usd is not None]
    return f"${sum(costs):,.2f} billed" if costs else ""


def _runs(outcome: StudyOutcome) -> str:
    metric = f"test/{outcome.study.metric}"
    lines = [
        [run.arm.name, str(run.seed), _shown(metric, row.metrics.get(metric)), f"{seconds(row):.0f}", f"`{place(row)}`",
         str(row.record.get("fingerprint"))[:SHORT]]
        for run, row in outcome.finished
    ]  # fmt: skip
    return _table(["", "seed", f"{metric}{_unit(metric)}", "seconds", "run", "fingerprint"], lines)


def _table(head: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    rows = [head, ["---"] * len(head), *lines]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in rows)


def _values(metric: str, rows: Iterable[RunRow]) -> list[float]:
    return [row.metrics[metric] for row in rows if metric in row.metrics]


def _spread(metric: str, rows: Sequence[RunRow]) -> str:
    values = _values(metric, rows)
    if not values:
        return ""
    places = 2 if _base(metric) in IN_POINTS else 4
    text = _value(metric, statistics.fmean(values), places)
    return text if len(values) < 2 else f"{text} ± {_value(metric, statistics.stdev(values), places)}"


def _shown(metric: str, value: float | None) -> str:
    return "" if value is None else _value(metric, value, 2 if _base(metric) in IN_POINTS else 4)


def _value(metric: str, value: float, places: int) -> str:
    return shown(_base(metric), value, places)


def _base(metric: str) -> str:
    return metric.rpartition("/")[2]


def _unit(metric: str) -> str:
    return ", points" if _base(metric) in IN_POINTS else ""


def _difference(one: Difference) -> str:
    return _signed(one.metric, one.difference)


def _signed(metric: str, difference: float) -> str:
    text = shown(metric, difference, 2 if metric in IN_POINTS else 4)
    return text if difference <= 0 or float(text) == 0 else f"+{text}"


def _ends(metric: str, low: float | None, high: float | None) -> str:
    if low is None or high is None:
        return "too few seeds"
    places = 2 if metric in IN_POINTS else 4
    return f"{shown(metric, low, places)} to {shown(metric, high, places)}"


def _listed(seeds: Sequence[int]) -> str:
    return ", ".join(map(str, seeds))
