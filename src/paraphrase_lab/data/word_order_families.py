"""The families of constructions of the word_order data set: forms that say the same of the same roles.

The forms of one group share a bag of words; other groups of a family say the same with other words. A `[,]` is a comma that
may be left out. Exchanging the words of two roles changes who did what and keeps the words.
"""

from paraphrase_lab.data import word_order_words as w
from paraphrase_lab.data.word_order_grammar import Family, Group, Words, family


def timed(*forms: str) -> Group:
    """Put the time at the end or at the beginning of each form."""
    return tuple(text for form in forms for text in (f"{form} {{time}}", f"{{time}}[,] {form}"))


def hedged(form: str) -> Group:
    return (f"{{hedge}}[,] {form}", f"{form} {{hedge}}")


def both(one: str, two: str, joint: str = " and ") -> Group:
    return (f"{one}{joint}{two}", f"{two}{joint}{one}")


def _with_and_without_time(
    name: str, swaps: str, words: dict[str, Words], groups: list[str], negated: list[str]
) -> tuple[Family, Family]:
    return (
        family(name, swaps, words, *((form,) for form in groups), negated=[(form,) for form in negated]),
        family(f"{name}_time", swaps, {**words, "time": w.TIMES}, *map(timed, groups), negated=[*map(timed, negated)]),
    )


def _described(name: str, nouns: Words, adjectives: Words) -> tuple[Family, ...]:
    return (
        family(name, "", {"m": nouns, "x": adjectives}, ("the {m} is {x}",),
               negated=[("the {m} is not {x}",), ("the {m} is {x.other}",)]),
        family(f"{name}_degree", "", {"m": nouns, "degree": w.DEGREES, "x": adjectives}, ("the {m} is {degree} {x}",),
               negated=[("the {m} is not {degree} {x}",), ("the {m} is {degree} {x.other}",)]),
        family(f"{name}_pair", "x:y m:n", {"m_n": nouns, "x_y": adjectives}, both("the {m} is {x}", "the {n} is {y}")),
    )  # fmt: skip


