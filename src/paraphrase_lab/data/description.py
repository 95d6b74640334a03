"""Describes a data set before anything is trained on it: size, balance, lengths, overlap, noise and leaks.

The report holds plain numbers, strings, lists and dicts (JSON); a share is in 0-1, and None where it has no whole.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
from rich.table import Table

from paraphrase_lab.data.clusters import largest_share, sentence_clusters
from paraphrase_lab.data.overlap import PAWS_BANDS, OverlapBands, bands_for, word_overlap


class SplitPairs(NamedTuple):
    """The columns of one split; `lengths` are tokens of the encoded pair [pairs], special tokens included, uncut."""

    sentence1: Sequence[str]
    sentence2: Sequence[str]
    labels: np.ndarray
    lengths: np.ndarray | None = None


def describe(splits: Mapping[str, SplitPairs], max_length: int | None = None) -> dict[str, Any]:
    """Report {max_length, splits: {name: describe_split}, shared: [one entry per two splits]}.

    The bands of overlap are the same in all splits, and fit the pairs of all of them.
    """
    overlaps = [word_overlap(split.sentence1, split.sentence2)[0] for split in splits.values()]
    bands = bands_for(np.concatenate(overlaps)) if overlaps else PAWS_BANDS
    return {
        "max_length": max_length,
        "splits": {name: describe_split(*split, max_length, bands) for name, split in splits.items()},
        "shared": [{"splits": [a, b], **_shared_sentences(a, splits[a], b, splits[b])} for a, b in combinations(splits, 2)],
    }


def describe_split(
    sentence1: Sequence[str],
    sentence2: Sequence[str],
    labels: np.ndarray,
    lengths: np.ndarray | None,
    max_length: int | None,
    bands: OverlapBands = PAWS_BANDS,
) -> dict[str, Any]:
    """Return everything that `describe` says about one split. Sentences are the same only when every character is.

    - overlap: Jaccard of the two sets of words; words are those of `overlap.words_of`.
    - same_bag: pairs with the same words, each as often: they differ in word order (or case) only, if at all.
    - clusters: pairs connected by shared sentences; effective_pairs is Kish's n² / Σ size², the number of independent
      pairs this split would be worth if a model got each cluster right or wrong as a whole.
    """
    labels = np.asarray(labels)
    if not len(sentence1) == len(sentence2) == len(labels) == (len(labels) if lengths is None else len(lengths)):
        raise ValueError("sentence1, sentence2, labels and lengths must be equally long")
    overlap, same_bag = word_overlap(sentence1, sentence2)
    band = bands.of(overlap)
    return {
        "pairs": len(labels),
        "yes": int((labels == 1).sum()),
        "positive_rate": _share(int((labels == 1).sum()), len(labels)),
        "distinct_sentences": len({*sentence1, *sentence2}),
        "lengths": None if lengths is None or not len(lengths) else _length_summary(np.asarray(lengths), max_length),
        "overlap": [{"band": name, **_counted(band == index, labels)} for index, name in enumerate(bands.names)],
        "same_bag": _counted(same_bag, labels),
        "clusters": _cluster_summary(sentence_clusters(sentence1, sentence2)),
        "noise": _noise(sentence1, sentence2, labels),
    }


def _counted(chosen: np.ndarray, labels: np.ndarray) -> dict[str, Any]:
    pairs, yes = int(chosen.sum()), int((labels[chosen] == 1).sum())
    return {"pairs": pairs, "share": _share(pairs, len(labels)), "yes": yes, "positive_rate": _share(yes, pairs)}


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _length_summary(lengths: np.ndarray, max_length: int | None) -> dict[str, Any]:
    """Summarise lengths in tokens; truncated: pairs longer than max_length, which lose words."""
    percentiles = {f"p{q}": float(np.percentile(lengths, q)) for q in (50, 90, 95, 99)}
    truncated = int((lengths > max_length).sum()) if max_length is not None else 0
    return {
        "mean": float(lengths.mean()),
        **percentiles,
        "max": int(lengths.max()),
        "truncated": truncated,
        "truncated_share": truncated / len(lengths),
    }


def _cluster_summary(clusters: np.ndarray) -> dict[str, Any]:
    sizes = np.bincount(clusters)
    return {
        "number": len(sizes),
        "mean_pairs": _share(len(clusters), len(sizes)),
        "max_pairs": int(sizes.max(initial=0)),
        "max_share": largest_share(clusters) if len(clusters) else None,
        "effective_pairs": len(clusters) ** 2 / int((sizes**2).sum()) if len(sizes) else 0.0,
    }


def _noise(sentence1: Sequence[str], sentence2: Sequence[str], labels: np.ndarray) -> dict[str, int]:
    """Count rows and pairs that look like mistakes.

    - duplicate_rows: rows that repeat an earlier row, label included.
    - reversed_rows: rows (a, b) for which (b, a) is a row too, a and b being different; both rows count.
    - contradictory_pairs: unordered pairs of sentences that carry both labels, each counted once.
    - identical_pairs, identical_no: rows that pair a sentence with itself, and those of them labelled no.
    """
    rows = list(zip(sentence1, sentence2, strict=True))
    ordered = set(rows)
    labels_of = {(*min((a, b), (b, a)), int(label)) for (a, b), label in zip(rows, labels, strict=True)}
    identical = np.array([a == b for a, b in rows], dtype=bool)
    return {
        "duplicate_rows": len(rows) - len({(*row, int(label)) for row, label in zip(rows, labels, strict=True)}),
        "reversed_rows": sum(a != b and (b, a) in ordered for a, b in rows),
        "contradictory_pairs": sum(n > 1 for n in Counter((a, b) for a, b, _ in labels_of).values()),
        "identical_pairs": int(identical.sum()),
        "identical_no": int((identical & (labels == 0)).sum()),
    }


def _shared_sentences(name_a: str, a: SplitPairs, name_b: str, b: SplitPairs) -> dict[str, Any]:
    """Count the sentences that stand in both splits, and the pairs of each split that hold at least one of them."""
    shared = {*a.sentence1, *a.sentence2} & {*b.sentence1, *b.sentence2}
    touched = {
        name: sum(x in shared or y in shared for x, y in zip(split.sentence1, split.sentence2, strict=True))
        for name, split in ((name_a, a), (name_b, b))
    }
    return {"sentences": len(shared), "pairs": touched}


def describe_tables(report: Mapping[str, Any]) -> list[Table]:
    """Return the report for a terminal: one column per split."""
    splits: Mapping[str, Any] = report["splits"]
    tables = [_size_table(splits), _overlap_table(splits), _noise_table(splits)]
    if any(split["lengths"] for split in splits.values()):
        tables.insert(1, _length_table(splits, report["max_length"]))
    if report["shared"]:
        rows = [
            (
                " and ".join(entry["splits"]),
                f"{entry['sentences']:,}",
                ", ".join(f"{count:,} of {name}" for name, count in entry["pairs"].items()),
            )
            for entry in report["shared"]
        ]
        tables.append(_table("Sentences shared between splits", "splits", ("sentences", "pairs touched"), rows))
    return tables


def _table(title: str, first: str, columns: Iterable[str], rows: Iterable[Sequence[str]]) -> Table:
    table = Table(first, title=title, title_justify="left")
    for column in columns:
        table.add_column(column, justify="right")
    for row in rows:
        table.add_row(*row)
    return table


def _size_table(splits: Mapping[str, Any]) -> Table:
    rows = [
        ("pairs", *(f"{split['pairs']:,}" for split in splits.values())),
        ("labelled yes", *(_percent(split["positive_rate"]) for split in splits.values())),
        ("distinct sentences", *(f"{split['distinct_sentences']:,}" for split in splits.values())),
        ("clusters of shared sentences", *(f"{split['clusters']['number']:,}" for split in splits.values())),
        ("pairs per cluster, mean", *(_number(split["clusters"]["mean_pairs"]) for split in splits.values())),
        ("largest cluster", *(_largest_cluster(split["clusters"]) for split in splits.values())),
        ("effective pairs (Kish)", *(f"{split['clusters']['effective_pairs']:,.0f}" for split in splits.values())),
    ]
    return _table("Pairs", "", splits, rows)


def _largest_cluster(clusters: Mapping[str, Any]) -> str:
    return f"{clusters['max_pairs']:,} ({_percent(clusters['max_share'])})"


def _length_table(splits: Mapping[str, Any], max_length: int | None) -> Table:
    names = {"mean": "mean", "p50": "median", "p90": "90%", "p95": "95%", "p99": "99%", "max": "max"}
    lengths = [split["lengths"] for split in splits.values()]
    rows = [(shown, *(_number(one[key]) if one else "-" for one in lengths)) for key, shown in names.items()]
    if max_length is not None:
        rows.append((f"cut at {max_length}", *(_percent(one["truncated_share"]) if one else "-" for one in lengths)))
    return _table("Tokens per pair", "", splits, rows)


def _overlap_table(splits: Mapping[str, Any]) -> Table:
    def cells(counted: Mapping[str, Any]) -> str:
        return f"{counted['pairs']:,} ({_percent(counted['positive_rate'])} yes)"

    bands = [one["band"] for one in next(iter(splits.values()))["overlap"]] if splits else []
    rows = [(band, *(cells(split["overlap"][index]) for split in splits.values())) for index, band in enumerate(bands)]
    rows.append(("same bag", *(cells(split["same_bag"]) for split in splits.values())))
    return _table("Word overlap (Jaccard)", "overlap", splits, rows)


def _noise_table(splits: Mapping[str, Any]) -> Table:
    names = {
        "duplicate_rows": "rows that repeat an earlier row",
        "reversed_rows": "rows whose reversed pair is present",
        "contradictory_pairs": "pairs that carry both labels",
        "identical_pairs": "identical sentences",
        "identical_no": "identical sentences, labelled no",
    }
    rows = [(shown, *(f"{split['noise'][key]:,}" for split in splits.values())) for key, shown in names.items()]
    return _table("Noise", "", splits, rows)


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.1%}"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:,.1f}".removesuffix(".0")
