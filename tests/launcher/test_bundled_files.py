"""Imported files have to be bundled: ignored ones, and ones among outputs, are reported; for local jobs they count as code."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from hydra_apps import APP, LOCAL, App
from hydra_sagemaker.code.requirements import Requirements
from hydra_sagemaker.code.source import Code
from hydra_sagemaker.errors import LauncherError
from hydra_sagemaker.job.task import TaskReference
from hydra_sagemaker.settings import CodeConf


def write(root: Path, *names: str, text: str = "") -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text or name)


def repository(root: Path, *tracked: str) -> None:
    for words in (["init", "-q"], ["add", "-f", *tracked]):
        subprocess.run(["git", *words], cwd=root, check=True)


class Loader:
    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.patch = patch

    def __call__(self, file: Path, name: str = "imported_for_a_test") -> None:
        module = ModuleType(name)
        module.__file__ = str(file)
        self.patch.setitem(sys.modules, name, module)


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> Iterator[Loader]:
    yield Loader(monkeypatch)


def code(root: Path, task: TaskReference | None = None, exclude: tuple[str, ...] = ()) -> Code:
    made = Code.of(CodeConf(exclude=list(exclude)), root)
    made.task = task
    return made


def files(root: Path) -> list[str]:
    return [file.as_posix() for file in code(root).files]


def identity(root: Path, task: TaskReference | None = None, *, limited: bool = True, requirements: str | None = "auto") -> str:
    return code(root, task).identity(limited=limited, package=None, requirements=requirements)


def test_an_ignored_module_that_is_imported_is_named(tmp_path: Path, load: Loader) -> None:
    write(tmp_path, "app.py", "gen/made.py")
    write(tmp_path, ".gitignore", text="gen\n")
    repository(tmp_path, "app.py")
    assert code(tmp_path).problems() == []
    load(tmp_path / "gen/made.py")
    (problem,) = code(tmp_path).problems()
    assert "imported modules are not bundled, since .gitignore names them" in problem
    assert (
        ": gen/made.py. `git add -f` adds them; install them, or list in " in problem
        and ".sagemakerignore what the jobs do not need" in problem
    )
    assert code(tmp_path, exclude=("gen/",)).problems() == []
    repository(tmp_path, "gen/made.py")
    assert code(tmp_path).problems() == []


def test_the_task_itself_is_never_left_out_knowingly(tmp_path: Path, load: Loader) -> None:
    write(tmp_path, "app.py", "scripts/run.py")
    for task in (TaskReference("main", script="scripts/run.py"), TaskReference("main", module="imported_for_a_test")):
        load(tmp_path / "scripts/run.py", "imported_for_a_test" if task.module else "__main__")
        (problem,) = code(tmp_path, task, exclude=("scripts",)).problems()
        assert problem.startswith("scripts/run.py holds the task and is not bundled: .gitignore, .sagemakerignore or")
        assert "Change the pattern, or `git add -f scripts/run.py`" in problem


def test_the_script_that_only_starts_a_task_of_a_module_need_not_be_bundled(tmp_path: Path, load: Loader) -> None:
    write(tmp_path, "pkg/train.py", "bin/start")
    load(tmp_path / "bin/start", "__main__")
    load(tmp_path / "pkg/train.py")
    assert code(tmp_path, TaskReference("main", module="imported_for_a_test"), exclude=("bin",)).not_bundled == []


@pytest.mark.parametrize("name", ["env/lib/python3.11/site-packages/some.py", "absent.py"])
def test_what_is_installed_or_is_no_file_does_not_count(tmp_path: Path, load: Loader, name: str) -> None:
    write(tmp_path, "app.py", "env/lib/python3.11/site-packages/some.py")
    write(tmp_path, ".gitignore", text="env\n")
    load(tmp_path / name)
    assert code(tmp_path).problems() == []


def test_a_module_behind_a_link(tmp_path: Path, load: Loader) -> None:
    write(tmp_path / "root", "app.py", "inside/one.py")
    write(tmp_path / "outside", "two.py")
    (tmp_path / "root/link").symlink_to(tmp_path / "outside")
    (tmp_path / "root/within").symlink_to("inside")
    load(tmp_path / "root/within/one.py")
    assert code(tmp_path / "root").not_bundled == []
    load(tmp_path / "root/link/two.py")
    assert code(tmp_path / "root").not_bundled == ["link/two.py"]


def test_jobs_that_run_here_are_known_by_what_they_import(tmp_path: Path, load: Loader) -> None:
    write(tmp_path, "app.py", "gen/made.py")
    write(tmp_path, ".gitignore", text="gen\n")
    before = identity(tmp_path)
    load(tmp_path / "gen/made.py")
    first = identity(tmp_path)
    write(tmp_path, "gen/made.py", text="edited")
    assert len({before, first, identity(tmp_path)}) == 3
    assert identity(tmp_path, limited=False) == before


def test_a_directory_with_code_and_marks_of_hydra_is_no_output(tmp_path: Path, load: Loader) -> None:
    source = ("src/app.py", "src/conf/config.yaml", "tracked/model.py")
    marks = (
        "src/.hydra/config.yaml",
        "src/multirun.yaml",
        "tracked/.launcher/ledger.jsonl",
        "src/0/.job/spec.json",
        "src/0/a.log",
    )
    write(tmp_path, *source, *marks)
    assert files(tmp_path) == []
    repository(tmp_path, "tracked/model.py")
    assert files(tmp_path) == ["tracked/model.py"]
    load(tmp_path / "src/app.py", "__main__")
    assert files(tmp_path) == sorted(source)


def test_requirements_count_where_the_bundled_files_do_not_contain_them(tmp_path: Path) -> None:
    write(tmp_path, "app.py")
    plain = identity(tmp_path, limited=False)
    write(tmp_path, "requirements.txt", text="one\n-r more.txt\n")
    write(tmp_path, "more.txt", text="two\n")
    bundled = identity(tmp_path, limited=False)
    write(tmp_path, ".sagemakerignore", text="more.txt\n")
    keys = [plain, bundled, identity(tmp_path, limited=False)]
    write(tmp_path, "more.txt", text="three\n")
    keys += [identity(tmp_path, limited=False, requirements=setting) for setting in ("auto", None, "more.txt")]
    assert len(set(keys)) == len(keys)
    assert identity(tmp_path, requirements=None) == identity(tmp_path, requirements="more.txt")  # nothing is installed here


BROKEN = {
    "requirements.txt": [
        (b"caf\xe9\n", r"requirements\.txt is not UTF-8 text \(byte 3\): save it as UTF-8"),
        (b"-r other.txt\n", r"requirements\.txt names other\.txt, and there is no .*other\.txt"),
        (b"-r ./requirements.txt\n", r"names \./requirements\.txt, which leads back to it: take that line out"),
    ],
    "pyproject.toml": [
        (b"[project\n", r"pyproject\.toml is not valid TOML: .*Correct it, or set hydra\.launcher\.requirements"),
        (b'project = "x"\n', r"pyproject\.toml: project\.dependencies is a list of texts"),
        (b'[project]\ndependencies = "torch"\n', r"pyproject\.toml: project\.dependencies is a list of texts"),
    ],
}


@pytest.mark.parametrize("name, text, said", [(name, *case) for name, cases in BROKEN.items() for case in cases])
def test_broken_requirements_are_sentences(tmp_path: Path, name: str, text: bytes, said: str) -> None:
    (tmp_path / name).write_bytes(text)
    with pytest.raises(LauncherError, match=said):
        code(tmp_path).requirements("auto", with_boto3=False)
    assert code(tmp_path).requirements(None, with_boto3=False) == Requirements()


@pytest.mark.slow
def test_an_edited_script_in_an_ignored_directory_runs_again(app: App) -> None:
    repository(app.root, "conf")
    app.write(".gitignore", "mine\n.hydra_jobs\nsweep*\n")
    app.write("mine/app.py", APP.replace('config_path="conf"', 'config_path="../conf"'))
    for attempt in ("one", "two"):
        finished = app.run(*LOCAL, "x=1", f"hydra.sweep.dir=sweep{attempt}", script="mine/app.py")
        assert finished.code == 0, finished.output
        app.write("mine/app.py", APP.replace('config_path="conf"', 'config_path="../conf"').replace("x is", "edited"))
    assert app.marks() == ["1", "1"]


@pytest.mark.slow
def test_an_edited_script_beside_hydras_own_files_runs_again(app: App) -> None:
    repository(app.root, "conf")
    source = APP.replace('config_path="conf"', 'config_path="../conf"')
    app.write("src2/app.py", source)
    alone = app.run("hydra.run.dir=.", "x=1", cwd=app.root / "src2")
    assert alone.code == 0 and (app.root / "src2/.hydra").is_dir()
    for text in (source, source.replace("x is", "edited")):
        app.write("src2/app.py", text)
        finished = app.run(*LOCAL, "x=2", f"hydra.sweep.dir={app.root}/out/{len(text)}", cwd=app.root / "src2")
        assert finished.code == 0, finished.output
    assert app.marks() == ["1", "2", "2"]
