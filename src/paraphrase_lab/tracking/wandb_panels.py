"""What a W&B report and a workspace show of some runs: panels over the swept keys, and the statistics as tables.

W&B lets one look at runs; which of them is better is decided by this project's own comparison, and stands beside the charts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import wandb_workspaces.workspaces as workspaces
from wandb_workspaces.reports.v2 import interface as reports

from paraphrase_lab.metrics.names import higher_is_better
from paraphrase_lab.runs.configuration import GROUPS
from paraphrase_lab.runs.differences import SEED, telling_keys
from paraphrase_lab.runs.row import RunRow
from paraphrase_lab.runs.wandb_files import STEP
from paraphrase_lab.runs.wandb_source import CHOICES
from paraphrase_lab.statistics.verdict import IN_POINTS, decimals, shown

LOSSES = ("train/loss", "val/nll")
LOG_SCALE_FROM = 20
"""Largest to smallest value of a swept key from which on its axis is logarithmic."""
PANEL = {"w": 12, "h": 8}
"""In units of W&B's grid, which is 24 wide."""
SHORT_NAMES = {"models": "these very models", "recipes": "the recipes, whatever the seed"}


@dataclass(frozen=True)
class Subject:
    """What the panels are about."""

    entity: str
    project: str
    title: str
    filters: str
    """Which runs, in W&B's filter language."""
    swept: tuple[str, ...]
    """Dotted keys of the uploaded configuration, the seed left out."""
    log_axes: frozenset[str]
    metric: str
    """A summary key, such as test/accuracy."""
    curves: tuple[str, ...]


def swept_keys(rows: Sequence[RunRow]) -> tuple[tuple[str, ...], frozenset[str]]:
    """The keys that tell the runs apart, as they stand in W&B, and those among them that want a logarithmic axis."""
    keys = [key for key in telling_keys(rows) if key != SEED]
    logarithmic = {key for key in keys if _spans_decades([row.config.get(key) for row in rows])}
    return tuple(_in_wandb(key) for key in keys), frozenset(_in_wandb(key) for key in logarithmic)


def _in_wandb(key: str) -> str:
    return f"{CHOICES}.{key}" if key in GROUPS else key


def _spans_decades(values: Sequence[Any]) -> bool:
    numbers = [value for value in values if isinstance(value, int | float) and not isinstance(value, bool) and value > 0]
    return len(numbers) == len(values) and max(numbers) / min(numbers) >= LOG_SCALE_FROM


def blocks(subject: Subject, comparison: Mapping[str, Any] | None, left_out: Sequence[str]) -> list[Any]:
    """Of the report: what was found first, then what one can look at."""
    found = statistics_blocks(comparison) if comparison else []
    missing = [reports.P(text=f"Not in W&B, hence not in these charts: {', '.join(left_out)}.")] if left_out else []
    runs = reports.Runset(
        entity=subject.entity,
        project=subject.project,
        name=subject.title,
        filters=subject.filters,
        order=[reports.OrderBy(reports.SummaryMetric(subject.metric), ascending=not higher_is_better(subject.metric))],
        pinned_columns=_columns(subject),
    )
    grid = reports.PanelGrid(runsets=[runs], panels=panels(subject))
    return [*found, reports.H2(text="The runs"), *missing, grid]


