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
from typing import Any

from paraphrase_lab.errors import UserError
from paraphrase_lab.word_order.contrasts import (
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
from paraphrase_lab.word_order.families import FAMILIES, HELD_OUT_FAMILIES
from paraphrase_lab.word_order.grammar import Combination, Family

FLIGHT_WORDS = frozenset({"took a flight", "New York", "Paris"})
"""The words of the example that the documentation shows."""
EXAMPLES = (
    FLIGHT_WORDS,
    frozenset({"dog", "cat", "chased"}),
    frozenset({"he", "my friend"}),
    frozenset({"coffee", "too"}),
    frozenset({"film", "boring"}),
    frozenset({"door", "open"}),
    frozenset({"door", "closed"}),
    frozenset({"my sister", "twenty"}),
)
"""Words of sentences that a newcomer would type: no split holds those of one set together."""

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
    test_constructions: str = "trained",
    train_kinds: Sequence[str] | None = None,
    evaluation_kinds: Sequence[str] | None = None,
    **shares: Any,
) -> dict[str, list[WordOrderPair]]:
    """Generate the three splits, as `generate_split` does, with its shares.

    `train_kinds` and `evaluation_kinds` leave the other kinds out of train, or of validation and test; the sizes stay the same.
    """
    held_out = test_constructions == HELD_OUT
    return {
        "train": generate_split("train", train_pairs, seed, kinds=train_kinds, **shares),
        "validation": generate_split("validation", validation_pairs, seed, kinds=evaluation_kinds, **shares),
        "test": generate_split("test", test_pairs, seed, kinds=evaluation_kinds, held_out=held_out, **shares),
    }


def generate_split(
    split: str,
    size: int,
    seed: int = 0,
    *,
    kinds: Sequence[str] | None = None,
    held_out: bool = False,
    reworded_share: float = 0.0,
    replaced_share: float = 0.0,
    negated_share: float = 0.0,
    unrelated_share: float = 0.0,
) -> list[WordOrderPair]:
    """Generate `size` pairs of a split, equal for equal arguments on every platform; fewer are the first of more.

    The shares (0 to 1, together at most 1) are those of the kinds of pairs whose words differ; the rest are exchanges of words.
    Families take turns, and the two labels of one word combination are neighbours.

    Args:
        kinds: of these alone; None: of all.
        held_out: of the constructions that no other split has.

    Raises:
        UserError: the split would need more word combinations than the grammar holds, or kinds that its constructions lack.
    """
    shares = {REWORDED: reworded_share, REPLACED: replaced_share, NEGATED: negated_share, UNRELATED: unrelated_share}
    shares = {ORDER: 1 - sum(shares.values()), **shares}
    families = HELD_OUT_FAMILIES if held_out else FAMILIES
    there = sorted(set().union(*map(kinds_of, families)))
    wanted = {kind: share for kind, share in shares.items() if share > 1e-9 and kind in (kinds or shares)}
    wanted = {kind: share for kind, share in wanted.items() if kind in there}
    if not wanted:
        asked = ", ".join(kinds or [kind for kind in shares if shares[kind] > 1e-9])
        raise UserError(
            f"no construction of this {split} split has pairs of the kind {asked}", valid=f"kinds: {', '.join(there)}"
        )
    pairs = _pairs(families, split, seed, wanted)
    found = list(islice(pairs, size))
    if not 0 < size <= len(found):
        most = len(found) + sum(1 for _ in pairs)
        raise UserError(
            f"word_order has no {split} split of {size} pairs.",
            valid=f"{split}_pairs is 1 to {most}: the grammar holds {most} {split} pairs with these shares.",
        )
    return found


def _pairs(families: Sequence[Family], split: str, seed: int, shares: Mapping[str, float]) -> Iterator[WordOrderPair]:
    """Walk through a split until no family that can give the next kind has words left; a contrast has two pairs."""
    streams = {family.name: _combinations(family, seed, split) for family in families}
    queues = {kind: deque(family for family in families if kind in kinds_of(family)) for kind in shares}
    rng = random.Random(f"{seed} {split} {families[0].name}")
    given = dict.fromkeys(shares, 0)

    def is_own(combination: Combination) -> bool:
        return _split_of(combination, seed) == split and not _is_example(combination)

    def unrelated(family: Family) -> str:
        others = [one for one in families if one.name != family.name]
        for _ in count():  # a small family may have no combination in this split
            other = rng.choice(others)
            if is_own(combination := other.combination(rng.randrange(other.combinations))):
                break
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
    """Walk through a split's share of a family's word combinations, shuffled, without EXAMPLES."""
    for index in _shuffled(family.name, family.combinations, seed):
        combination = family.combination(index)
        if not _is_example(combination) and split == _split_of(combination, seed):
            yield combination


@lru_cache(maxsize=256)  # the splits share it
def _shuffled(name: str, combinations: int, seed: int) -> list[int]:
    return random.Random(f"{seed} {name}").sample(range(combinations), min(combinations, COMBINATIONS_PER_FAMILY))


def _split_of(combination: Combination, seed: int) -> str:
    """Return the split of these words, whatever their order, their family, and which of two converses stands for both."""
    words = sorted(min(word.text, word.other or word.text).removeprefix("the ") for word in chain(*combination))
    return SPLITS[int.from_bytes(blake2b(f"{seed} {words}".encode(), digest_size=4).digest()) % len(SPLITS)]


def _is_example(combination: Combination) -> bool:
    words = {text for word in chain(*combination) for text in (word.text, word.other, str(word.same))}
    return any(example <= words for example in EXAMPLES)
