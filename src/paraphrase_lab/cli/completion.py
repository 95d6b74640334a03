"""Tab completion: verbs, options and runs by us, overrides by Hydra, whose own shell functions know nothing of verbs."""

import importlib
import io
import os
from collections.abc import Iterable, Sequence
from contextlib import redirect_stdout
from pathlib import Path

from paraphrase_lab.errors import UserError
from paraphrase_lab.paths import RUNS_DIR

INSTALL = {
    "bash": 'eval "$(paraphrase --shell-completion install=bash)"',
    "zsh": 'eval "$(paraphrase --shell-completion install=zsh)"',
    "fish": "paraphrase --shell-completion install=fish | source",
}
SCRIPTS = {
    # Bash replaces what stands behind the last = or : of the word, if COMP_WORDBREAKS holds them.
    "bash": r"""_paraphrase() {
    local IFS=$'\n' line=${COMP_LINE:0:COMP_POINT} word cut found
    word=${line##* }
    found=$(COMP_LINE=$line paraphrase --shell-completion query=lines 2>/dev/null)
    COMPREPLY=($(compgen -W "$found" -- "$word"))
    cut=${word%"${word##*[$COMP_WORDBREAKS]}"}
    COMPREPLY=("${COMPREPLY[@]#"$cut"}")
}
complete -o nospace -o default -F _paraphrase paraphrase""",
    "zsh": r"""_paraphrase() {
    local line="${(j: :)words[1,CURRENT]}"
    local -a found
    found=("${(@f)$(COMP_LINE=$line paraphrase --shell-completion query=lines 2>/dev/null)}")
    found=(${found:#})
    if (( $#found )); then compadd -S '' -a found; else _files; fi
}
(( $+functions[compdef] )) || { autoload -Uz compinit && compinit; }
compdef _paraphrase paraphrase""",
    "fish": r"""function __paraphrase_complete
    set -lx COMP_LINE (commandline -cp)
    paraphrase --shell-completion query=lines 2>/dev/null
end
complete -c paraphrase -a '(__paraphrase_complete)'""",
}
OPTIONS = {
    "train": ("-m", "--multirun", "--config-dir", "--cfg", "--hydra-help", "--help"),
    "check": ("-m", "--multirun", "--config-dir", "--remote", "--help"),
    "study": ("--config-dir", "--results", "--index", "--help"),
    "data": ("--config-dir", "--help"),
}
"""Options of the verbs that have no argument parser."""
OF_MANY_RUNS = ("runs", "compare", "report")
OF_OVERRIDES = {"train": "", "study": "", "check": "", "data": "", "rerun": "", "evaluate": ("data", "metrics")}
"""Verbs that take overrides, and how their keys begin."""


def run(words: list[str]) -> int:
    """Answer `install=SHELL` with the shell's script, and `query=…` with what completes $COMP_LINE.

    The answer has one word per line; for `query=bash`, which the script of Hydra asks for, it is one line.
    """
    action, _, shell = next((word for word in words if word.startswith(("install=", "query="))), "").partition("=")
    if action == "install" and shell in SCRIPTS:
        print(SCRIPTS[shell])
        return 0
    line = os.environ.get("COMP_LINE")
    if line is None or action != "query":
        raise UserError("shell completion is for a shell", valid="\n".join(f"{name}: {how}" for name, how in INSTALL.items()))
    typed = line.split(" ")
    found = [word for word in dict.fromkeys(candidates(typed[1:])) if word.startswith(typed[-1])] if len(typed) > 1 else []
    print((" " if shell == "bash" else "\n").join(found))
    return 0


def candidates(typed: Sequence[str]) -> Iterable[str]:
    """Return what may stand in place of the last word behind `paraphrase`."""
    from paraphrase_lab.cli import VERBS

    *before, word = typed
    if not before:
        return [*VERBS, "--help", "--version"]
    verb = before[0]
    if verb not in VERBS:
        return []
    if verb == "jobs":
        from paraphrase_lab.cli.jobs import VERBS as OF_JOBS

        return OF_JOBS if len(before) == 1 else []
    if word.startswith("-"):
        return _options(verb)
    if word.startswith("resume="):
        return ["resume=auto", *(f"resume={run}" for run in _runs())]
    if verb in OF_MANY_RUNS or verb not in OPTIONS and len(before) == 1:
        return ["latest", *_runs()]
    if verb in OF_OVERRIDES:
        overrides = [one for one in before[1:] if "=" in one]
        completed = [found for found in _by_hydra([*overrides, word]) if found.startswith(OF_OVERRIDES[verb])]
        return completed if overrides or verb != "evaluate" else [*completed, *_runs()]
    return _runs() if verb == "predict" and word else []  # what begins anew may be a sentence


def _options(verb: str) -> Iterable[str]:
    if verb in OPTIONS:
        return OPTIONS[verb]
    parser = importlib.import_module(f"paraphrase_lab.cli.{verb}").arguments_parser()
    return [word.strip(",[]") for word in parser.format_help().split() if word.strip(",[]").startswith("--")]


def _runs() -> list[str]:
    """Return the directories of runs below runs/, and of the sweeps they belong to."""
    runs = sorted(file.parent for file in Path(RUNS_DIR).rglob("run.json"))
    sweeps = dict.fromkeys(run.parent for run in runs if (run.parent / "multirun.yaml").is_file())
    return [str(place) for place in [*sweeps, *runs]]


def _by_hydra(words: Sequence[str]) -> list[str]:
    from paraphrase_lab.cli import train

    os.environ["COMP_LINE"] = " ".join(["paraphrase", *words])
    os.environ["COMP_POINT"] = str(len(os.environ["COMP_LINE"]))
    with redirect_stdout(io.StringIO()) as output:
        train.run(["-sc", "query=fish"])
    return output.getvalue().splitlines()
