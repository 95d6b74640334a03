"""The predictions of several runs for the same pairs, or the reason why there are no such pairs."""

import json
import shlex
from collections.abc import Sequence
from pathlib import Path

import pyarrow.parquet as pq

from paraphrase_lab.errors import RunError
from paraphrase_lab.metrics.calibration import Calibration
from paraphrase_lab.runs.predictions import FILE_NAME, Predictions, read_predictions, with_calibration
from paraphrase_lab.runs.row import RunRow
from paraphrase_lab.runs.short import shown

TRAINING_DATA = (
    "data.train", "data.batch", "data.epochs", "data.clusters_together", "data.num_workers", "data.max_length",
    "data.on_truncation", "data.evaluation_batch",
)  # fmt: skip
"""Keys that begin so choose or batch training pairs."""
LIMITS = ("data.evaluation_limit",)


def read_common_predictions(rows: Sequence[RunRow], split: str) -> tuple[list[Predictions], list[str]]:
    """Read what the runs predicted for the same pairs of the split, in the order of the runs; with notes.

    What `paraphrase evaluate` wrote is looked through for pairs that every run has scored; a run's own come first.

    Raises:
        RunError: a run without predictions of the split, or runs that were scored on different pairs.
    """
    own = [read_predictions(Path(row.path), split) for row in rows]
    if len({one.fingerprint for one in own}) == 1:
        return own, []
    every = [_evaluations(one, split) | {one.fingerprint: one} for one in own]
    for fingerprint in dict.fromkeys([*(one.fingerprint for one in own), *reversed(every[0])]):
        if all(fingerprint in known for known in every):
            others = ", ".join(str(one.run_dir) for one in own if one.fingerprint != fingerprint)
            note = f"The predictions of `paraphrase evaluate` for the pairs {fingerprint[:8]} are used for {others}."
            return [known[fingerprint] for known in every], [note]
    raise _different_pairs(rows, own, split)


def _evaluations(own: Predictions, split: str) -> dict[str, Predictions]:
    """Map fingerprint to predictions, for a run's evaluations on the same split of other data; the newest of each wins."""
    files = sorted(own.run_dir.glob("evaluations/*/metrics.json"), key=lambda file: file.stat().st_mtime)
    found = [(file, json.loads(file.read_text(encoding="utf-8"))) for file in files if file.with_name(FILE_NAME).is_file()]
    # Older releases wrote the split into the directory's name alone.
    splits = [report.get("split") or file.parent.name.rpartition("-")[0] for file, report in found]
    return {
        report["fingerprint"]: with_calibration(
            own.run_dir,
            split,
            pq.read_table(file.with_name(FILE_NAME)),
            Calibration.from_dict(report["calibration"]),
            report["fingerprint"],
        )
        for (file, report), scored in zip(found, splits, strict=True)
        if scored == split
    }


def _different_pairs(rows: Sequence[RunRow], own: Sequence[Predictions], split: str) -> RunError:
    lines = [f"these runs were scored on different {split} pairs, so their figures cannot be compared:"]
    for fingerprint in dict.fromkeys(one.fingerprint for one in own):
        runs = [one for one in own if one.fingerprint == fingerprint]
        names = [str(one.run_dir) for one in runs]
        shown = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
        lines.append(f"  {fingerprint[:8]} ({len(runs[0].labels):,} pairs): {shown}")
    of_split = [] if split == "test" else ["--split", split]
    commands = [
        f"`{' '.join(['paraphrase evaluate', str(one.run_dir), *_data_words(rows[0], row), *of_split])}`"
        for row, one in zip(rows, own, strict=True)
        if one.fingerprint != own[0].fingerprint
    ]
    others = f" (and so on for {len(commands) - 1} more)" if len(commands) > 1 else ""
    return RunError(
        "\n".join(lines), hint=f"{commands[0]}{others} scores it on the pairs of {own[0].run_dir}; then compare again"
    )


def _data_words(row: RunRow, other: RunRow) -> list[str]:
    """Return the overrides that evaluate `other` on the data of `row`."""
    typed = [word for word in row.record.get("overrides") or () if word.lstrip("+").startswith(("data=", "data."))]
    group = row.config.get("data")
    if group == other.config.get("data"):
        keys = [key for key in row.config if key.startswith("data.") and not key.startswith(TRAINING_DATA)]
        return [shlex.quote(f"{key}={shown(row.config[key])}") for key in keys if row.config[key] != other.config.get(key)]
    words = {word.partition("=")[0]: word for word in typed} | ({"data": f"data={group}"} if group else {})
    for key in LIMITS:  # set by debug=fast, say, and not typed
        if row.config.get(key) is not None:
            words.setdefault(key, f"{key}={shown(row.config[key])}")
    return [shlex.quote(word) for key, word in sorted(words.items(), key=lambda item: item[0] != "data")]
