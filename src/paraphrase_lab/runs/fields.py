"""The fields of a list of runs by name: status and time, configuration keys, metrics, and their short forms."""

import difflib
from collections.abc import Callable, Sequence
from typing import Any

from paraphrase_lab.errors import UserError
from paraphrase_lab.metrics.names import FITTED, HISTORY
from paraphrase_lab.runs.row import RunRow

OWN: dict[str, Callable[[RunRow], Any]] = {
    "name": lambda row: row.name,
    "path": lambda row: str(row.path),
    "status": lambda row: row.status,
    "started": lambda row: row.started or None,
    "seconds": lambda row: round(sum(row.record["seconds"].values()), 1) if row.record.get("seconds") else None,
    "cost": lambda row: row.cost_usd,
    "error": lambda row: row.record.get("error"),
    "commit": lambda row: (row.record.get("git") or {}).get("commit"),
}
"""Fields that every run has; `cost` in USD, `seconds` of work."""


class Fields:
    """The names that at least one of the runs knows."""

    def __init__(self, rows: Sequence[RunRow]) -> None:
        self.metrics = list(dict.fromkeys(name for row in rows for name in row.metrics))
        self.config = list(dict.fromkeys(key for row in rows for key in row.config))
        self._names = dict.fromkeys([*OWN, *self.metrics, *self.config])
        self._repeats = {key: source for row in rows for key, source in (row.record.get("follows") or {}).items()}

    def find(self, typed: str) -> str:
        """Return the whole name of what was typed: itself, or the only one that ends in it.

        Raises:
            UserError: no name, or several, fit.
        """
        if typed in self._names:
            return typed
        fitting = [name for name in self._names if name.endswith((f".{typed}", f"/{typed}"))]
        fitting = [name for name in fitting if self._repeats.get(name) not in fitting]
        if len(fitting) == 1:
            return fitting[0]
        if fitting:
            raise UserError(f"{typed} may mean {' or '.join(fitting)}", hint="type the whole name")
        head, _, metric = typed.partition("/")
        if head == HISTORY and (fitted := f"{FITTED}/{metric}") in self._names:
            raise UserError(
                f"no run has a key {typed}: that is what is measured while training",
                hint=f"{fitted} is that of the chosen checkpoint, and `best` the value of `monitor` that chose it",
            )
        endings = {name.replace("/", ".").rpartition(".")[2]: name for name in self._names}
        if close := difflib.get_close_matches(typed, [*self._names, *endings], 1):
            raise UserError(f"no run has a key {typed}", hint=f"did you mean {endings.get(close[0], close[0])}?")
        groups = dict.fromkeys(f"{key.partition('.')[0]}.…" if "." in key else key for key in self.config)
        valid = f"keys: {', '.join(OWN)}; {', '.join(self.metrics)}; {', '.join(groups)}"
        raise UserError(f"no run has a key {typed}", valid=valid)

    @staticmethod
    def value(row: RunRow, name: str) -> Any:
        """Return the run's value; None where it has none."""
        if name in OWN:
            return OWN[name](row)
        return row.metrics[name] if name in row.metrics else row.config.get(name)
