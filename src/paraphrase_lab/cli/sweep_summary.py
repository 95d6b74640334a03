"""The table at the end of a sweep."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

from paraphrase_lab.metrics.names import FITTED

_LONG = re.compile(r"(?<==)-?\d+\.\d{5,}(?:e[+-]?\d+)?(?=$|[,\]])")
"""A number that a search has drawn, with all of its digits."""


def print_summary(sweep_dir: Path, *, is_study: bool = False) -> None:
    """Print a line per job of the sweep, also when some failed; a study names the next commands itself."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from paraphrase_lab.paths import as_typed
    from paraphrase_lab.runs.configuration import configuration_of
    from paraphrase_lab.runs.record import find_runs
    from paraphrase_lab.runs.short import money
    from paraphrase_lab.runtime.next_commands import print_next

    records = sorted(find_runs(sweep_dir), key=lambda record: (len(record.run_dir.name), record.run_dir.name))
    if not records:
        return
    costs = [money((record.values.get("job") or {}).get("cost_of_all_attempts_usd")) for record in records]
    table = Table(title=Text(str(as_typed(sweep_dir.absolute()))), title_justify="left")
    numbers_shown = ("best", f"{FITTED}/accuracy", "test/accuracy")
    for column in ("job", "overrides", "status", *numbers_shown, *(["cost"] if any(costs) else [])):
        table.add_column(column, overflow="fold")  # a value at the end of a long override is what tells the jobs apart
    words = [configuration_of(record.values, record.run_dir)[1].get("overrides", []) for record in records]
    shared = set.intersection(*map(set, words)) if len(words) > 1 else set()
    for record, overrides, cost in zip(records, words, costs, strict=True):
        best, metrics = record.values.get("best") or {}, record.values.get("metrics") or {}
        numbers = [best.get("value"), metrics.get(f"{FITTED}/accuracy"), metrics.get("test/accuracy")]
        error = record.values.get("error") or record.status  # of an interrupted run it begins with that word
        status = error if error.startswith(record.status) else f"{record.status}: {error}"
        status = record.status if record.status == "pruned" else status  # which is told to end by a signal
        own = " ".join(_LONG.sub(lambda number: f"{float(number[0]):.4g}", word) for word in overrides if word not in shared)
        place = record.run_dir.relative_to(sweep_dir) if record.run_dir.is_relative_to(sweep_dir) else record.run_dir.name
        cells = [str(place), own, status]
        cells += ["" if number is None else f"{number:.4f}" for number in numbers]
        table.add_row(*map(Text, [*cells, *([cost] if any(costs) else [])]))
    Console().print(table)
    for line in _cross_validations(sweep_dir):
        Console().print(line, markup=False, highlight=False, soft_wrap=True)
    finished = sum(record.status == "finished" for record in records)
    if finished and not is_study:
        place = shlex.quote(str(as_typed(sweep_dir.absolute())))
        compare = [f"paraphrase compare {place}"] if finished > 1 else []
        print_next(*compare, f"paraphrase report {place}", f"paraphrase runs {place}")
    if any(costs):
        from paraphrase_lab.tracking.wandb_cost import tell_costs

        tell_costs(records)


def _cross_validations(sweep_dir: Path) -> Iterator[str]:
    """Yield a line for each recipe that was trained on several folds: the mean of `monitor` over them."""
    from paraphrase_lab.runs.differences import recipe_names
    from paraphrase_lab.runs.listing import read_runs
    from paraphrase_lab.runs.recipe import recipes_of

    rows = [row for row in read_runs([str(sweep_dir)]) if row.config.get("data.folds") and "best" in row.metrics]
    for recipe in recipes_of(recipe_names(rows), rows).values():
        done = sorted({row.repetition[1] for row in recipe.rows})
        if len(done) > 1:
            folds, monitor = recipe.rows[0].config["data.folds"], recipe.rows[0].record["best"]["monitor"]
            of = f"{len(done)} of {folds} folds" if len(done) < folds else f"{folds} folds"
            yield f"{recipe.name}: {monitor} {recipe.mean('best'):.4f} ± {recipe.spread('best'):.4f} (mean and sd over {of})"
