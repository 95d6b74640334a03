"""The families of constructions of the word_order data set: forms that say the same of the same roles.

The forms of one group share a bag of words; other groups of a family say the same with other words. A `[,]` is a comma that
may be left out. Exchanging the words of two roles changes who did what and keeps the words.
"""

from paraphrase_lab.word_order import adjectives as a
from paraphrase_lab.word_order import circumstances as c
from paraphrase_lab.word_order import nouns as n
from paraphrase_lab.word_order import verbs as v
from paraphrase_lab.word_order.grammar import Family, Group, Words, family


def timed(*forms: str) -> Group:
    """Put the time at the end or at the beginning of each form."""
    return tuple(text for form in forms for text in (f"{form} {{time}}", f"{{time}}[,] {form}"))


def hedged(form: str) -> Group:
    return (f"{{hedge}}[,] {form}", f"{form}, {{hedge}}")


def both(one: str, two: str, joint: str = " and ") -> Group:
    return (f"{one}{joint}{two}", f"{two}{joint}{one}")


def _with_and_without_time(
    name: str, swaps: str, words: dict[str, Words], groups: list[str], negated: list[str]
) -> tuple[Family, Family]:
    return (
        family(name, swaps, words, *((form,) for form in groups), negated=[(form,) for form in negated]),
        family(f"{name}_time", swaps, {**words, "time": c.TIMES}, *map(timed, groups), negated=[*map(timed, negated)]),
    )


def _described(
    name: str,
    nouns: Words,
    adjectives: Words,
    degrees: Words = a.DEGREES,
    graded: Words = (),
    verb: str = "is",
    the: str = "",
) -> tuple[Family, ...]:
    """`graded`: adjectives that can stand with a degree; all, where there are none."""
    alone, two = {"m": nouns, "x": adjectives}, {"m_n": nouns, "x_y": adjectives}
    by_degree = {"m": nouns, "degree": degrees, "x": graded or adjectives}
    m, n = f"{the}{{m}} {verb}", f"{the}{{n}} {verb}"
    return (
        family(name, "", alone, (f"{m} {{x}}",), negated=[(f"{m} not {{x}}",), (f"{m} {{x.other}}",)]),
        family(f"{name}_degree", "", by_degree, (f"{m} {{degree}} {{x}}",),
               negated=[(f"{m} not {{degree}} {{x}}",), (f"{m} {{degree}} {{x.other}}",)]),
        family(f"{name}_pair", "x:y m:n", two, both(f"{m} {{x}}", f"{n} {{y}}")),
    )  # fmt: skip


def _preferred(name: str, things: Words, liking: Words) -> tuple[Family, ...]:
    likes, wish = {"who": n.PEOPLE, "likes": liking}, {"who": c.SUBJECTS, "likes": liking}
    return (
        family(f"{name}_preference", "x:y", {"who": n.PEOPLE, "x_y": things},
               ("{who} prefers {x} to {y}",), ("{who} likes {x} more than {y}",), ("{who} likes {x} better than {y}",),
               negated=[("{who} does not prefer {x} to {y}",)]),
        family(f"{name}_wish", "x:y", {**wish, "x_y": things},
               ("{who} {likes.base} {x} but not {y}",), ("{who} do not {likes.base} {y}, but {who} do {likes.base} {x}",)),
        family(f"{name}_taste", "", {**likes, "x": things}, ("{who} {likes} {x}",),
               negated=[("{who} does not {likes.base} {x}",)]),
        family(f"{name}_own_taste", "", {**wish, "x": things}, ("{who} {likes.base} {x}",),
               negated=[("{who} do not {likes.base} {x}",)]),
        family(f"{name}_tastes", "a:b x:y", {"a_b": n.PEOPLE, "likes": liking, "x_y": things},
               both("{a} {likes} {x}", "{b} {likes} {y}")),
    )  # fmt: skip


