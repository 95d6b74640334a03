"""The command `paraphrase`: finds the command, imports no more than it needs, turns errors into messages and exit codes."""

import difflib
import importlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from paraphrase_lab import __version__
from paraphrase_lab.cli.help import help_text
from paraphrase_lab.errors import KnownError, UserError

VERBS = {
    "train": "fit a cross-encoder, choose its best checkpoint, evaluate it, write the run; -m sweeps",
    "rerun": "train a run again from its directory, say what is not as it was and whether the numbers are",
    "evaluate": "evaluate a run's model with the run's own configuration, on its data or on others",
    "predict": "score two sentences or a file of pairs with a run's model",
    "push": "send a run's model to the Hugging Face Hub; --dry-run shows what would be sent, and what is private in it",
    "runs": "list runs: what tells them apart, how they stand, what came out; --where, --sort, --csv, --json",
    "compare": "is one run or recipe better than another, on what, by how much, how sure",
    "report": "what was found out about runs: one HTML file, markdown, or a W&B report",
    "study": "run an ablation (only what is missing of it), compare its runs, write down what came out",
    "data": "describe a data set: sizes, lengths, overlap, duplicates, leaks",
    "check": "compose a configuration (every job of a sweep) and look for mistakes; builds nothing",
    "jobs": "list, read, stop or collect the jobs of a sweep of remote jobs, from its directory",
}

PIPE_CLOSED = 141


def main(arguments: Sequence[str] | None = None) -> None:
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    if "OMP_WAIT_POLICY" not in os.environ:
        # Read when torch is imported. Unset, OpenMP's threads wait awake, and two trainings keep each other from computing.
        os.environ.setdefault("GOMP_SPINCOUNT", "1000")
    try:
        code = run(arguments)
    except SystemExit as end:  # argparse and Hydra leave this way
        code = end.code
    sys.exit(_flushed(code))


def _flushed(code: int | str | None) -> int | str | None:
    """Write what standard output still holds; return the exit code, PIPE_CLOSED when its reader has left, as `head` does.

    Python would flush once more at its end, and print a traceback then.
    """
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        code = PIPE_CLOSED
    if code == PIPE_CLOSED:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return code


def run(arguments: list[str]) -> int:
    """Return the exit code: 0, 1 (training failed), 2 (bad input), 128 + the number of the signal that ended it."""
    from paraphrase_lab.training.stopping import Interrupted

    verb = arguments[0] if arguments else "--help"
    try:
        if verb in ("-h", "--help"):
            print(usage())
            return 0
        if verb == "--version":
            print(f"paraphrase-lab {__version__}")
            return 0
        _require_text(arguments)
        if {"-sc", "--shell-completion"} & set(arguments[:2]):
            verb, arguments = "completion", ["completion", *arguments]
        elif verb not in VERBS:
            close = difflib.get_close_matches(verb, VERBS, 1)
            hint = f"did you mean `paraphrase {close[0]}`?" if close else "`paraphrase --help` describes them"
            raise UserError(f"there is no command {verb!r}", valid=f"commands: {', '.join(VERBS)}", hint=hint)
        if {"-h", "--help"} & set(arguments[1:]) and (text := help_text(verb)):
            print(text)
            return 0
        return importlib.import_module(f"paraphrase_lab.cli.{verb}").run(arguments[1:]) or 0
    except KnownError as error:
        if not error.is_reported:
            print(f"paraphrase {verb}: {error}", file=sys.stderr)
        return 2 if isinstance(error, UserError) else 1
    except Interrupted as error:
        print(f"paraphrase {verb}: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        return PIPE_CLOSED
    except OSError as error:
        from paraphrase_lab.storage import storage_fault

        if (fault := storage_fault(error, Path.cwd())) is None:
            raise
        print(f"paraphrase {verb}: {fault}", file=sys.stderr)
        return 1


def _require_text(arguments: Sequence[str]) -> None:
    """Refuse bytes that are not UTF-8: Python carries them along as surrogates, which no tokenizer, log or record takes."""
    for argument in arguments:
        try:
            argument.encode()
        except UnicodeEncodeError:
            shown = repr(os.fsencode(argument))[2:-1]
            problem = f"the argument {shown} is not UTF-8"
            raise UserError(problem, hint="type it in a UTF-8 terminal; a file of that name has to be renamed") from None


def usage() -> str:
    verbs = "\n".join(f"  {verb:<10}{text}" for verb, text in VERBS.items())
    return f"""usage: paraphrase COMMAND …

{verbs}

`paraphrase COMMAND --help` tells more. Commands that compose a configuration take Hydra overrides:
model=roberta_base optimizer.lr=3e-5.
Tab completion for bash: eval "$(paraphrase --shell-completion install=bash)" """.rstrip()
