"""Installation in a job: real pip in an interpreter that has nothing but pip, with wheels in a directory as the index."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from container_fixtures import make_wheel
from hydra_sagemaker.code.distributions import pins
from hydra_sagemaker.code.requirements import Requirements, declared
from hydra_sagemaker.code.source import Code
from hydra_sagemaker.errors import LauncherError
from hydra_sagemaker.settings import CodeConf

INSTALL = """\
import sys
from pathlib import Path
from hydra_sagemaker.container.install import install
print("DONE", install(Path(sys.argv[1]), Path(sys.argv[2]), {"secrets": {"INDEX_TOKEN": "index"}, "region": "us-east-1"}))
"""
BOTO3 = """\
import os
def client(service, region_name):
    return type("Client", (), {"get_secret_value": lambda self, SecretId: {"SecretString": os.environ["STORED_" + SecretId]}})()
"""


class Bare(NamedTuple):
    """An interpreter, and the code that a job has unpacked."""

    python: Path
    packages: Path
    root: Path
    index: Path

    def wheel(self, name: str, version: str = "1.0", requires: str = "") -> Path:
        return make_wheel(self.index, name, version, requires)

    def has(self, name: str, version: str, *requires: str) -> None:
        """Make the image have it."""
        folder = self.packages / f"{name}-{version}.dist-info"
        folder.mkdir()
        needs = "".join(f"Requires-Dist: {one}\n" for one in requires)
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needs}", encoding="utf-8")
        (folder / "RECORD").write_text(f"{name}.py,,\n{folder.name}/METADATA,,\n{folder.name}/RECORD,,\n", encoding="utf-8")
        (self.packages / f"{name}.py").touch()

    def install(self, requirements: Requirements, **env: str) -> str:
        """Return what is printed."""
        for name, content in Code(self.root, CodeConf()).extra(requirements).items():
            (self.root / name).parent.mkdir(parents=True, exist_ok=True)
            (self.root / name).write_bytes(content)
        job_dir = self.root / ".job"
        job_dir.mkdir(exist_ok=True)
        pip = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(self.index), "PIP_CONFIG_FILE": os.devnull}
        variables = {"PATH": os.environ["PATH"], "PYTHONPATH": str(self.root / ".launcher/path"), **pip, **env}
        words = [str(self.python), "-c", INSTALL, str(self.root), str(job_dir)]
        return subprocess.run(words, env=variables, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True).stdout

    def installed(self) -> set[str]:
        names = (folder.name.removesuffix(".dist-info") for folder in self.packages.glob("*.dist-info"))
        return {name for name in names if not name.startswith("pip-")}


@pytest.fixture
def bare(tmp_path: Path) -> Iterator[Bare]:
    environment = tmp_path / "environment"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(environment)], check=True)
    (packages,) = environment.glob("lib/python*/site-packages")
    found = importlib.util.find_spec("pip")
    assert found is not None and found.origin is not None
    (packages / "pip").symlink_to(Path(found.origin).parent)
    for name in ("project", "index"):
        (tmp_path / name).mkdir()
    yield Bare(environment / "bin/python", packages, tmp_path / "project", tmp_path / "index")
    shutil.rmtree(environment)


def two_versions(bare: Bare) -> None:
    for version in ("1.0", "2.0"):
        bare.wheel("deep", version)
        bare.wheel("tiny", version, "deep")


def test_the_versions_of_the_submitting_machine(bare: Bare) -> None:
    two_versions(bare)
    assert "DONE tiny installed" in bare.install(Requirements(["tiny"], [], ["deep==1.0", "tiny==1.0", "not-needed==3"]))
    assert bare.installed() == {"tiny-1.0", "deep-1.0"}
    assert "DONE the image satisfies them" in bare.install(Requirements(["tiny"], [], ["deep==1.0", "tiny==1.0"]))
    assert "DONE deep==2.0 installed" in bare.install(Requirements(["tiny"], [], ["deep==2.0", "tiny==1.0"]))
    assert bare.installed() == {"tiny-1.0", "deep-2.0"}
    assert "DONE the image satisfies them" in bare.install(Requirements(["tiny", "--extra-index-url https://no.such/simple"]))


def test_as_pip_chooses(bare: Bare) -> None:
    two_versions(bare)
    bare.install(Requirements(["tiny"]))
    assert bare.installed() == {"tiny-2.0", "deep-2.0"}


def test_what_the_images_torch_needs_comes_first(bare: Bare) -> None:
    two_versions(bare)
    bare.has("torch", "2.9.0", "deep>=2", "tiny>=9; extra == 'more'")
    bare.install(Requirements(["torch>=2.8", "tiny"], [], ["deep==1.0", "tiny==1.0"]))
    assert bare.installed() == {"torch-2.9.0", "tiny-1.0", "deep-2.0"}


def test_a_version_that_the_index_does_not_have(bare: Bare) -> None:
    two_versions(bare)
    said = bare.install(Requirements(["tiny"], [], ["tiny==3.0"]))
    assert "RuntimeError: pip could not install the requirements: ERROR: " in said
    assert said.rstrip().endswith("those of the submitting machine: hydra.launcher.versions=any lets pip choose")
    assert bare.installed() == set()


def sha256(wheel: Path) -> str:
    return hashlib.sha256(wheel.read_bytes()).hexdigest()


def test_hashes_beside_the_launchers_own_additions(bare: Bare) -> None:
    two_versions(bare)
    bare.wheel("hydra_core", "1.3.8")
    deep, tiny = (sha256(bare.index / f"{name}-1.0-py3-none-any.whl") for name in ("deep", "tiny"))
    lines = ["deep==1.0 \\", f"    --hash=sha256:{deep}", f"tiny==1.0 --hash=sha256:{tiny}"]
    assert "DONE " in bare.install(Requirements(lines, ["hydra-core>=1.3.8,<1.4"], ["tiny==2.0"]))
    assert bare.installed() == {"tiny-1.0", "deep-1.0", "hydra_core-1.3.8"}


def test_a_wrong_hash(bare: Bare) -> None:
    bare.wheel("deep")
    said = bare.install(Requirements([f"deep==1.0 --hash=sha256:{'0' * 64}"]))
    assert "THESE PACKAGES DO NOT MATCH THE HASHES" in said and bare.installed() == set()


def write(root: Path, **files: str) -> None:
    for name, text in files.items():
        file = root / f"{name.replace('__', '/')}.txt"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")


def test_constraints_of_an_included_file_are_relative_to_it(bare: Bare) -> None:
    two_versions(bare)
    files = {"requirements": "-r deps/base.txt\n", "deps__base": "-c ../limits/a.txt\ntiny\n"}
    write(bare.root, **files, limits__a="-c b.txt\ntiny<2\n", limits__b="deep<2\n")
    found = declared(bare.root, "auto")
    assert found.lines == ["-c limits/a.txt", "tiny"]
    assert [path.relative_to(bare.root).as_posix() for path in found.needed] == ["limits/a.txt", "limits/b.txt"]
    words = [str(bare.python), "-m", "pip", "install", "--dry-run", "--no-index", "--find-links", str(bare.index)]
    itself = subprocess.run([*words, "-r", "requirements.txt"], cwd=bare.root, capture_output=True, text=True, check=True)
    assert "Would install deep-1.0 tiny-1.0" in itself.stdout
    bare.install(Requirements(found.lines))
    assert bare.installed() == {"tiny-1.0", "deep-1.0"}


def test_links_of_an_included_file_are_relative_to_it(bare: Bare) -> None:
    write(bare.root, requirements="-r deps/base.txt\n", deps__base="--find-links wheels\ntiny\n")
    make_wheel(bare.root / "deps/wheels", "tiny")
    lines = declared(bare.root, "auto").lines
    assert lines == ["--find-links deps/wheels", "tiny"]
    bare.install(Requirements(lines))
    assert bare.installed() == {"tiny-1.0"}


@pytest.mark.parametrize(
    "text, said",
    [
        ("-c gone.txt", "names gone.txt, and there is no "),
        ("-c ../outside.txt", r"is not below the code's root .*: set hydra\.launcher\.code\.root to a directory above both"),
        ("-e ./gone", r"names \./gone, which pip finds from .*, and there is no "),
        ("./gone/tiny-1.0-py3-none-any.whl", r"names \./gone/tiny-1\.0-py3-none-any\.whl, which pip finds from "),
    ],
)
def test_what_requirements_name_has_to_be_there(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "outside.txt").touch()
    write(tmp_path / "project", requirements=text)
    with pytest.raises(LauncherError, match=said):
        declared(tmp_path / "project", "auto")


def test_what_requirements_name_has_to_be_bundled(tmp_path: Path) -> None:
    write(tmp_path, requirements="-c limits.txt\n-e ./own\n./wheels/tiny-1.0-py3-none-any.whl\nnumpy\n", limits="numpy<3\n")
    make_wheel(tmp_path / "wheels", "tiny")
    (tmp_path / "own").mkdir()
    (tmp_path / "own/pyproject.toml").touch()
    code = Code(tmp_path, CodeConf())
    assert code.unbundled_requirements("auto") == []
    (tmp_path / ".gitignore").write_text("wheels/\nlimits.txt\n", encoding="utf-8")
    limits, wheel = Code(tmp_path, CodeConf()).unbundled_requirements("auto")
    assert limits.startswith("the requirements name limits.txt, which is not bundled: .gitignore")
    assert "`git add -f wheels/tiny-1.0-py3-none-any.whl` sends it" in wheel


def test_a_token_is_fetched_before_pip_needs_it(bare: Bare) -> None:
    """boto3, which fetches it, is installed first; the token is in no output."""
    boto3 = bare.wheel("boto3")
    subprocess.run([sys.executable, "-c", REWRITE, str(boto3), BOTO3], check=True)
    private = bare.root.parent / "private-s3cr3t-t0ken"
    make_wheel(private, "tiny")
    lines = [f"--find-links {private.parent}/private-${{INDEX_TOKEN}}", "tiny"]
    said = bare.install(Requirements(lines, ["boto3"]), STORED_index="s3cr3t-t0ken")
    assert "DONE tiny, boto3 installed" in said and bare.installed() == {"tiny-1.0", "boto3-1.0"}
    assert "s3cr3t" not in said and "private-[hydra.launcher.secrets.INDEX_TOKEN]" in said
    assert not [file for file in bare.root.rglob("*") if file.is_file() and b"s3cr3t" in file.read_bytes()]


REWRITE = """\
import sys, zipfile
with zipfile.ZipFile(sys.argv[1]) as archive:
    contents = {name: archive.read(name) for name in archive.namelist()}
