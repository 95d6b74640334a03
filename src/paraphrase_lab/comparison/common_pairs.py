"""The predictions of several runs for the same pairs, or the reason why there are no such pairs."""

import json
import shlex
from collections.abc import Sequence
from pathlib import Path

from paraphrase_lab.comparison.same_pairs import content_of, differing_labels, in_order_of
from paraphrase_lab.data.pair_table import PairTable
from paraphrase_lab.errors import RunError
from paraphrase_lab.runs.predictions import (
    FILE_NAME,
    Predictions,
    missing_split,
    parts_of,
    read_evaluation,
    read_predictions,
    scored_splits,
)
from paraphrase_lab.runs.record import RunRecord
from paraphrase_lab.runs.row import RunRow
from paraphrase_lab.runs.seen_pairs import seen_by
from paraphrase_lab.runs.short import shown

TRAINING_DATA = (
    "data.train", "data.batch", "data.epochs", "data.clusters_together", "data.num_workers", "data.max_length",
    "data.on_truncation", "data.evaluation_batch",
)  # fmt: skip
"""Keys that begin so choose or batch training pairs."""
LIMITS = ("data.evaluation_limit",)


def default_split(rows: Sequence[RunRow]) -> tuple[str, list[str]]:
    """Return test, or validation with a note where a run has scored no test pairs."""
    notes: list[str] = []
    without = [str(row.path) for row in rows if not _has_test(Path(row.path), notes)]
    if not without:
        return "test", []
    who = "These runs have" if len(without) == len(rows) else f"{_some(without)} {'has' if len(without) == 1 else 'have'}"
    return "validation", [
        f"{who} scored no test pairs, so validation pairs are compared. For test pairs: data.test_fraction or data.test=FILE "
        "when training, evaluate_test=always in a search, or `paraphrase evaluate RUN data=pairs data.test=FILE` now.",
        *notes,
    ]


def _has_test(run_dir: Path, notes: list[str]) -> bool:
    return "test" in scored_splits(run_dir) or bool(_evaluations(run_dir, "test", notes))


def leak_notes(rows: Sequence[RunRow], compared: Predictions) -> list[str]:
    """Return a note for every other split whose sentences are among the compared pairs, by the runs' records."""
    found: dict[str, list[str]] = {}
    for row in rows:
        split = (row.record.get("data") or {}).get(compared.split) or {}
        if split.get("fingerprint") != compared.fingerprint:
            continue
        for earlier, count in (split.get("shared") or {}).items():
            same = f"; {count['repeated']:,} of them are {earlier} pairs" if count["repeated"] else ""
            what = f"{count['pairs']:,} of these {split['pairs']:,} pairs have a sentence that {earlier} has too{same}"
            found.setdefault(what, []).append(str(row.path))
    return [f"Leak: {what}{'' if len(runs) == len(rows) else f' ({_some(runs)})'}." for what, runs in found.items()]


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def read_common_predictions(rows: Sequence[RunRow], split: str) -> tuple[list[Predictions], list[str]]:
    """Read what the runs predicted for the same pairs of the split, in the order of the runs; with notes.

    Pairs are the same by their sentences and labels, in any order, whatever run.json says of them. What `paraphrase evaluate`
    wrote and each source of a mixture are looked through for pairs that every run has scored; a run's own come first.

    Raises:
        RunError: a run without predictions of the split, or runs that were scored on different pairs.
    """
    own = [_own(Path(row.path), split) for row in rows]
    if own[0] and len({content_of(one) if one else None for one in own}) == 1:
        return _in_one_order([one for one in own if one])
    notes: list[str] = []
    every = [
        (_parts(one) if one else {}) | _evaluations(Path(row.path), split, notes) | ({content_of(one): one} if one else {})
        for row, one in zip(rows, own, strict=True)
    ]
    for row, known in zip(rows, every, strict=True):
        if not known:
            raise missing_split(Path(row.path), split, scored_splits(Path(row.path)), *notes)
    own_contents = [content_of(one) if one else None for one in own]
    for content in dict.fromkeys([*filter(None, own_contents), *reversed(every[0])]):
        if all(content in known for known in every):
            chosen = [known[content] for known in every]
            given, in_order = _in_one_order(chosen)
            return given, [*_origins(chosen, own_contents, content, split), *in_order, *notes]
    raise _different_pairs(rows, [one or next(iter(known.values())) for one, known in zip(own, every, strict=True)], split)


def _parts(own: Predictions) -> dict[str, Predictions]:
    """Map the content of pairs to predictions, for the groups of a run's own split: the sources of a mixture, say."""
    return {content_of(part): part for part in parts_of(own).values()}


