"""Finds the distributions that a job will have: all that its requirements reach on this machine, with their versions."""

from __future__ import annotations

import ast
import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import metadata
from pathlib import Path, PurePosixPath

from packaging.markers import default_environment
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename

from hydra_sagemaker.container.install import OF_THE_IMAGE

OF_THE_LAUNCHER = ("hydra_sagemaker", "hydra_plugins", "sagemaker_local")
"""Bundled with the code, or of no use in a job."""
USUALLY_IN_IMAGES = frozenset(
    """
    accelerate awscli boto3 botocore certifi click cloudpickle cython datasets diffusers evaluate fastai fsspec h5py
    huggingface-hub imageio ipython joblib matplotlib mpi4py numba numpy opencv-python packaging pandas peft pillow pip plotly
    protobuf psutil pyarrow pyyaml requests s3fs s3transfer safetensors sagemaker sagemaker-training scikit-learn scipy seaborn
    sentencepiece setuptools shap sympy tokenizers tqdm transformers trl typing-extensions wheel
    """.split()
)
"""The images of AWS for PyTorch and Hugging Face have these: it is not certain that a job lacks one."""


@dataclass
class Reached:
    versions: dict[str, str] = field(default_factory=dict)
    """The installed version of each distribution, by its canonical name."""
    names: set[str] = field(default_factory=set)
    """All that the requirements name, directly or not, whether installed here or not."""
    unfit: set[str] = field(default_factory=set)
    """Distributions whose version here is not one that the requirements allow, or that come from an address."""
    unknown: list[str] = field(default_factory=list)
    """Requirements that name no distribution, as a directory or a URL: what they bring is not known."""


def reached(lines: Sequence[str], *, through_the_image: bool) -> Reached:
    """Follow requirements to everything that they need on this machine.

    `through_the_image` follows torch and its like too: the image has what they need, in versions of its own.
    """
    return _reached(tuple(lines), through_the_image)


@cache
def _reached(lines: tuple[str, ...], through_the_image: bool) -> Reached:
    found = Reached()
    waiting: list[Requirement] = []
    for line in lines:
        parsed = parsed_line(line)
        if isinstance(parsed, Requirement):
            waiting.append(parsed)
        elif parsed is not None:
            found.unknown.append(parsed)
    seen: set[tuple[str, str]] = set()
    while waiting:
        wanted = waiting.pop()
        name = canonicalize_name(wanted.name)
        found.names.add(name)
        if OF_THE_IMAGE.match(name) and not through_the_image:
            continue
        try:
            distribution = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue
        found.versions[name] = distribution.version
        if wanted.url or not wanted.specifier.contains(distribution.version, prereleases=True):
            found.unfit.add(name)
        for extra in {"", *wanted.extras}:
            if (name, extra) in seen:
                continue
            seen.add((name, extra))
            waiting += [
                need for need in _needs(name) if need.marker is None or need.marker.evaluate(_here() | {"extra": extra})
            ]
    return found


@cache
def _here() -> dict[str, str]:
    """Return what markers ask for; for each of them it would be made anew."""
    return {name: str(value) for name, value in default_environment().items()}


def pins(lines: Sequence[str]) -> list[str]:
    """Return constraints of pip that give a job the versions of this machine.

    Left out is what an index may not have: packages installed from a directory, a file or an address, local versions
    (`2.8.0+cpu`), and versions that the requirements themselves do not allow.
    """
    found = reached(lines, through_the_image=False)
    return [
        f"{name}=={version}"
        for name, version in sorted(found.versions.items())
        if name not in found.unfit and "+" not in version and metadata.distribution(name).read_text("direct_url.json") is None
    ]


def parsed_line(line: str) -> Requirement | str | None:
    """Return a line of a requirements file as a requirement, as text where it names no distribution; None for an option."""
    text = re.split(r"\s#|(?<=\S)\s+--", line.strip(), maxsplit=1)[0].rstrip("\\").strip()
    if not text or (text.startswith(("-", "#")) and not re.match(r"(-e|--editable)\b", text)):
        return None
    try:
        return Requirement(text)
    except InvalidRequirement:
        pass
    try:
        name, version, *_ = parse_wheel_filename(PurePosixPath(text).name)
        return Requirement(f"{name}=={version}")
    except InvalidWheelFilename:
        return text


@cache
def _needs(name: str) -> tuple[Requirement, ...]:
    return tuple(Requirement(text) for text in metadata.requires(name) or ())


def imports_of(module: str, files: Mapping[str, str]) -> dict[str, str]:
    """Map the packages that a module imports, directly or through the user's other modules, to the module that names them.

    `files` are the user's own modules by name. Imports in functions do not count, nor do imports that may fail
    (`except ImportError`).
    """
    found: dict[str, str] = {}
    waiting, seen = [module], set()
    while waiting:
        name = waiting.pop()
        if name in seen or name not in files:
            continue
        seen.add(name)
        waiting += [".".join(name.split(".")[:count]) for count in range(1, name.count(".") + 1)]
        is_package = Path(files[name]).name == "__init__.py"
        try:
            tree = ast.parse(Path(files[name]).read_bytes())
        except (OSError, SyntaxError, ValueError):
            continue
        for wanted in _imported(tree.body, name if is_package else name.rpartition(".")[0]):
            waiting += [wanted, wanted.rpartition(".")[0]]
            found.setdefault(wanted.partition(".")[0], name)
    return found


def _imported(body: Sequence[ast.stmt], package: str) -> Iterator[str]:
    for node in body:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parents = package.split(".")
            base = ".".join(parents[: len(parents) - node.level + 1]) if node.level else ""
            source = ".".join(part for part in (base, node.module) if part)
            yield from (f"{source}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.If):
            if "TYPE_CHECKING" not in ast.unparse(node.test):
                yield from _imported(node.body, package)
            yield from _imported(node.orelse, package)
        elif isinstance(node, ast.With | ast.ClassDef):
            yield from _imported(node.body, package)


def missing_in_job(module: str, files: Mapping[str, str], requirements: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return packages that the task imports and that no requirement brings: surely missing ones, and perhaps missing ones."""
    known = reached(requirements, through_the_image=True)
    tops = {name.partition(".")[0] for name in files}
    surely, perhaps = [], []
    for name, by in sorted(imports_of(module, files).items()):
        if name in sys.stdlib_module_names or name in tops or name in OF_THE_LAUNCHER or name not in sys.modules:
            continue
        if canonicalize_name(name) in known.names:
            continue
        brought_by = {canonicalize_name(one) for one in _distributions_of().get(name, ())} or {canonicalize_name(name)}
        if brought_by & known.names or any(OF_THE_IMAGE.match(one) for one in brought_by):
            continue
        sentence = f"{name} ({_version(sorted(brought_by))}), imported by {os.path.basename(files[by])}"
        (perhaps if known.unknown or brought_by & USUALLY_IN_IMAGES else surely).append(sentence)
    return surely, perhaps


@cache
def _distributions_of() -> Mapping[str, list[str]]:
    """Map imported names to distributions; reads the list of files of all, a second."""
    return metadata.packages_distributions()


def _version(names: Sequence[str]) -> str:
    for name in names:
        try:
            return f"{name} {metadata.version(name)}"
        except metadata.PackageNotFoundError:
            continue
    return "of no installed distribution"
