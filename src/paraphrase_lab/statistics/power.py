"""Tells beforehand what a study can find."""

from paraphrase_lab.statistics.formatting import shown, with_unit
from paraphrase_lab.statistics.joint import MOST_SEEDS, Uncertainty

DISAGREEMENT = 0.1
"""Share of the pairs that two models are assumed to judge differently."""


def beforehand(seeds: int, spread: float, pairs: int | None) -> Uncertainty:
    """Return the uncertainty of a difference of two recipes in accuracy.

    Args:
        seeds: of each recipe.
        spread: standard deviation over the seeds.
        pairs: of test; None: not known, and left out.
    """
    over_seeds = spread**2 / seeds
    return Uncertainty(over_seeds, over_seeds, DISAGREEMENT / pairs if pairs else 0.0, seeds, seeds, pairs or 1_000)


def power_lines(
    metric: str, seeds: int, questions: int, spread: float, margin: float, pairs: int | None, *, paired_seeds: bool = False
) -> list[str]:
    """Say what difference the study finds in 80 % of the cases; warn where that is more than counts as equal.

    Args:
        questions: comparisons that are corrected together.
        margin: differences below it count as equal.
    """
    found = beforehand(seeds, spread, pairs).detectable(questions)
    of_pairs = (
        f"{pairs:,} test pairs, of which two models judge {DISAGREEMENT:.0%} differently" if pairs else "test pairs unknown"
    )
    corrected = f"{questions} comparisons" if questions > 1 else "one comparison"
    lines = [
        f"can find: differences of {shown(metric, found)} or more ({with_unit(metric)}) in 80 % of the cases, with "
        f"{seeds} seeds of each and {corrected}; assumed: {of_pairs}; standard deviation over the seeds "
        f"{shown(metric, spread)} (study.expected_spread)"
        + ("; as if not compared in pairs, which can find smaller ones" if paired_seeds else "")
    ]
    if found > margin:
        numbers = range(seeds + 1, MOST_SEEDS + 1)
        enough = next((one for one in numbers if beforehand(one, spread, pairs).detectable(questions) <= margin), None)
        way = f"about {enough} seeds of each would find that" if enough else "that needs more test pairs"
        lines.append(f"warning: it asks for {shown(metric, margin)} (study.equal_within): {way}")
    return lines