def panels(subject: Subject) -> list[Any]:
    drawn = [
        *curve_panels(subject),
        reports.BarPlot(title=subject.metric, metrics=[reports.SummaryMetric(subject.metric)], **_averaged(subject.swept[:1])),
        *search_panels(subject),
        reports.RunComparer(diff_only="split"),
    ]
    for place, panel in enumerate(drawn):
        panel.layout = reports.Layout(x=place % 2 * PANEL["w"], y=place // 2 * PANEL["h"], **PANEL)
    drawn[-1].layout = reports.Layout(x=0, y=(len(drawn) + 1) // 2 * PANEL["h"], w=2 * PANEL["w"], h=2 * PANEL["h"])
    return drawn


def curve_panels(subject: Subject) -> list[Any]:
    """The first curve once per swept key, averaged over the runs of each value; then every curve run by run."""
    first = subject.curves[0]
    grouped = [
        reports.LinePlot(title=f"{first} by {key}", x=STEP, y=[first], **_averaged([key]), groupby_rangefunc="minmax")
        for key in subject.swept
    ]
    return grouped + [reports.LinePlot(title=name, x=STEP, y=[name]) for name in subject.curves]


def search_panels(subject: Subject) -> list[Any]:
    """How the metric follows from the swept keys; nothing where no key was swept."""
    if not subject.swept:
        return []
    column, metric = reports.ParallelCoordinatesPlotColumn, reports.SummaryMetric(subject.metric)
    columns = [column(metric=reports.Config(key), log=key in subject.log_axes or None) for key in subject.swept]
    return [
        reports.ParallelCoordinatesPlot(title="Swept keys", columns=[*columns, column(metric=metric)]),
        reports.ParameterImportancePlot(with_respect_to=subject.metric),
    ]


def workspace(subject: Subject) -> workspaces.Workspace:
    looked_at = [
        reports.BarPlot(title=subject.metric, metrics=[reports.SummaryMetric(subject.metric)], **_averaged(subject.swept[:1]))
    ]
    sections = [
        workspaces.Section(name="Curves", panels=curve_panels(subject), is_open=True),
        workspaces.Section(name="Sweep", panels=[*looked_at, *search_panels(subject)], is_open=True),
        workspaces.Section(name="Runs side by side", panels=[reports.RunComparer(diff_only="split")], is_open=True),
    ]
    settings = workspaces.RunsetSettings(
        filters=subject.filters,
        groupby=[workspaces.Config(key) for key in subject.swept[:1]],
        order=[workspaces.Ordering(workspaces.Summary(subject.metric), ascending=not higher_is_better(subject.metric))],
        pinned_columns=["run:displayName", *_columns(subject)],
    )
    return workspaces.Workspace(
        entity=subject.entity, project=subject.project, name=subject.title, sections=sections, runset_settings=settings
    )


def _averaged(keys: Sequence[str]) -> dict[str, Any]:
    return {"groupby": reports.Config(keys[0]), "groupby_aggfunc": "mean"} if keys else {}


def _columns(subject: Subject) -> list[str]:
    """Of the table of runs: a nested key a.b stands as a.value.b."""
    split = [key.partition(".") for key in subject.swept]
    return [f"summary:{subject.metric}", *(f"config:{first}.value{dot}{rest}" for first, dot, rest in split)]


def statistics_blocks(comparison: Mapping[str, Any]) -> list[Any]:
    """Of `Comparison.to_dict()`: verdicts in sentences, then candidates and differences as tables."""
    whole = [one for one in comparison["differences"] if one["slice"] == "all"]
    sliced = [one for one in comparison["differences"] if one["slice"] != "all"]
    asked = SHORT_NAMES.get(comparison["question"], comparison["question"])
    scope = (
        f"Asked about {asked}, on {comparison['pairs']:,} {comparison['split']} pairs in {comparison['clusters']:,} clusters "
        f"that share no sentence (data {str(comparison['fingerprint'])[:8]}). Intervals are 95 %; p-values are corrected for "
        "the number of comparisons (Holm)."
    )
    verdicts = [f"- **{_cell(one['b'])}** against **{_cell(one['a'])}**, {one['metric']}: {one['verdict']}" for one in whole]
    parts = [reports.H2(text="What was found"), reports.MarkdownBlock(text="\n".join([scope, "", *verdicts]))]
    parts += [reports.H3(text="Candidates"), reports.MarkdownBlock(text=_candidates(comparison))]
    if whole:
        parts += [reports.H3(text="Differences"), reports.MarkdownBlock(text=_differences(whole))]
    if sliced:
        parts += [reports.H3(text="By slice"), reports.MarkdownBlock(text=_differences(sliced))]
    if comparison["notes"]:
        parts.append(reports.MarkdownBlock(text="\n".join(f"- {note}" for note in comparison["notes"])))
    return parts


def _candidates(comparison: Mapping[str, Any]) -> str:
    metrics = list(dict.fromkeys(one["metric"] for one in comparison["differences"])) or [comparison["metric"]]
    rows = []
    for one in comparison["candidates"]:
        seeds = ", ".join(str(seed) for seed in one["seeds"])
        rows.append([one["name"], str(len(one["runs"])), seeds, *(_mean(one, metric) for metric in metrics)])
    return _table(["candidate", "runs", "seeds", *metrics], rows)


def _mean(candidate: Mapping[str, Any], metric: str) -> str:
    if metric not in candidate["values"]:
        return ""
    spread = candidate["spread"].get(metric)
    value = f"{candidate['values'][metric]:.4f}"
    return value if spread is None else f"{value} ± {spread:.4f}"


def _differences(differences: Sequence[Mapping[str, Any]]) -> str:
    rows = []
    for one in differences:
        rows.append([
            one["b"], one["a"], one["metric"], one["slice"], _ends(one["metric"], one["difference"]) + _unit(one["metric"]),
            _ends(one["metric"], one["low"], one["high"]), _ends(one["metric"], one["seeds_low"], one["seeds_high"]),
            f"{one['p_adjusted']:.2g}", one["better"] or "not distinguishable",
        ])  # fmt: skip
    names = "candidate, against, metric, slice, difference, 95 % over pairs, 95 % over seeds, p (Holm), better"
    return _table(names.split(", "), rows)


def _unit(metric: str) -> str:
    return " points" if metric in IN_POINTS else ""


def _ends(metric: str, *values: float | None) -> str:
    given = [value for value in values if value is not None]
    places = decimals(metric, *given) if given else 0
    return " to ".join(shown(metric, value, places) for value in given)


def _table(names: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [names, ["---"] * len(names), *rows]
    return "\n".join("| " + " | ".join(_cell(value) for value in line) + " |" for line in lines)


def _cell(text: str) -> str:
    return text.replace("|", r"\|").replace("\n", " ")
