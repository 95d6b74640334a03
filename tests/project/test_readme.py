"""Every command of the documents: cheap ones are run, trainings are checked instead, `make` targets exist."""

from __future__ import annotations

import csv
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import NamedTuple

import pytest

from commands import ROOT, blocks, documents, paraphrase, write_documented_files
from generated_pairs import generate
from paraphrase_lab.paths import CONF_DIR
from paraphrase_lab.word_order.contrasts import WordOrderPair
from reported_runs import write_reported_sweep

README = ROOT / "README.md"
FIRST_RUN = ROOT / "docs" / "first_run.md"
LINES_AT_MOST, OUTPUT_LINES_AT_MOST = 160, 14
TYPOS = "paraphrase train +sed=1 model.hiden=3 optimizer.lrr=1"
FOR_A_SHELL = ("eval",)
"""First words of lines that are not looked at."""
TYPED_IN_ORDER = "sagemaker.md"
"""The page whose commands tests/sweeps runs in order."""


class Command(NamedTuple):
    document: str
    words: tuple[str, ...]
    output: str
    """The text block that follows a block with this command alone; else empty."""

    @property
    def line(self) -> str:
        return shlex.join(self.words)


def commands() -> list[Command]:
    found = []
    for document in documents():
        if document.name == TYPED_IN_ORDER:
            continue
        for block in blocks(document):
            if block.language in ("bash", "sh", "shell", "console"):
                lines = block.text.replace("\\\n", " ").splitlines()
                typed = [tuple(shlex.split(line.removeprefix("$ "), comments=True)) for line in lines]
                typed = [words for words in typed if words]
                found += [Command(block.document, words, block.output if len(typed) == 1 else "") for words in typed]
    return found


def of(program: str) -> list[Command]:
    return list({command.line: command for command in commands() if command.words[0] == program}.values())


def test_nothing_escapes() -> None:
    programs = {command.words[0] for command in commands()}
    assert programs - {"paraphrase", "make", "python", "pip", *FOR_A_SHELL} == set()
    assert len(of("paraphrase")) > 20 and {command.words[1] for command in of("make")} >= {"demo", "test"}


def test_make_targets_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):.*##", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert {word for command in of("make") for word in command.words[1:] if "=" not in word} <= targets


def test_make_demo_types_what_the_readme_says() -> None:
    dry_run = ["make", "--dry-run", "--assume-old=.venv/.installed", "demo"]
    demo = subprocess.run(dry_run, cwd=ROOT, capture_output=True, text=True, check=True)
    assert "paraphrase train experiment=word_order_tiny hydra.run.dir=runs/demo" in demo.stdout
    assert '"I took a flight from New York to Paris" "I took a flight from Paris to New York"' in demo.stdout


def test_python_commands_name_what_there_is() -> None:
    for command in of("python"):
        assert command.words[1] == "-m" or (ROOT / command.words[1]).is_file(), command


def test_pip_installs_extras_that_exist() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    wanted = [re.fullmatch(r"\.(?:\[(.+)\])?", command.words[-1]) for command in of("pip")]
    assert wanted and all(wanted), of("pip")
    assert {extra for match in wanted if match and match[1] for extra in match[1].split(",")} <= set(extras)


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory, tiny_run: Path) -> Path:
    """Return a directory with the runs, files and packages that the documents name."""
    directory = tmp_path_factory.mktemp("documents")
    write_reported_sweep(directory / "runs" / "depth")
    shutil.copytree(tiny_run, directory / "runs" / "demo")
    for seed in "012":
        shutil.copytree(tiny_run, directory / "runs" / "seeds" / seed)
    (directory / "runs" / "demo" / "run.json").touch()  # the latest
    splits = generate(train_pairs=240, validation_pairs=120, test_pairs=240)
    (directory / "paws").mkdir()
    for split, pairs in splits.items():
        write_pairs(directory / "paws" / f"{split}.tsv", pairs, "\t", ("sentence1", "sentence2", "label"))
    write_pairs(directory / "new.csv", splits["test"][:20], ",", ("sentence1", "sentence2", "label"))
    write_pairs(directory / "pairs.csv", splits["test"], ",", ("sentence1", "sentence2", "label"))
    write_pairs(directory / "questions.csv", splits["test"], ",", ("question", "other", "same"))
    (directory / "roberta-large-directory").mkdir()
    (directory / "roberta-large-directory" / "config.json").write_text("{}")
    write_documented_files(ROOT / "docs" / "extending.md", directory)
    (directory / "mylab" / "__init__.py").touch()
    for name, split in (("triplets.tsv", "train"), ("triplets_test.tsv", "test")):
        rows = [f"{pair.sentence1}\t{pair.sentence2}\tSomething else {number}\n" for number, pair in enumerate(splits[split])]
        (directory / name).write_text("".join(rows), encoding="utf-8")
    return directory


