"""Contrasts of the word_order data set: a paraphrase and a non-paraphrase with one sentence in common."""

import random
import re
from collections.abc import Callable
from itertools import chain
from typing import NamedTuple

from paraphrase_lab.word_order.circumstances import KEPT, others
from paraphrase_lab.word_order.grammar import Combination, Family, Group, Word

KINDS = ORDER, REWORDED, REPLACED, NEGATED, UNRELATED = "order", "reworded", "replaced", "negated", "unrelated"
SAME_FORM_SHARE = 0.1
"""Share of pairs whose two sentences have the same form: their paraphrases are repeated sentences."""
REWORDED_SHARE = 0.8
"""Share of paraphrases that are reworded, where the kind does not ask for it."""
FULL_STOPS = (("", ""),) * 7 + ((".", "."),) * 2 + ((".", ""), ("", "."))
CONTRACTED = re.compile(r"\b(did|was|is|does|do) not\b")
TRIES = 100


class WordOrderPair(NamedTuple):
    sentence1: str
    sentence2: str
    label: int
    family: str
    kind: str = ORDER
    """How the non-paraphrase of its contrast was made."""


class Meaning(NamedTuple):
    """The words of each role, and those for which their synonyms stand."""

    roles: dict[str, Word]
    synonyms: frozenset[Word] = frozenset()

    def sentence(self, form: str, rng: random.Random, *, contracted: bool) -> str:
        """Write the sentence; where a comma may be left out, `rng` decides, and `contracted` makes "didn't" of "did not"."""
        shown = {role: word.same if word.same and word in self.synonyms else word for role, word in self.roles.items()}
        text = form.replace("[,]", rng.choice((",", ""))).format_map(shown)
        if contracted:
            text = CONTRACTED.sub(r"\1n't", text)
        return text[0].upper() + text[1:]

    def reworded(self, rng: random.Random, *, at_least_one: bool) -> "Meaning":
        """Exchange some words and their synonyms."""
        able = sorted({word for word in self.roles.values() if word.same}, key=lambda word: (word.text, word.base, word.done))
        if not able:
            return self
        chosen = {word for word in able if rng.random() < 0.5} or ({rng.choice(able)} if at_least_one else set())
        numbers = {word for word in able if str(word.same).isdigit()}
        if chosen & numbers:  # nobody writes "two apples and 3 pears"
            chosen |= numbers
        return self._replace(synonyms=self.synonyms ^ chosen)

    def swapped(self, family: Family, rng: random.Random) -> "Meaning":
        roles = dict(self.roles)
        for one, other in rng.choice(family.swaps):
            roles[one], roles[other] = self.roles[other], self.roles[one]
        return self._replace(roles=roles)

    def replaced(self, family: Family, rng: random.Random) -> "Meaning":
        """Put another word of the same list for one."""
        draw = rng.choice([draw for draw in family.draws for _ in draw.roles if draw.words not in KEPT])
        role = rng.choice(draw.roles)
        alternatives = [word for word in others(self.roles[role], draw.words) if word not in self.roles.values()]
        if not alternatives:
            return self
        word = rng.choice(alternatives)
        shown = {word} if self.roles[role] in self.synonyms and word.same else set()  # "5" is replaced by "6", not by "six"
        return Meaning({**self.roles, role: word}, self.synonyms | shown)

    def combination(self, family: Family) -> Combination:
        return tuple(tuple(self.roles[role] for role in draw.roles) for draw in family.draws)


def kinds_of(family: Family) -> set[str]:
    """Return the kinds of contrast that a family can give."""
    can = {
        ORDER: family.keeps_words and any(len(group) > 1 for group in family.groups),
        REWORDED: family.can_reword,
        NEGATED: bool(family.negated),
        REPLACED: True,
        UNRELATED: True,
    }
    return {kind for kind, able in can.items() if able}


