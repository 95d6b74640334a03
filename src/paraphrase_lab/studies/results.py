"""The files of a study's results, and their directory."""

from pathlib import Path

from paraphrase_lab.paths import EXPERIMENTS_DIR, SOURCE_ROOT
from paraphrase_lab.runs.arms import numbers_of
from paraphrase_lab.studies.document import page
from paraphrase_lab.studies.outcome import StudyOutcome
from paraphrase_lab.studies.run_table import table

RESULTS = "results"


def results_directory(ablation_file: Path) -> Path:
    """Return results/ beside the ablations; for an installed package's own, experiments/results/ of the working directory."""
    experiments = ablation_file.parent.parent
    if SOURCE_ROOT is None and experiments == EXPERIMENTS_DIR:
        return Path("experiments") / RESULTS
    return experiments / RESULTS


def write_results(outcome: StudyOutcome, directory: Path, command: str) -> list[Path]:
    """Write NAME.md, NAME.csv and NAME.png."""
    directory.mkdir(parents=True, exist_ok=True)
    page_file, table_file, picture = (directory / f"{outcome.study.name}.{ending}" for ending in ("md", "csv", "png"))
    _draw(outcome, picture)
    table_file.write_text(table(outcome), encoding="utf-8")
    page_file.write_text(page(outcome, command, picture.name), encoding="utf-8")
    return [page_file, table_file, picture]


def _draw(outcome: StudyOutcome, picture: Path) -> None:
    """Draw a curve if one number was varied, else the differences."""
    from paraphrase_lab.plots.comparison import plot_comparison, plot_curve

    comparison, metric = outcome.comparison, outcome.study.metric
    varied = numbers_of([run.arm for run, _ in outcome.finished])
    if varied is None:
        plot_comparison(comparison, picture)
        return
    key, numbers = varied
    values = {number: outcome.recipes[arm].values(outcome.study.compared) for arm, number in numbers.items()}
    plot_curve(values, picture, key=key, metric=metric, split=comparison.split)
