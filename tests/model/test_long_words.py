"""Training a tokenizer takes the square of the length of a word: no long one reaches it."""

from __future__ import annotations

from paraphrase_lab.model.tokenizer import LONGEST_WORD, without_long_words


def test_long_runs_are_cut_and_other_sentences_stay() -> None:
    sentences = ["a b c " * 500, "=" * 3000, "x" + " " * 3000 + "y", "w" * LONGEST_WORD]
    cut = list(without_long_words(sentences))
    assert "".join(cut) == "".join(sentences)
    assert cut[0] == sentences[0] and cut[-1] == sentences[-1]
    assert max(map(len, cut[1:])) == LONGEST_WORD
