"""`paraphrase check`: composes and checks, builds nothing."""

import shlex

from paraphrase_lab.check import CheckedRequest
from paraphrase_lab.cli.request import add_to_path, check_jobs, checked, parse_request
from paraphrase_lab.errors import UserError
from paraphrase_lab.paths import RUNS_DIR
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
    if len(result.jobs) > 1 and result.jobs[0].config.study is not None:
        _print_power(result)
    print_next(f"paraphrase train {shlex.join(words)}".rstrip())
    return 0


def _print_power(result: CheckedRequest) -> None:
    """Say what a study can find, which few seeds decide beforehand."""
    from paraphrase_lab.studies.plan import plan_study, power_of

    for line in power_of(plan_study(result, "this", "", RUNS_DIR)):
        print(line)