def drawn(family: Family, combination: Combination, rng: random.Random) -> Meaning:
    """Give the words of a combination to the roles, and put synonyms for some."""
    roles: dict[str, Word] = {}
    for draw, words in zip(family.draws, combination, strict=True):
        roles.update(zip(draw.roles, rng.sample(words, len(words)), strict=True))
    return Meaning(roles).reworded(rng, at_least_one=False)


def contrast(
    kind: str,
    family: Family,
    meaning: Meaning,
    rng: random.Random,
    *,
    is_own: Callable[[Combination], bool],
    unrelated: Callable[[Family], str],
) -> list[WordOrderPair]:
    """Build the two pairs of a contrast; `is_own` tells whether a combination of words belongs to the split.

    Empty where these words have no synonym to reword them, or no word can be replaced without leaving the split.
    """
    groups = rng.choice((family.groups, family.negated)) if kind == NEGATED else family.always or family.groups
    group = _weighted([one for one in groups if len(one) > 1] if kind == ORDER else groups, rng)
    first = rng.choice(group)
    same, form, other_form = meaning, _another(group, first, rng), _another(group, first, rng)
    if kind == REWORDED or (kind != ORDER and family.can_reword and rng.random() < REWORDED_SHARE):
        same, form = _reworded(family, meaning, group, form, rng)
        if kind == REWORDED and same == meaning and form in group:
            return []
    changed: Meaning | None = meaning
    if kind == ORDER:
        other_form, changed = form, meaning.swapped(family, rng)
    if kind == REWORDED:
        changed = same.swapped(family, rng) if family.swaps else _replaced(family, same, is_own, rng)
        other_form = form if rng.random() < REWORDED_SHARE else first
    if kind == REPLACED:
        other_form, changed = (form if rng.random() < 0.5 else other_form), _replaced(family, meaning, is_own, rng)
    if kind == NEGATED:
        other_form = rng.choice(_weighted(family.negated if group in family.groups else family.groups, rng))
    if changed is None:
        return []
    contracted = [rng.random() < 0.5] * 3 if kind == ORDER else [rng.random() < 0.5 for _ in range(3)]
    common, stops = meaning.sentence(first, rng, contracted=contracted[0]), rng.choice(FULL_STOPS)
    other = unrelated(family) if kind == UNRELATED else changed.sentence(other_form, rng, contracted=contracted[1])
    texts = [(1, same.sentence(form, rng, contracted=contracted[2])), (0, other)]
    pairs = [_pair(common, text, label, stops, rng)._replace(family=family.name, kind=kind) for label, text in texts]
    rng.shuffle(pairs)
    return pairs


def _reworded(family: Family, meaning: Meaning, group: Group, form: str, rng: random.Random) -> tuple[Meaning, str]:
    """Say the same with synonyms, or in a form with other words; two negated forms need not say the same."""
    further = [one for one in family.groups if one is not group] if group in family.groups else []
    elsewhere = bool(further) and rng.random() < 0.8
    form = rng.choice(rng.choice(further)) if elsewhere else form
    same = meaning.reworded(rng, at_least_one=not elsewhere)
    if same == meaning and not elsewhere and further:
        form = rng.choice(rng.choice(further))
    return same, form


def _pair(common: str, text: str, label: int, stops: tuple[str, str], rng: random.Random) -> WordOrderPair:
    one, two = (common, text) if rng.random() < 0.5 else (text, common)
    ends = [text if text.endswith("?") else text + stop for text, stop in zip((one, two), stops, strict=True)]
    return WordOrderPair(ends[0], ends[1], label, family="")


def _weighted(groups: "list[Group] | tuple[Group, ...]", rng: random.Random) -> Group:
    return rng.choice(list(chain(*([group] * len(group) for group in groups))))


def _another(group: Group, form: str, rng: random.Random) -> str:
    others = [other for other in group if other != form]
    return form if not others or rng.random() < SAME_FORM_SHARE else rng.choice(others)


def _replaced(family: Family, meaning: Meaning, is_own: Callable[[Combination], bool], rng: random.Random) -> Meaning | None:
    for _ in range(TRIES):
        found = meaning.replaced(family, rng)
        if found != meaning and is_own(found.combination(family)):
            return found
    return None