with zipfile.ZipFile(sys.argv[1], "w") as archive:
    for name, content in (contents | {"boto3.py": sys.argv[2].encode()}).items():
        archive.writestr(name, content)
"""
"""Gives a wheel another module."""


def test_pins_are_the_versions_of_this_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    packages = {
        "wanted": ("1.5", "deep>=1", ""),
        "deep": ("2.0", "", ""),
        "broken": ("1.0", "", ""),
        "from_a_directory": ("1.0", "deep", '{"url": "file:///here", "dir_info": {}}'),
        "local": ("2.0+cpu", "", ""),
        "unneeded": ("1.0", "", ""),
    }
    for name, (version, requires, url) in packages.items():
        folder = tmp_path / f"{name}-{version}.dist-info"
        folder.mkdir()
        needs = f"Requires-Dist: {requires}\n" if requires else ""
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needs}", encoding="utf-8")
        if url:
            (folder / "direct_url.json").write_text(url, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    lines = [
        "wanted",
        "broken<1",
        "from-a-directory",
        "local",
        "torch",
        "./deep-1.0-py3-none-any.whl",
        "--extra-index-url https://host/simple",
        "absent",
    ]
    assert pins(lines) == ["wanted==1.5"]
    assert pins([*lines[:5], "deep"]) == ["deep==2.0", "wanted==1.5"]
