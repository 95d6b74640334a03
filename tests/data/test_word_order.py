"""word_order: in exchanges of words the words never give the label away, and no word combination is in two splits."""

from __future__ import annotations

import csv
import subprocess
import sys
from collections import Counter
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.sparse import hstack
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression

from generated_pairs import generate
from paraphrase_lab.data.overlap import words_of
from paraphrase_lab.errors import UserError
from paraphrase_lab.word_order import generate as word_order
from paraphrase_lab.word_order.contrasts import WordOrderPair, kinds_of
from paraphrase_lab.word_order.families import FAMILIES, HELD_OUT_FAMILIES
from paraphrase_lab.word_order.generate import EXAMPLES, FLIGHT_WORDS
from paraphrase_lab.word_order.grammar import Draw, Family
from work import lines_executed

FIXTURES = Path(__file__).parents[1] / "fixtures"
SHARES: dict[str, Any] = {"reworded_share": 0.25, "replaced_share": 0.25, "negated_share": 0.1, "unrelated_share": 0.1}
Splits = dict[str, list[WordOrderPair]]


@pytest.fixture(scope="module")
def splits() -> Splits:
    """Exchanges of words alone."""
    return generate(train_pairs=12_000)


@pytest.fixture(scope="module")
def mixed() -> Splits:
    return generate(20_000, 2_000, 2_000, **SHARES)


def words(sentence: str) -> list[str]:
    return sorted(words_of(sentence))


def labels(pairs: list[WordOrderPair]) -> np.ndarray:
    return np.array([pair.label for pair in pairs])


def plain(sentence: str) -> str:
    return " ".join(words_of(sentence))


def test_without_shares_both_sentences_of_every_pair_have_the_same_words(splits: Splits) -> None:
    for pairs in splits.values():
        assert all(words(pair.sentence1) == words(pair.sentence2) and pair.kind == "order" for pair in pairs)


def test_every_family_holds_both_labels_equally(mixed: Splits) -> None:
    counts = Counter((pair.family, pair.kind, pair.label) for pair in mixed["train"])
    assert {family for family, _, _ in counts} == {family.name for family in FAMILIES}
    assert all(counts[family, kind, 0] == counts[family, kind, 1] for family, kind, _ in counts)


def test_the_shares_are_those_of_the_kinds(mixed: Splits) -> None:
    for pairs in mixed.values():
        counts = Counter(pair.kind for pair in pairs)
        given = {kind: counts[kind] / len(pairs) for kind in counts}
        wanted = {name.removesuffix("_share"): share for name, share in SHARES.items()} | {"order": 0.3}
        assert given == pytest.approx(wanted, abs=0.002)


def test_no_sentence_is_in_two_splits(splits: Splits, mixed: Splits) -> None:
    held_out = generate(100, 100, 2_000, test_constructions="held_out", **SHARES)["test"]
    for parts in ({**mixed, "held_out": held_out}, splits):
        seen: dict[object, str] = {}
        for split, pairs in parts.items():
            for pair in pairs:
                for sentence in pair[:2]:
                    assert seen.setdefault(plain(sentence), split) == split, sentence


def test_no_two_splits_share_a_word_combination(splits: Splits) -> None:
    seen: dict[object, str] = {}
    for split, pairs in splits.items():
        for pair in pairs:
            assert seen.setdefault((pair.family, *words(pair.sentence1)), split) == split, pair


def test_the_two_labels_of_a_combination_are_neighbours_and_share_a_sentence(mixed: Splits) -> None:
    pairs = mixed["train"]
    for one, two in zip(pairs[::2], pairs[1::2], strict=True):
        assert {one.label, two.label} == {0, 1} and one.family == two.family and one.kind == two.kind
        assert {plain(text) for text in one[:2]} & {plain(text) for text in two[:2]}


def test_thousands_of_word_combinations(splits: Splits) -> None:
    assert len({(pair.family, *words(pair.sentence1)) for pair in splits["train"]}) > 5_500


def test_every_combination_has_its_own_index() -> None:
    voice = next(family for family in FAMILIES if family.name == "voice")
    family = Family("small", tuple(draw._replace(words=draw.words[:6]) for draw in voice.draws), (), ())
    found = {family.combination(index) for index in range(family.combinations)}
    assert len(found) == family.combinations == 15 * 6
    assert all(len(set(people)) == 4 for people, _ in found)


