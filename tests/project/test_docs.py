"""The documents name what there is: every key of the configuration, every option of a group, every link."""

from __future__ import annotations

import dataclasses
import re

from commands import ROOT, documents
from paraphrase_lab.configuration.composition import Composer
from paraphrase_lab.configuration.schema import GROUP_BASES, SCHEMAS, TrainConfig

CONFIGURATION = ROOT / "docs" / "configuration.md"
HIDDEN = ("_target_", "_partial_")
OPEN = ("metrics", "callbacks", "logger", "hydra")
"""Groups whose keys no schema names."""


def keys() -> dict[str, set[str]]:
    """Of each group, all keys that one of its schemas has."""
    bases = {group: [base] for group, base in GROUP_BASES.items()}
    return {
        group: {
            field.name
            for schema in [*schemas.values(), *bases.get(group, [])]
            for field in dataclasses.fields(schema)
            if field.name not in HIDDEN
        }
        for group, schemas in SCHEMAS.items()
    }


def quoted(text: str) -> set[str]:
    """What stands in `…`, outside fenced blocks."""
    return set(re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE)))


def test_every_key_is_described() -> None:
    described = quoted(CONFIGURATION.read_text(encoding="utf-8"))
    wanted = {f"{group}.{key}" for group, names in keys().items() for key in names}
    wanted |= {field.name for field in dataclasses.fields(TrainConfig)}
    assert wanted - described == set()


def test_every_key_that_is_named_exists() -> None:
    known = {f"{group}.{key}" for group, names in keys().items() for key in names}
    named = {}
    for document in documents():
        for text in quoted(document.read_text(encoding="utf-8")):
            if match := re.match(r"\+?(\w+\.\w+)(=.*)?$", text):
                named[match[1]] = document.name
    groups = {key: place for key, place in named.items() if key.partition(".")[0] in keys()}
    assert len(groups) > 50
    assert {key: place for key, place in groups.items() if key not in known} == {"loss.gama": "extending.md"}


def test_the_options_of_every_group() -> None:
    lines = CONFIGURATION.read_text(encoding="utf-8").split("\n## The run")[0].splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| `")]
    described = {name.strip("`"): options for names, options, _ in rows for name in names.split(", ")}
    with Composer() as composer:
        assert set(described) == set(composer.groups())
        for group in described.keys() - {"experiment", "ablation"}:
            assert sorted(described[group].split(", ")) == sorted(composer.group_options(group)), group


def test_links_lead_somewhere() -> None:
    checked = 0
    for document in documents():
        text = re.sub(r"^```.*?^```$", "", document.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
        for link in re.findall(r"\]\(([^)\s]+)\)", text):
            if link.startswith(("https://", "http://")):
                continue
            path, _, anchor = link.partition("#")
            target = (document.parent / path).resolve() if path else document
            assert target.exists(), f"{document.name}: {link}"
            if anchor:
                assert anchor in anchors(target.read_text(encoding="utf-8")), f"{document.name}: {link}"
            checked += 1
    assert checked > 5


def anchors(text: str) -> set[str]:
    """Of the headings, as GitHub writes them."""
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