FAMILIES: tuple[Family, ...] = (
    family("journey", "a:b", {"who": w.TRAVELLERS, "trip": w.TRIPS, "a_b": w.CITIES},
           ("{who} {trip} from {a} to {b}", "{who} {trip} to {b} from {a}", "from {a}[,] {who} {trip} to {b}"),
           negated=[("{who} did not {trip.base} from {a} to {b}", "{who} did not {trip.base} to {b} from {a}")]),
    family("walk", "a:b", {"who": w.PEOPLE, "trip": w.WALKS, "a_b": w.PLACES, "time": w.TIMES},
           timed("{who} {trip} from the {a} to the {b}", "{who} {trip} to the {b} from the {a}"),
           negated=[timed("{who} did not {trip.base} from the {a} to the {b}")]),
    *_with_and_without_time(
        "gift", "a:b", {"a_b": w.PEOPLE, "gave": w.GIVING, "the": w.DETERMINERS, "thing": w.THINGS},
        ["{a} {gave} {the} {thing} to {b}", "{a} {gave} {b} {the} {thing}", "{b} {gave.other} {the} {thing} from {a}",
         "{the} {thing} was {gave.done} to {b} by {a}"],
        ["{a} did not {gave.base} {the} {thing} to {b}", "{a} did not {gave.base} {b} {the} {thing}"]),
    family("favour", "a:b", {"a": w.SPEAKERS, "b": w.NAMES + w.KIN, "gave": w.GIVING, "the": w.DETERMINERS, "thing": w.THINGS},
           ("{a} {gave} {the} {thing} to {b.me}",), ("{a} {gave} {b.me} {the} {thing}",),
           ("{b} {gave.other} {the} {thing} from {a.me}",),
           negated=[("{a} did not {gave.base} {the} {thing} to {b.me}",), ("{a} did not {gave.base} {b.me} {the} {thing}",)]),
    *_with_and_without_time(
        "deed", "a:b", {"a_b": w.PEOPLE, "did": w.DEEDS}, ["{a} {did} {b}", "{b} was {did.done} by {a}"],
        ["{a} did not {did.base} {b}", "{b} was not {did.done} by {a}"]),
    family("encounter", "a:b", {"a": w.SPEAKERS, "b": w.PEOPLE, "did": w.DEEDS},
           ("{a} {did} {b.me}",), ("{b} was {did.done} by {a.me}",),
           negated=[("{a} did not {did.base} {b.me}",), ("{b} was not {did.done} by {a.me}",)]),
    *_with_and_without_time(
        "hunt", "a:b", {"a_b": w.ANIMALS, "did": w.HUNTING}, ["the {a} {did} the {b}", "the {b} was {did.done} by the {a}"],
        ["the {a} did not {did.base} the {b}", "the {b} was not {did.done} by the {a}"]),
    family("voice", "a:b c:d", {"a_b_c_d": w.NAMES, "did": w.DEEDS},

           both("{a} {did} {b}", "{d} was {did.done} by {c}", ", and ")
           + both("{c} {did} {d}", "{b} was {did.done} by {a}", ", and ")),
    family("adjective", "x:y m:n", {"who": w.TRAVELLERS, "took": w.TAKING, "x_y": w.COLOURS, "m_n": w.THINGS, "time": w.TIMES},
           timed("{who} {took} the {x} {m} and the {y} {n}", "{who} {took} the {y} {n} and the {x} {m}"),
           negated=[timed("{who} did not {took.base} the {x} {m} and the {y} {n}")]),
    family("comparison", "a:b", {"a_b": w.PEOPLE, "quality": w.OPPOSED},
           ("{a} is {quality} than {b}",), ("{b} is {quality.other} than {a}",), ("{b} is not as {quality.base} as {a}",),
           negated=[("{a} is not {quality} than {b}",)]),
    family("opinion", "a:b", {"a_b": w.PEOPLE, "quality": w.OPPOSED, "hedge": w.HEDGES},
           hedged("{a} is {quality} than {b}"), hedged("{b} is {quality.other} than {a}"),
           negated=[hedged("{a} is not {quality} than {b}")]),
    family("speaker", "a:b", {"a": w.SPEAKERS, "b": w.NAMES + w.KIN, "quality": w.OPPOSED},
           ("{a} {a.am} {quality} than {b.me}",), ("{b} {b.am} {quality.other} than {a.me}",),
           negated=[("{a} {a.am} not {quality} than {b.me}",)]),
    family("quality", "m:n", {"m_n": w.THINGS, "quality": w.COMPARED},
           ("the {m} is {quality} than the {n}",), ("the {n} is {quality.other} than the {m}",),
           ("the {n} is not as {quality.base} as the {m}",), negated=[("the {m} is not {quality} than the {n}",)]),
    family("machine", "m:n", {"m_n": w.MACHINES, "quality": w.RACING},
           ("the {m} is {quality} than the {n}",), ("the {n} is {quality.other} than the {m}",),
           ("the {n} is not as {quality.base} as the {m}",), negated=[("the {m} is not {quality} than the {n}",)]),
    family("colour", "x:y", {"x_y": w.COLOURS, "m": w.THINGS, "quality": w.COMPARED},
           ("the {x} {m} is {quality} than the {y} {m}",), ("the {y} {m} is {quality.other} than the {x} {m}",),
           negated=[("the {x} {m} is not {quality} than the {y} {m}",)]),
    family("colour_one", "x:y", {"x_y": w.COLOURS, "m": w.MACHINES, "quality": w.RACING},
           ("the {x} {m} is {quality} than the {y} one",), ("the {y} {m} is {quality.other} than the {x} one",),
           negated=[("the {x} {m} is not {quality} than the {y} one",)]),
    family("attribution", "a:b", {"a_b": w.PEOPLE, "said": w.SAYING, "state": w.STATES},
           ("{a} {said} {b} {state}", "{b} {state}, {a} {said}"), ("{a} {said} that {b} {state}",),
           negated=[("{a} did not {said.base} that {b} {state}",)]),
    family("sequence", "a:b p:q a:b,p:q", {"a_b": w.PEOPLE, "p_q": w.EVENTS},
           ("{a} {p} before {b} {q}", "before {b} {q}, {a} {p}"), ("{b} {q} after {a} {p}", "after {a} {p}, {b} {q}"),
           ("{a} {p}, and then {b} {q}",), ("first {a} {p}, then {b} {q}",)),
    family("routine", "p:q", {"who": w.WHO, "p_q": w.CHORES},
           ("{who} {p} before {who} {q}", "before {who} {q}, {who} {p}"),
           ("{who} {q} after {who} {p}", "after {who} {p}, {who} {q}"),
           ("{who} {p} and then {q}",), ("first {who} {p}, then {who} {q}",)),
    family("cause", "a:b", {"a_b": w.PEOPLE, "p": w.EVENTS, "q": w.STATES},
           ("{a} {p} because {b} {q}", "because {b} {q}, {a} {p}"), ("{b} {q}, so {a} {p}",)),
    family("location", "a:b", {"a_b": w.PLACES, "side": w.SIDES, "city": w.CITIES},
           ("the {a} is {side} the {b} in {city}", "in {city}[,] the {a} is {side} the {b}"),
           ("the {b} is {side.other} the {a} in {city}", "in {city}[,] the {b} is {side.other} the {a}"),
           negated=[("the {a} is not {side} the {b} in {city}", "in {city}[,] the {a} is not {side} the {b}")]),
    family("position", "a:b", {"a_b": w.THINGS, "side": w.SIDES_OF_THINGS},
           ("the {a} is {side} the {b}",), ("the {b} is {side.other} the {a}",), negated=[("the {a} is not {side} the {b}",)]),
    family("title", "a:b", {"a_b": w.NAMES + w.KIN, "title": w.TITLES},
           ("{a} is the {title} of {b}", "the {title} of {b} is {a}"), ("{a} is {b}'s {title}", "{b}'s {title} is {a}"),
           negated=[("{a} is not {b}'s {title}", "{b}'s {title} is not {a}")]),
    family("relation", "a:b", {"a_b": w.NAMES + w.KIN, "title": w.RELATIONS},
           ("{a} is the {title} of {b}", "the {title} of {b} is {a}"), ("{a} is {b}'s {title}", "{b}'s {title} is {a}"),
           ("{b} is {a}'s {title.other}", "{a}'s {title.other} is {b}"),
           negated=[("{a} is not {b}'s {title}", "{b}'s {title} is not {a}")]),
    family("amount", "x:y m:n", {"who": w.PEOPLE, "has": w.HAVING, "x_y": w.NUMBERS, "m_n": w.OWNED},
           ("{who} {has} {x} {m} and {y} {n}", "{who} {has} {y} {n} and {x} {m}")),
    family("number", "", {"who": w.PEOPLE, "has": w.HAVING, "x": w.NUMBERS, "m": w.OWNED}, ("{who} {has} {x} {m}",)),
    family("existence", "", {"x": w.NUMBERS, "m": w.COUNTED, "spot": w.SPOTS},
           ("there are {x} {m} {spot}", "{spot}[,] there are {x} {m}"),
           negated=[("there are not {x} {m} {spot}", "{spot}[,] there are not {x} {m}")]),
    family("things", "x:y m:n s:t", {"x_y": w.NUMBERS, "m_n": w.COUNTED, "s_t": w.SPOTS},
           ("there are {x} {m} {s} and {y} {n} {t}", "there are {y} {n} {t} and {x} {m} {s}")),
    family("hours", "x:y", {"shop": w.OPENING, "x_y": w.HOURS, "time": w.DAYS},
           timed("the {shop} opens at {x} and closes at {y}", "the {shop} closes at {y} and opens at {x}"),
           timed("the {shop} is open from {x} to {y}"),
           negated=[timed("the {shop} is not open from {x} to {y}")]),
    family("schedule", "s:t x:y", {"s_t": w.GATHERINGS, "starts": w.STARTING, "x_y": w.HOURS},
           both("the {s} {starts} at {x}", "the {t} {starts} at {y}")),
    family("clock", "", {"s": w.GATHERINGS, "starts": w.STARTING, "x": w.HOURS, "time": w.EVENINGS},
           (*timed("the {s} {starts} at {x}"), "the {s} {starts} {time} at {x}"),
           negated=[timed("the {s} does not {starts.base} at {x}")]),
    *_described("thing", w.THINGS, w.ADJECTIVES),
    *_described("dish", w.DISHES, w.TASTES),
    *_described("story", w.STORIES, w.IMPRESSIONS),
    *_described("place", w.PLACES, w.VIEWS),
    family("opposite", "", {"m": w.CONTAINERS, "x": w.TWO_SIDED}, ("the {m} is {x}",), ("the {m} is not {x.other}",),
           negated=[("the {m} is not {x}",), ("the {m} is {x.other}",)]),
    family("preference", "x:y", {"who": w.PEOPLE, "x_y": w.FOODS},
           ("{who} prefers {x} to {y}",), ("{who} likes {x} more than {y}",), ("{who} likes {x} better than {y}",),
           negated=[("{who} does not prefer {x} to {y}",)]),
    family("taste", "", {"who": w.PEOPLE, "likes": w.LIKING, "x": w.FOODS}, ("{who} {likes} {x}",),
           negated=[("{who} does not {likes.base} {x}",)]),
    family("wish", "x:y", {"who": w.SUBJECTS, "likes": w.LIKING, "x_y": w.FOODS},
           ("{who} {likes.base} {x} but not {y}",), ("{who} do not {likes.base} {y}, but {who} do {likes.base} {x}",)),
    family("own_taste", "", {"who": w.SUBJECTS, "likes": w.LIKING, "x": w.FOODS}, ("{who} {likes.base} {x}",),
           negated=[("{who} do not {likes.base} {x}",)]),
    family("tastes", "a:b x:y", {"a_b": w.PEOPLE, "likes": w.LIKING, "x_y": w.FOODS},
           both("{a} {likes} {x}", "{b} {likes} {y}")),
    family("activity", "", {"who": w.PEOPLE, "playing": w.DOING}, ("{who} is {playing}",),
           negated=[("{who} is not {playing}",)]),
    family("activities", "a:b p:q", {"a_b": w.PEOPLE, "p_q": w.DOING}, both("{a} is {p}", "{b} is {q}"),
           ("{a} is {p} while {b} is {q}",)),
    family("part", "", {"all": w.PARTS, "people": w.GROUPS, "did": w.ACHIEVING, "time": w.TIMES},
           timed("{all} the {people} {did}")),
    family("crowd", "", {"all": w.CROWDS, "did": w.ACHIEVING, "time": w.TIMES}, timed("{all} {did}")),
    family("task", "", {"who": w.PEOPLE, "task": w.CHORES},
           ("{who} remembered to {task.base}",), ("{who} did not forget to {task.base}",),
           negated=[("{who} forgot to {task.base}",), ("{who} did not remember to {task.base}",)]),
    family("weather", "a:b x:y", {"a_b": w.CITIES, "x_y": w.WEATHERS, "time": w.TIMES},
           timed("it was {x} in {a} and {y} in {b}", "it was {y} in {b} and {x} in {a}")),
    family("climate", "", {"a": w.CITIES, "x": w.WEATHERS, "time": w.TIMES},
           (*timed("it was {x} in {a}"), "in {a}[,] it was {x} {time}"), negated=[timed("it was not {x} in {a}")]),
    family("homes", "a:b x:y", {"a_b": w.PEOPLE, "lives": w.LIVING, "x_y": w.CITIES},
           both("{a} {lives} in {x}", "{b} {lives} in {y}")),
    family("age", "", {"who": w.PEOPLE, "x": w.NUMBERS}, ("{who} is {x} years old",),
           negated=[("{who} is not {x} years old",)]),
    family("kin", "", {"who": w.NAMES + w.WHO[3:5], "a": w.ACQUAINTANCES}, ("{who} is {a}",), negated=[("{who} is not {a}",)]),
    family("plan", "", {"who": w.PEOPLE, "city": w.CITIES, "time": w.COMING}, timed("{who} is going to {city}"),
           timed("{who} will go to {city}"), negated=[timed("{who} is not going to {city}"),
           timed("{who} will not go to {city}")]),
)  # fmt: skip

HELD_OUT_FAMILIES: tuple[Family, ...] = (
    family("cleft", "a:b", {"a_b": w.PEOPLE, "did": w.DEEDS, "time": w.TIMES},
           ("it was {a} who {did} {b} {time}", "it was {b} who {a} {did} {time}"), ("{a} {did} {b} {time}",)),
    family("relative", "a:b", {"a_b": w.ANIMALS, "did": w.HUNTING, "p": w.EVENTS},
           ("the {a} who {did} the {b} {p}",), ("the {a} {did} the {b} and {p}",)),
    family("question", "a:b", {"a_b": w.PEOPLE, "did": w.DEEDS, "time": w.TIMES},
           ("did {a} {did.base} {b} {time}?",), ("was {b} {did.done} by {a} {time}?",)),
    family("belief", "a:b", {"a_b": w.PEOPLE, "quality": w.OPPOSED},
           ("everyone knows that {a} is {quality} than {b}", "{a} is {quality} than {b}, everyone knows that"),
           ("everyone knows that {b} is {quality.other} than {a}",)),
)  # fmt: skip
"""Constructions that train and validation never hold: `test_constructions: held_out` tests on them alone."""
