"""Errors a user can cause: what is wrong, what is valid and what to type next. The command line prints them and exits 2."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Self


class KnownError(Exception):
    """An error whose text says everything: shown once, without a traceback."""

    without_traceback = True
    """The launcher of a sweep reads it."""
    is_reported = False
    """True once the text is on the screen."""

    @property
    def problem_line(self) -> str:
        """The problem in one line, without what is valid and what to type."""
        return _one_line(str(self))


class UserError(KnownError):
    """Bad input from a user: exit code 2."""

    def __init__(self, problem: str, *, valid: str = "", hint: str = "") -> None:
        self.problem, self.valid, self.hint = problem, valid, hint
        super().__init__("\n".join(part for part in (problem, valid, hint) if part))

    @property
    def problem_line(self) -> str:
        return _one_line(self.problem)


class ConfigError(UserError):
    """Every problem found in one configuration, reported together."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = list(problems)
        count = "1 problem" if len(self.problems) == 1 else f"{len(self.problems)} problems"
        lines = [f"{count} in this configuration:", *(f"  - {problem}" for problem in self.problems)]
        super().__init__("\n".join(lines))

    def __reduce__(self) -> tuple[type[Self], tuple[list[str]]]:
        """Let a job's error be made again from its problems, where the job was submitted."""
        return type(self), (self.problems,)

    @property
    def problem_line(self) -> str:
        return _one_line("\n".join(self.problems))


class BadRowsError(UserError):
    """Rows of a data file that cannot be used, named by file, line and value."""


@contextmanager
def with_hint(hint: str, *places: Path) -> Iterator[None]:
    """Add a hint to an error about bad rows, or about one of these files; an empty hint adds nothing."""
    try:
        yield
    except UserError as error:
        starts = tuple(start for place in places for start in (str(place), f"the cells of {place}"))
        if not hint or not (isinstance(error, BadRowsError) or error.problem.startswith(starts)):
            raise
        hints = "\n".join(filter(None, (error.hint, hint)))
        raise type(error)(error.problem, valid=error.valid, hint=hints) from error


class RunError(UserError):
    """A directory that is not a run, or a run that cannot do what was asked of it."""


class TrainingError(KnownError):
    """Training or scoring went wrong in a way that no change of the command line prevents for certain; exit code 1."""


def _one_line(text: str) -> str:
    """Return the first line, and the second one if the first announces it; "…" stands for the rest."""
    first, *others = [line.strip().removeprefix("- ") for line in text.strip().splitlines()] or [""]
    if first.endswith(":") and others:
        first = f"{first} {others.pop(0)}"
    return f"{first} …" if others else first
