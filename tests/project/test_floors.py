"""The floors of docs/architecture.md, read off the imports: a module imports from its own floor and from those below."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DISTRIBUTION = ROOT / "src" / "hydra-sagemaker-launcher"
"""The launcher and the local SageMaker, with a pyproject of their own."""
LAB, LAUNCHER, LOCAL_SAGEMAKER, PLUGINS = "paraphrase_lab", "hydra_sagemaker", "sagemaker_local", "hydra_plugins"
FLOORS: dict[str, dict[int, tuple[str, ...]]] = {
    LAB: {
        5: ("cli", "remote", "__main__"),
        4: ("train", "lifecycle", "evaluate", "predict", "push", "comparison", "report", "studies"),
        3: ("build", "check"),
        2: (
            "data.module", "model.module", "model.inference", "training.averaging", "training.callbacks",
            "training.checkpoints",
        ),
        1: (
            "configuration", "data", "metrics", "model", "plots", "runs", "runtime", "scoring", "statistics", "tracking",
            "training", "word_order",
        ),
        0: (
            "", "errors", "files", "markdown", "paths", "storage", "configuration.hydra_internals", "configuration.renamed",
            "configuration.later_keys", "configuration.schema", "configuration.schema_fields", "configuration.schema_data",
            "configuration.registration", "configuration.without_effect",
        ),
    },
    LAUNCHER: {
        10: ("search",),
        9: ("api", "cli", "__main__"),
        8: ("sweep",),
        7: ("display",),
        6: ("scheduling",),
        5: ("backends",),
        4: ("aws",),
        3: ("code", "runner"),
        2: ("job",),
        1: ("container", "pricing"),
        0: ("", "settings", "errors", "files", "reports", "secret_names", "secret_forms", "search.settings"),
    },
}  # fmt: skip
"""Modules and folders of a package; the longest name that fits a module counts. "" is the package itself."""
WITHOUT_CONFIGURATION = ("data", "model", "training", "scoring", "plots", "metrics", "statistics")
ONLY_IN = {
    "wandb": ("paraphrase_lab.tracking", "paraphrase_lab.runs.wandb_"),
    "boto3": (LAUNCHER, LOCAL_SAGEMAKER, "paraphrase_lab.runs.s3"),
    "botocore": (LAUNCHER, LOCAL_SAGEMAKER, "paraphrase_lab.runs.s3"),
    "sagemaker": (f"{LAUNCHER}.aws.images",),
    "moto": (LOCAL_SAGEMAKER,),
}
HEAVY = (
    "torch", "numpy", "transformers", "pytorch_lightning", "datasets", "pyarrow", "matplotlib", "wandb", "boto3", "optuna",
)  # fmt: skip
LINES_AT_MOST = 250


def module_name(file: Path) -> str:
    parts = file.relative_to(DISTRIBUTION if file.is_relative_to(DISTRIBUTION) else ROOT / "src").with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = {module_name(file): file for file in sorted((ROOT / "src").rglob("*.py"))}
OURS = [name for name in FILES if name.split(".")[0] in FLOORS]


def imports(name: str) -> set[str]:
    """Return what a module imports, within functions too; of our own packages the submodule where there is one."""
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
    package, _, name = module.partition(".")
    fits = {
        entry: number
        for number, entries in FLOORS[package].items()
        for entry in entries
        if name == entry or (entry and name.startswith(f"{entry}."))
    }
    assert fits, f"{module} stands on no floor: give it one in FLOORS and in docs/architecture.md"
    return fits[max(fits, key=len)]


@pytest.mark.parametrize("module", OURS)
def test_imports_from_below(module: str) -> None:
    own, package = floor(module), module.split(".")[0]
    ours = {other for other in imports(module) if other.split(".")[0] == package}
    assert {other: floor(other) for other in ours if floor(other) > own} == {}, f"{module} stands on floor {own}"


@pytest.mark.parametrize("package", FLOORS)
def test_the_floors_name_nothing_that_is_gone(package: str) -> None:
    names = [f"{package}.{entry}".rstrip(".") for entries in FLOORS[package].values() for entry in entries]
    assert [name for name in names if name not in FILES] == []


def test_no_cycles() -> None:
    graph = {module: {other for other in imports(module) if other in OURS and other != module} for module in OURS}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"import in a circle: {' -> '.join(error.args[1])}")


@pytest.mark.parametrize("package", FLOORS)
def test_no_two_folders_import_each_other(package: str) -> None:
    """Folders on one floor would pass the order of the floors."""
    edges = {
        (module.split(".")[1], other.split(".")[1])
        for module in OURS
        for other in imports(module)
        if module.startswith(f"{package}.") and other.startswith(f"{package}.")
    }
    assert {(one, other) for one, other in edges if one != other and (other, one) in edges} == set()


def test_what_a_module_may_know_of() -> None:
    for module in FILES:
        names = {name.split(".")[0] for name in imports(module)}
        if module.split(".")[1:2] and module.startswith(LAB) and module.split(".")[1] in WITHOUT_CONFIGURATION:
            assert not names & {"hydra", "omegaconf"}, module
        for library, places in ONLY_IN.items():
            assert library not in names or module.startswith(places), f"{module} imports {library}"
        if FILES[module].is_relative_to(DISTRIBUTION):
            assert LAB not in names, f"{module} serves others too"
        if module.startswith(LOCAL_SAGEMAKER):
            of_the_launcher = {name for name in imports(module) if name.split(".")[0] == LAUNCHER}
            shared = {f"{LAUNCHER}.aws.request_limits", f"{LAUNCHER}.aws.local_credentials"}
            assert of_the_launcher <= shared, f"{module} shares the service model and the file of keys, and nothing else"
        if module.startswith(PLUGINS):
            at_start = {name for name in _at_start(module) if name.split(".")[0] in FLOORS}
            assert {floor(name) for name in at_start} <= {0}, f"{module}: Hydra imports its plugins at every start"


def _at_start(module: str) -> set[str]:
    """What a plugin imports outside its functions."""
    tree = ast.parse(FILES[module].read_text(encoding="utf-8"))
    tree.body = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    return set(_imports(tree, module))


def test_instantiate_is_called_in_one_place() -> None:
    assert [name for name in FILES if "hydra.utils" in imports(name)] == ["paraphrase_lab.build"]


def test_what_bends_hydra_stands_in_one_module() -> None:
    """Private names of Hydra and OmegaConf, and what has to be changed in this process for them, break with a release."""
    found = set()
    for name in (name for name in FILES if name.startswith(f"{LAB}.")):
        known = imports(name)
        if any(other.startswith(("hydra._", "omegaconf._")) for other in known):
            found.add(name)
        if {other.split(".")[0] for other in known} & {"hydra", "omegaconf"}:
            tree = ast.walk(ast.parse(FILES[name].read_text(encoding="utf-8")))
            attributes = {ast.unparse(node) for node in tree if isinstance(node, ast.Attribute) and _is_private(node)}
            found |= {name} if attributes else set()
    assert found == {f"{LAB}.configuration.hydra_internals"}


def _is_private(node: ast.Attribute) -> bool:
    own = isinstance(node.value, ast.Name) and node.value.id == "self"
    return re.match(r"_[a-z]|__spec__", node.attr) is not None and node.attr not in ("_fields", "_replace") and not own


@pytest.mark.parametrize("package", FLOORS)
def test_every_room_stands_in_the_architecture(package: str) -> None:
    """Folders and loose modules; what is in a folder is said by its file names."""
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    part = text.split("## The launcher\n")[1].split("\n## ")[0] if package == LAUNCHER else text
    rooms = {name.split(".")[1] for name in OURS if name.startswith(f"{package}.") and name != f"{package}.__main__"}
    assert {room for room in rooms if not re.search(rf"(?<![\w/]){room}\b", part)} == set()


ANSWERS = [
    ((), 0),
    (("--help",), 0),
    (("--version",), 0),
    *(((verb, "--help"), 0) for verb in ("train", "evaluate", "predict", "push", "report", "study", "data", "check")),
    (("trian",), 2),
    (("train", "+sed=1", "model.hiden=3", "optimizer.lrr=1"), 2),
    (("evaluate", "no/such/run"), 2),
]


@pytest.mark.parametrize(("words", "code"), ANSWERS, ids=[" ".join(words) for words, _ in ANSWERS])
def test_answers_at_once(words: tuple[str, ...], code: int, tmp_path: Path) -> None:
    """0.05 s, and 0.5 s where a configuration is composed: what takes seconds to import is not imported."""
    script = (
        "import sys\nfrom paraphrase_lab.cli import main\ntry:\n    main()\nexcept SystemExit as end:\n    status = end.code\n"
        f"heavy = [name for name in {HEAVY} if name in sys.modules]\nsys.exit(f'imported {{heavy}}' if heavy else status)"
    )
    done = subprocess.run([sys.executable, "-c", script, *words], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == code, done.stderr
    assert done.stdout if code == 0 else done.stderr.startswith("paraphrase")


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
