"""The text of `paraphrase VERB --help`, for the verbs that take overrides; from files alone, so that it answers at once."""

import textwrap

from paraphrase_lab.paths import CONF_DIR, EXPERIMENTS_DIR

TRAIN = """usage: paraphrase train [-m] [--config-dir DIR] [overrides]

Trains, chooses the best checkpoint, evaluates it and writes the run below runs/. `key=value` changes a key, `group=option`
chooses a file; -m sweeps over comma-separated values: paraphrase train -m seed=0,1,2 optimizer.lr=1e-3,2e-3

{groups}

  --cfg job         show the composed configuration with all its keys; train nothing
  --config-dir DIR  a directory with groups of your own (docs/extending.md)
  resume=auto       continue the newest interrupted run (or sweep) of this very configuration
  --hydra-help      Hydra's own options"""

CHECK = """usage: paraphrase check [-m] [--config-dir DIR] [--remote] [overrides]

Composes the configuration that `paraphrase train` would run with the same overrides (every job of a sweep) and reports all
mistakes at once. Exit code 2 when there are any.

  --remote          for a run on another machine: leaves out what depends on this one (devices, precision, network)"""

STUDY = """usage: paraphrase study [--config-dir DIR] [--results DIR] ablation=NAME [overrides]
       paraphrase study --index

Runs an ablation as a sweep in runs/studies/NAME, on any compute; what is recorded there is not run again. Then compares its
runs and writes experiments/results/NAME.md, .csv and .png. Overrides of anything that changes a result make another study of
it, with a directory and results of its own below runs/studies.

  ablation    {ablations}

  --results DIR     where the results go
  --index           write experiments/README.md: every experiment with its question, command, runs and verdict
  compute=sagemaker and other words that `paraphrase train` takes"""

DATA = """usage: paraphrase data [--config-dir DIR] [overrides]

Describes a data set: sizes, label balance, token lengths, word overlap, duplicates, contradictions, sentences that splits
share. Tables on the screen; report.json and data.png below data-report/.

  paraphrase data data=paws data.path=DIRECTORY
  paraphrase data data=pairs data.path=pairs.csv model=roberta_base     lengths in RoBERTa's tokens"""


def help_text(verb: str) -> str | None:
    """Return the help; None for the verbs that have an argument parser of their own."""
    text = {"train": TRAIN, "study": STUDY, "check": CHECK, "data": DATA}.get(verb)
    if text is None:
        return None
    directories, lines, ablations = [*CONF_DIR.iterdir(), *EXPERIMENTS_DIR.iterdir()], [], ""
    for directory in sorted(directories, key=lambda directory: directory.name):
        options = sorted(file.stem for file in directory.glob("*.yaml")) if directory.is_dir() else []
        if directory.name == "ablation":
            ablations = textwrap.fill(", ".join(options), 108, subsequent_indent=" " * 14)
        if options and directory.name != "hydra":
            group = f"  {directory.name:<16}"
            lines.append(textwrap.fill(", ".join(options), 120, initial_indent=group, subsequent_indent=" " * 18))
    return text.format(groups="\n".join(lines), ablations=ablations)