@pytest.mark.parametrize("family", [*FAMILIES, *HELD_OUT_FAMILIES], ids=lambda family: family.name)
def test_the_forms_of_a_family_hold_its_words(family: Family) -> None:
    """Each form names the roles of its family; those of a group share a bag of words, so that only their order differs."""
    combination = dict(zip((role for draw in family.draws for role in draw.roles), (
        word for draw in family.draws for word in draw.words[: len(draw.roles)]), strict=True))  # fmt: skip
    for group in (*family.groups, *family.negated):
        assert len({tuple(words(form.replace("[,]", "").format_map(combination))) for form in group}) == 1, group
        assert len(set(group)) == len(group)


def test_a_converse_says_the_same_and_other_words_do_not(mixed: Splits) -> None:
    """Worked out by hand for comparisons, presents and times: who is taller, who has it, what came first."""
    opposite = {"taller": "shorter", "older": "younger", "stronger": "weaker", "richer": "poorer"}
    seen: Counter[str] = Counter()
    for pair in mixed["train"]:
        if pair.family in ("comparison", "deed", "sequence") and pair.kind in ("order", "reworded"):
            one, two = (_who(plain(text), opposite) for text in pair[:2])
            if one and two and {one[0], one[2]} == {two[0], two[2]}:  # no synonyms
                assert (one == two) == bool(pair.label), pair
                seen[pair.family] += 1
    assert min(seen[family] for family in ("comparison", "deed", "sequence")) >= 5, seen


def _who(sentence: str, opposite: dict[str, str]) -> tuple[str, str, str] | None:
    """Return (who, does, whom) of the forms that a comparison, a deed or a sequence of events has; None of others."""
    tokens = sentence.split()
    for more, less in opposite.items():
        for word, there in ((more, True), (less, False)):
            if f" is {word} than " in f" {sentence} ":
                one, two = sentence.split(f" is {word} than ")
                return (one, more, two) if there else (two, more, one)
    for joint, there in ((" before ", True), (" after ", False), (" and then ", True)):
        if joint in sentence:
            one, two = sentence.split(joint)
            return (one, "before", two) if there else (two, "before", one)
    if tokens[0] in ("before", "after") or tokens[0] == "first" or " is " in f" {sentence} " or "not as" in sentence:
        return None
    if " was " in f" {sentence} " and " by " in sentence:
        whom, rest = sentence.split(" was ", 1)
        did, who = rest.split(" by ")
        return (who, "did", whom) if did.endswith("ed") else None
    did = next((token for token in tokens if token.endswith("ed") and token != "ted"), None)
    if did is None:
        return None
    who, whom = sentence.split(f" {did} ")
    return (who, "did", whom)


def test_held_out_constructions_are_in_no_other_split(mixed: Splits) -> None:
    given = generate(1_000, 200, 500, test_constructions="held_out", **SHARES)
    names = {family.name for family in HELD_OUT_FAMILIES}
    assert {pair.family for pair in given["test"]} == names
    assert not names & {pair.family for split in ("train", "validation") for pair in given[split]}
    assert given["train"] == mixed["train"][:1_000]
    forms = [form for family in FAMILIES for group in family.groups for form in group]
    assert not any("{" in form and (form.startswith("it was {a} who") or form.endswith("?")) for form in forms)


