"""The documents name what there is: every key of the configuration, every option of a group, every link."""

from __future__ import annotations

import dataclasses
import re
import subprocess
import sys
from pathlib import Path

import pytest

from commands import ROOT, documents
from paraphrase_lab.configuration.composition import Composer
from paraphrase_lab.configuration.schema import GROUP_BASES, SCHEMAS, TrainConfig

CONFIGURATION = ROOT / "docs" / "configuration.md"
RUN_FOLDERS = {"plots/", "model/", "wandb/", "checkpoints/", "code/", ".job/"}
HIDDEN = ("_target_", "_partial_")
OPEN = ("metrics", "callbacks", "logger", "hydra")
"""Groups whose keys no schema names."""


def keys() -> dict[str, set[str]]:
    """Return for each group all keys that one of its schemas has."""
    bases = {group: [base] for group, base in GROUP_BASES.items()}
    return {
        group: {name for schema in [*schemas.values(), *bases.get(group, [])] for name in names(schema) if name not in HIDDEN}
        for group, schemas in SCHEMAS.items()
    }


def names(schema: type) -> set[str]:
    """Return the names of a schema's keys, those of keys below a key with a dot."""
    found = set()
    for field in dataclasses.fields(schema):
        inner = field.default_factory
        below = names(inner) if isinstance(inner, type) and dataclasses.is_dataclass(inner) else set()
        found |= {f"{field.name}.{name}" for name in below} or {field.name}
    return found


def quoted(text: str) -> set[str]:
    """Return the texts in `…`, outside fenced blocks."""
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
            if match := re.match(r"\+?(\w+\.[a-z_]\w*(?:\.\w+)?)(=.*)?$", text):
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


def pages() -> list[Path]:
    """Return every markdown file of the repository that its site has."""
    patterns = ("*.md", "docs/**/*.md", "experiments/**/*.md", "src/**/*.md")
    return sorted({file for pattern in patterns for file in ROOT.glob(pattern)})


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"^```.*?^```$|`[^`\n]+`", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if link.startswith(("https://", "http://")):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert target.is_relative_to(ROOT), f"{link} leads out of the repository"
        if anchor:
            assert anchor in anchors(target.read_text(encoding="utf-8")), link


def test_links_are_found_at_all() -> None:
    assert len(pages()) > 15
    assert sum(page.read_text(encoding="utf-8").count("](") for page in pages()) > 50


def anchors(text: str) -> set[str]:
    """Return the names that GitHub and the site give to the headings."""
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_modules_named_in_the_architecture_exist() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`((?:[a-z_]+/)+[a-z_]*)`", text)) | set(re.findall(r"(?<=  )[a-z_]+/[a-z_]*(?=  |\n)", text))
    places = [ROOT / "src" / "paraphrase_lab", *(ROOT / "src" / "hydra-sagemaker-launcher").glob("*/")]
    places += [ROOT, ROOT / "src" / "hydra-sagemaker-launcher"]
    found = {name for name in named for place in places if (place / name).exists() or (place / f"{name}.py").exists()}
    assert len(found) > 30
    assert named - found - RUN_FOLDERS == set()


@pytest.mark.slow
def test_the_site_builds(tmp_path: Path) -> None:
    pytest.importorskip("material", reason="mkdocs-material is in the extra docs")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "docs" / "comparing" / "index.html").is_file()
    assert (tmp_path / "docs" / "images" / "report.png").is_file()
    text = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert not re.search(r"<(script|link|img)[^>]+(src|href)=.?https?://(?!example)", text), "the site loads from elsewhere"


def test_the_pictures_are_small() -> None:
    pictures = list((ROOT / "docs" / "images").glob("*.png"))
    assert {picture.name for picture in pictures} == {"compare.png", "report.png"}
    assert all(picture.stat().st_size < 300_000 for picture in pictures)
