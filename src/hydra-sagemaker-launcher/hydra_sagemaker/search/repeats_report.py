"""The end of the repeats: the leaders in a table, and what the best value of the search is worth."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import mean, stdev

from hydra_sagemaker.display.tables import drawn
from hydra_sagemaker.search.outcome import best_trials
from hydra_sagemaker.search.progress import shown_params
from hydra_sagemaker.search.repeats import DEFAULT, Repeats


def report(repeats: Repeats) -> str:
    """Return the leaders in a table, and in sentences what the best value of the search is worth."""
    rows = []
    for trial in repeats.ranking:
        values = repeats.halving_values(trial)
        rows.append(
            {
                "trial": str(trial.number),
                "in the search": f"{trial.value:.6g}",
                "fresh seeds": str(len(values)),
                "mean ± sd": spread(values),
                "parameters": shown_params(trial),
            }
        )
    return "\n".join([drawn(rows).rstrip("\n"), *_sentences(repeats)])


def _sentences(repeats: Repeats) -> Iterator[str]:
    winner = repeats.ranking[0]
    own, default = repeats.last_values(str(winner.number)), repeats.last_values(DEFAULT)
    if not own:
        yield f"trial {winner.number} leads; none of its {repeats.settings.seeds} last repeats has ended"
        return
    yield f"trial {winner.number} with {len(own)} further {repeats.settings.key}s: {spread(list(own.values()))}"
    sign = 1 if repeats.maximize else -1
    if both := sorted(own.keys() & default.keys()):
        gains = [sign * (own[seed] - default[seed]) for seed in both]
        better = sum(gain > 0 for gain in gains)
        yield (
            f"without the search's values: {spread(list(default.values()))}; trial {winner.number} is better with {better} of "
            f"{len(both)}, by {spread(gains)}"
        )
    best = best_trials(repeats.study, 1)[0]
    optimism = sign * ((best.value or 0.0) - mean(own.values()))
    what = f"the best value of the search, {best.value:.6g} (trial {best.number})"
    yield f"{what}, is {optimism:.3g} too good" if optimism > 0 else f"{what}, is not too good"


def spread(values: Sequence[float]) -> str:
    """Write values as mean ± standard deviation."""
    return f"{mean(values):.4g}{f' ± {stdev(values):.2g}' if len(values) > 1 else ''}" if values else "failed"
