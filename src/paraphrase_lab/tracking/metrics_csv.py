"""metrics.csv: one row per logged step, readable by any spreadsheet, without repeated steps after a resume."""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

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

    @rank_zero_only
    def log_hyperparams(self, *args: Any, **kwargs: Any) -> None:
        """The configuration has a file of its own."""

    @rank_zero_only
    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        row: dict[str, Any] = {"step": step, **{key: value for key, value in metrics.items() if key != "step"}}
        if self._columns is None:
            self._columns = columns_of(read_rows(self.path))
        if new := [key for key in row if key not in self._columns]:
            self._columns += new
            rewrite(self.path, read_rows(self.path), self._columns)
        with self.path.open("a", newline="", encoding="utf-8") as file:
            csv.DictWriter(file, self._columns).writerow(row)

    @rank_zero_only
    def forget_after(self, step: int) -> None:
        """Drop what was logged after the checkpoint from which training continues."""
        rows = read_rows(self.path)
        self._columns = columns_of(rows)
        rewrite(self.path, [row for row in rows if int(row["step"]) <= step], self._columns)


def columns_of(rows: list[dict[str, str]]) -> list[str]:
    return list(rows[0]) if rows else []


def read_rows(path: Path) -> list[dict[str, str]]:
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(line for line in file if line.endswith("\n")))  # a copy may end within a line


def logged_rows(path: Path) -> Iterator[tuple[int, dict[str, float]]]:
    """Yield step and values of each row of metrics.csv, as they were logged."""
    for row in read_rows(path):
        yield int(row["step"]), {name: float(value) for name, value in row.items() if name != "step" and value}


def rewrite(path: Path, rows: list[dict[str, str]], columns: list[str]) -> None:
    with atomic_write(path) as unfinished, unfinished.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(rows)
