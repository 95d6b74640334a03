"""The embedded data set `word_order`: pairs of sentences that the project generates from a grammar.

No person wrote or labelled these pairs. They show whether a model reads word order, and whether it reads the words too: each
combination of words gives a paraphrase and a non-paraphrase with one sentence in common, and no two splits share a
combination. What makes the non-paraphrase different is the kind of the two pairs.
"""

import random
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from hashlib import blake2b
from itertools import chain, count, islice

from paraphrase_lab.data.word_order_contrasts import (
    NEGATED,
    ORDER,
    REPLACED,
    REWORDED,
    UNRELATED,
    WordOrderPair,
    contrast,
    drawn,
    kinds_of,
)
from paraphrase_lab.data.word_order_families import FAMILIES, HELD_OUT_FAMILIES
from paraphrase_lab.data.word_order_grammar import Combination, Family
from paraphrase_lab.errors import UserError

FLIGHT_WORDS = frozenset({"took a flight", "New York", "Paris"})
"""The words of the example that the documentation shows: no split holds them together."""

COMBINATIONS_PER_FAMILY = 6_000
SPLITS = ("validation", "test", *8 * ("train",))
"""A combination of words belongs to one of these ten parts, by its hash."""
HELD_OUT = "held_out"


def generate(
    train_pairs: int = 50_000,
    validation_pairs: int = 2_000,
    test_pairs: int = 2_000,
    seed: int = 0,
    *,
    reworded_share: float = 0.0,
    replaced_share: float = 0.0,
    negated_share: float = 0.0,
    unrelated_share: float = 0.0,
    test_constructions: str = "trained",
) -> dict[str, list[WordOrderPair]]:
    """Generate the three splits, equal for equal arguments on every platform; no split depends on the sizes of the others.

    The shares (0 to 1, together at most 1) are those of the kinds of pairs whose words differ; the rest are exchanges of words.
    Families take turns, and the two labels of one word combination are neighbours.
    Raises UserError where a split would need more word combinations than the grammar holds.
    """
    shares = {REWORDED: reworded_share, REPLACED: replaced_share, NEGATED: negated_share, UNRELATED: unrelated_share}
    shares = {ORDER: 1 - sum(shares.values()), **shares}
    sizes = {"train": train_pairs, "validation": validation_pairs, "test": test_pairs}
    splits = {}
    for split, size in sizes.items():
        held_out = split == "test" and test_constructions == HELD_OUT
        pairs = _pairs(HELD_OUT_FAMILIES if held_out else FAMILIES, split, seed, shares)
        splits[split] = list(islice(pairs, size))
        if not 0 < size <= len(splits[split]):
            most = len(splits[split]) + sum(1 for _ in pairs)
            raise UserError(
                f"word_order has no {split} split of {size} pairs.",
                valid=f"{split}_pairs is 1 to {most}: the grammar holds {most} {split} pairs with these shares.",
            )
    return splits


def _pairs(families: Sequence[Family], split: str, seed: int, shares: Mapping[str, float]) -> Iterator[WordOrderPair]:
    """Walk through a split until no family that can give the next kind has words left; a contrast has two pairs."""
    streams = {family.name: _combinations(family, seed, split) for family in families}
    queues = {kind: deque(family for family in families if kind in kinds_of(family)) for kind in shares}
    shares = {kind: share for kind, share in shares.items() if queues[kind]}
    rng = random.Random(f"{seed} {split} {families[0].name}")
    given = dict.fromkeys(shares, 0)

    def is_own(combination: Combination) -> bool:
        return _split_of(combination, seed) == split and not _is_flight(combination)

    def unrelated(family: Family) -> str:
        other = rng.choice([one for one in families if one.name != family.name])
        combination = next(found for _ in count() if is_own(found := other.combination(rng.randrange(other.combinations))))
        return drawn(other, combination, rng).sentence(rng.choice(rng.choice(other.groups)), rng, contracted=False)

    for number in count(1):
        kind = max(shares, key=lambda kind: shares[kind] * number / sum(shares.values()) - given[kind])
        given[kind] += 1
        pairs: list[WordOrderPair] = []
        while not pairs:
            if not (queue := queues[kind]):
                return
            family = queue.popleft()
            if (combination := next(streams[family.name], None)) is not None:
                queue.append(family)
                meaning = drawn(family, combination, rng)
                pairs = contrast(kind, family, meaning, rng, is_own=is_own, unrelated=unrelated)
        yield from pairs


def _combinations(family: Family, seed: int, split: str) -> Iterator[Combination]:
    """Walk through a split's share of a family's word combinations, shuffled, without the ones that hold all FLIGHT_WORDS."""
    for index in _shuffled(family.name, family.combinations, seed):
        combination = family.combination(index)
        if not _is_flight(combination) and split == _split_of(combination, seed):
            yield combination


@lru_cache(maxsize=256)  # the splits share it
def _shuffled(name: str, combinations: int, seed: int) -> list[int]:
    return random.Random(f"{seed} {name}").sample(range(combinations), min(combinations, COMBINATIONS_PER_FAMILY))


def _split_of(combination: Combination, seed: int) -> str:
    """Return the split of these words, whatever their order, their family, and which of two converses stands for both."""
    words = sorted(min(word.text, word.other or word.text).removeprefix("the ") for word in chain(*combination))
    return SPLITS[int.from_bytes(blake2b(f"{seed} {words}".encode(), digest_size=4).digest()) % len(SPLITS)]


def _is_flight(combination: Combination) -> bool:
    return FLIGHT_WORDS <= set(map(str, chain(*combination)))
