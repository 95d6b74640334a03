"""The machinery of the word_order data set: families of constructions, their roles and combinations of words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import comb, prod
from typing import NamedTuple


@dataclass(frozen=True)
class Word:
    """A word of a list; `{role}` in a form stands for its text, `{role.base}` for another of its forms."""

    text: str
    base: str = ""
    """The infinitive of a verb, the adjective of a comparative, the singular of a plural."""
    done: str = ""
    """The past participle of a verb."""
    other: str = ""
    """The word of the converse: bought of sold, shorter of taller, closed of open."""
    same: Word | None = None
    """A synonym."""

    def __str__(self) -> str:
        return self.text

    def __hash__(self) -> int:
        return hash(self.text)  # of one string, which keeps it

    @property
    def me(self) -> str:
        """The object form of a pronoun: I, me."""
        return self.base or self.text

    @property
    def am(self) -> str:
        return self.done or "is"


Words = tuple[Word, ...]


def words(listed: str) -> Words:
    """Read `text/base/done/other = synonym, …` with the fields that a word has."""
    found = []
    for entry in listed.split(","):
        word, _, synonym = (part.strip() for part in entry.partition("="))
        text, base, done, other = (word.split("/") + [""] * 3)[:4]
        given = synonym.split("/") if synonym else []
        filled = [*given, *(text, base, done, other)[len(given) :]]  # forms that the synonym does not give are the same
        same = Word(filled[0], filled[1], filled[2], filled[3]) if given else None
        found.append(Word(text, base, done, other, same))
    return tuple(found)


Group = tuple[str, ...]
"""Forms that say the same of the same roles with the same words."""
Combination = tuple[tuple[Word, ...], ...]


class Draw(NamedTuple):
    """Distinct words from one list, one for each role."""

    words: Words
    roles: tuple[str, ...]


class Family(NamedTuple):
    """One construction.

    Each of `swaps` names pairs of roles: exchanging the words of all its pairs gives another meaning. All forms of all groups
    mean the same; a form of `negated` contradicts them.
    """

    name: str
    draws: tuple[Draw, ...]
    swaps: tuple[tuple[tuple[str, str], ...], ...]
    groups: tuple[Group, ...]
    negated: tuple[Group, ...] = ()
    always: tuple[Group, ...] = ()
    """Groups of which every contrast has a form; empty: any of them."""

    @property
    def combinations(self) -> int:
        """The number of unordered sets of content words that the family holds."""
        return prod(comb(len(draw.words), len(draw.roles)) for draw in self.draws)

    def combination(self, index: int) -> Combination:
        """Return the words of combination `index` (0 <= index < combinations), one tuple for each draw."""
        chosen = []
        for words, roles in self.draws:
            index, rank = divmod(index, comb(len(words), len(roles)))
            chosen.append(tuple(words[position] for position in _unrank(rank, len(roles))))
        return tuple(chosen)

    @property
    def keeps_words(self) -> bool:
        """Tell whether there are swaps, and each leaves the words of a sentence the same.

        Not where the two words come from different lists, or one has an 's: "Ben's teacher is Eva", "Eva's teacher is Ben".
        """
        lists = {role: number for number, draw in enumerate(self.draws) for role in draw.roles}
        if any("'s" in form for group in self.groups for form in group):
            return False
        return bool(self.swaps) and all(lists[one] == lists[two] for swap in self.swaps for one, two in swap)

    @property
    def can_reword(self) -> bool:
        return len(self.groups) > 1 or any(word.same for draw in self.draws for word in draw.words)


def _unrank(rank: int, size: int) -> tuple[int, ...]:
    """Return the `rank`-th set of `size` positions in the combinatorial number system: a bijection with 0, 1, 2, …"""
    positions = []
    for left in range(size, 0, -1):
        position = left - 1
        while comb(position + 1, left) <= rank:
            position += 1
        rank -= comb(position, left)
        positions.append(position)
    return tuple(positions)


def family(
    name: str, swaps: str, words: Mapping[str, Words], *groups: Group, negated: Sequence[Group] = (), always: int = 0
) -> Family:
    """`words` maps roles joined by `_` to their list; `a:b p:q a:b,p:q` are three swaps, the last one of two pairs at once.

    `always` counts the first groups of which every contrast has a form; 0: any of them.
    """
    draws = tuple(Draw(choices, tuple(roles.split("_"))) for roles, choices in words.items())
    pairs = tuple(tuple((pair.split(":")[0], pair.split(":")[1]) for pair in swap.split(",")) for swap in swaps.split())
    return Family(name, draws, pairs, groups, tuple(negated), groups[:always])
