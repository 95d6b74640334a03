"""`paraphrase check`: composes and checks, builds nothing."""

import shlex

from paraphrase_lab.cli.request import add_to_path, check_jobs, checked, parse_request
from paraphrase_lab.errors import UserError
from paraphrase_lab.runtime.next_commands import print_next


def run(words: list[str]) -> int:
    if "--elsewhere" in words:
        raise UserError("--elsewhere was renamed", hint="paraphrase check --remote …")
    remote = "--remote" in words
    words = [word for word in words if word != "--remote"]
    request = parse_request(words, "check")
    add_to_path()
    result = checked(request)
    check_jobs(result, remote=remote)
    print("no problems found" if len(result.jobs) == 1 else f"no problems found in {len(result.jobs)} jobs")
    print_next(f"paraphrase train {shlex.join(words)}".rstrip())
    return 0
