"""Tables of the results of each group of pairs: a kind of pairs, a source of a mixture, a domain."""

from collections.abc import Mapping

import numpy as np
from rich.console import Console
from rich.table import Table

from paraphrase_lab.metrics.groups import GroupResult

MOST_ROWS = 40
UNDEFINED = "–"


def print_groups(console: Console, title: str, results: Mapping[str, GroupResult]) -> None:
    """Print one row per group, where there are several; of very many only those with the lowest accuracy."""
    if len(results) < 2:
        return
    shown = dict(results)
    if len(shown) > MOST_ROWS:
        shown = dict(sorted(shown.items(), key=lambda item: item[1].accuracy)[:MOST_ROWS])
        title = f"{title}: the {MOST_ROWS} of {len(results):,} groups with the lowest accuracy"
    table = Table()
    table.add_column("group")
    for name in ("pairs", "accuracy", "95% interval", "majority", "f1", "roc_auc", "labelled yes", "answered yes"):
        table.add_column(name, justify="right", no_wrap=True, style="bold" if name == "accuracy" else None)
    for name, one in shown.items():
        values = (one.f1, one.roc_auc)
        table.add_row(
            name, f"{one.pairs:,}", f"{one.accuracy:.4f}", f"{one.low:.3f}-{one.high:.3f}", f"{one.majority:.4f}",
            *(UNDEFINED if np.isnan(value) else f"{value:.4f}" for value in values),
            f"{one.positive_rate:.1%}", f"{one.predicted_positive_rate:.1%}",
        )  # fmt: skip
    console.print(title, style="bold", soft_wrap=True, markup=False, highlight=False)
    console.print(table)
