"""The source of generated pairs."""

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache

from paraphrase_lab.data.labels import ZERO_ONE
from paraphrase_lab.data.pairs import RawPair
from paraphrase_lab.data.rows import BadRow
from paraphrase_lab.errors import UserError
from paraphrase_lab.word_order.contrasts import KINDS, ORDER, WordOrderPair
from paraphrase_lab.word_order.generate import HELD_OUT, generate_split

ROUNDING = 1e-9


@lru_cache(maxsize=6)  # the jobs of a sweep in one process generate the pairs once
def generated_split(
    split: str, size: int, seed: int, shares: tuple[tuple[str, float], ...], kinds: tuple[str, ...], held_out: bool
) -> list[WordOrderPair]:
    return generate_split(split, size, seed, dict(shares), kinds, held_out=held_out)


class WordOrder:
    """Generated pairs: see word_order/generate.py."""

    labels = ZERO_ONE

    def __init__(
        self,
        train_pairs: int,
        validation_pairs: int,
        test_pairs: int,
        seed: int = 0,
        reworded_share: float = 0.0,
        replaced_share: float = 0.0,
        negated_share: float = 0.0,
        unrelated_share: float = 0.0,
        test_constructions: str = "trained",
        train_kinds: Sequence[str] | None = None,
        evaluation_kinds: Sequence[str] | None = None,
    ) -> None:
        self.pairs = {"train": train_pairs, "validation": validation_pairs, "test": test_pairs}
        self.seed, self.test_constructions = seed, test_constructions
        others = dict(zip(KINDS[1:], (reworded_share, replaced_share, negated_share, unrelated_share), strict=True))
        if (total := sum(others.values())) > 1 + ROUNDING:
            given = " + ".join(f"data.{kind}_share={share:g}" for kind, share in others.items())
            raise UserError(f"{given} is {total:g}", valid="shares that are together at most 1")
        shares = {ORDER: 1 - total, **others}
        self.shares = {kind: share for kind, share in shares.items() if share > ROUNDING}
        for key, kinds in (("train_kinds", train_kinds), ("evaluation_kinds", evaluation_kinds)):
            if kinds is not None and (not kinds or not set(kinds) <= self.shares.keys()):
                raise UserError(
                    f"data.{key}=[{','.join(kinds)}]",
                    valid=f"null for all, or some of {', '.join(self.shares)}, whose shares are above 0",
                )
        of_evaluation = tuple(evaluation_kinds or ())
        self.kinds = {"train": tuple(train_kinds or ()), "validation": of_evaluation, "test": of_evaluation}

    def splits(self) -> dict[str, Iterable[RawPair | BadRow]]:
        return {split: self._rows(split) for split in self.pairs}

    def _rows(self, split: str) -> Iterator[RawPair]:
        held_out = split == "test" and self.test_constructions == HELD_OUT
        shares = tuple(self.shares.items())
        pairs = generated_split(split, self.pairs[split], self.seed, shares, self.kinds[split], held_out)
        for number, pair in enumerate(pairs, start=1):
            id = f"{pair.family}-{pair.kind}-{number}"
            yield RawPair(pair.sentence1, pair.sentence2, pair.label, id, "word_order", number, pair.kind)

    def count(self, split: str) -> int | None:
        return self.pairs.get(split)
