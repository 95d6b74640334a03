"""`paraphrase push`: a run's model to the Hugging Face Hub."""

import argparse

from paraphrase_lab.errors import UserError
from paraphrase_lab.paths import with_home
from paraphrase_lab.runs.record import run_directory
from paraphrase_lab.storage import size

HELP = """Sends RUN/model to the Hub, with its card; the repository is made where it is not there. Paths of this machine and
secrets are replaced in what is sent; a sentence of the run's pairs in one of the files is refused. --dry-run shows all
of it and sends nothing. The token is that of `hf auth login` or HF_TOKEN."""


def run(words: list[str]) -> int:
    arguments = arguments_parser().parse_args(words)
    owner, slash, name = arguments.repo.partition("/")
    if not (owner and slash and name) or "/" in name:
        raise UserError(
            f"{arguments.repo} is no name of the Hub", valid="OWNER/NAME, as in paraphrase push latest jane/plain-pairs"
        )
    directory = run_directory(arguments.run)
    from rich.console import Console
    from rich.table import Table

    from paraphrase_lab.push import prepare, send

    prepared, console = prepare(directory, arguments.repo), Console()
    if arguments.dry_run:
        table = Table("file", "size")
        for one in prepared.uploads:
            table.add_row(one.name, size(one.size))
        table.add_row("all", size(sum(one.size for one in prepared.uploads)), style="bold")
        console.print(table)
    lines = [*(f"replaced in {one}" for one in prepared.replaced), *prepared.notes]
    if arguments.dry_run:
        visibility = "private" if arguments.private else "public"
        lines = [
            prepared.card,
            *lines,
            f"nothing was sent; without --dry-run this becomes {arguments.repo}, {visibility} if new",
        ]
    else:
        lines.append(f"pushed: {send(prepared, arguments.repo, private=arguments.private)}")
    for line in lines:
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    return 0


def arguments_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("paraphrase push", description=HELP, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=with_home, metavar="RUN", help="a run directory, or `latest`")
    parser.add_argument("repo", metavar="OWNER/NAME", help="the repository on the Hub")
    parser.add_argument("--private", action="store_true", help="make it private, and refuse one that is public")
    parser.add_argument("--dry-run", action="store_true", help="show files, card and what is private in them; send nothing")
    return parser
