"""The commands that usually follow, named at the end of a command."""

import sys


def print_next(*commands: str) -> None:
    """Print them on standard error, so that standard output holds results alone."""
    print("next: " + "\n      ".join(commands), file=sys.stderr, flush=True)