def write_pairs(file: Path, pairs: list[WordOrderPair], delimiter: str, columns: tuple[str, str, str]) -> None:
    with file.open("w", newline="", encoding="utf-8") as handle:
        writer = csv.writer(handle, delimiter=delimiter)
        writer.writerow(columns)
        writer.writerows((pair.sentence1, pair.sentence2, pair.label) for pair in pairs)


def cheap(words: tuple[str, ...]) -> list[str]:
    """Return the command itself where it takes a second, and the check of the same configuration for a training or a study."""
    verb, *rest = words[1:]
    if verb in ("train", "study"):
        rest = [word for word in rest if word not in ("--cfg", "job")]
        return ["check", "--remote", *rest]
    return [verb, *rest]


@pytest.mark.parametrize("command", [c for c in of("paraphrase") if c.line != TYPOS], ids=lambda command: command.line)
def test_commands(
    command: Command, workplace: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(workplace)
    monkeypatch.setenv("PARAPHRASE_CACHE_DIR", str(workplace / "cache"))
    code = paraphrase(*cheap(command.words))
    printed = capsys.readouterr()
    assert code == 0, printed.err
    assert printed.out


def test_the_three_typos_are_answered_as_the_page_shows(capsys: pytest.CaptureFixture[str]) -> None:
    (command,) = [command for command in of("paraphrase") if command.line == TYPOS]
    assert paraphrase(*command.words[1:]) == 2
    assert capsys.readouterr().err == command.output


def test_the_verbs_of_the_table() -> None:
    from paraphrase_lab.cli import VERBS

    assert re.findall(r"^\| `paraphrase (\w+)", README.read_text(encoding="utf-8"), re.MULTILINE) == list(VERBS)


def test_every_experiment_and_data_set_has_its_line() -> None:
    tables = {"experiments/README.md": ROOT / "experiments", "docs/data.md": CONF_DIR / "data"}
    for page, directory in tables.items():
        lines = "\n".join(line for line in (ROOT / page).read_text(encoding="utf-8").splitlines() if line.startswith("|"))
        assert [file.stem for file in directory.rglob("*.yaml") if not re.search(rf"[`\[]{file.stem}[`\]]", lines)] == []


def test_the_readme_is_short() -> None:
    lines = README.read_text(encoding="utf-8").splitlines()
    assert len(lines) <= LINES_AT_MOST
    screen = "\n".join(lines[:22])
    assert all(word in screen for word in ("New York", "make demo", "make test", "<!-- demo output -->"))
    assert [block for block in blocks(README) if block.language == "text" and len(block.lines) > OUTPUT_LINES_AT_MOST] == []


def test_figures_of_the_demo_are_those_of_its_output() -> None:
    """The whole output is in first_run.md; the others quote it."""
    output = next(block.text for block in blocks(FIRST_RUN) if block.language == "text")
    (quoted,) = [block.text for block in blocks(README) if block.language == "text"]
    assert (
        quoted.splitlines()
        == [line for line in output.splitlines() if line in quoted.splitlines()][-len(quoted.splitlines()) :]
    )
    (accuracy,) = set(re.findall(r"│ accuracy +│(?: [\d.]+ │)? ([\d.]+) │ +0.5000", output))
    (seconds,) = re.findall(r"; (\d+) s of training", output)
    for page, figures in {
        "docs/results.md": f"accuracy {100 * float(accuracy):.2f} %",
        "experiments/experiment/word_order_tiny.yaml": f"{100 * float(accuracy):.2f} % accuracy, {seconds} s of training",
    }.items():
        assert figures in (ROOT / page).read_text(encoding="utf-8"), page


@pytest.mark.slow
def test_show_the_configuration(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "paraphrase_lab", "train", "--cfg", "job", "model=roberta_base"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0 and "name: FacebookAI/roberta-base" in done.stdout, done.stderr
