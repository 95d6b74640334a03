"""`paraphrase check`: composes and checks, builds nothing."""

from __future__ import annotations

from paraphrase_lab.cli.request import add_to_path, check_jobs, checked, parse_request

HELP = """usage: paraphrase check [-m] [--config-dir DIR] [--elsewhere] [overrides]

Composes the configuration that `paraphrase train` would run with the same overrides (every job of a sweep) and reports all
mistakes at once. Exit code 2 when there are any.

  --elsewhere   for a run on another machine: leaves out what depends on this one (devices, precision, network)"""


def run(words: list[str]) -> int:
    if "-h" in words or "--help" in words:
        print(HELP)
        return 0
    elsewhere = "--elsewhere" in words
    request = parse_request([word for word in words if word != "--elsewhere"], "check")
    add_to_path(request)
    result = checked(request)
    check_jobs(result, elsewhere=elsewhere)
    print("no problems found" if len(result.jobs) == 1 else f"no problems found in {len(result.jobs)} jobs")
    return 0
