from __future__ import annotations

import json
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from hydra_sagemaker.errors import LauncherError
from hydra_sagemaker.job.task import TaskReference, load, reference_to

SCRIPT = """\
from __future__ import annotations

import functools
import json
import pickle
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import get_type_hints

import hydra

from beside import double

started = __name__ == "__main__"


@dataclass
class Inner:
    n: int = 1


@dataclass
class Settings:
    inner: Inner = field(default_factory=Inner)


def times_ten(function):
    @functools.wraps(function)
    def wrapper(config):
        return 10 * function(config)

    return wrapper


@hydra.main(version_base=None, config_path=None)
def plain(config):
    return {
        "started": started,
        "name": __name__,
        "pickled": type(pickle.loads(pickle.dumps(Settings()))).__name__,
        "hints": get_type_hints(Settings)["inner"].__name__,
    }


@hydra.main(version_base=None, config_path=None)
@times_ten
def decorated(config):
    return double(config)


class Group:
    @staticmethod
    def method(config):
        return config + 1


def undecorated(config):
    return config


if __name__ == "__main__":
    from hydra_sagemaker.job.task import reference_to

    root = Path(sys.argv[1])
    tasks = [plain.__wrapped__, decorated.__wrapped__, Group.method, undecorated, lambda config: config, times_ten(undecorated)]
    found = [reference_to(task, root) for task in tasks]
    print(json.dumps([task and {"name": task.name, "module": task.module, "script": task.script} for task in found]))
"""
LOAD_AND_CALL = """
import json, sys
from pathlib import Path
from hydra_sagemaker.job.task import TaskReference, load
root, argument, *references = sys.argv[1:]
print(json.dumps([load(TaskReference(**json.loads(reference)), Path(root))(json.loads(argument)) for reference in references]))
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    package = tmp_path / "project/my_app"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    for script in (package / "train.py", tmp_path / "project/tools/train.py"):
        script.parent.mkdir(exist_ok=True)
        script.write_text(SCRIPT)
    for helper in (tmp_path / "project/tools/beside.py", tmp_path / "project/beside.py"):
        helper.write_text("def double(number):\n    return 2 * number\n")
    return tmp_path / "project"


def printed(directory: Path, *words: str | Path) -> Any:
    done = subprocess.run([sys.executable, *map(str, words)], cwd=directory, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def loaded(root: Path, argument: Any, *references: dict[str, Any]) -> Any:
    return printed(root, "-c", LOAD_AND_CALL, root, json.dumps(argument), *(json.dumps(reference) for reference in references))


def test_functions_of_a_script(project: Path) -> None:
    plain, decorated, method, *others = printed(project / "tools", "train.py", project)
    assert plain == {"name": "plain", "module": None, "script": "tools/train.py"}
    assert others == [{"name": "undecorated", "module": None, "script": "tools/train.py"}, None, None]
    assert loaded(project, 4, decorated, method) == [80, 5]


def test_a_script_is_a_module_like_any_other_where_its_task_runs(project: Path) -> None:
    [told] = loaded(project, 0, {"name": "plain", "script": "tools/train.py"})
    assert told == {"started": False, "name": "__hydra_job__", "pickled": "Settings", "hints": "Inner"}


def test_functions_of_a_module_run_by_its_name(project: Path) -> None:
    plain, decorated, method, *_ = printed(project, "-m", "my_app.train", project)
    assert plain == {"name": "plain", "module": "my_app.train", "script": None}
    assert loaded(project, 4, decorated, method) == [80, 5]


def test_functions_of_an_imported_module(project: Path) -> None:
    assert reference_to(json.dumps, project) == TaskReference("dumps", module="json")
    assert load(TaskReference("dumps", module="json"), project) is json.dumps


class CallableObject:
    def __call__(self, config: Any) -> Any:
        return config

    def method(self, config: Any) -> Any:
        return config


def test_what_has_no_name_of_its_own_has_no_reference(tmp_path: Path) -> None:
    def closure(config: Any) -> Any:
        return tmp_path

    tasks = [
        closure,
        lambda config: config,
        CallableObject(),
        CallableObject().method,
        partial(json.dumps, indent=1),
        len,
        CallableObject,
    ]
    assert [reference_to(task, tmp_path) for task in tasks] == [None] * len(tasks)


def test_a_function_that_another_one_hides_has_no_reference(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hidden = json.dumps
    monkeypatch.setattr(json, "dumps", lambda config: config)
    assert reference_to(hidden, tmp_path) is None


def test_a_script_outside_the_root(project: Path) -> None:
    words = [sys.executable, "tools/train.py", str(project / "my_app")]
    done = subprocess.run(words, cwd=project, capture_output=True, text=True)
    assert done.returncode == 1
    assert "tools/train.py is not below the code's root" in done.stderr
    assert "set hydra.launcher.code.root to a directory above both" in done.stderr


def test_a_task_that_is_gone(tmp_path: Path) -> None:
    with pytest.raises(LauncherError, match="json has no function no_such_function"):
        load(TaskReference("no_such_function", module="json"), tmp_path)
