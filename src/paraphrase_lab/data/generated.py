"""The source of generated pairs."""

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache

from paraphrase_lab.data.labels import ZERO_ONE
from paraphrase_lab.data.pairs import RawPair
from paraphrase_lab.data.rows import BadRow
from paraphrase_lab.errors import UserError
from paraphrase_lab.word_order.generate import HELD_OUT, generate_split

generated_split = lru_cache(maxsize=6)(generate_split)  # the jobs of a sweep in one process generate the pairs once


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
        self.shares = {
            "reworded_share": reworded_share,
            "replaced_share": replaced_share,
            "negated_share": negated_share,
            "unrelated_share": unrelated_share,
        }
        if sum(self.shares.values()) > 1 + 1e-9:
            given = " + ".join(f"data.{name}={share:g}" for name, share in self.shares.items())
            raise UserError(f"{given} is {sum(self.shares.values()):g}", valid="shares that are together at most 1")
        given_shares = {"order": 1 - sum(self.shares.values())} | {k.removesuffix("_share"): v for k, v in self.shares.items()}
        there = [kind for kind, share in given_shares.items() if share > 1e-9]
        self.kinds: dict[str, tuple[str, ...] | None] = {}
        for key, kinds in (("train_kinds", train_kinds), ("evaluation_kinds", evaluation_kinds)):
            self.kinds[key] = tuple(kinds) if kinds is not None else None
            if kinds is not None and (not kinds or not set(kinds) <= set(there)):
                raise UserError(
                    f"data.{key}=[{','.join(kinds)}]",
                    valid=f"null for all, or some of {', '.join(there)}, whose shares are above 0",
                )

    def splits(self) -> dict[str, Iterable[RawPair | BadRow]]:
        return {split: self._rows(split) for split in self.pairs}

    def _rows(self, split: str) -> Iterator[RawPair]:
        kinds = self.kinds["train_kinds" if split == "train" else "evaluation_kinds"]
        held_out = split == "test" and self.test_constructions == HELD_OUT
        pairs = generated_split(split, self.pairs[split], self.seed, kinds=kinds, held_out=held_out, **self.shares)
        for number, pair in enumerate(pairs, start=1):
            id = f"{pair.family}-{pair.kind}-{number}"
            yield RawPair(pair.sentence1, pair.sentence2, pair.label, id, "word_order", number)

    def count(self, split: str) -> int | None:
        return self.pairs.get(split)
