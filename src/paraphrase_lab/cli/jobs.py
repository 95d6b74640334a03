"""`paraphrase jobs`: the launcher's own verbs for a sweep that was submitted, and the table of the collected runs."""

from paraphrase_lab.cli.request import add_to_path
from paraphrase_lab.paths import with_home

PROGRAM = "paraphrase jobs"
VERBS = ("list", "logs", "stop", "collect", "prices")


def run(words: list[str]) -> int:
    from hydra_sagemaker.cli.main import execute, parser

    arguments = parser(PROGRAM).parse_args([with_home(word) for word in words])
    add_to_path()
    code = execute(arguments, PROGRAM)
    if arguments.verb == "collect" and not arguments.json and code in (0, 1):
        from paraphrase_lab.cli.sweep_summary import print_summary

        print_summary(arguments.directory)
    return code
