"""Commands that take several runs and then something else: which words are runs."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from paraphrase_lab.errors import UserError
from paraphrase_lab.paths import user_path
from paraphrase_lab.runs.record import FILE_NAME, LATEST, run_directory


def are_labels_typed(overrides: Sequence[str]) -> bool:
    """Tell whether overrides say what the labels of other data mean."""
    return any(text.lstrip("+").startswith("data.labels") for text in overrides)


def is_run(word: str) -> bool:
    return word == LATEST or (user_path(word) / FILE_NAME).is_file()


def runs_and_sentences(arguments: argparse.Namespace, *, from_file: bool) -> tuple[list[str], list[str]]:
    """Return the runs and the sentences among the words of `paraphrase predict`.

    With --pairs or a file every word is a run; else the sentences begin at the first word that is not the directory of one.

    Raises:
        UserError: a word between them is the path of something that is no run, or a sentence has no partner.
    """
    words: list[str] = arguments.words
    if arguments.pairs is not None or from_file:
        further, sentences = words, list[str](arguments.pairs or ())
    else:
        begin = next((place for place, word in enumerate(words) if not is_run(word)), len(words))
        further, sentences = words[:begin], words[begin:]
        first = sentences[0] if sentences else ""
        if " " not in first and "/" in first and (user_path(first).is_dir() or user_path(first).parent.is_dir()):
            run_directory(first)  # says what is missing, and names runs that are there
    if len(sentences) % 2:
        raise UserError(
            f"give an even number of sentences: got {len(sentences)}",
            valid='paraphrase predict RUN "A" "B" ["A" "B" …]; several runs: paraphrase predict RUN RUN --pairs "A" "B"',
        )
    return [arguments.run, *further], sentences


def ensemble_directories(names: Sequence[str]) -> list[Path]:
    """Return the directories of the runs. Raises UserError for one that is not there, or is named twice."""
    directories = [run_directory(name) for name in names]
    places = [directory.resolve() for directory in directories]
    for number, place in enumerate(places):
        if place in places[:number]:
            raise UserError(f"{directories[number]} is named twice", valid="each run of an ensemble once")
    return directories
