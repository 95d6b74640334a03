"""The files of the user's code, also where nothing ignores what jobs write."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import pytest

from hydra_apps import AWS, LOCAL, App, Elsewhere
from hydra_sagemaker.code.imported_modules import without_entry_point
from hydra_sagemaker.code.source import Code
from hydra_sagemaker.job.task import TaskReference
from hydra_sagemaker.settings import CodeConf

OUTPUTS = (
    "multirun.yaml",
    ".launcher/ledger.jsonl",
    "0/.hydra/config.yaml",
    "0/.job/result.json",
    "0/app.log",
    "multirun/day/time/multirun.yaml",
    "multirun/day/time/0/metrics.csv",
    "outputs/day/time/.hydra/config.yaml",
    "outputs/day/time/model/weights.txt",
    ".hydra_jobs/app-0123456789abcdef-0/where.json",
    ".hydra_jobs/app-0123456789abcdef-0/lock",
)
CODE = ("app.py", "conf/config.yaml", "package/where.json", "package/module.py")


def write(root: Path, names: tuple[str, ...]) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)


def test_outputs_are_not_code_and_code_is(tmp_path: Path) -> None:
    write(tmp_path, CODE + OUTPUTS)
    files = [file.as_posix() for file in Code.of(CodeConf(), tmp_path).files]
    assert files == sorted(CODE)


def test_the_identity_follows_the_code_alone_also_when_a_sweep_writes_to_the_root(tmp_path: Path) -> None:
    write(tmp_path, CODE)
    before = Code.of(CodeConf(), tmp_path).identity(limited=True, package=None)
    write(tmp_path, OUTPUTS)
    assert Code.of(CodeConf(), tmp_path).identity(limited=True, package=None) == before
    (tmp_path / "app.py").write_text("edited")
    assert Code.of(CodeConf(), tmp_path).identity(limited=True, package=None) != before


def test_a_tree_too_large_to_read_is_never_the_same(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write(tmp_path, CODE)
    codes = [Code.of(CodeConf(max_mb=1e-6), tmp_path).identity(limited=True, package=None) for _ in range(2)]
    assert codes[0] != codes[1] and "no job of this sweep will be recognised" in caplog.text


@pytest.mark.parametrize("second_name", ["__mp_main__", "__main__"])
def test_the_command_of_an_environment_below_the_root_is_not_bundled(second_name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """`.venv/bin/COMMAND` is __main__, and libraries for processes enter it a second time."""
    command = ModuleType("__main__")
    monkeypatch.setitem(sys.modules, "__main__", command)
    monkeypatch.setitem(sys.modules, second_name, command)
    loaded = {"__main__": [".venv/bin/command"], second_name: [".venv/bin/command"], "pytest": ["own.py"]}
    imported = TaskReference(name="main", module="package.task", script=None)
    assert without_entry_point(loaded, imported) == {"pytest": ["own.py"]}
    in_the_script = TaskReference(name="main", module=None, script="app.py")
    assert without_entry_point(loaded, in_the_script) == loaded


def test_a_search_path_typed_here_is_found_there(app: App, elsewhere: Elsewhere) -> None:
    write(app.root, ("more/db/mine.yaml",))
    (app.root / "more/db/mine.yaml").write_text("host: here\n")
    elsewhere.submit(f"hydra.searchpath=[file://{app.root / 'more'}]", "+db=mine")
    spec = elsewhere.spec().read_text()
    assert str(app.root) not in spec.replace(str(app.sweep_dir), "")
    elsewhere.run()
    config = (elsewhere.output / "0/.hydra/config.yaml").read_text()
    assert "db:\n  host: here\n" in config


def test_the_search_path_of_the_configuration_is_found_there(app: App, elsewhere: Elsewhere, tmp_path: Path) -> None:
    write(app.root, ("more/db/mine.yaml",))
    (app.root / "more/db/mine.yaml").write_text("host: here\n")
    path = "hydra:\n  searchpath: ['file://${oc.env:MY_CONFIGS}', pkg://hydra.conf]\n"
    app.write("conf/config.yaml", "x: 0\ndo: nothing\n" + path)
    elsewhere.submit("+db=mine", env={"MY_CONFIGS": str(app.root / "more")})
    elsewhere.run()
    assert "db:\n  host: here\n" in (elsewhere.output / "0/.hydra/config.yaml").read_text()

    (outside := tmp_path / "outside").mkdir()
    finished = app.run(*AWS, env={"MY_CONFIGS": str(outside)})
    assert finished.code == 1 and "Traceback" not in finished.output
    assert f"the configuration directory {outside} neither lies below the code's root" in finished.output


def test_a_sweep_directory_of_each_job_is_refused(app: App) -> None:
    finished = app.run(*LOCAL, "hydra.sweep.dir=sweep/${x}", "x=1,2")
    assert finished.code != 0 and "set hydra.sweep.subdir per job, not hydra.sweep.dir" in finished.output
