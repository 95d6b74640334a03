"""The files that are bundled: with git and without, links, submodules and ignore files; real repositories."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from hydra_sagemaker.code import bundled_files
from hydra_sagemaker.code.bundled_files import list_files
from hydra_sagemaker.code.root import find_root
from hydra_sagemaker.errors import LauncherError


def write(root: Path, *names: str, text: str = "") -> Path:
    for name in names:
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text or name, encoding="utf-8")
    return root


def git(directory: Path, *words: str) -> None:
    identity = ("-c", "user.name=Ann", "-c", "user.email=ann@example.org", "-c", "protocol.file.allow=always")
    subprocess.run(["git", "-C", str(directory), *identity, *words], check=True, capture_output=True)


def repository(root: Path, *tracked: str) -> Path:
    write(root, *tracked)
    git(root, "init", "--quiet")
    git(root, "add", "--all")
    return root


def listed(root: Path, exclude: Sequence[str] = ()) -> list[str]:
    return [str(path) for path in list_files(root, exclude=exclude)]


@pytest.fixture
def without_git(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "no-binaries").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "no-binaries"))


def test_root_is_the_top_of_the_repository(tmp_path: Path) -> None:
    root = repository(tmp_path / "project with a space", "src/deep/train.py")
    assert find_root(root / "src" / "deep") == root.resolve()


def test_root_without_repository_or_git(tmp_path: Path, without_git: None) -> None:
    repository_without_binary = tmp_path / "project" / "src"
    (repository_without_binary / ".git").mkdir(parents=True)
    assert find_root(repository_without_binary) == repository_without_binary.resolve()


def test_root_where_there_is_no_repository(tmp_path: Path) -> None:
    assert find_root(tmp_path) == tmp_path.resolve()


def test_git_tracked_and_untracked_but_neither_ignored_nor_deleted(tmp_path: Path) -> None:
    root = repository(tmp_path, "train.py", "src/model.py", "gone.py", "kept.log")
    write(root, ".gitignore", text="*.log\nruns/\n")
    write(root, "new.py", "run.log", "runs/1/metrics.csv", "with\nnewline.py", "häßlich.py")
    (root / "gone.py").unlink()
    assert listed(root) == sorted(
        [".gitignore", "häßlich.py", "kept.log", "new.py", "src/model.py", "train.py", "with\nnewline.py"]
    )
    assert [str(path) for path in list_files(root / "src")] == ["model.py"]


def test_caches_that_git_does_not_ignore(tmp_path: Path) -> None:
    """Outputs would change the code's identity after the first run. What git tracks under such a name is the user's."""
    root = repository(tmp_path, "train.py", "venv/tracked.py")
    write(
        root,
        "__pycache__/train.cpython-311.pyc",
        ".venv/lib/torch.py",
        "venv/new.py",
        "a/.pytest_cache/x",
        "a.egg-info/PKG-INFO",
    )
    assert listed(root) == ["train.py", "venv/tracked.py"]


@pytest.mark.parametrize("with_git", [True, False])
@pytest.mark.parametrize("mark", ["pyvenv.cfg", "conda-meta/history"])
def test_virtual_environments_of_any_name(tmp_path: Path, with_git: bool, mark: str) -> None:
    """A fresh project has its environment beside the code, and no .gitignore yet."""
    root = repository(tmp_path, "train.py") if with_git else write(tmp_path, "train.py")
    write(root, f"v/{mark}", "v/lib/python3.13/site-packages/torch/__init__.py", "vocabulary/a.txt", f"tools/env/{mark}")
    (root / "v/bin").mkdir()
    (root / "v/bin/python").symlink_to("/usr/bin/python3")
    assert listed(root) == ["train.py", "vocabulary/a.txt"]


def test_an_environment_that_git_tracks_is_sent(tmp_path: Path) -> None:
    assert listed(repository(tmp_path, "train.py", "fixture/pyvenv.cfg")) == ["fixture/pyvenv.cfg", "train.py"]


def test_git_hook_variables_do_not_mislead(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = repository(tmp_path / "other", "other.py")
    root = repository(tmp_path / "mine", "mine.py")
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(other))
    assert find_root(root) == root.resolve()
    assert listed(root) == ["mine.py"]


def test_submodules_and_repositories_within(tmp_path: Path) -> None:
    library = repository(tmp_path / "library", "library.py")
    git(library, "commit", "--quiet", "--message", "first")
    root = repository(tmp_path / "project", "train.py")
    git(root, "submodule", "--quiet", "add", str(library), "third/library")
    write(root, "third/library/changed.py")
    repository(root / "clone", "inner.py")
    (root / "clone" / ".gitignore").write_text("*.bin\n")
    write(root, "clone/big.bin")
    assert listed(root) == [
        ".gitmodules", "clone/.gitignore", "clone/inner.py", "third/library/changed.py", "third/library/library.py", "train.py",
    ]  # fmt: skip
    git(root, "submodule", "--quiet", "deinit", "--force", "--all")
    assert [name for name in listed(root) if name.startswith("third")] == []


def test_directory_that_its_repository_ignores(tmp_path: Path) -> None:
    repository(tmp_path, "train.py")
    write(tmp_path, ".gitignore", text="/scratch/\n")
    write(tmp_path, "scratch/try.py", "scratch/__pycache__/try.pyc")
    assert listed(tmp_path / "scratch") == ["try.py"]


def test_walk_without_git(tmp_path: Path, without_git: None) -> None:
    root = write(
        tmp_path / "project", "train.py", "src/model.py", ".git/HEAD", "__pycache__/a.pyc", "venv/b.py", "node_modules/c.js",
        "d.pyc", "src/.mypy_cache/e", "data/f.csv", "src/data/g.csv", "run.log", "src/kept.log", "src/logs/h.txt",
        "src/top.txt", "src/deep/top.txt",
    )  # fmt: skip
    write(root, ".gitignore", text="/data\n*.log\n")
    write(root, "src/.gitignore", text="!kept.log\nlogs/\n/top.txt\n")
    assert listed(root) == [
        ".gitignore", "src/.gitignore", "src/data/g.csv", "src/deep/top.txt", "src/kept.log", "src/model.py", "train.py",
    ]  # fmt: skip


def test_walk_where_everything_is_ignored_but(tmp_path: Path) -> None:
    root = write(tmp_path, "train.py", "notes.md", "src/deep/model.py", "src/deep/weights.bin")
    write(root, ".gitignore", text="*\n!*/\n!*.py\n")
    assert listed(root) == ["src/deep/model.py", "train.py"]


@pytest.mark.parametrize("with_git", [True, False])
def test_sagemakerignore_and_exclude(tmp_path: Path, with_git: bool) -> None:
    root = write(tmp_path, "train.py", "data/a.csv", "data/b.csv", "notes/c.md", "notes/d.md", "outputs/1/e.txt")
    if with_git:
        repository(root)
    write(root, ".sagemakerignore", text="# not for the jobs\ndata/*\n!data/b.csv\n*.md\n.*ignore\n")
    assert listed(root) == ["data/b.csv", "outputs/1/e.txt", "train.py"]
    assert listed(root, exclude=["/outputs/", "!d.md"]) == ["data/b.csv", "notes/d.md", "train.py"]


def test_ignored_directories_are_not_entered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = write(tmp_path, "train.py", "data/deep/a.csv", "other/deep/b.csv")
    write(root, ".sagemakerignore", text="data/\n")
    write(root, ".gitignore", text="other/\n")
    entered = []
    monkeypatch.setattr(
        bundled_files.os, "scandir", lambda path, really=bundled_files.os.scandir: entered.append(Path(path)) or really(path)
    )
    assert listed(root) == [".gitignore", ".sagemakerignore", "train.py"]
    assert entered == [root]


@pytest.mark.parametrize(
    ("file", "exclude", "place"),
    [
        (".sagemakerignore", [], r"\.sagemakerignore"),
        (".gitignore", [], r"\.gitignore"),
        ("x", ["a"], "hydra.launcher.code.exclude"),
    ],
)
def test_patterns_need_pathspec(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str, exclude: list[str], place: str
) -> None:
    write(tmp_path, file)
    monkeypatch.setitem(sys.modules, "pathspec", None)
    with pytest.raises(LauncherError, match=rf"{place} need a library that is missing: pip install pathspec"):
        list_files(tmp_path, exclude=exclude)


def test_git_needs_no_pathspec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, ".gitignore", text="*.log\n")
    repository(tmp_path, "train.py", "run.log")
    monkeypatch.setitem(sys.modules, "pathspec", None)
    assert listed(tmp_path) == [".gitignore", "train.py"]


def test_bad_pattern(tmp_path: Path) -> None:
    write(tmp_path, ".sagemakerignore", text="\\\n")
    with pytest.raises(LauncherError, match=r"\.sagemakerignore: Invalid git pattern"):
        list_files(tmp_path)


@pytest.mark.parametrize("with_git", [True, False])
def test_links(tmp_path: Path, caplog: pytest.LogCaptureFixture, with_git: bool) -> None:
    outside = write(tmp_path / "outside", "data.csv")
    root = write(tmp_path / "project", "conf/a.yaml", "conf/deep/b.yaml", "ignored.txt", ".env")
    links = {
        "to_file": "conf/a.yaml", "app/conf": "../conf", "to_ignored": "ignored.txt", "self": ".", "conf/up": "../conf",
        "away": str(outside), "away.csv": str(outside / "data.csv"), "broken": "nowhere", "settings": ".env", "round": "round",
    }  # fmt: skip
    (root / "app").mkdir()
    for name, target in links.items():
        (root / name).symlink_to(target)
    write(root, ".gitignore", text="ignored.txt\n.env\n")
    if with_git:
        repository(root)
    with caplog.at_level(logging.WARNING):
        files = listed(root)
    assert files == [
        ".gitignore", "app/conf/a.yaml", "app/conf/deep/b.yaml", "conf/a.yaml", "conf/deep/b.yaml", "to_file", "to_ignored",
    ]  # fmt: skip
    (record,) = caplog.records
    assert record.getMessage().partition(": ")[2].split("; ") == [
        "away (leaves the root)", "away.csv (leaves the root)", "broken (points to nothing)", "conf/up (holds itself)",
        "round (points to nothing)", "self (holds itself)", "settings (points to .env, which looks like a secret)",
    ]  # fmt: skip
    write(root, ".sagemakerignore", text="app/conf/deep/\n")
    assert "app/conf/deep/b.yaml" not in listed(root)
    assert "conf/deep/b.yaml" in listed(root)


def test_many_bad_links_make_one_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for number in range(12):
        (tmp_path / f"link{number:02}").symlink_to("/")
    with caplog.at_level(logging.WARNING):
        assert listed(tmp_path) == []
    assert caplog.messages[0].endswith("link09 (leaves the root) and 2 more")


@pytest.mark.parametrize("with_git", [True, False])
def test_too_many_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, with_git: bool) -> None:
    assert bundled_files.FILES_AT_MOST == 200_000
    monkeypatch.setattr(bundled_files, "FILES_AT_MOST", 50)
    root = write(tmp_path, *(f"data/{number}.csv" for number in range(51)))
    if with_git:
        repository(root)
    with pytest.raises(LauncherError, match=r"more than 50 files: set hydra\.launcher\.code\.root .*\.sagemakerignore"):
        list_files(root)
    write(root, ".sagemakerignore", text="data/\n")
    assert listed(root) == [".sagemakerignore"]


def test_special_files_are_left_out(tmp_path: Path) -> None:
    write(tmp_path, "train.py")
    bundled_files.os.mkfifo(tmp_path / "pipe")
    assert listed(tmp_path) == ["train.py"]


def test_no_directory(tmp_path: Path) -> None:
    with pytest.raises(LauncherError, match=r"is no directory: hydra\.launcher\.code\.root must be"):
        list_files(tmp_path / "nowhere")


def test_git_that_fails_is_named(tmp_path: Path) -> None:
    root = repository(tmp_path, "train.py")
    (root / ".git" / "index").write_bytes(b"no index")
    with pytest.raises(LauncherError, match=r"exit code 128 from `git -C .* ls-files -z --cached`: run it to see why"):
        list_files(root)


def test_closed_directories_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The refusal is simulated for root, who may read every directory."""
    root = write(tmp_path, "train.py", "closed/secret.py")

    def scandir(path: Path, really: Callable = bundled_files.os.scandir) -> object:
        if path.name == "closed":
            raise PermissionError(13, "Permission denied")
        return really(path)

    monkeypatch.setattr(bundled_files.os, "scandir", scandir)
    with caplog.at_level(logging.WARNING):
        assert listed(root) == ["train.py"]
    assert caplog.messages == [f"{root / 'closed'} is not sent: Permission denied"]
