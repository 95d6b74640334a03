"""Helpers for tests that run commands: the command in this process, a tiny run, and the code blocks of the documents."""

from __future__ import annotations

import json
import logging
import os
import random
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from paraphrase_lab.cli import run

ROOT = Path(__file__).resolve().parents[2]
TINY = (
    "model.num_layers=1", "model.hidden_size=16", "model.num_heads=2", "model.batch_size=32", "data.evaluation_limit=100",
    "trainer.max_steps=4", "trainer.precision=32", "trainer.accelerator=cpu",
)  # fmt: skip
FEW_PAIRS = ("data.train_pairs=500", "data.validation_pairs=100", "data.test_pairs=100")
"""Sizes of the data set word_order."""


def paraphrase(*words: str) -> int:
    """Run the command in this process, restore the process, and return the exit code."""
    with _unchanged():
        try:
            return run(list(words))
        except SystemExit as end:  # argparse and Hydra leave this way
            return end.code if isinstance(end.code, int) else int(end.code is not None)


def trained(run: Path, *overrides: str) -> int:
    return paraphrase("train", *TINY, *FEW_PAIRS, f"hydra.run.dir={run}", *overrides)


def record(run: Path) -> dict[str, Any]:
    return json.loads((run / "run.json").read_text(encoding="utf-8"))


@contextmanager
def _unchanged() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level, path, words = list(root.handlers), root.level, list(sys.path), list(sys.argv)
    environment, modules = dict(os.environ), set(sys.modules)
    torch_state, numpy_state, python_state = torch.get_rng_state(), np.random.get_state(), random.getstate()
    try:
        yield
    finally:
        for handler in [handler for handler in root.handlers if handler not in handlers]:
            handler.close()
        root.handlers, root.level = handlers, level
        sys.path[:], sys.argv = path, words
        os.environ.clear()
        os.environ.update(environment)
        torch.set_rng_state(torch_state)
        np.random.set_state(numpy_state)
        random.setstate(python_state)
        for name in set(sys.modules) - modules:  # a researcher's package of one test is not that of the next
            if name.partition(".")[0] == "mylab":
                del sys.modules[name]


class Block(NamedTuple):
    """A fenced block of a document; `file` is the name in the comment at its top, `output` the text block after it."""

    document: str
    language: str
    text: str
    file: str
    output: str

    @property
    def lines(self) -> list[str]:
        """Return the lines that are not empty, without the comment that names the file."""
        return [line for line in self.text.splitlines() if line.strip() and line != f"# {self.file}"]


def documents() -> list[Path]:
    return [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


def blocks(document: Path) -> list[Block]:
    found = re.findall(r"^```(\w*)\n(.*?)^```$", document.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    followers = [*found[1:], ("", "")][: len(found)]
    name = re.compile(r"(?:# @package \S+\n)?# ([\w./]+\.(?:py|yaml))\n")
    return [
        Block(document.name, language, text, match[1] if (match := name.match(text)) else "", after if kind == "text" else "")
        for (language, text), (kind, after) in zip(found, followers, strict=True)
    ]


def write_documented_files(document: Path, directory: Path) -> None:
    for block in blocks(document):
        if block.file:
            file = directory / block.file
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(block.text, encoding="utf-8")
