"""Times, numbers, places and other small words of the word_order data set."""

from paraphrase_lab.word_order.adjectives import DEGREES, HEAT_DEGREES
from paraphrase_lab.word_order.grammar import Word, words

TIMES = words(
    "yesterday, today, this morning, last night, on Monday, on Tuesday, on Wednesday, on Thursday, on Friday, on "
    "Saturday, on Sunday, two days ago, this afternoon, yesterday evening"
)
DAYTIMES = tuple(time for time in TIMES if str(time) not in {"last night", "yesterday evening"})
COMING = words(
    "tomorrow, tonight, next week, next year, in June, at noon, on Monday, on Tuesday, on Wednesday, on Thursday, on "
    "Friday, on Saturday, on Sunday, next month, in July, in August"
)
DAYS = words("on Monday, on Tuesday, on Wednesday, on Thursday, on Friday, on Saturday, on Sunday")
EVENINGS = words("tomorrow, tonight") + DAYS
HEDGES = words("of course, in my opinion, as far as I know")
NUMBERS = words(
    "two = 2, three = 3, four = 4, five = 5, six = 6, seven = 7, eight = 8, nine = 9, ten = 10, eleven = 11, twelve = 12,"
    " twenty = 20, fifty = 50, a hundred = 100, thirteen = 13, fifteen = 15, thirty = 30, forty = 40"
)
HOURS = words(
    "one = 1, two = 2, three = 3, four = 4, five = 5, six = 6, seven = 7, eight = 8, nine = 9, ten = 10, eleven = 11, "
    "twelve = 12"
)
OPENING_HOURS = words("seven = 7, eight = 8, nine = 9, ten = 10, eleven = 11")
CLOSING_HOURS = words("one = 1, two = 2, three = 3, four = 4, five = 5, six = 6")
SIDES = words("north of///south of, east of///west of, south of///north of, west of///east of")
SIDES_OF_THINGS = words(
    "behind///in front of, to the left of///to the right of, in front of///behind, to the right of///to the left of"
)
HEIGHTS = words("above///below, below///above")
PARTS = words("all of, some of, most of, none of, half of, two of, three of")
CROWDS = words("everybody = everyone, nobody = no one, somebody = someone")
DETERMINERS = words("the, a")
SUBJECTS = words("I, we, they, you")
ALTERNATIVES = (
    DAYS,
    words("yesterday, today, two days ago"),
    words("this morning, this afternoon, last night"),
    words("tomorrow, tonight"),
    words("next week, next year"),
    words("in June, in July, in August"),
    words("all of, none of, half of"),
    words("some of, none of, all of"),
    words("most of, none of"),
    words("two of, three of"),
)
"""Times and quantities that exclude each other: "on Monday" may be "yesterday", and some are also two."""
KEPT = (DETERMINERS, HEDGES, DEGREES, HEAT_DEGREES)
"""Lists whose words do not change the meaning enough to make a non-paraphrase."""


def others(word: Word, listed: tuple[Word, ...]) -> list[Word]:
    """Return the words of the list that clearly say something else than one of them."""
    sets = [alternatives for alternatives in ALTERNATIVES if set(alternatives) & set(listed)]
    if not sets:
        return [other for other in listed if other != word]
    return [other for other in listed if other != word and any({word, other} <= set(alternatives) for alternatives in sets)]
