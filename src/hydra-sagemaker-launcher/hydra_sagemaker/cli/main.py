"""The command `hydra-sagemaker list|logs|stop|collect SWEEP_DIR|prices|bootstrap BUCKET`, for any Hydra application."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from hydra_sagemaker.aws import bootstrap
from hydra_sagemaker.errors import LauncherError

PROGRAM = "hydra-sagemaker"
EPILOG = "Exit codes: 0; 1 when collect has found a failed job; 2 for a mistake or a service out of reach; 130 after Ctrl-C."


def parser(program: str = PROGRAM, names: bootstrap.Names = bootstrap.NAMES) -> argparse.ArgumentParser:
    """Return the parser of all verbs; `bootstrap` proposes the `names`."""
    top = argparse.ArgumentParser(program, description="The jobs of a sweep, from its directory alone.", epilog=EPILOG)
    verbs = top.add_subparsers(dest="verb", required=True, metavar="list|logs|stop|collect|prices|bootstrap")
    texts = {
        "list": "show the state of each job; changes nothing",
        "logs": "show what the jobs print",
        "stop": "stop the jobs that run; asks first",
        "collect": "download the results of the jobs that have ended; the others keep running",
        "prices": "show what instance types cost by the hour",
        "bootstrap": "print the bucket, the role and the policies that sweeps on AWS need; --apply creates or updates them",
    }
    added = {verb: verbs.add_parser(verb, help=text, description=text, epilog=EPILOG) for verb, text in texts.items()}
    for verb, one in added.items():
        if verb == "bootstrap":
            bootstrap.add_arguments(one, names)
            continue
        if verb != "prices":
            one.add_argument("directory", metavar="SWEEP_DIR", type=Path, help="hydra.sweep.dir of the sweep")
            one.add_argument("--job", type=int, nargs="+", action="extend", default=[], metavar="N", help="these jobs alone")
        if verb != "logs":
            one.add_argument("--json", action="store_true", help="the table as JSON, with nothing else on standard output")
    added["logs"].add_argument("-f", "--follow", action="store_true", help="follow until the jobs have ended")
    added["logs"].add_argument("-n", "--lines", type=_positive, default=20, metavar="N", help="last lines per job (20)")
    added["stop"].add_argument("--yes", action="store_true", help="do not ask")
    added["collect"].add_argument("--wait", action="store_true", help="wait for the jobs that run")
    added["collect"].add_argument("--again", action="store_true", help="also jobs that are collected already")
    text = "these types alone, such as ml.g5.xlarge"
    added["prices"].add_argument("instance_types", metavar="INSTANCE_TYPE", nargs="*", help=text)
    return top


def execute(arguments: argparse.Namespace, program: str = PROGRAM) -> int:
    """Carry out a verb and return the exit code."""
    try:
        return _execute(arguments, program)
    except LauncherError as error:
        print(f"{program} {arguments.verb}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


def _execute(arguments: argparse.Namespace, program: str) -> int:
    from hydra_sagemaker.cli import commands
    from hydra_sagemaker.sweep.installation import version_conflict
    from hydra_sagemaker.sweep.lock import locked

    if conflict := version_conflict():
        print(f"warning: {conflict}", file=sys.stderr)
    if arguments.verb == "bootstrap":
        return bootstrap.execute(arguments, f"{program} {arguments.verb}")
    if arguments.verb == "prices":
        commands.show_prices(arguments.instance_types, in_json=arguments.json)
        return 0
    sweep = commands.SubmittedSweep(arguments.directory, arguments.job)
    match arguments.verb:
        case "list":
            commands.show(sweep.refresh(), sweep.prices, arguments.json)
        case "logs":
            commands.show_logs(sweep, is_following=arguments.follow, lines=arguments.lines)
        case "stop":
            commands.stop(sweep, is_agreed=arguments.yes, in_json=arguments.json)
        case "collect":
            with locked(sweep.manifest.directory, "let it collect the results itself"):
                return commands.collect(sweep, again=arguments.again, wait=arguments.wait, in_json=arguments.json)
    return 0


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text}: at least 1")
    return number


def main(words: Sequence[str] | None = None) -> int:
    try:
        return execute(parser().parse_args(words))
    except BrokenPipeError:  # the reader is gone, as in `logs … | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
