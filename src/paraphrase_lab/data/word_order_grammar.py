"""The grammar of the word_order data set: word lists, and families of construction whose forms share a bag of words.

Within a family every form says the same of the same roles, so two forms are paraphrases; exchanging the words of two
roles changes who did what and keeps the words.
"""

from collections.abc import Mapping, Sequence
from math import comb, prod
from typing import NamedTuple

PEOPLE = (
    "Adam", "Alice", "Anna", "Ben", "Bella", "Carl", "Clara", "David", "Diana", "Edward", "Emma", "Eric", "Eva",
    "Felix", "Fiona", "George", "Grace", "Hannah", "Henry", "Ivan", "Jack", "Jane", "Julia", "Karl", "Kate", "Laura",
    "Leo", "Linda", "Lucas", "Maria", "Mark", "Martin", "Nina", "Nora", "Oliver", "Oscar", "Paula", "Peter", "Robert",
    "Rosa", "Sara", "Simon", "Sofia", "Thomas", "Tina", "Victor", "Walter", "Wendy",
)  # fmt: skip
CITIES = (
    "Athens", "Berlin", "Boston", "Cairo", "Chicago", "Delhi", "Dublin", "Geneva", "Lisbon", "London", "Madrid",
    "Milan", "Moscow", "New York", "Oslo", "Paris", "Prague", "Rome", "Seoul", "Sydney", "Tokyo", "Toronto", "Vienna",
    "Warsaw",
)  # fmt: skip
PLACES = (
    "airport", "bakery", "bank", "bridge", "castle", "church", "cinema", "clinic", "factory", "garden", "hospital",
    "hotel", "library", "market", "museum", "office", "palace", "park", "school", "stadium", "station", "temple",
    "theatre", "tower",
)  # fmt: skip
THINGS = (
    "basket", "book", "bottle", "box", "camera", "chair", "coat", "cup", "guitar", "hat", "key", "knife", "lamp",
    "letter", "map", "mirror", "phone", "picture", "plate", "radio", "ring", "table", "ticket", "watch",
)  # fmt: skip
COLOURS = ("black", "blue", "brown", "green", "grey", "pink", "purple", "red", "white", "yellow")
TRAVELLERS = ("I", "we", "they", "he", "she", "you", *PEOPLE[:10])
TRIPS = (
    "took a flight", "took a train", "took a bus", "took a taxi", "drove", "walked", "sailed", "cycled",
    "sent a letter", "made a call", "carried a bag", "rode a horse",
)  # fmt: skip
GIVING = ("gave", "handed", "lent", "sent", "showed", "sold", "brought", "offered")
TAKING = ("bought", "borrowed", "chose", "cleaned", "found", "lost", "sold", "wanted")
DEEDS = (
    "called", "followed", "helped", "hired", "invited", "pushed", "saved", "thanked", "trusted", "visited", "warned",
    "watched",
)  # fmt: skip
TIMES = ("yesterday", "today", "on Monday", "on Friday", "last week", "last night", "in March", "at noon")
QUALITIES = (
    "braver", "calmer", "faster", "kinder", "louder", "older", "poorer", "richer", "shorter", "slower", "stronger",
    "taller",
)  # fmt: skip
SAYING = ("said", "thought", "wrote", "claimed", "believed", "hoped")
STATES = ("was late", "was ill", "was tired", "was angry", "was happy", "was rich", "was right", "was famous")
EVENTS = ("arrived", "left", "slept", "laughed", "cried", "sang", "danced", "waited", "worked", "cooked", "fell", "spoke")
CONJUNCTIONS = ("before", "after", "because")
SIDES = ("above", "behind", "below", "north of", "south of", "east of", "west of", "inside")
TITLES = (
    "boss", "coach", "doctor", "driver", "guest", "guide", "landlord", "lawyer", "nurse", "student", "teacher", "tutor",
)  # fmt: skip


class Draw(NamedTuple):
    """Distinct words from one list, one for each role."""

    words: tuple[str, ...]
    roles: tuple[str, ...]


class Family(NamedTuple):
    """One construction. Each of `swaps` is a set of role pairs whose exchange, at once, changes the meaning."""

    name: str
    draws: tuple[Draw, ...]
    swaps: tuple[tuple[tuple[str, str], ...], ...]
    forms: tuple[str, ...]

    @property
    def combinations(self) -> int:
        """The number of unordered sets of content words that the family holds."""
        return prod(comb(len(draw.words), len(draw.roles)) for draw in self.draws)

    def combination(self, index: int) -> tuple[tuple[str, ...], ...]:
        """Return the words of combination `index` (0 <= index < combinations), one tuple for each draw."""
        chosen = []
        for words, roles in self.draws:
            index, rank = divmod(index, comb(len(words), len(roles)))
            chosen.append(tuple(words[position] for position in _unrank(rank, len(roles))))
        return tuple(chosen)


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