@pytest.mark.parametrize("name", ["plain_pairs", "plain_pairs_unseen"])
def test_the_plain_pairs_are_no_training_pairs(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The grammar was written with the first ones in sight, the others later by someone who had not read it."""
    with (FIXTURES / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 40 and Counter(row["label"] for row in rows) == {"0": 20, "1": 20}
    asked = {frozenset((plain(row["sentence1"]), plain(row["sentence2"]))) for row in rows}
    near = ("hunt", "chase", "kin", "dish_degree", "story", "opposite", "age")  # all their words, not a sample of them
    monkeypatch.setattr(word_order, "FAMILIES", [family for family in FAMILIES if family.name in near])
    train = generate(12_000, 100, 100, **SHARES)["train"]
    assert len({pair.family for pair in train}) == len(near)
    assert not asked & {frozenset((plain(pair.sentence1), plain(pair.sentence2))) for pair in train}


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: " ".join(sorted(example)))
def test_no_split_holds_the_words_of_an_example(example: frozenset[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Families are narrowed to the words of the example."""

    def only(draw: Draw) -> Draw:
        kept = tuple(word for word in draw.words if {str(word), word.other, str(word.same)} & example)
        return draw._replace(words=kept if len(kept) >= len(draw.roles) else draw.words[: len(draw.roles)])

    tried = 0
    for family in (*FAMILIES, *HELD_OUT_FAMILIES):
        narrow = family._replace(draws=tuple(only(draw) for draw in family.draws))
        if example <= {str(word) for draw in narrow.draws for word in draw.words}:
            found = [one for split in ("train", "validation", "test") for one in word_order._combinations(narrow, 0, split)]
            assert not [one for one in found if example <= set(map(str, chain(*one)))], family.name
            tried += 1
    assert tried


@pytest.mark.parametrize("features", ["words", "overlap"])
def test_a_bag_of_words_is_at_chance(splits: Splits, features: str) -> None:
    counter = CountVectorizer(token_pattern=r"\S+").fit(pair.sentence1 for pair in splits["train"])

    def encode(pairs: list[WordOrderPair]):
        one = counter.transform([pair.sentence1 for pair in pairs])
        two = counter.transform([pair.sentence2 for pair in pairs])
        if features == "words":
            return hstack([one, two]).tocsr()
        shared, total = one.minimum(two).sum(axis=1), one.maximum(two).sum(axis=1)
        lengths = one.sum(axis=1) - two.sum(axis=1)
        return np.asarray(np.hstack([shared, shared / total, lengths]))

    model = LogisticRegression(max_iter=200).fit(encode(splits["train"]), labels(splits["train"]))
    assert model.score(encode(splits["test"]), labels(splits["test"])) == pytest.approx(0.5, abs=0.03)


@pytest.mark.parametrize("position", ["sentence1", "sentence2"])
def test_one_sentence_alone_is_at_chance(splits: Splits, position: str) -> None:
    grams = CountVectorizer(token_pattern=r"\S+", ngram_range=(1, 2), lowercase=False)
    train = grams.fit_transform(getattr(pair, position) for pair in splits["train"])
    test = grams.transform(getattr(pair, position) for pair in splits["test"])
    model = LogisticRegression(C=0.1, max_iter=200).fit(train, labels(splits["train"]))
    assert model.score(test, labels(splits["test"])) == pytest.approx(0.5, abs=0.03)


def test_sentences_are_plain_text_with_a_capital(mixed: Splits) -> None:
    for pair in mixed["train"]:
        for sentence in pair[:2]:
            kept = sentence.removesuffix(".").replace(",", "").replace("'", "").replace(" ", "")
            assert sentence[0].isupper() and kept.isalnum() and "  " not in sentence and " ," not in sentence, sentence


def test_journeys_follow_from_the_construction(mixed: Splits) -> None:
    for pair in mixed["train"]:
        if pair.family == "journey" and pair.kind in ("order", "reworded"):
            roles = [_places(plain(sentence)) for sentence in pair[:2]]
            assert (roles[0] == roles[1]) == bool(pair.label)


def _places(sentence: str) -> tuple[str, str]:
    tokens = sentence.lower().split()
    return tokens[tokens.index("from") + 1], tokens[len(tokens) - 1 - tokens[::-1].index("to") + 1]


def test_the_flight_is_in_the_grammar_and_in_no_split() -> None:
    flight, reverse = "i took a flight from new york to paris", "i took a flight from paris to new york"
    journey = next(family for family in FAMILIES if family.name == "journey")
    there = {"who": "I", "trip": "took a flight", "a": "New York", "b": "Paris"}
    sentences = [plain(form.replace("[,]", "").format_map(there)) for form in journey.groups[0]]
    assert {flight, "from new york i took a flight to paris"} <= set(sentences) and reverse not in sentences
    for split, pairs in generate(30_000, **SHARES).items():
        text = [pair.sentence1 for pair in pairs if pair.family == "journey"]
        assert split != "train" or any("New York" in sentence for sentence in text)
        assert text and not any(all(word.lower() in sentence.lower() for word in FLIGHT_WORDS) for sentence in text)


def test_equal_seeds_give_equal_data_in_another_process() -> None:
    code = (
        "from generated_pairs import generate; import hashlib;"
        "shares = {'unrelated_share': 0.1, 'reworded_share': 0.5};"
        "made = [generate(2_000, 200, 900, 3, test_constructions=one, **shares) for one in ('trained', 'held_out')];"
        "print(hashlib.sha256(repr(made).encode()).hexdigest())"
    )
    runs = [
        subprocess.run([sys.executable, "-c", code], env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
                       capture_output=True, text=True, check=True).stdout
        for seed in ("1", "2")
    ]  # fmt: skip
    assert runs[0] == runs[1]
    assert generate(100, 100, 100, seed=0) != generate(100, 100, 100, seed=1)


def test_a_split_does_not_depend_on_the_size_of_the_others() -> None:
    small, large = generate(100, 300, 300), generate(5_000, 400, 500)
    assert small["validation"] == large["validation"][:300] and small["test"] == large["test"][:300]
    assert small["train"] == large["train"][:100]


def test_more_pairs_than_the_grammar_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(word_order, "FAMILIES", FAMILIES[:1])
    with pytest.raises(UserError, match=r"no test split of 9000 pairs.*\n.*holds \d+ test pairs with these shares"):
        generate(100, 100, test_pairs=9_000)
    with pytest.raises(UserError, match="no train split of 0 pairs"):
        generate(train_pairs=0)


def test_two_negated_sentences_that_mean_the_same_have_the_same_negation(mixed: Splits) -> None:
    """The soup that is not so cold need not be so hot."""
    seen = 0
    for pair in mixed["train"]:
        if pair.kind == "negated" and pair.label and pair.family.endswith("_degree"):
            negated = [" not " in text or "n't " in text for text in pair[:2]]
            assert negated[0] == negated[1], pair
            seen += any(negated)
    assert seen >= 20


def test_another_time_is_one_that_cannot_be_the_same(mixed: Splits) -> None:
    """Yesterday may be a Monday."""
    days = {f"on {day}day" for day in ("mon", "tues", "wednes", "thurs", "fri", "satur", "sun")}
    seen = 0
    for pair in mixed["train"]:
        one, two = (f" {plain(text)} " for text in pair[:2])
        if pair.kind == "replaced" and not pair.label and pair.family.endswith("_time"):
            on_a_day = [any(f" {day} " in text for day in days) for text in (one, two)]
            assert on_a_day[0] == on_a_day[1], pair
            seen += on_a_day[0]
    assert seen >= 20


def test_a_sentence_writes_its_numbers_in_one_way(mixed: Splits) -> None:
    written = {"two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"}
    for pair in mixed["train"]:
        if pair.family in ("amount", "things", "hours"):
            for text in pair[:2]:
                tokens = set(plain(text).split())
                assert not (tokens & written and any(token.isdigit() for token in tokens)), text


def test_no_list_holds_a_word_and_its_synonym() -> None:
    """A replacement by a synonym would be a paraphrase, and the same words could be in two splits."""
    for family in (*FAMILIES, *HELD_OUT_FAMILIES):
        for draw in family.draws:
            texts = [word.text for word in draw.words] + [
                word.same.text for word in draw.words if word.same and word.same.text != word.text
            ]
            assert [text for text, times in Counter(texts).items() if times > 1] == [], family.name


def test_kinds_that_a_split_cannot_have() -> None:
    with pytest.raises(UserError, match="no construction of this test split has pairs of the kind negated\nkinds: order, "):
        generate(100, 100, 100, negated_share=0.1, evaluation_kinds=["negated"], test_constructions="held_out")


def test_every_family_can_be_replaced_and_unrelated() -> None:
    assert all({"replaced", "unrelated"} <= kinds_of(family) for family in (*FAMILIES, *HELD_OUT_FAMILIES))
    assert {"order", "reworded", "negated"} <= kinds_of(FAMILIES[0])
    assert "order" not in kinds_of(next(family for family in FAMILIES if family.name == "favour"))  # I gave him: he gave me


def test_four_times_the_pairs_cost_no_more_than_four_times_the_work() -> None:
    small, large = (lines_executed(lambda: generate(pairs, 100, 100)) for pairs in (500, 2_000))  # noqa: B023
    assert large < 5 * small
