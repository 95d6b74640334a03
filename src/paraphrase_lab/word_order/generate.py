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

from paraphrase_lab.errors import UserError
from paraphrase_lab.word_order.contrasts import KINDS, WordOrderPair, contrast, drawn, kinds_of
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


def generate_split(
    split: str, size: int, seed: int, shares: Mapping[str, float], kinds: Sequence[str] = (), *, held_out: bool = False
) -> list[WordOrderPair]:
    """Generate `size` pairs of a split, equal for equal arguments on every platform; fewer are the first of more.

    Families take turns, and the two labels of one word combination are neighbours.

    Args:
        shares: of each kind of pair; only their ratio counts.
        kinds: of these alone; empty: of all.
        held_out: of the constructions that no other split has; the kinds that these lack are left out.

    Raises:
        UserError: the split would need more word combinations than the grammar holds, or kinds that its constructions lack.
    """
    families = HELD_OUT_FAMILIES if held_out else FAMILIES
    there = set().union(*map(kinds_of, families))
    asked = [kind for kind in shares if kind in (kinds or shares)]
    wanted = {kind: shares[kind] for kind in asked if kind in there}
    if not wanted:
        raise UserError(
            f"no construction of this {split} split has pairs of the kind {', '.join(asked)}",
            valid=f"kinds: {', '.join(kind for kind in KINDS if kind in there)}",
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
        while True:  # a small family may have no combination in this split
            other = rng.choice(others)
            if is_own(combination := other.combination(rng.randrange(other.combinations))):
                meaning = drawn(other, combination, rng)
                return meaning.sentence(rng.choice(rng.choice(other.groups)), rng, contracted=False)

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
