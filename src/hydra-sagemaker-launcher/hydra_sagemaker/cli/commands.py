"""The verbs: list, read, stop and collect the jobs of a sweep from its directory alone; show prices."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from hydra_sagemaker.aws.clients import persistently
from hydra_sagemaker.aws.logs import Log, RetryTransient, clean, follow
from hydra_sagemaker.backends.base import State
from hydra_sagemaker.display.tables import as_json, counted, drawn, jobs_table
from hydra_sagemaker.errors import LauncherError
from hydra_sagemaker.job.result import read_result
from hydra_sagemaker.pricing.cost import total
from hydra_sagemaker.pricing.prices import REGION, SECONDS_PER_HOUR, Prices, choices_of, hourly_usd, price_table
from hydra_sagemaker.settings import Mode
from hydra_sagemaker.sweep.lock import holder
from hydra_sagemaker.sweep.past_sweep import JobStatus, SubmittedSweep
from hydra_sagemaker.sweep.warm_machines import PastPools, sentence

LOG_SECONDS = 2.0


def show_logs(sweep: SubmittedSweep, *, is_following: bool, lines: int) -> None:
    logs: dict[str, Log] = {}
    labels: dict[str, str] = {}
    for one in sweep.refresh():
        if one.status.state == State.WAITING:
            _to_stderr(f"{one.job}: {one.status.detail}")
            continue
        logs[one.attempt.name] = sweep.backend.log(one.job, one.attempt.name, lines=lines, is_collected=one.is_collected)
        labels[one.attempt.name] = f"{one.job.number} | " if len(sweep.jobs) > 1 else ""
    colours = sys.stdout.isatty()
    seconds = min(LOG_SECONDS, sweep.poll_seconds)
    silent = set(logs)
    ends = ((name, line) for name, one in logs.items() for line in persistently(lambda one=one: one.new_lines(ended=True)))
    read = follow(logs, sweep.running, seconds=seconds, poll_seconds=sweep.poll_seconds) if is_following else ends
    for name, line in read:
        silent.discard(name)
        print(labels[name] + clean(line, colours=colours), flush=is_following)
    for name in sorted(silent):
        _to_stderr(f"{labels[name]}{name} has no log{'' if is_following else ' yet'}")


def stop(sweep: SubmittedSweep, *, is_agreed: bool, in_json: bool) -> None:
    seen = sweep.refresh()
    running = [one for one in seen if one.runs]
    for one in running:
        _to_stderr(f"{one.job} runs as {one.attempt.name}")
    if running and not is_agreed and not _agreed(f"stop {counted(len(running), 'job')}?"):
        _to_stderr("nothing was stopped")
        return
    if running:
        names = sorted({one.attempt.name for one in running})
        not_told = sweep.tracker.stop(names)
    else:
        not_told = []
        _to_stderr("no job runs")
    pools = PastPools(sweep, _to_stderr)
    pools.find()
    not_ended = pools.end(jobs_were_stopped=not not_told)
    if (launcher := holder(sweep.manifest.directory)) is not None:
        _to_stderr(f"a launcher works for this sweep (process {launcher}) and may submit jobs again: end it too")
    show(sweep.refresh(), sweep.prices, in_json)
    if not_told:
        raise LauncherError(f"{len(not_told)} not stopped: {', '.join(not_told)}")
    if not_ended:
        raise LauncherError(sentence(not_ended))


def collect(sweep: SubmittedSweep, *, again: bool, wait: bool, in_json: bool) -> int:
    """Collect results; return 1 when a job failed, now or earlier."""
    collected: set[int] = set()
    pools = PastPools(sweep, _to_stderr)
    try:
        pools.find()
    except LauncherError as error:  # collected jobs need no credentials
        _to_stderr(f"machines may still be warm, and cannot be asked about: {str(error).splitlines()[0]}")
    seen = sweep.refresh()
    patience = RetryTransient()
    while True:
        for index, one in enumerate(seen):
            if one.status.state.ended and one.job.number not in collected and (again or not one.is_collected):
                pools.ended(submission := sweep.submission(one))
                seen[index] = sweep.collect(one, submission)
                collected.add(one.job.number)
                _to_stderr(f"{one.job}: {one.status.state.value}, in {one.job.output_dir}")
        if not wait or not any(one.runs for one in seen):
            break
        time.sleep(sweep.poll_seconds)
        with patience:
            seen = sweep.refresh()
        pools.tend()
    not_ended = pools.end()
    for index, one in enumerate(seen):
        if one.awaits_bill:  # its machine ran on when it was collected, and may have ended since
            seen[index] = sweep.collect(one)
        if seen[index].has_failed:
            _to_stderr(failure_text(seen[index]))
    if running := [one for one in seen if one.runs]:
        _to_stderr(
            f"{counted(len(running), 'job')} still run{'s' if len(running) == 1 else ''}: `collect --wait` waits for them"
        )
    show(seen, sweep.prices, in_json)
    if not_ended:
        _to_stderr(sentence(not_ended))
    return int(any(one.has_failed for one in seen))


def show_prices(instance_types: Sequence[str], *, in_json: bool) -> None:
    """Print what instance types cost by the hour.

    Raises:
        LauncherError: the table has no such instance type.
    """
    table = price_table()
    for name in instance_types:
        if name not in table:
            near = get_close_matches(name, table, n=1)
            hint = f"Did you mean '{near[0]}'?" if near else f"The table has {', '.join(table)}"
            raise LauncherError(f"no price is known for instance type '{name}'. {hint}")
    rows = {name: table[name] for name in instance_types or table}
    if in_json:
        print(as_json([{"instance_type": name, "region": REGION, **listed._asdict()} for name, listed in rows.items()]))
        return
    shown = [{"instance type": name, "USD per hour": f"{usd:g}", "dated": dated} for name, (usd, dated) in rows.items()]
    print(f"{drawn(shown)}{REGION}, on demand, one instance of a training job; other regions differ.")
    print("Spot bills fewer seconds at the same rate: how many is known when the job has ended.")


def failure_text(seen: JobStatus) -> str:
    failure = (seen.record or {}).get("failure") or {}
    ended = f"it ended as {seen.status.state.value} ({seen.status.detail})"
    message = _traceback(seen.job.job_dir) or failure.get("message") or ended
    cause = f" ({failure['cause']})" if failure else ""
    step = [f"Next: {failure['next_step']}"] if failure.get("next_step") else []
    return "\n".join([f"{seen.job} failed as {seen.attempt.name}{cause}", message, *step, f"its files: {seen.job.output_dir}"])


def _traceback(job_dir: Path) -> str | None:
    try:
        result = read_result(job_dir)
    except LauncherError:
        return None
    if result is None or result["status"] != "failed" or "exception" not in result:
        return None
    return str(result["exception"]["traceback"]).strip()


def show(seen: Sequence[JobStatus], prices: Prices, in_json: bool) -> None:
    rows = [_row(one, prices) for one in seen]
    if in_json:
        print(as_json(rows))
        return
    for row, one in zip(rows, seen, strict=True):
        if one.runs and row["detail"] and row["detail"].lower() != row["state"]:  # what the service calls it
            row["state"] += f" ({row['detail']})"
    print(jobs_table(rows))
    for one in seen:
        if one.status.state == State.WAITING:
            print(f"{one.status.state.value}: {one.job}: {one.status.detail}")


def _row(seen: JobStatus, prices: Prices) -> dict[str, Any]:
    record, attempt = seen.record or {}, seen.attempt
    seconds = record.get("TrainingTimeInSeconds", record.get("seconds"))
    if seconds is None and attempt.submitted is not None and (seen.runs or attempt.ended):
        seconds = (attempt.ended or time.time()) - attempt.submitted
    started = None if attempt.submitted is None else datetime.fromtimestamp(round(attempt.submitted), UTC).isoformat()
    if created := record.get("CreationTime"):  # of a job that was reused, the ledger here knows only when that was
        started = datetime.fromisoformat(created).astimezone(UTC).isoformat(timespec="seconds")
    return {
        "job": seen.job.number,
        "overrides": " ".join(seen.job.distinguishing_overrides),
        "name": attempt.name,
        "state": seen.status.state.value,
        "cause": (record.get("failure") or {}).get("cause"),
        "started": started,
        "runtime_seconds": seconds,
        "cost_usd": _cost_usd(record),
        "cost_so_far_usd": _usd_so_far(seen, prices),
        "detail": seen.status.detail,
    }


def _cost_usd(record: Mapping[str, Any]) -> float | None:
    """Return the cost of all attempts, None where the bill of one is not known."""
    if record.get("mode") == "local" or record.get("same_as") is not None or record.get("detail") == "not submitted":
        return 0.0
    return total(one.get("cost") or {} for one in (*record.get("earlier_attempts", ()), record))["cost_usd"]


def _usd_so_far(seen: JobStatus, prices: Prices) -> float | None:
    """Return what a job that runs has cost since its submission, waiting for its machine included; None for another.

    Jobs that share a machine share its cost.
    """
    settings, submitted = seen.job.settings, seen.attempt.submitted
    choices = choices_of(settings)
    if not seen.runs or submitted is None or len(choices) != 1:
        return None
    hourly = 0.0 if settings.mode == Mode.local else hourly_usd(choices[0], prices)
    shared_by = seen.attempt.shared_by
    hours = min((time.time() - submitted) / SECONDS_PER_HOUR, shared_by * settings.max_run_hours)
    return None if hourly is None else hourly * hours / shared_by


def _agreed(question: str) -> bool:
    if not sys.stdin.isatty():
        raise LauncherError(f"{question} no terminal to ask: add --yes")
    print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _to_stderr(text: str) -> None:
    """Print beside the tables: standard output may be JSON."""
    print(text, file=sys.stderr)
