from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from importlib.util import module_from_spec
from pathlib import Path
from traceback import extract_tb
from typing import Any

import pytest

from hydra_sagemaker.errors import RemoteJobError
from hydra_sagemaker.job.result import rebuilt
from hydra_sagemaker.runner.record import exception_record, failure_record

OWN_CLASSES = """\
class Plain(Exception):
    pass


class Outer:
    class Inner(ValueError):
        pass


class ReadsTwo(Exception):
    def __init__(self, code, where):
        super().__init__(f"{code} at {where}")


class Reduced(ReadsTwo):
    def __init__(self, code, where):
        super().__init__(code, where)
        self.where = code, where

    def __reduce__(self):
        return type(self), self.where


def function(*arguments):
    raise AssertionError("called")


class NoException:
    def __init__(self, *arguments):
        raise AssertionError("called")


class Stop(SystemExit):
    pass
"""


class TaskSpecific(Exception):
    pass


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A package of the task's."""
    (tmp_path / "task_package").mkdir()
    (tmp_path / "task_package/__init__.py").touch()
    (tmp_path / "task_package/errors.py").write_text(OWN_CLASSES)
    (tmp_path / "task_package/__main__.py").write_text("open('started', 'w').close()")
    (tmp_path / "task_package/broken.py").write_text("raise ValueError('a resolver is registered already')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    import task_package.errors as errors  # type: ignore[import-not-found]

    yield errors
    for name in [name for name in sys.modules if name.partition(".")[0] == "task_package"]:
        del sys.modules[name]


def raised(error: BaseException) -> dict[str, Any]:
    try:
        raise error
    except BaseException as caught:  # noqa: B036 (it is what the runner does)
        return json.loads(json.dumps(failure_record(caught)))


def rebuilt_here(error: BaseException, package: str | None = "task_package.train") -> Exception:
    return rebuilt(raised(error)["exception"], package)


@pytest.mark.parametrize(
    "error",
    [ValueError("two", 2), KeyError("x"), FileNotFoundError(2, "No such file", "a.tsv"), ValueError((1, 2)), AssertionError()],
)
def test_builtin_exceptions_come_back_with_their_arguments(error: Exception) -> None:
    found = rebuilt_here(error, None)
    assert type(found) is type(error)
    assert str(found) == str(error)
    assert "Traceback (most recent call last)" in str(found.__cause__)
    assert "in raised\n    raise error" in str(found.__cause__)


def test_the_traceback_holds_the_frames_of_the_job() -> None:
    error = ValueError("x")
    here = [(frame.filename, frame.lineno, frame.name) for frame in extract_tb(rebuilt_here(error).__traceback__)]
    assert here == [(frame.filename, frame.lineno, frame.name) for frame in extract_tb(error.__traceback__)]
    assert here[-1][2] == "raised"


def test_the_innermost_frames_of_an_endless_recursion() -> None:
    def endless(depth: int) -> None:
        endless(depth + 1)

    try:
        endless(0)
    except RecursionError as error:
        found = rebuilt(json.loads(json.dumps(failure_record(error)))["exception"], None)
    assert [frame.name for frame in extract_tb(found.__traceback__)] == ["endless"] * 100


@pytest.mark.parametrize("frames", [None, 7, ["x"], [["a.py", "1", "f"]], [["a.py", 10**20, "f"]], [[1, 1, 1]]])
def test_frames_that_are_none_hide_no_error(frames: Any) -> None:
    found = rebuilt(raised(ValueError("x"))["exception"] | {"frames": frames}, None)
    assert str(found) == "x"
    assert found.__traceback__ is None


def test_the_file_of_an_error_is_kept() -> None:
    found = rebuilt_here(FileNotFoundError(2, "No such file", "a.tsv"))
    assert isinstance(found, FileNotFoundError)
    assert found.filename == "a.tsv"


def test_classes_of_the_tasks_package_come_back(own: Any) -> None:
    for error in (own.Plain("a", 1), own.Outer.Inner("b"), own.Reduced(7, "here")):
        found = rebuilt_here(error)
        assert type(found) is type(error)
        assert str(found) == str(error)


def test_classes_of_a_script_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the job they are of the module the script was loaded as, here of __main__."""
    monkeypatch.setattr(sys.modules["__main__"], "TaskSpecific", TaskSpecific, raising=False)
    record = raised(TaskSpecific("x"))["exception"] | {"module": "__hydra_job__"}
    assert type(rebuilt(record, "__hydra_job__")) is TaskSpecific


def test_classes_of_a_module_that_is_run_are_not_defined_twice(own: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    running = module_from_spec(own.__spec__)
    own.__spec__.loader.exec_module(running)
    monkeypatch.setitem(sys.modules, "__main__", running)
    assert running.Plain is not own.Plain
    assert type(rebuilt_here(own.Plain("a"))) is running.Plain


@pytest.mark.parametrize("module", ["task_package.__main__", "task_package.broken", "task_package.absent"])
def test_modules_that_cannot_be_imported_here(own: Any, module: str) -> None:
    record = raised(own.Plain("text"))["exception"] | {"module": module}
    assert str(rebuilt(record, "task_package.train")) == f"{module}.Plain: text"
    assert not Path("started").exists(), "the application"


def test_a_class_that_wants_other_arguments_than_it_keeps(own: Any) -> None:
    found = rebuilt_here(own.ReadsTwo(7, "here"))
    assert type(found) is RemoteJobError
    assert str(found) == "task_package.errors.ReadsTwo: 7 at here"
    assert "task_package.errors.ReadsTwo: 7 at here" in str(found.__cause__)


def test_a_class_whose_constructor_has_changed(own: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    record = raised(own.Plain("old"))["exception"]

    class Plain(Exception):
        def __str__(self) -> str:
            return "another text"

    monkeypatch.setattr(own, "Plain", Plain)
    assert type(rebuilt(record, "task_package.train")) is RemoteJobError


@pytest.mark.parametrize("package", [None, "other", "task", "json.decoder"])
def test_classes_of_other_packages_stay_away(own: Any, package: str | None) -> None:
    found = rebuilt_here(own.Plain("text"), package)
    assert type(found) is RemoteJobError
    assert str(found) == "task_package.errors.Plain: text"
    assert "raise error" in str(found.__cause__)


@pytest.mark.parametrize(
    "module, name",
    [
        ("os", "system"),
        ("builtins", "eval"),
        ("builtins", "exit"),
        ("builtins", "SystemExit"),
        ("builtins", "KeyboardInterrupt"),
        ("builtins", "NoSuchName"),
        ("subprocess", "Popen"),
        ("task_package.errors", "function"),
        ("task_package.errors", "NoException"),
        ("task_package.errors", "Stop"),
        ("task_package.errors", "Plain.__init__"),
        ("task_package.errors", "Outer"),
        ("", ""),
    ],
)
def test_a_hostile_result_calls_nothing(own: Any, tmp_path: Path, module: str, name: str) -> None:
    record = {"module": module, "type": name, "arguments": [f"mkdir {tmp_path}/sprung"], "message": "m", "traceback": "t"}
    found = rebuilt(record, "task_package.train")
    assert type(found) is RemoteJobError
    assert str(found) == f"{module}.{name}: m"
    assert not (tmp_path / "sprung").exists()


def test_causes_are_recorded(own: Any) -> None:
    try:
        try:
            raise KeyError("inner")
        except KeyError as inner:
            raise own.Plain("outer") from inner
    except own.Plain as error:
        record = exception_record(error)
    assert (record["type"], record["cause"]["type"], record["cause"]["cause"]) == ("Plain", "KeyError", None)
    assert "direct cause" in record["traceback"]


def test_an_exception_that_is_its_own_cause_can_be_recorded() -> None:
    error = ValueError("x")
    error.__cause__ = error
    assert exception_record(error)["cause"] is None


@pytest.mark.parametrize(
    "code, status, exit_code",
    [(None, "completed", 0), (0, "completed", 0), (3, "failed", 3), ("no data", "failed", 1), (200, "failed", 200)]
    + [(143, "interrupted", 143), (130, "interrupted", 130)],
)
def test_exit_codes(code: Any, status: str, exit_code: int) -> None:
    record = raised(SystemExit(code))
    assert (record["status"], record["exit_code"]) == (status, exit_code)
    if status != "completed":
        assert type(rebuilt(record["exception"], None)) is RemoteJobError


def test_an_interrupt() -> None:
    record = raised(KeyboardInterrupt())
    assert (record["status"], record["exit_code"]) == ("interrupted", 130)