def _family(name: str, swaps: Sequence[str], words: Mapping[str, tuple[str, ...]], forms: tuple[str, ...]) -> Family:
    """`words` maps roles joined by `_` to their list; a swap such as `a:b p:q` exchanges a with b and p with q."""
    draws = tuple(Draw(choices, tuple(roles.split("_"))) for roles, choices in words.items())
    pairs = tuple(tuple((pair.split(":")[0], pair.split(":")[1]) for pair in swap.split()) for swap in swaps)
    return Family(name, draws, pairs, forms)


FAMILIES = (
    _family("journey", ("a:b",), {"who": TRAVELLERS, "trip": TRIPS, "a_b": CITIES}, (
        "{who} {trip} from {a} to {b}",
        "{who} {trip} to {b} from {a}",
        "from {a} {who} {trip} to {b}",
        "to {b} {who} {trip} from {a}",
        "from {a} to {b} {who} {trip}",
        "to {b} from {a} {who} {trip}",
    )),
    _family("gift", ("a:b",), {"a_b": PEOPLE, "gave": GIVING, "thing": THINGS}, (
        "{a} {gave} the {thing} to {b}",
        "{a} {gave} to {b} the {thing}",
        "to {b} {a} {gave} the {thing}",
        "the {thing} {a} {gave} to {b}",
    )),
    _family("active", ("a:b",), {"a_b": PEOPLE, "did": DEEDS, "time": TIMES}, (
        "{a} {did} {b} {time}", "{a} {time} {did} {b}", "{time} {a} {did} {b}",
    )),
    _family("passive", ("a:b",), {"a_b": PEOPLE, "did": DEEDS, "time": TIMES}, (
        "{b} was {did} by {a} {time}",
        "{b} was {did} {time} by {a}",
        "{time} {b} was {did} by {a}",
        "by {a} {b} was {did} {time}",
    )),
    _family("voice", ("a:b", "c:d"), {"a_b_c_d": PEOPLE, "did": DEEDS}, (
        "{a} {did} {b} and {d} was {did} by {c}",
        "{d} was {did} by {c} and {a} {did} {b}",
        "{c} {did} {d} and {b} was {did} by {a}",
        "{b} was {did} by {a} and {c} {did} {d}",
    )),
    _family("cleft", ("a:b",), {"a_b": PEOPLE, "did": DEEDS}, (
        "it was {a} who {did} {b}",
        "it was {b} who {a} {did}",
        "{a} it was who {did} {b}",
        "{b} it was who {a} {did}",
    )),
    _family("adjective", ("x:y", "m:n"), {"who": TRAVELLERS, "took": TAKING, "x_y": COLOURS, "m_n": THINGS}, (
        "{who} {took} the {x} {m} and the {y} {n}",
        "{who} {took} the {y} {n} and the {x} {m}",
        "the {x} {m} and the {y} {n} {who} {took}",
        "the {y} {n} and the {x} {m} {who} {took}",
    )),
    _family("comparison", ("a:b",), {"a_b": PEOPLE, "quality": QUALITIES}, (
        "{a} is {quality} than {b}", "{quality} than {b} is {a}", "than {b} {a} is {quality}",
    )),
    _family("attribution", ("a:b",), {"a_b": PEOPLE, "said": SAYING, "state": STATES}, (
        "{a} {said} {b} {state}", "{b} {state} {a} {said}", "{b} {state} {said} {a}",
    )),
    _family("sequence", ("a:b", "p:q", "a:b p:q"), {"a_b": PEOPLE, "p_q": EVENTS, "joined": CONJUNCTIONS}, (
        "{a} {p} {joined} {b} {q}", "{joined} {b} {q} {a} {p}",
    )),
    _family("location", ("a:b",), {"a_b": PLACES, "side": SIDES, "city": CITIES}, (
        "the {a} is {side} the {b} in {city}",
        "{side} the {b} is the {a} in {city}",
        "in {city} the {a} is {side} the {b}",
        "in {city} {side} the {b} is the {a}",
    )),
    _family("title", ("a:b",), {"a_b": PEOPLE, "title": TITLES}, (
        "{a} is the {title} of {b}", "the {title} of {b} is {a}", "of {b} the {title} is {a}",
    )),
)  # fmt: skip
