"""metrics.csv: one row per logged step, readable by any spreadsheet, without repeated steps after a resume."""

import csv
from pathlib import Path
from typing import Any

from lightning_fabric.loggers.logger import rank_zero_experiment
from pytorch_lightning.loggers.logger import Logger
from pytorch_lightning.utilities import rank_zero_only

from paraphrase_lab.files import atomic_write

FILE_NAME = "metrics.csv"


class MetricsCsv(Logger):
    """Lightning's CSVLogger deletes an existing file; a resumed run continues its own."""

    def __init__(self, run_dir: str | Path) -> None:
        super().__init__()
        self.path = Path(run_dir) / FILE_NAME
        self._columns: list[str] | None = None

    @property
    def name(self) -> str:
        return "metrics_csv"

    @property
    def version(self) -> str:
        return ""

    @property
    @rank_zero_experiment
    def experiment(self) -> None:
        return None

    @rank_zero_only
    def log_hyperparams(self, *args: Any, **kwargs: Any) -> None:
        """The configuration has a file of its own."""

    @rank_zero_only
    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        row: dict[str, Any] = {"step": step, **{key: value for key, value in metrics.items() if key != "step"}}
        columns = self._known_columns()
        if new := [key for key in row if key not in columns]:
            self._columns = columns + new
            rewrite(self.path, read_rows(self.path), self._columns)
        with self.path.open("a", newline="", encoding="utf-8") as file:
            csv.DictWriter(file, self._columns or []).writerow(row)

    @rank_zero_only
    def forget_after(self, step: int) -> None:
        """Drops what was logged after the checkpoint from which training continues."""
        rows = [row for row in read_rows(self.path) if int(row["step"]) <= step]
        rewrite(self.path, rows, self._known_columns())

    def _known_columns(self) -> list[str]:
        if self._columns is None:
            rows = read_rows(self.path)
            self._columns = list(rows[0]) if rows else []
        return self._columns


def read_rows(path: Path) -> list[dict[str, str]]:
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(line for line in file if line.endswith("\n")))  # a copy may end within a line


def logged_rows(path: Path) -> list[tuple[int, dict[str, float]]]:
    """Rows of metrics.csv, as they were logged."""
    rows = []
    for row in read_rows(path):
        values = {name: float(value) for name, value in row.items() if name != "step" and value not in ("", None)}
        rows.append((int(row["step"]), values))
    return rows


def rewrite(path: Path, rows: list[dict[str, str]], columns: list[str]) -> None:
    with atomic_write(path) as unfinished, unfinished.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(rows)
