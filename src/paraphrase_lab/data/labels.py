"""The meaning of labels: 0 (other meaning) or 1 (paraphrase), however a file writes them; and what to type where none fits."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from paraphrase_lab.data.rows import shortened

ZERO_ONE = {"0": 0, "1": 1}
HIDDEN = ("", "-1", "-", "?", "null", "none", "nan", "na", "n/a")
"""Labels that say there is none, as where the answers of a test are kept secret."""
YES_WORDS = {
    "1", "true", "t", "yes", "y", "paraphrase", "paraphrases", "duplicate", "dup", "same", "equivalent", "identical", "similar",
    "match", "positive", "pos", "entailment", "entailed", "semanticallyequivalent", "samemeaning",
}  # fmt: skip
NO_WORDS = {
    "0", "false", "f", "no", "n", "other", "different", "distinct", "unrelated", "negative", "neg", "contradiction", "neutral",
    "dissimilar", "mismatch",
}  # fmt: skip
NLI_NUMBERS = {"0": 1, "1": 0, "2": 0}
NLI_WORDS = {"entailment", "neutral", "contradiction"}
SHOWN_VALUES = 12
CLASS_SHARE = 0.01
"""Share of the rows from which other numbers than 0 and 1 are classes, and no slips."""
_IN_A_KEY = re.compile(r"[A-Za-z0-9_/+.*@ -]")


def label_mapping(given: Mapping[Any, int | None] | None) -> dict[str, int]:
    """Return the mapping with text as keys. YAML reads yes, no, on and true as booleans; a file may write any of them.

    Labels without a meaning, those of pairs to leave out, are not in it.
    """
    mapping = {}
    for key, value in (given or ZERO_ONE).items():
        if value is None:
            continue
        if isinstance(key, bool):
            mapping |= dict.fromkeys(("true", "yes", "on") if key else ("false", "no", "off"), int(value))
        text = re.sub(r"\\u([0-9a-fA-F]{4})", lambda match: chr(int(match[1], 16)), str(key))
        mapping[text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")] = int(value)
    return mapping


def meaning(label: Any, labels: Mapping[str, int]) -> int | None:
    """Return 0 or 1; None for a label that is none. 1, 1.0, "1" and true are one label, and so are `No` and `no`."""
    for name in _names(label):
        if name in labels:
            return labels[name]
    if isinstance(label, str):
        plain = label.strip().casefold()
        found = {value for name, value in labels.items() if name.strip().casefold() == plain}
        return found.pop() if len(found) == 1 else None
    return None


def _names(label: Any) -> list[str]:
    if isinstance(label, bool):
        return [str(label), str(label).lower(), str(int(label))]
    names = [str(label), *([label.strip()] if isinstance(label, str) else [])]
    if isinstance(label, str) and names[-1].lower() in ("true", "false"):
        names.append(str(int(names[-1].lower() == "true")))
    try:
        number = float(names[-1])
        return [*names, str(int(number)), repr(float(int(number)))] if number.is_integer() and abs(number) < 2**53 else names
    except ValueError:
        return names


def shown_label(label: Any) -> str:
    """Return the label as text that fits a line; that of an absent one is empty."""
    return "" if label is None else shortened(label)


def is_hidden(found: Mapping[str, int], labels: Mapping[str, int]) -> bool:
    """Tell whether all labels of a split are absent, or the same word that stands for none and has no meaning in `labels`."""
    if len(found) != 1:
        return False
    (value,) = found
    return value.strip().lower().removesuffix(".0") in HIDDEN and meaning(value, labels) is None


def hidden_labels(found: Mapping[str, int], split: str = "test") -> str:
    """Return the sentence that says so of a split."""
    label, count = next(iter(found.items()))
    return f"all {count:,} labels of {split} are " + (f"hidden ({label!r})" if label else "missing")


def are_more_classes(unfit: Mapping[str, int], found: Counter[str], labels: Mapping[str, int]) -> bool:
    """Tell whether labels beside 0 and 1 are further classes or scores, so that 0 and 1 may mean something else, too."""
    numbers = sum(count for value, count in unfit.items() if _is_number(value) and not _says_none(value, found))
    return labels == ZERO_ONE and numbers >= max(2, CLASS_SHARE * found.total())


def guessed_meaning(value: str) -> int | None:
    """Return the meaning of a label by its word; None where that is unclear."""
    plain = re.sub(r"[\W_]+", "", value.lower())
    number = re.fullmatch(r"\s*([01])\.0*\s*", value)
    plain = number[1] if number else plain
    if plain in YES_WORDS or plain in ("isduplicate", "isparaphrase"):
        return 1
    if plain in NO_WORDS:
        return 0
    opposite = re.fullmatch(r"(?:is)?(?:not|non|no|un|in|dis)(.+)", plain)
    return 0 if opposite and re.sub(r"^(?:an?)(?=.{3})", "", opposite[1]) in YES_WORDS else None


def label_hint(found: Counter[str], labels: Mapping[str, int]) -> str:
    """Return how often each label was found, and the mapping that fits."""
    values = [value for value, _ in found.most_common() if not _says_none(value, found)]
    counts = ", ".join(f"{value!r} ({count:,})" for value, count in found.most_common(SHOWN_VALUES))
    said = f"labels found: {counts}{f' and {len(found) - SHOWN_VALUES:,} others' if len(found) > SHOWN_VALUES else ''}"
    if not values:
        return f"{said}: there are none to train on"
    if len(values) > SHOWN_VALUES or are_scores(values):
        return f"{said}. They look like scores{_scored(values)}"
    if all(meaning(value, labels) is not None for value in values):
        return said  # only absent ones are wrong
    return f"{said}\n{fitting(values)}"


def _scored(values: Sequence[str]) -> str:
    """Return how to make labels of scores, where their scale can be told."""
    numbers = [float(value.replace(",", ".")) for value in values if _is_number(value)]
    if len(numbers) < len(values):
        return ": make labels of them, 0 (other meaning) and 1 (paraphrase)"
    low, high = min(0.0, *numbers), max(numbers)
    high = next((end for end in (1, 5, 10, 100) if high <= end), high)
    scale = f"'data.score_range=[{low:g},{high:g}]' data.positive_from=NUMBER"
    return f": {scale} makes paraphrases of those from NUMBER on, and other meanings of the rest"


def _says_none(value: str, found: Mapping[str, int]) -> bool:
    """Tell whether a label says that there is none; -1 beside 1, and without any 0, is the other class."""
    plain = value.strip().lower()
    others = {_number(other) for other in found if other.strip().lower() not in HIDDEN or _number(other) == "-1"}
    return plain in HIDDEN and not (_number(value) == "-1" and others == {"-1", "1"})


def _number(value: str) -> str:
    return re.sub(r"\.0*$", "", value.strip())


def contradicted_by(labels: Mapping[str, int], found: Mapping[str, int]) -> bool:
    """Tell whether labels that a file holds usually mean the opposite, and it lacks others of the mapping.

    So look 0 and 1 of another file where those of the mapping were classes of NLI.
    """
    values = [value for value in found if meaning(value, labels) is not None]
    used = {name for name in labels if any(meaning(value, {name: 1}) == 1 for value in values)}
    opposite = [value for value in values if guessed_meaning(value) not in (None, meaning(value, labels))]
    return bool(opposite) and used != set(labels)


def _is_number(value: str) -> bool:
    return re.fullmatch(r"\s*-?\d+([.,]\d*)?\s*", value) is not None


def are_scores(values: Sequence[str]) -> bool:
    """Tell whether labels are numbers on a scale: fractions, or whole numbers beyond the three of NLI."""
    numbers = {_number(value) for value in values}
    if not all(map(_is_number, numbers)):
        return False
    return any(not number.lstrip("-").isdigit() for number in numbers) or len(numbers - NLI_NUMBERS.keys() - {"-1"}) > 0


def fitting(values: Sequence[str]) -> str:
    """Return the mapping of all values to type, and what it takes for a paraphrase; both where nothing tells which of two."""
    numbers = {value: _number(value) for value in values}
    if set(numbers.values()) == set(NLI_NUMBERS):
        mapping = {numbers[value]: NLI_NUMBERS[numbers[value]] for value in sorted(values)}
        why = "fits where 0, 1, 2 are entailment, neutral, contradiction: only entailment counts as paraphrase"
        return f"{typed_labels(mapping)} {why}"
    if set(numbers.values()) == {"-1", "1"}:
        return f"{typed_labels({'-1': 0, '1': 1})} fits: -1 is other meaning, 1 is paraphrase"
    guessed = {value: guessed_meaning(value) for value in values}
    if all(one is not None for one in guessed.values()) and set(guessed.values()) == {0, 1}:
        mapping = {value: number for number in (0, 1) for value, one in guessed.items() if one == number and one is not None}
        three = {value.strip().lower() for value in values} >= NLI_WORDS
        why = "of the three labels only entailment counts as paraphrase" if three else "0 is other meaning, 1 is paraphrase"
        return f"{typed_labels(mapping)} fits: {why}"
    known_no = next((value for value, one in guessed.items() if one == 0), None)
    known_yes = next((value for value, one in guessed.items() if one == 1), None)
    ordered = sorted(values, key=lambda value: (value == known_yes, value != known_no, value))
    if len(values) == 2 and (all(map(_is_number, values)) or (known_yes is None and known_no is None)):
        ways = (typed_labels({no: 0, yes: 1}) for no, yes in (ordered, ordered[::-1]))
        return f"{' or '.join(ways)}: 1 is paraphrase, 0 other meaning"
    mapping = typed_labels({value: int(value == ordered[-1]) for value in ordered})
    return f"{mapping} fits where {ordered[-1]!r} is a paraphrase and the others are not (1: paraphrase, 0: other meaning)"


def typed_labels(mapping: Mapping[str, int]) -> str:
    """Return `data.labels={…}` for a shell; other signs than a key may have are written by their number (\\u00e9)."""
    entries = dict.fromkeys(f"{_key(value)}:{meaning}" for value, meaning in mapping.items())
    return f"'data.labels={{{','.join(entries)}}}'"


def _key(value: str) -> str:
    text = value.strip()
    escaped = "".join(
        sign if _IN_A_KEY.fullmatch(sign) or sign == " " else "".join(f"\\u{unit:04x}" for unit in _utf16(sign))
        for sign in text
    )
    return f"\\u{ord(text[0]):04x}{escaped[1:]}" if text.lower() in ("null", "nan", "inf", "-inf") else escaped


def _utf16(sign: str) -> list[int]:
    units = sign.encode("utf-16-be", "surrogatepass")
    return [int.from_bytes(units[place : place + 2], "big") for place in range(0, len(units), 2)]


def names_problem(names: Sequence[str]) -> str:
    """Return what to type where names stored with the numbers 0 and 1 say that they are the other way round; else empty."""
    if [guessed_meaning(name) for name in names] != [1, 0]:
        return ""
    return f"{typed_labels({names[1]: 0, names[0]: 1})} says which is which"
