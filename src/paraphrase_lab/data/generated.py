"""The source of generated pairs."""

from collections.abc import Iterable
from functools import lru_cache

from paraphrase_lab.data.labels import ZERO_ONE
from paraphrase_lab.data.pairs import RawPair
from paraphrase_lab.data.word_order import generate
from paraphrase_lab.errors import UserError

generated = lru_cache(maxsize=2)(generate)  # the jobs of a sweep in one process generate the pairs once


class WordOrder:
    """Generated pairs: see word_order.py."""

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
    ) -> None:
        self.pairs = {"train": train_pairs, "validation": validation_pairs, "test": test_pairs}
        self.seed, self.test_constructions = seed, test_constructions
        self.shares = {
            "reworded_share": reworded_share,
            "replaced_share": replaced_share,
            "negated_share": negated_share,
            "unrelated_share": unrelated_share,
        }
        if sum(self.shares.values()) > 1 + 1e-9:
            given = " + ".join(f"data.{name}={share:g}" for name, share in self.shares.items())
            raise UserError(f"{given} is {sum(self.shares.values()):g}", valid="shares that are together at most 1")

    def splits(self) -> dict[str, Iterable[RawPair]]:
        return {
            split: (
                RawPair(pair.sentence1, pair.sentence2, pair.label, f"{pair.family}-{pair.kind}-{number}", "word_order", number)
                for number, pair in enumerate(pairs, start=1)
            )
            for split, pairs in generated(
                *self.pairs.values(), self.seed, **self.shares, test_constructions=self.test_constructions
            ).items()
        }

    def count(self, split: str) -> int | None:
        return self.pairs.get(split)
