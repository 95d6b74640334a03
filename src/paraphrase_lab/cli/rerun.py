"""`paraphrase rerun`: trains a run again from what its directory holds, and says what is not as it was."""

import argparse
import os
import shlex
from pathlib import Path
from typing import Any

from paraphrase_lab.cli.request import add_to_path, warn
from paraphrase_lab.configuration.composition import Request
from paraphrase_lab.configuration.quoting import quoted
from paraphrase_lab.errors import ConfigError, RunError, UserError
from paraphrase_lab.paths import DIRECTORY_VARIABLE
from paraphrase_lab.runs.record import FILE_NAME, RunRecord, run_directory

HELP = """Trains a run again with the configuration that its directory holds, in a new directory, and compares the numbers.

  paraphrase rerun latest                          the newest finished run
  paraphrase rerun runs/sweep/3 seed=7             a run of a sweep, with another seed
  paraphrase rerun RUN hydra.run.dir=runs/again    into this directory
  paraphrase rerun RUN resume=runs/again           continue a rerun that was interrupted

Before it trains it names what is not as it was: settings, code, libraries, data, device, threads. Relative paths of data are
those of the directory that RUN was trained in. It trains on this machine, also what was trained in a sweep or remotely."""


def run(words: list[str]) -> int:
    arguments = arguments_parser().parse_intermixed_args(words)
    add_to_path()
    return _rerun(_one_run(arguments.run), arguments)


def arguments_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("paraphrase rerun", description=HELP, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", metavar="RUN", help="a run directory, or `latest`")
    parser.add_argument("overrides", nargs="*", help="Hydra overrides of the run's configuration, and of hydra.run.dir")
    parser.add_argument("-cd", "--config-dir", help="a directory with configuration files of your own")
    return parser


def _one_run(typed: str) -> Path:
    below = sorted(file.parent for file in Path(typed).glob(f"*/{FILE_NAME}"))
    if below and not Path(typed, FILE_NAME).is_file():
        raise RunError(f"{typed} is not a run, but {len(below)} runs are below it", hint=f"one of them: {below[0]}")
    return run_directory(typed)


def _rerun(directory: Path, arguments: argparse.Namespace) -> int:
    from paraphrase_lab.check.saved_config import saved_config, with_overrides
    from paraphrase_lab.configuration.hydra_internals import run_task

    of_hydra = [word for word in arguments.overrides if word.lstrip("+~").startswith(("hydra.", "hydra/"))]
    if refused := [word for word in of_hydra if not word.startswith(("hydra.run.dir=", "hydra.job_logging", "hydra.verbose"))]:
        raise UserError(f"{refused[0]}: a rerun is a single run on this machine", valid="hydra.run.dir=DIRECTORY")
    typed = tuple(word for word in arguments.overrides if word not in of_hydra)
    saved = saved_config(directory)
    saved.resume = None
    config = with_overrides(saved, Request(typed, arguments.config_dir), None)
    if config.resume is not None:
        of_hydra.append(f"hydra.run.dir={quoted(str(run_directory(config.resume)))}")
    is_first = os.environ.get("LOCAL_RANK", "0") == "0"
    if is_first:
        _check(config)
    elif place := os.environ.get(DIRECTORY_VARIABLE):  # another process of a distributed training
        of_hydra += [f"hydra.run.dir={quoted(place)}", "hydra/job_logging=none", "hydra/hydra_logging=none"]
    words = [str(directory.absolute()), *(["--config-dir", arguments.config_dir] if arguments.config_dir else []), *typed]

    def task(_: Any) -> float | None:
        return _train(config, RunRecord.read(directory), typed, words)

    # Hydra gives the run its directory and its log; what is trained is the saved configuration.
    run_task(task, [*of_hydra, "hydra.output_subdir=null"], None, multirun=False)
    return 0


def _check(config: Any) -> None:
    from paraphrase_lab.check.built import check_built

    findings = check_built(config)
    warn(findings.warnings)
    if findings.problems:
        raise ConfigError(findings.problems)


def _train(config: Any, origin: RunRecord, typed: tuple[str, ...], words: list[str]) -> float | None:
    from hydra.core.hydra_config import HydraConfig

    from paraphrase_lab.configuration.hydra_internals import name_this_process
    from paraphrase_lab.lifecycle.rerun import Origin
    from paraphrase_lab.paths import as_typed
    from paraphrase_lab.remote.train import COMMAND, known_errors, next_commands
    from paraphrase_lab.runtime.distributed import is_main_process, processes_find
    from paraphrase_lab.runtime.next_commands import print_next
    from paraphrase_lab.train import train

    directory = as_typed(Path(HydraConfig.get().runtime.output_dir))
    name_this_process(COMMAND, ["rerun", *words])
    to_continue = f"`{shlex.join(['paraphrase', 'rerun', *words, f'resume={directory}'])}` continues it"
    with known_errors(is_sweep=False, to_continue=to_continue), processes_find(directory):
        best = train(config, directory, origin=Origin(origin, typed))
        if is_main_process():
            print_next(*next_commands(directory))
        return best
