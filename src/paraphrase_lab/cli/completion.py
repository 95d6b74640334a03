"""Tab completion: verbs by us, overrides by Hydra. The shell function that Hydra installs knows nothing of verbs."""

import os

from paraphrase_lab.errors import UserError


def run(words: list[str]) -> int:
    """Answer `-sc query=SHELL`: complete $COMP_LINE, from which the verb is taken out before Hydra sees it."""
    from paraphrase_lab.cli import VERBS

    line = os.environ.get("COMP_LINE")
    if line is None or not any(word.startswith("query=") for word in words):
        shells = 'bash: eval "$(paraphrase train --shell-completion install=bash)"; zsh and fish: install=zsh, install=fish'
        raise UserError("shell completion belongs to a command", hint=shells)
    typed = line.split(" ")
    if len(typed) <= 2:
        print(" ".join(verb for verb in VERBS if verb.startswith(typed[-1])) if len(typed) == 2 else "")
        return 0
    if typed[1] == "jobs" and len(typed) == 3:
        from paraphrase_lab.cli.jobs import VERBS as OF_JOBS

        print(" ".join(verb for verb in OF_JOBS if verb.startswith(typed[2])))
        return 0
    if typed[1] not in ("train", "study", "check", "data"):
        return 0
    os.environ["COMP_LINE"] = " ".join([typed[0], *typed[2:]])
    os.environ["COMP_POINT"] = str(len(os.environ["COMP_LINE"]))
    from paraphrase_lab.cli import train

    return train.run(words)