FAMILIES: tuple[Family, ...] = (
    family("journey", "a:b", {"who": n.TRAVELLERS, "trip": v.TRIPS, "a_b": n.CITIES},
           ("{who} {trip} from {a} to {b}", "{who} {trip} to {b} from {a}", "from {a}[,] {who} {trip} to {b}"),
           negated=[("{who} did not {trip.base} from {a} to {b}", "{who} did not {trip.base} to {b} from {a}")]),
    family("journey_time", "a:b", {"who": n.TRAVELLERS, "trip": v.TRIPS, "a_b": n.CITIES, "time": c.TIMES},
           ("{who} {trip} from {a} to {b} {time}", "{time}[,] {who} {trip} from {a} to {b}",
            "{who} {trip} to {b} from {a} {time}", "from {a}[,] {who} {trip} to {b} {time}"),
           negated=[timed("{who} did not {trip.base} from {a} to {b}")]),
    family("walk", "a:b", {"who": n.PEOPLE, "trip": v.WALKS, "a_b": n.PLACES, "time": c.TIMES},
           timed("{who} {trip} from the {a} to the {b}", "{who} {trip} to the {b} from the {a}"),
           negated=[timed("{who} did not {trip.base} from the {a} to the {b}")]),
    *_with_and_without_time(
        "gift", "a:b", {"a_b": n.PEOPLE, "gave": v.GIVING, "the": c.DETERMINERS, "thing": n.GIFTS},
        ["{a} {gave} {the} {thing} to {b}", "{a} {gave} {b} {the} {thing}", "{b} {gave.other} {the} {thing} from {a}",
         "{the} {thing} was {gave.done} to {b} by {a}"],
        ["{a} did not {gave.base} {the} {thing} to {b}", "{a} did not {gave.base} {b} {the} {thing}"]),
    *_with_and_without_time(
        "offer", "a:b", {"a_b": n.PEOPLE, "showed": v.SHOWING, "the": c.DETERMINERS, "thing": n.POSTED},
        ["{a} {showed} {the} {thing} to {b}", "{a} {showed} {b} {the} {thing}",
         "{the} {thing} was {showed.done} to {b} by {a}"],
        ["{a} did not {showed.base} {the} {thing} to {b}", "{a} did not {showed.base} {b} {the} {thing}"]),
    family("favour", "a:b", {"a": n.SPEAKERS, "b": n.NAMES + n.KIN, "gave": v.GIVING, "the": c.DETERMINERS, "thing": n.GIFTS},
           ("{a} {gave} {the} {thing} to {b.me}",), ("{a} {gave} {b.me} {the} {thing}",),
           ("{b} {gave.other} {the} {thing} from {a.me}",),
           negated=[("{a} did not {gave.base} {the} {thing} to {b.me}",), ("{a} did not {gave.base} {b.me} {the} {thing}",)]),
    *_with_and_without_time(
        "deed", "a:b", {"a_b": n.PEOPLE, "did": v.DEEDS}, ["{a} {did} {b}", "{b} was {did.done} by {a}"],
        ["{a} did not {did.base} {b}", "{b} was not {did.done} by {a}"]),
    family("encounter", "a:b", {"a": n.SPEAKERS, "b": n.PEOPLE, "did": v.DEEDS},
           ("{a} {did} {b.me}",), ("{b} was {did.done} by {a.me}",),
           negated=[("{a} did not {did.base} {b.me}",), ("{b} was not {did.done} by {a.me}",)]),
    *_with_and_without_time(
        "hunt", "a:b", {"a_b": n.ANIMALS, "did": v.HUNTING}, ["the {a} {did} the {b}", "the {b} was {did.done} by the {a}"],
        ["the {a} did not {did.base} the {b}", "the {b} was not {did.done} by the {a}"]),
    family("chase", "a:b", {"a_b": n.CHASED, "did": v.CHASING},
           ("the {a} {did} the {b}",), ("the {b} was {did.done} by the {a}",),
           negated=[("the {a} did not {did.base} the {b}",), ("the {b} was not {did.done} by the {a}",)]),
    family("feeling", "a:b", {"a_b": n.PEOPLE, "did": v.FEELINGS}, ("{a} {did} {b}",), ("{b} was {did.done} by {a}",),
           negated=[("{a} did not {did.base} {b}",)]),
    family("voice", "a:b c:d", {"a_b_c_d": n.NAMES, "did": v.DEEDS},

           both("{a} {did} {b}", "{d} was {did.done} by {c}", ", and ")
           + both("{c} {did} {d}", "{b} was {did.done} by {a}", ", and ")),
    family("adjective", "x:y m:n", {"who": n.TRAVELLERS, "took": v.TAKING, "x_y": a.COLOURS, "m_n": n.OBJECTS, "time": c.TIMES},
           timed("{who} {took} the {x} {m} and the {y} {n}", "{who} {took} the {y} {n} and the {x} {m}"),
           negated=[timed("{who} did not {took.base} the {x} {m} or the {y} {n}")]),
    family("comparison", "a:b", {"a_b": n.PEOPLE, "quality": a.OPPOSED},
           ("{a} is {quality} than {b}",), ("{b} is {quality.other} than {a}",), ("{b} is not as {quality.base} as {a}",),
           negated=[("{a} is not {quality} than {b}",)]),
    family("opinion", "a:b", {"a_b": n.PEOPLE, "quality": a.OPPOSED, "hedge": c.HEDGES},
           hedged("{a} is {quality} than {b}"), hedged("{b} is {quality.other} than {a}"),
           negated=[hedged("{a} is not {quality} than {b}")]),
    family("speaker", "a:b", {"a": n.SPEAKERS, "b": n.NAMES + n.KIN, "quality": a.OPPOSED},
           ("{a} {a.am} {quality} than {b.me}",), ("{b} {b.am} {quality.other} than {a.me}",),
           negated=[("{a} {a.am} not {quality} than {b.me}",)]),
    family("quality", "m:n", {"m_n": n.OBJECTS, "quality": a.COMPARED},
           ("the {m} is {quality} than the {n}",), ("the {n} is {quality.other} than the {m}",),
           ("the {n} is not as {quality.base} as the {m}",), negated=[("the {m} is not {quality} than the {n}",)]),
    family("machine", "m:n", {"m_n": n.MACHINES, "quality": a.RACING},
           ("the {m} is {quality} than the {n}",), ("the {n} is {quality.other} than the {m}",),
           ("the {n} is not as {quality.base} as the {m}",), negated=[("the {m} is not {quality} than the {n}",)]),
    family("colour", "x:y", {"x_y": a.COLOURS, "m": n.OBJECTS, "quality": a.COMPARED},
           ("the {x} {m} is {quality} than the {y} {m}",), ("the {y} {m} is {quality.other} than the {x} {m}",),
           negated=[("the {x} {m} is not {quality} than the {y} {m}",)]),
    family("colour_one", "x:y", {"x_y": a.COLOURS, "m": n.MACHINES, "quality": a.RACING},
           ("the {x} {m} is {quality} than the {y} one",), ("the {y} {m} is {quality.other} than the {x} one",),
           negated=[("the {x} {m} is not {quality} than the {y} one",)]),
    family("attribution", "a:b", {"a_b": n.PEOPLE, "said": v.SAYING, "state": a.STATES},
           ("{a} {said} {b} {state}", "{b} {state}, {a} {said}"), ("{a} {said} that {b} {state}",),
           negated=[("{a} did not {said.base} that {b} {state}",)]),
    family("sequence", "a:b p:q a:b,p:q", {"a_b": n.PEOPLE, "p_q": v.EVENTS},
           ("{a} {p} before {b} {q}", "before {b} {q}, {a} {p}"), ("{b} {q} after {a} {p}", "after {a} {p}, {b} {q}"),
           ("{a} {p}, and then {b} {q}",), ("first {a} {p}, then {b} {q}",)),
    family("routine", "p:q", {"who": n.WHO, "p_q": v.CHORES},
           ("{who} {p} before {who} {q}", "before {who} {q}, {who} {p}"),
           ("{who} {q} after {who} {p}", "after {who} {p}, {who} {q}"),
           ("{who} {p} and then {q}",), ("first {who} {p}, then {who} {q}",)),
    family("cause", "a:b", {"a_b": n.PEOPLE, "p": v.REACTIONS, "q": a.REASONS},
           ("{a} {p} because {b} {q}", "because {b} {q}, {a} {p}"), ("{b} {q}, so {a} {p}",)),
    family("location", "a:b", {"a_b": n.PLACES, "side": c.SIDES, "city": n.CITIES},
           ("the {a} is {side} the {b} in {city}", "in {city}[,] the {a} is {side} the {b}"),
           ("the {b} is {side.other} the {a} in {city}", "in {city}[,] the {b} is {side.other} the {a}"),
           negated=[("the {a} is not {side} the {b} in {city}", "in {city}[,] the {a} is not {side} the {b}")]),
    family("position", "a:b", {"a_b": n.OBJECTS, "side": c.SIDES_OF_THINGS},
           ("the {a} is {side} the {b}",), ("the {b} is {side.other} the {a}",), negated=[("the {a} is not {side} the {b}",)]),
    family("height", "a:b", {"a_b": n.HANGING, "side": c.HEIGHTS},
           ("the {a} is {side} the {b}",), ("the {b} is {side.other} the {a}",), negated=[("the {a} is not {side} the {b}",)]),
    family("title", "a:b", {"a_b": n.NAMES, "title": n.TITLES},
           ("{a} is {b}'s {title}", "{b}'s {title} is {a}"),
           negated=[("{a} is not {b}'s {title}", "{b}'s {title} is not {a}")]),
    family("relation", "a:b", {"a_b": n.NAMES, "title": n.RELATIONS},
           ("{a} is {b}'s {title}", "{b}'s {title} is {a}"),
           ("{b} is {a}'s {title.other}", "{a}'s {title.other} is {b}"),
           negated=[("{a} is not {b}'s {title}", "{b}'s {title} is not {a}")]),
    family("amount", "x:y m:n", {"who": n.PEOPLE, "x_y": c.NUMBERS, "m_n": n.OWNED},
           ("{who} has {x} {m} and {y} {n}", "{who} has {y} {n} and {x} {m}")),
    family("number", "", {"who": n.PEOPLE, "x": c.NUMBERS, "m": n.OWNED}, ("{who} has {x} {m}",)),
    family("count", "", {"who": n.PEOPLE, "saw": v.HAVING, "x": c.NUMBERS, "m": n.COUNTED}, ("{who} {saw} {x} {m}",)),
    family("existence", "", {"x": c.NUMBERS, "m": n.COUNTED, "spot": n.SPOTS},
           ("there are {x} {m} {spot}", "{spot}[,] there are {x} {m}")),
    family("things", "x:y m:n s:t", {"x_y": c.NUMBERS, "m_n": n.COUNTED, "s_t": n.SPOTS},
           ("there are {x} {m} {s} and {y} {n} {t}", "there are {y} {n} {t} and {x} {m} {s}")),
    family("hours", "", {"shop": n.OPENING, "x": c.OPENING_HOURS, "y": c.CLOSING_HOURS, "time": c.DAYS[:-1]},
           timed("the {shop} opens at {x} and closes at {y}"), timed("the {shop} is open from {x} to {y}"),
           timed("the {shop} is open between {x} and {y}"),
           negated=[timed("the {shop} is not open from {x} to {y}")]),
    family("schedule", "s:t x:y", {"s_t": n.GATHERINGS, "starts": v.STARTING, "x_y": c.HOURS},
           both("the {s} {starts} at {x}", "the {t} {starts} at {y}")),
    family("clock", "", {"s": n.GATHERINGS, "starts": v.STARTING, "x": c.HOURS, "time": c.EVENINGS},
           (*timed("the {s} {starts} at {x}"), "the {s} {starts} {time} at {x}"),
           negated=[timed("the {s} does not {starts.base} at {x}")]),
    *_described("thing", n.OBJECTS, a.ADJECTIVES, the="the "),
    *_described("dish", n.DISHES, a.TASTES, a.HEAT_DEGREES, a.HEATS, the="the "),
    *_described("story", n.STORIES, a.IMPRESSIONS, verb="was", the="the "),
    *_described("lesson", n.LESSONS, a.DEMANDS, verb="was", the="the "),
    *_described("place", n.PLACES, a.VIEWS, graded=a.LOOKS, the="the "),
    *_described("person", n.NAMES + n.KIN, a.MOODS),
    *_described("former_person", n.NAMES + n.KIN, a.MOODS, verb="was"),
    family("job", "", {"who": n.NAMES + n.KIN, "job": n.POSITIONS}, ("{who} is a {job}",), ("{who} works as a {job}",),
           negated=[("{who} is not a {job}",), ("{who} does not work as a {job}",)]),
    family("price", "", {"m": n.OBJECTS, "x": c.NUMBERS},
           ("the {m} costs {x} dollars",), ("the price of the {m} is {x} dollars",),
           negated=[("the {m} does not cost {x} dollars",)]),
    family("supply", "", {"m": n.STORED, "spot": n.STORES}, ("there is no {m} {spot}", "{spot}[,] there is no {m}"),
           ("there is not any {m} {spot}", "{spot}[,] there is not any {m}"),
           negated=[("there is {m} {spot}", "{spot}[,] there is {m}"),
                    ("there is some {m} {spot}", "{spot}[,] there is some {m}")]),
    family("opposite", "", {"m": n.CONTAINERS, "x": a.TWO_SIDED}, ("the {m} is {x}",), ("the {m} is not {x.other}",),
           negated=[("the {m} is not {x}",), ("the {m} is {x.other}",)]),
    family("condition", "", {"m": n.WASHABLE, "x": a.CONDITIONS}, ("the {m} is {x}",), ("the {m} is not {x.other}",),
           negated=[("the {m} is not {x}",), ("the {m} is {x.other}",)]),
    *_preferred("food", n.FOODS, v.LIKING),
    *_preferred("pastime", n.PASTIMES, v.LIKING),
    *_preferred("pet", n.PETS, v.CARING),
    family("activity", "", {"who": n.PEOPLE, "playing": v.DOING}, ("{who} is {playing}",),
           negated=[("{who} is not {playing}",)]),
    family("activities", "a:b p:q", {"a_b": n.PEOPLE, "p_q": v.DOING}, both("{a} is {p}", "{b} is {q}"),
           ("{a} is {p} while {b} is {q}",)),
    family("part", "", {"all": c.PARTS, "people": n.GROUPS, "did": v.ACHIEVING, "time": c.TIMES},
           timed("{all} the {people} {did}")),
    family("crowd", "", {"all": c.CROWDS, "did": v.ACHIEVING, "time": c.TIMES}, timed("{all} {did}")),
    family("task", "", {"who": n.PEOPLE, "task": v.CHORES},
           ("{who} remembered to {task.base}",), ("{who} did not forget to {task.base}",),
           negated=[("{who} forgot to {task.base}",), ("{who} did not remember to {task.base}",)]),
    family("weather", "a:b x:y", {"a_b": n.CITIES, "x_y": a.WEATHERS, "time": c.DAYTIMES},
           timed("it was {x} in {a} and {y} in {b}", "it was {y} in {b} and {x} in {a}")),
    family("climate", "", {"a": n.CITIES, "x": a.WEATHERS, "time": c.DAYTIMES},
           (*timed("it was {x} in {a}"), "in {a}[,] it was {x} {time}"), negated=[timed("it was not {x} in {a}")]),
    family("homes", "a:b x:y", {"a_b": n.PEOPLE, "lives": v.LIVING, "x_y": n.CITIES},
           both("{a} {lives} in {x}", "{b} {lives} in {y}")),
    family("age", "", {"who": n.NAMES + n.RELATIVES, "x": c.NUMBERS}, ("{who} is {x} years old",),
           negated=[("{who} is not {x} years old",)]),
    family("kin", "", {"who": n.NAMES + n.WHO[3:5], "a": n.ACQUAINTANCES}, ("{who} is {a}",), negated=[("{who} is not {a}",)]),
    family("plan", "", {"who": n.PEOPLE, "city": n.CITIES, "time": c.COMING}, timed("{who} is going to {city}"),
           timed("{who} will go to {city}"), negated=[timed("{who} is not going to {city}"),
           timed("{who} will not go to {city}")]),
)  # fmt: skip

HELD_OUT_FAMILIES: tuple[Family, ...] = (
    family("cleft", "a:b", {"a_b": n.PEOPLE, "did": v.DEEDS, "time": c.TIMES},
           ("it was {a} who {did} {b} {time}", "it was {b} who {a} {did} {time}"), ("{a} {did} {b} {time}",), always=1),
    family("relative", "a:b", {"a_b": n.WORKERS, "did": v.DEEDS, "p": v.REACTIONS},
           ("{a} who {did} {b} {p}",), ("{a} {did} {b} and {p}",), always=1),
    family("question", "a:b", {"a_b": n.PEOPLE, "did": v.DEEDS, "time": c.TIMES},
           ("did {a} {did.base} {b} {time}?",), ("was {b} {did.done} by {a} {time}?",)),
    family("belief", "a:b", {"a_b": n.PEOPLE, "quality": a.OPPOSED},
           ("as everyone knows, {a} is {quality} than {b}", "{a} is {quality} than {b}, as everyone knows"),
           ("as everyone knows, {b} is {quality.other} than {a}",)),
)  # fmt: skip
"""Constructions that train and validation never hold: `test_constructions: held_out` tests on them alone."""
