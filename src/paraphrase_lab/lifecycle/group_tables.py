"""Tables of the results of each group of pairs: a kind of pairs, a source of a mixture, a domain."""

from collections.abc import Mapping

from rich.console import Console
from rich.table import Table

from paraphrase_lab.metrics.groups import GroupResult, accuracy_of

MOST_ROWS = 40


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
    for name in ("pairs", "accuracy", "95% interval", "majority", "answered yes"):
        table.add_column(name, justify="right", no_wrap=True, style="bold" if name == "accuracy" else None)
    for name, one in shown.items():
        table.add_row(
            name, f"{one.pairs:,}", f"{one.accuracy:.4f}", f"{one.low:.3f}-{one.high:.3f}", f"{one.majority:.4f}",
            f"{one.predicted_positive_rate:.1%}",
        )  # fmt: skip
    console.print(title, style="bold", soft_wrap=True, markup=False, highlight=False)
    console.print(table, markup=False)  # a group's name may hold brackets


def print_checklist(console: Console, half: str, results: Mapping[str, GroupResult]) -> None:
    """Print the results of a half of the checklist, checklist_dev or checklist_test, kind by kind."""
    pairs = sum(one.pairs for one in results.values())
    print_groups(console, f"{half}: {accuracy_of(results):.1%} of {pairs} short pairs are answered right", results)


def print_checklist_floor(console: Console, half: str, floor: float) -> None:
    line = f"floors of {half}, accuracy: chance 0.5000, counts {floor:.4f} (learned from the other half)"
    console.print(line, style="dim", soft_wrap=True, markup=False, highlight=False)
