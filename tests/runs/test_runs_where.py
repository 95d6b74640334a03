"""The condition of `paraphrase runs --where`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from paraphrase_lab.errors import UserError
from paraphrase_lab.runs.fields import Fields
from paraphrase_lab.runs.row import RunRow
from paraphrase_lab.runs.where import where


def row(name: str, status: str, config: dict[str, Any], metrics: dict[str, float], **record: Any) -> RunRow:
    return RunRow(Path("runs") / name, name, status, config, metrics, record)


MISPLACED = "a comparison, 'and', 'or' or a parenthesis is missing or misplaced"
RUNS = [
    row(
        "a", "finished",
        {"model": "tiny", "seed": 0, "optimizer.lr": 0.001, "model.name": "with spaces", "trainer.deterministic": True},
        {"test/f1": 0.95, "val_fitted/f1": 0.9}, started="2026-11-24T10:00:00+00:00", seconds={"data": 1.0, "training": 9.0},
    ),
    row(
        "b", "finished",
        {"model": "tiny", "seed": 1, "optimizer.lr": 0.01, "model.betas": [0.9, 0.999], "trainer.deterministic": False},
        {"test/f1": 0.85, "val_fitted/f1": 0.8}, started="2026-11-25T10:00:00+00:00", job={"cost_of_all_attempts_usd": 0.5},
    ),
    row("c", "failed", {"model": "roberta_base", "seed": 0, "optimizer.lr": 0.001}, {}, error="RuntimeError: out of memory"),
]  # fmt: skip


def chosen(condition: str) -> str:
    return "".join(one.name for one in where(condition, RUNS, Fields(RUNS)))


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("model=tiny and test/f1>0.9", "a"),
        ("model=tiny", "ab"),
        ("model == tiny", "ab"),
        ("model=TINY", "ab"),
        ("model!=tiny", "c"),
        ("model~tin", "ab"),
        ("model~A_B", "c"),
        ("test/f1>=0.85", "ab"),
        ("test/f1<0.95", "b"),
        ("test/f1<=0.95", "ab"),
        ("lr=1e-3", "ac"),
        ("lr=0.0010", "ac"),
        ("optimizer.lr<0.005", "ac"),
        ("not seed=0", "b"),
        ("not not seed=0", "ac"),
        ("not seed=1 and model=tiny", "a"),
        ("not (seed=1 or status=failed)", "a"),
        ("seed=1 or seed=0 and status=failed", "bc"),
        ("(seed=1 or seed=0) and status=failed", "c"),
        ("seed=1 OR seed=0 AND status=failed", "bc"),
        ("name='a'", "a"),
        ('model.name="with spaces"', "a"),
        ("deterministic=true", "a"),
        ("deterministic=false", "b"),
        ("betas=[0.9,0.999]", "b"),
        ("test/f1=null", "c"),
        ("test/f1!=null", "ab"),
        ("error!=null", "c"),
        ("error~memory", "c"),
        ("error~null", ""),  # of the runs that have no error none holds the word
        ("not error~memory", "ab"),
        ("model.betas!=x", "abc"),
        ("test/f1<1", "ab"),  # what is not there is not small
        ("started>2026-11-25", "b"),
        ("started<2026-11-25T00:00", "a"),
        ("seconds>=10", "a"),
        ("cost>0.1", "b"),
        ("status=finished and(seed=1)", "b"),
    ],
)
def test_conditions(condition: str, expected: str) -> None:
    assert chosen(condition) == expected


@pytest.mark.parametrize(
    ("condition", "said"),
    [
        ("", MISPLACED),
        ("model=tiny and", MISPLACED),
        ("and model=tiny", MISPLACED),
        ("not", MISPLACED),
        ("()", MISPLACED),
        ("(model=tiny", MISPLACED),
        ("model=tiny)", MISPLACED),
        ("model=tiny seed=0", MISPLACED),
        ("(model=tiny) (seed=0)", MISPLACED),
        ("model", "'model' is no comparison\nKEY OPERATOR VALUE, operators == != >= <= = > < ~"),
        ("model tiny", "'model' is no comparison"),
        ("model=tiny and 0", "'0' is no comparison"),
        ("model=", "'model=' is no comparison"),
        ("model=~/runs", "'model=~/runs' is no comparison\n.*a value with a space or one of .* stands in quotes"),
        ("model='tiny", '"model=\'tiny" is no comparison'),
        ("model=>tiny", "'model=>tiny' is no comparison"),
        ("test/f1>high", "test/f1 is a number, 'high' is none"),
        ("val/f1>0.9", "no run has a key val/f1: that is what is measured while training\nval_fitted/f1 is that of the chosen"),
        ("f1>0.9", "f1 may mean test/f1 or val_fitted/f1\ntype the whole name"),
        ("modle=tiny", "no run has a key modle\ndid you mean model\\?"),
        ("model.layres=2 or seed=0", "no run has a key model.layres"),
        ("test/acuracy>0", "no run has a key test/acuracy\n(keys|did you mean)"),
    ],
)
def test_broken_conditions(condition: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        chosen(condition)


def test_a_key_that_repeats_another_one_is_not_ambiguous() -> None:
    config = {"model.lr": 0.1, "optimizer.lr": 0.1}
    rows = [row("a", "finished", config, {}, follows={"optimizer.lr": "model.lr"})]
    assert Fields(rows).find("lr") == "model.lr"
    with pytest.raises(UserError, match=r"lr may mean model\.lr or optimizer\.lr"):
        Fields([row("a", "finished", config, {})]).find("lr")
