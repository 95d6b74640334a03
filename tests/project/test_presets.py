"""Every file of a pre-trained encoder says what a user has to know before choosing it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from commands import ROOT

ENCODERS = [
    file
    for file in sorted((ROOT / "conf" / "model").glob("*.yaml"))
    if OmegaConf.select(OmegaConf.load(file), "name") is not None
]


@pytest.mark.parametrize("file", ENCODERS, ids=lambda file: file.stem)
def test_the_note_of_an_encoder(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    note = " ".join(line.removeprefix("# ") for line in text.partition("# yaml-language-server")[0].splitlines())
    said = re.match(r"[^;]+, (\d+[MB]) parameters[^;]*; (English|[\d,]+ languages); (MIT|Apache-2\.0)\. ", note)
    assert said and re.search(r"[Rr]ate.*(those of|that of|guess|tried here)", note)
    parameters, languages, licence = said.groups()
    row = f"| `{file.stem}` | {OmegaConf.load(file).name} | {parameters} | {languages.removesuffix(' languages')} | {licence} |"
    assert row in (ROOT / "docs" / "models.md").read_text(encoding="utf-8")
