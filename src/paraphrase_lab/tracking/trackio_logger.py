"""Trackio: curves of a run in a browser, from a file of this machine, without an account. `trackio show` opens it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lightning_fabric.loggers.logger import _DummyExperiment as Nothing
from lightning_fabric.loggers.logger import rank_zero_experiment
from pytorch_lightning.loggers.logger import Logger
from pytorch_lightning.utilities import rank_zero_only

from paraphrase_lab.tracking.hooks import RunInfo
from paraphrase_lab.tracking.metrics_csv import FILE_NAME, logged_rows
from paraphrase_lab.tracking.wandb_outcome import summary


class TrackioRun(Logger):
    """Needs the extra `trackio`. A resumed run is known by its id and sends what is not there yet from metrics.csv."""

    def __init__(self, run_dir: str | Path, project: str = "paraphrase-lab") -> None:
        super().__init__()
        self.run_dir, self.project = Path(run_dir), project
        self._run: Any = None
        self._known: set[tuple[Any, ...]] = set()

    @property
    def name(self) -> str:
        return self.project

    @property
    def version(self) -> str:
        return ""

    @property
    @rank_zero_experiment
    def experiment(self) -> Any:
        return self._run or Nothing()

    def begin(self, about: RunInfo) -> dict[str, Any]:
        import trackio

        who = about.identity
        self._run = trackio.init(
            project=self.project, name=who.id, group=who.group, config=about.config, resume="allow", embed=False
        )
        self._known = _known_rows(self.project, who.id)
        for step, row in logged_rows(self.run_dir / FILE_NAME):
            self.log_metrics(row, step)
        return {"trackio": {"project": self.project, "name": who.id, "group": who.group}}

    @rank_zero_only
    def log_hyperparams(self, *args: Any, **kwargs: Any) -> None:
        """The configuration went in when the run was opened, without its secrets."""

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        if self._run is not None and (step, *sorted(metrics)) not in self._known:
            self._run.log(dict(metrics), step=step)

    @rank_zero_only
    def log_outcome(self, run_dir: Path, record: Mapping[str, Any], *, keep: bool) -> None:
        if self._run is not None:
            numbers = {name: value for name, value in summary(record).items() if isinstance(value, int | float)}
            self._run.log(numbers, step=record.get("steps"))

    @rank_zero_only
    def end(self, exit_code: int, *, preempted: bool = False) -> None:
        if self._run is not None:
            self._run.finish()
            self._run = None


def _known_rows(project: str, name: str) -> set[tuple[Any, ...]]:
    """Step and names of what an interrupted run has stored; a resumed training computes the same values again."""
    from trackio.sqlite_storage import SQLiteStorage

    rows = SQLiteStorage.get_logs(project, name)
    return {(row["step"], *sorted(set(row) - {"step", "timestamp"})) for row in rows if "step" in row}
