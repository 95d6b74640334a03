"""The floors of docs/architecture.md, read off the imports: a module imports from its own floor and from those below."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SOURCES = ROOT / "src"
FLOORS: dict[int, tuple[str, ...]] = {
    5: ("cli", "remote", "__main__"),
    4: (
        "train", "outcome", "resuming", "evaluate", "predict", "describe", "compare", "candidates", "common_pairs", "report",
        "studies",
    ),
    3: ("build", "check", "run", "evaluation", "saved_config", "distributed"),
    2: ("data.module", "model.module", "model.inference", "training.callbacks", "training.checkpoints"),
    1: (
        "arms", "aws", "composition", "lab_notes", "trials", "metric_names", "slices", "symmetry", "hardware", "third_party",
        "calibration", "metrics", "export", "runs", "tracking", "plots", "scoring", "data", "model", "training", "statistics",
    ),
    0: ("", "errors", "paths", "schema", "schema_fields"),
}  # fmt: skip
"""Modules and packages of paraphrase_lab; the longest name that fits a module counts. "" is the package itself."""
WITHOUT_CONFIGURATION = ("data", "model", "training", "scoring", "plots")
LAUNCHER, LOCAL_SAGEMAKER = "hydra_plugins.hydra_sagemaker_launcher", "sagemaker_local"
ONLY_IN = {
    "wandb": ("paraphrase_lab.tracking",),
    "boto3": (LAUNCHER, LOCAL_SAGEMAKER, "paraphrase_lab.aws"),
    "botocore": (LAUNCHER, LOCAL_SAGEMAKER, "paraphrase_lab.aws"),
    "sagemaker": (f"{LAUNCHER}._image",),
    "moto": (LOCAL_SAGEMAKER,),
}
HEAVY = ("torch", "numpy", "transformers", "pytorch_lightning", "datasets", "pyarrow", "matplotlib")
LINES_AT_MOST = 250


def module_name(file: Path) -> str:
    parts = file.relative_to(SOURCES).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = {module_name(file): file for file in sorted(SOURCES.rglob("*.py"))}
OURS = [name for name in FILES if name.split(".")[0] == "paraphrase_lab"]


def imports(name: str) -> set[str]:
    """Of a module, those within functions too; of our own packages the submodule where there is one."""
    return set(_imports(ast.parse(FILES[name].read_text(encoding="utf-8")), name))


def _imports(node: ast.AST, name: str) -> Iterator[str]:
    if isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING"):
        children: list[ast.AST] = list(node.orelse)
    else:
        children = list(ast.iter_child_nodes(node))
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    if isinstance(node, ast.ImportFrom):
        package = name if FILES[name].name == "__init__.py" else name.rpartition(".")[0]
        above = ".".join(package.split(".")[: len(package.split(".")) - node.level + 1]) if node.level else ""
        base = ".".join(part for part in (above, node.module) if part)
        for alias in node.names:
            yield f"{base}.{alias.name}" if f"{base}.{alias.name}" in FILES else base
    for child in children:
        yield from _imports(child, name)


def floor(module: str) -> int:
    name = module.removeprefix("paraphrase_lab").removeprefix(".")
    fits = {
        entry: number
        for number, entries in FLOORS.items()
        for entry in entries
        if name == entry or (entry and name.startswith(f"{entry}."))
    }
    assert fits, f"{module} stands on no floor: give it one in FLOORS and in docs/architecture.md"
    return fits[max(fits, key=len)]


@pytest.mark.parametrize("module", OURS)
def test_imports_from_below(module: str) -> None:
    own = floor(module)
    ours = {other for other in imports(module) if other.split(".")[0] == "paraphrase_lab"}
    assert {other: floor(other) for other in ours if floor(other) > own} == {}, f"{module} stands on floor {own}"


def test_the_floors_name_nothing_that_is_gone() -> None:
    names = [f"paraphrase_lab.{entry}".rstrip(".") for entries in FLOORS.values() for entry in entries]
    assert [name for name in names if name not in FILES] == []


def test_no_cycles() -> None:
    graph = {module: {other for other in imports(module) if other in OURS and other != module} for module in OURS}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"import in a circle: {' -> '.join(error.args[1])}")


def test_what_a_module_may_know_of() -> None:
    for module in FILES:
        names = {name.split(".")[0] for name in imports(module)}
        if module.split(".")[1:2] and module.split(".")[1] in WITHOUT_CONFIGURATION:
            assert not names & {"hydra", "omegaconf"}, module
        for library, places in ONLY_IN.items():
            assert library not in names or module.startswith(places), f"{module} imports {library}"
        if module.startswith((LAUNCHER, LOCAL_SAGEMAKER)):
            assert "paraphrase_lab" not in names, f"{module} serves others too"
        if module.startswith("hydra_plugins"):
            ours = {name for name in imports(module) if name.startswith("paraphrase_lab")}
            assert {floor(name) for name in ours} <= {0}, f"{module}: Hydra imports its plugins at every start"


def test_instantiate_is_called_in_one_place() -> None:
    assert [name for name in FILES if "hydra.utils" in imports(name)] == ["paraphrase_lab.build"]


def test_every_module_stands_in_the_architecture() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    named = {word.strip("/") for word in re.findall(r"[\w/]+", text)}
    modules = [name.split(".")[1:] for name in OURS if FILES[name].name != "__init__.py"]
    as_one = ("check", "cli", "plots")  # packages in a line of their own
    written = {"/".join(parts[:1] if parts[0] in as_one else parts) for parts in modules}
    assert written - named == set()


def test_every_module_of_the_launcher_has_its_place() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    text = page.split("## The launcher's modules")[1].split("\n## ")[0]
    named = re.findall(r"\b_*[a-z]\w*", "".join(line.split("|")[2] for line in text.splitlines() if line.startswith("| ")))
    modules = {file.stem for file in (ROOT / "src/hydra_plugins/hydra_sagemaker_launcher").glob("*.py")} - {"__init__"}
    assert modules - set(named) == set()
    assert {name for name in named if name.startswith("_")} <= modules


ANSWERS = [
    ((), 0),
    (("--help",), 0),
    (("--version",), 0),
    *(((verb, "--help"), 0) for verb in ("train", "evaluate", "predict", "report", "study", "data", "check")),
    (("trian",), 2),
    (("train", "+sed=1", "model.hiden=3", "optimizer.lrr=1"), 2),
    (("evaluate", "no/such/run"), 2),
]


@pytest.mark.parametrize(("words", "code"), ANSWERS, ids=[" ".join(words) for words, _ in ANSWERS])
def test_answers_at_once(words: tuple[str, ...], code: int, tmp_path: Path) -> None:
    """Measured: 0.05 s, and 0.5 s where a configuration is composed; a busy machine may take ten times that."""
    script = (
        "import sys\nfrom paraphrase_lab.cli import main\ntry:\n    main()\nexcept SystemExit as end:\n    status = end.code\n"
        f"heavy = [name for name in {HEAVY} if name in sys.modules]\nsys.exit(f'imported {{heavy}}' if heavy else status)"
    )
    started = time.monotonic()
    done = subprocess.run([sys.executable, "-c", script, *words], capture_output=True, text=True, cwd=tmp_path)
    seconds = time.monotonic() - started
    assert done.returncode == code, done.stderr
    assert done.stdout if code == 0 else done.stderr.startswith("paraphrase")
    assert seconds < 5


def test_files_can_be_read_in_one_sitting() -> None:
    lines = {name: len(file.read_text(encoding="utf-8").splitlines()) for name, file in FILES.items()}
    assert {name: count for name, count in lines.items() if count > LINES_AT_MOST} == {}


def test_no_path_of_one_machine() -> None:
    places = ("src", "conf", "experiments", "docs", "scripts")
    files = [file for place in places for file in (ROOT / place).rglob("*") if file.suffix in (".py", ".yaml", ".md")]
    files += [*ROOT.glob("*.md"), ROOT / "Makefile", ROOT / ".ci" / "run", ROOT / "pyproject.toml"]
    # /opt/ml is the same in every training container
    paths = re.compile(r"(?<![\w.])/(?!opt/ml(?![\w-]))(home|Users|root|work|tmp|mnt|opt)/\w+")
    found = [f"{file.relative_to(ROOT)}: {match[0]}" for file in files for match in paths.finditer(file.read_text("utf-8"))]
    assert found == []
