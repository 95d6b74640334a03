"""`paraphrase jobs`: the launcher's own verbs for a sweep that was submitted, and the table of the collected runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paraphrase_lab.cli.request import add_to_path
from paraphrase_lab.paths import with_home

if TYPE_CHECKING:
    from hydra_sagemaker.aws.bootstrap import Names

PROGRAM = "paraphrase jobs"
VERBS = ("list", "logs", "stop", "collect", "prices", "bootstrap")


def account_names() -> Names:
    """Return the names that `bootstrap` proposes, and the lines for the shell's profile."""
    from hydra_sagemaker.aws.bootstrap import Names

    lines = ("export PARAPHRASE_S3_URI={s3_uri}", "export PARAPHRASE_ROLE_ARN={role_arn}")
    return Names("paraphrase", "paraphrase-lab-sagemaker", lines)


def run(words: list[str]) -> int:
    from hydra_sagemaker.cli.main import execute, parser

    arguments = parser(PROGRAM, account_names()).parse_args([with_home(word) for word in words])
    add_to_path()
    code = execute(arguments, PROGRAM)
    if arguments.verb == "collect" and not arguments.json and code in (0, 1):
        from paraphrase_lab.cli.sweep_summary import print_summary

        print_summary(arguments.directory)
    return code
