"""`paraphrase check`: composes and checks, builds nothing."""

from paraphrase_lab.cli.request import add_to_path, check_jobs, checked, parse_request
from paraphrase_lab.errors import UserError


def run(words: list[str]) -> int:
    if "--elsewhere" in words:
        raise UserError("--elsewhere was renamed", hint="paraphrase check --remote …")
    remote = "--remote" in words
    request = parse_request([word for word in words if word != "--remote"], "check")
    add_to_path()
    result = checked(request)
    check_jobs(result, remote=remote)
    print("no problems found" if len(result.jobs) == 1 else f"no problems found in {len(result.jobs)} jobs")
    return 0
