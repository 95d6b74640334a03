"""A run that repeats another one: where it comes from, what is not as it was then, and whether the numbers are the same."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from paraphrase_lab.runs.configuration import changed_settings, configuration_of
from paraphrase_lab.runs.record import RunRecord
from paraphrase_lab.tracking.redaction import redacted_words

UNKNOWN = "not known"


@dataclass(frozen=True)
class Origin:
    """The run that is repeated, and the overrides typed for the repetition."""

    record: RunRecord
    overrides: tuple[str, ...] = ()

    @property
    def run_dir(self) -> Path:
        return self.record.run_dir

    def provenance(self) -> dict[str, Any]:
        """Return for run.json what was chosen and typed: as of the origin, and what was typed now."""
        known = configuration_of(self.record.values, self.run_dir)[1]
        typed = {_key(word) for word in self.overrides}
        kept = [word for word in known.get("overrides") or [] if _key(word) not in typed | {"resume"}]
        return {
            "choices": known.get("choices") or {},
            "overrides": [*kept, *self.overrides],
            "command": redacted_words(["paraphrase", "rerun", str(self.run_dir), *self.overrides]),
            "rerun_of": {
                "run": str(self.run_dir.absolute()),
                "fingerprint": self.record.values.get("fingerprint"),
                "started": self.record.values.get("started"),
            },
        }


def _key(word: str) -> str:
    return word.lstrip("+~").partition("=")[0]


def what_differs(origin: RunRecord, now: Mapping[str, Any]) -> list[str]:
    """Return in a line each what is not as it was in the origin, former values in brackets; then what is not known of it.

    Args:
        now: run.json of the run that repeats it, about to train.
    """
    known = configuration_of(origin.values, origin.run_dir)[1]
    parts, parts_now = known.get("fingerprint_parts") or {}, now["fingerprint_parts"]
    settings = changed_settings(known.get("config") or {}, now["config"], known.get("working_dir"))
    lines = [f"settings: {', '.join(settings)}"] if settings else []
    lines += _code(known.get("git") or {}, now["git"], parts.get("code"), parts_now["code"])
    lines += _mapping("libraries", known.get("versions") or {}, now["versions"])
    pairs = {split: facts["fingerprint"][:8] for split, facts in (known.get("data") or {}).items() if "fingerprint" in facts}
    lines += _mapping("data", pairs, {split: facts["fingerprint"][:8] for split, facts in now["data"].items()})
    if parts and parts.get("teacher") != parts_now.get("teacher"):
        now_and_before = [str(one.get("teacher") or "none")[:8] for one in (parts_now, parts)]
        lines.append("teacher: {} ({})".format(*now_and_before))
    lines += _mapping("device", _device(known), _device(now))
    missing = [name for name in ("config", "fingerprint_parts", "git", "versions", "data", "device") if not known.get(name)]
    if known.get("device") and "threads" not in known["device"]:
        missing.append("threads")
    return [*lines, *([f"{UNKNOWN} of {origin.run_dir}: {', '.join(missing)}"] if missing else [])]


def _code(before: Mapping[str, Any], now: Mapping[str, Any], code: str | None, code_now: str) -> Iterator[str]:
    def commit(git: Mapping[str, Any]) -> str:
        return f"{(git.get('commit') or 'no commit')[:8]}{' with uncommitted changes' if git.get('dirty') else ''}"

    if code is not None and code != code_now:
        kept = f"; its uncommitted changes are in {before['diff']}" if before.get("diff") else ""
        yield f"code: other source files, at commit {commit(now)} ({commit(before)}{kept})"
    elif before.get("commit") and before["commit"] != now.get("commit"):
        same = "; the source files are the same" if code is not None else ""
        yield f"commit: {commit(now)} ({commit(before)}){same}"


def _device(record: Mapping[str, Any]) -> dict[str, Any]:
    return {**(record.get("device") or {}), "precision": (record.get("precision") or {}).get("used")}


def _mapping(name: str, before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    changed = [key for key in now if before.get(key) is not None and before[key] != now[key]]
    new = [key for key in now if before and key not in before and name == "data"]
    told = [*(f"{key} {now[key]} ({before[key]})" for key in changed), *(f"{key} {now[key]} (none)" for key in new)]
    return [f"{name}: {', '.join(told)}"] if told else []


def compare_numbers(console: Console, origin: RunRecord, metrics: Mapping[str, Any]) -> bool | None:
    """Print whether the metrics came out as in the origin, and which ones did not; return the answer, None without metrics."""
    before = configuration_of(origin.values, origin.run_dir)[1].get("metrics") or {}
    shared = [name for name in metrics if name in before]
    if not shared:
        console.print(f"{origin.run_dir} has no metrics: it is {origin.status}", markup=False, soft_wrap=True)
        return None
    different = [name for name in shared if not _same(before[name], metrics[name])]
    if not different:
        numbers = "1 metric is" if len(shared) == 1 else f"all {len(shared)} metrics are"
        console.print(f"the same numbers as {origin.run_dir}: {numbers} equal", markup=False, soft_wrap=True)
        return True
    console.print(
        f"other numbers than {origin.run_dir}: {len(different)} of {len(shared)} metrics differ", markup=False, soft_wrap=True
    )
    table = Table("metric", *("then", "now", "difference"))
    for column in table.columns[1:]:
        column.justify = "right"
    for name in different:
        then, now = (math.nan if value is None else float(value) for value in (before[name], metrics[name]))
        table.add_row(name, *("–" if math.isnan(value) else f"{value:.6f}" for value in (then, now)), f"{now - then:+.1e}")
    console.print(table)
    return False


def _same(before: float | None, now: float | None) -> bool:
    """Return whether both are equal; undefined is nan, and null in a file."""
    undefined = [value is None or math.isnan(value) for value in (before, now)]
    return all(undefined) or (not any(undefined) and before == now)
