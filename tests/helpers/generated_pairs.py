"""The generated data set as pairs with their family and kind."""

from __future__ import annotations

from typing import Any

from paraphrase_lab.data.generated import WordOrder
from paraphrase_lab.word_order.contrasts import WordOrderPair
from paraphrase_lab.word_order.generate import HELD_OUT, generate_split


def generate(
    train_pairs: int = 50_000, validation_pairs: int = 2_000, test_pairs: int = 2_000, seed: int = 0, **settings: Any
) -> dict[str, list[WordOrderPair]]:
    """Return the splits of WordOrder, whose arguments these are."""
    source = WordOrder(train_pairs, validation_pairs, test_pairs, seed, **settings)
    held_out = source.test_constructions == HELD_OUT
    return {
        split: generate_split(split, size, seed, source.shares, source.kinds[split], held_out=held_out and split == "test")
        for split, size in source.pairs.items()
    }
