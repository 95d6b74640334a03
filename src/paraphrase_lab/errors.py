"""Errors a user can cause: what is wrong, what is valid and what to type next. The command line prints them and exits 2."""

from collections.abc import Sequence


class UserError(Exception):
    """Bad input from a user: shown without a traceback, exit code 2."""

    def __init__(self, problem: str, *, valid: str = "", hint: str = "") -> None:
        self.problem, self.valid, self.hint = problem, valid, hint
        super().__init__("\n".join(part for part in (problem, valid, hint) if part))


class ConfigError(UserError):
    """Every problem found in one configuration, reported together."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = list(problems)
        count = "1 problem" if len(self.problems) == 1 else f"{len(self.problems)} problems"
        lines = [f"{count} in this configuration:", *(f"  - {problem}" for problem in self.problems)]
        super().__init__("\n".join(lines))


class BadRowsError(UserError):
    """Rows of a data file that cannot be used, named by file, line and value."""


class RunError(UserError):
    """A directory that is not a run, or a run that cannot do what was asked of it."""


class TrainingError(Exception):
    """Training or scoring went wrong in a way that no change of the command line prevents for certain; exit code 1."""
