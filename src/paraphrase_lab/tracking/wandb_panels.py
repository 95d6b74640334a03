"""The contents of a W&B report and a workspace: panels over the swept keys, and this project's own comparison as tables."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import wandb_workspaces.workspaces as workspaces
from wandb_workspaces.reports.v2 import interface as reports

from paraphrase_lab.markdown import markdown_table
from paraphrase_lab.metrics.names import higher_is_better
from paraphrase_lab.runs.configuration import GROUPS
from paraphrase_lab.runs.differences import SEED, distinguishing_keys
from paraphrase_lab.runs.row import RunRow
from paraphrase_lab.runs.wandb_files import STEP
from paraphrase_lab.runs.wandb_source import CHOICES
from paraphrase_lab.statistics.comparison import QUESTIONS, Comparison, Difference, difference_columns
from paraphrase_lab.statistics.formatting import with_unit

LOSSES = ("train/loss", "val/nll")
LOG_SCALE_FROM = 20
"""Ratio of largest to smallest value of a swept key from which its axis is logarithmic."""
PANEL = {"w": 12, "h": 8}
"""Size of a panel in units of W&B's grid, which is 24 wide."""


@dataclass(frozen=True)
class Subject:
    """The runs that the panels show, and which keys and metrics."""

    entity: str
    project: str
    title: str
    filters: str
    """Chooses the runs, in W&B's filter language."""
    swept: tuple[str, ...]
    """Dotted keys of the uploaded configuration, the seed left out."""
    log_axes: frozenset[str]
    metric: str
    """A summary key, such as test/accuracy."""
    curves: tuple[str, ...]


def swept_keys(rows: Sequence[RunRow]) -> tuple[tuple[str, ...], frozenset[str]]:
    """Return the keys that distinguish the runs, as W&B names them, and those among them that get a logarithmic axis."""
    keys = [key for key in distinguishing_keys(rows) if key != SEED]
    logarithmic = {key for key in keys if _spans_decades([row.config.get(key) for row in rows])}
    return tuple(_in_wandb(key) for key in keys), frozenset(_in_wandb(key) for key in logarithmic)


def _in_wandb(key: str) -> str:
    return f"{CHOICES}.{key}" if key in GROUPS else key


def _spans_decades(values: Sequence[Any]) -> bool:
    numbers = [value for value in values if isinstance(value, int | float) and not isinstance(value, bool) and value > 0]
    return len(numbers) == len(values) and max(numbers) / min(numbers) >= LOG_SCALE_FROM


def blocks(subject: Subject, comparison: Comparison | None, left_out: Sequence[str]) -> list[Any]:
    """Make the report: the comparison first, then runs and panels."""
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
        _bars(subject),
        *search_panels(subject),
        reports.RunComparer(diff_only="split"),
    ]
    for place, panel in enumerate(drawn):
        panel.layout = reports.Layout(x=place % 2 * PANEL["w"], y=place // 2 * PANEL["h"], **PANEL)
    drawn[-1].layout = reports.Layout(x=0, y=(len(drawn) + 1) // 2 * PANEL["h"], w=2 * PANEL["w"], h=2 * PANEL["h"])
    return drawn


def curve_panels(subject: Subject) -> list[Any]:
    """Draw the first curve once per swept key, averaged over the runs of each value; then every curve run by run."""
    first = subject.curves[0]
    grouped = [
        reports.LinePlot(title=f"{first} by {key}", x=STEP, y=[first], **_averaged([key]), groupby_rangefunc="minmax")
        for key in subject.swept
    ]
    return grouped + [reports.LinePlot(title=name, x=STEP, y=[name]) for name in subject.curves]


def search_panels(subject: Subject) -> list[Any]:
    """Draw how the metric depends on the swept keys; nothing where no key was swept."""
    if not subject.swept:
        return []
    column, metric = reports.ParallelCoordinatesPlotColumn, reports.SummaryMetric(subject.metric)
    columns = [column(metric=reports.Config(key), log=key in subject.log_axes or None) for key in subject.swept]
    return [
        reports.ParallelCoordinatesPlot(title="Swept keys", columns=[*columns, column(metric=metric)]),
        reports.ParameterImportancePlot(with_respect_to=subject.metric),
    ]


def _bars(subject: Subject) -> Any:
    metrics: list[Any] = [reports.SummaryMetric(subject.metric)]
    return reports.BarPlot(title=subject.metric, metrics=metrics, **_averaged(subject.swept[:1]))


def workspace(subject: Subject) -> workspaces.Workspace:
    sections = [
        workspaces.Section(name="Curves", panels=curve_panels(subject), is_open=True),
        workspaces.Section(name="Sweep", panels=[_bars(subject), *search_panels(subject)], is_open=True),
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
    """Name the columns of the table of runs, where a nested key a.b is a.value.b."""
    split = [key.partition(".") for key in subject.swept]
    return [f"summary:{subject.metric}", *(f"config:{first}.value{dot}{rest}" for first, dot, rest in split)]


def statistics_blocks(comparison: Comparison) -> list[Any]:
    """Show verdicts as sentences, then candidates and differences as tables."""
    verdicts = [f"- **{one.b}** against **{one.a}**, {one.metric}: {one.verdict}" for one in comparison.whole]
    question = f"{QUESTIONS[comparison.question]} {comparison.scope}. {comparison.explanation}"
    metrics = comparison.metrics or [comparison.metric]
    candidates = [
        [one.name, str(len(one.runs)), ", ".join(map(str, one.seeds)), *map(one.cell, metrics)] for one in comparison.candidates
    ]
    parts = [
        ("What was found", reports.H2, "\n".join([question, "", *verdicts])),
        ("Candidates", reports.H3, markdown_table(["candidate", "runs", "seeds", *map(with_unit, metrics)], candidates)),
        ("Differences", reports.H3, _differences(comparison.whole, comparison.with_parts)),
        ("By slice", reports.H3, _differences(comparison.sliced, comparison.with_parts)),
        ("Notes", reports.H3, "\n".join(f"- {note}" for note in comparison.notes)),
    ]
    return [block for title, head, text in parts if text for block in (head(text=title), reports.MarkdownBlock(text=text))]


def _differences(differences: Sequence[Difference], with_parts: bool) -> str:
    columns = ["candidate", "against", "metric", "slice", *difference_columns(with_parts=with_parts)]
    rows = [[one.b, one.a, with_unit(one.metric), one.slice, *one.cells(with_parts=with_parts)] for one in differences]
    return markdown_table(columns, rows) if rows else ""