def _origins(chosen: Sequence[Predictions], own_contents: Sequence[str | None], content: str, split: str) -> list[str]:
    """Name the runs whose predictions are of a part of their split, or were written by `paraphrase evaluate`."""
    pairs, parts, evaluated = chosen[0].fingerprint[:8], [], []
    for one, of_own in zip(chosen, own_contents, strict=True):
        if one.split != split:
            parts.append(f"{one.run_dir} ({one.split})")
        elif of_own != content:
            evaluated.append(str(one.run_dir))
    found = (
        [f"Only a part of the {split} pairs is compared, which all runs have scored: of {', '.join(parts)}."] if parts else []
    )
    if evaluated:
        found.append(f"The predictions of `paraphrase evaluate` for the pairs {pairs} are used for {', '.join(evaluated)}.")
    return found


def _in_one_order(given: Sequence[Predictions]) -> tuple[list[Predictions], list[str]]:
    others = [str(one.run_dir) for one in given if one.fingerprint != given[0].fingerprint]
    notes = [f"The pairs of {_some(others)} are those of {given[0].run_dir} in another order."] if others else []
    return [given[0], *(in_order_of(given[0], one) for one in given[1:])], notes


def _own(run_dir: Path, split: str) -> Predictions | None:
    """Return what the run predicted when it was trained; None where it has scored other splits only."""
    scored = scored_splits(run_dir)
    has_it = split in scored or any(split.startswith(f"{whole}_") for whole in scored)
    return read_predictions(run_dir, split) if has_it else None


def _evaluations(run_dir: Path, split: str, notes: list[str]) -> dict[str, Predictions]:
    """Map the content of pairs to predictions, for a run's evaluations on that split of other data; the newest of each wins.

    Earlier releases called all pairs of a single file test, those of the training among them: such an evaluation is left out,
    which `notes` says.
    """
    found: dict[str, Predictions] = {}
    own_split = ((RunRecord.read(run_dir).values.get("data") or {}).get(split) or {}).get("fingerprint")
    for file in sorted(run_dir.glob("evaluations/*/metrics.json"), key=lambda file: file.stat().st_mtime):
        report = json.loads(file.read_text(encoding="utf-8"))
        # Older releases wrote the split into the directory's name alone.
        scored = report.get("split") or file.parent.name.rpartition("-")[0]
        if scored != split or not file.with_name(FILE_NAME).is_file():
            continue
        given = read_evaluation(run_dir, file.parent, split)
        seen = seen_by(run_dir, _table(given)).any
        if split == "test" and seen.any() and given.fingerprint != own_split:
            notes.append(f"{file.parent} is left out: {run_dir} has seen {int(seen.sum()):,} of its {len(seen):,} pairs.")
        else:
            found[content_of(given)] = given
    return found


def _table(given: Predictions) -> PairTable:
    return PairTable(given.ids, given.sentence1, given.sentence2, given.labels)


def _different_pairs(rows: Sequence[RunRow], own: Sequence[Predictions], split: str) -> RunError:
    lines = [f"these runs were scored on different {split} pairs, so their figures cannot be compared:"]
    for fingerprint in dict.fromkeys(one.fingerprint for one in own):
        runs = [one for one in own if one.fingerprint == fingerprint]
        names = [str(one.run_dir) for one in runs]
        lines.append(f"  {fingerprint[:8]} ({len(runs[0].labels):,} pairs): {_some(names)}")
    for one in own[1:]:
        if changed := differing_labels(own[0], one):
            lines.append(f"  the sentences of {one.run_dir} are those of {own[0].run_dir}, but {changed:,} labels differ")
    of_split = [] if split == "test" else ["--split", split]
    commands = [
        f"`{' '.join(['paraphrase evaluate', str(one.run_dir), *_data_words(rows[0], row), *of_split])}`"
        for row, one in zip(rows, own, strict=True)
        if one.fingerprint != own[0].fingerprint
    ]
    refused = [str(one.run_dir) for one in own[1:] if seen_by(one.run_dir, _table(own[0])).any.any()]
    if refused or _is_cut(rows[0]):
        why = f"{_some(refused)} has seen some of those of" if refused else "no file holds those alone of"
        return RunError(
            "\n".join(lines),
            valid=f"pairs that none of them has seen; {why} {own[0].run_dir}",
            hint="`paraphrase evaluate RUN data=pairs data.path=FILE` scores each on such pairs; then compare again",
        )
    if not commands:
        hint = "`paraphrase evaluate RUN` scores a run again on its own data; then compare again"
        return RunError("\n".join(lines), valid="runs whose predictions.parquet holds the data that run.json names", hint=hint)
    others = f" (and so on for {len(commands) - 1} more)" if len(commands) > 1 else ""
    return RunError(
        "\n".join(lines), hint=f"{commands[0]}{others} scores it on the pairs of {own[0].run_dir}; then compare again"
    )


def _is_cut(row: RunRow) -> bool:
    """Tell whether the run's test split was cut from the one file that it was trained on, too."""
    named = [row.config.get(f"data.{key}") for key in ("test", "validation")]
    path = row.config.get("data.train") or row.config.get("data.path")
    return named == [None, None] and isinstance(path, str) and bool(Path(path).suffix)


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
