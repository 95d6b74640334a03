"""Hydra's words for sweeps as a space of Optuna's, and values as words again."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.utils import create_config_search_path
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf

optuna = pytest.importorskip("optuna", reason='needs pip install "hydra-sagemaker-launcher[search]"')

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution  # noqa: E402

from hydra_sagemaker.errors import LauncherError  # noqa: E402
from hydra_sagemaker.search.choices import written  # noqa: E402
from hydra_sagemaker.search.read_space import read_space  # noqa: E402
from hydra_sagemaker.search.space import ENQUEUED, NoJob, Space  # noqa: E402


def space(*arguments: str, params: dict[str, Any] | None = None, function: str | None = None) -> Space:
    return read_space(params or {}, arguments, ConfigLoaderImpl(create_config_search_path(None)), function)


@pytest.mark.parametrize(
    ("text", "distribution"),
    [
        ("int(interval(1,5))", IntDistribution(1, 5)),
        ("interval(1.0,5)", FloatDistribution(1.0, 5.0)),
        ("interval(1,5)", FloatDistribution(1.0, 5.0)),
        ("tag(log,int(interval(1,64)))", IntDistribution(1, 64, log=True)),
        ("tag(log,interval(1e-5,1e-2))", FloatDistribution(1e-5, 1e-2, log=True)),
        ("range(1,5)", IntDistribution(1, 4)),
        ("range(5,0,-2)", IntDistribution(1, 5, step=2)),
        ("range(0.0,1.0,0.25)", FloatDistribution(0.0, 0.75, step=0.25)),
        ("8,16,true,null", CategoricalDistribution([8, 16, True, None])),
        ("a,b", CategoricalDistribution(["a", "b"])),
        ("'a b',\"8\",1,1", CategoricalDistribution(["a b", "8", 1])),
        ("1,true", CategoricalDistribution(["1", "True"])),
        ("shuffle(range(1,4))", CategoricalDistribution([1, 2, 3])),
        ("shuffle(5,3,4)", CategoricalDistribution([5, 3, 4])),
        ("[1,2],[3]", CategoricalDistribution(["[1,2]", "[3]"])),
    ],
)
def test_distributions(text: str, distribution: BaseDistribution) -> None:
    assert space(f"key={text}").distributions["key"] == distribution


@pytest.mark.parametrize(
    "text",
    [
        "8,16",
        "'a b','c,d'",
        '"it\'s",x',
        "true,null",
        "[1,2],{a:b}",
        "1e-5,0.5",
        "${other},2",
        "'8',9",
        "'a=b',c",
        "1,true,1.0",
    ],
)
def test_a_choice_is_written_so_that_hydra_reads_the_same(text: str) -> None:
    found = space(f"key={text}")
    parser = OverridesParser.create()
    wanted = [one.value() for one in map(_parsed, [f"key={shown}" for shown in _texts(text)])]
    choices = found.distributions["key"]
    assert isinstance(choices, CategoricalDistribution)
    assert [parser.parse_override(*found.words({"key": one})).value() for one in choices.choices] == wanted


def _parsed(text: str) -> Any:
    return OverridesParser.create().parse_override(text)


def _texts(text: str) -> list[str]:
    return list(_parsed(f"key={text}").sweep_string_iterator())


def test_what_is_typed_replaces_what_a_file_says() -> None:
    found = space("lr=0.1", "+new=int(interval(0,1))", params={"lr": "interval(0.0,1.0)", "layers": "choice(1,2)", "seed": 3})
    assert found.fixed == {"seed": "3", "lr": "0.1"} and list(found.distributions) == ["layers", "+new"]
    assert found.words({"layers": 2, "+new": 1}) == ["seed=3", "lr=0.1", "layers=2", "+new=1"]
    assert found.written == {"layers": "choice(1,2)", "+new": "int(interval(0,1))"}
    assert found.ends() == [["seed=3", "lr=0.1", "layers=1", "+new=0"], ["seed=3", "lr=0.1", "layers=2", "+new=1"]]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["lr=0.1"], r"nothing to search: type a range, as in 'optimizer.lr=tag\(log,interval\(1e-4,1e-2\)\)'"),
        (["x=interval(5,1)"], r"x=interval\(5,1\): .*low"),
        (["x=tag(log,interval(0,1))"], r"x=tag\(log,interval\(0,1\)\): .*low"),
        (["x=tag(log,range(1,4))"], r"x: a range has steps of one size, which no logarithm has"),
        (["x=interval(0,inf)"], "x: 0.*, inf: the ends are finite numbers"),
        (["x=interval(nan,1)"], "x: nan, 1.*: the ends are finite numbers"),
        (["x=range(0,inf)"], "x: 0, inf, 1: the ends are finite numbers"),
        (["x=range(0,100000000)"], "a range of more than 1,000,000 values"),
        (["x=range(0.0,1.0,0)"], "a step of 0 leads nowhere"),
        (["x=tag(log,choice(1,2))"], "x: choices have no order, which a logarithm needs"),
        (["x=tag(log,interval(1,4))", "y=tag(log,shuffle(range(1,4)))"], "y: choices have no order"),
        (["x=tag(lg,interval(1,4))"], r"x: tag\(lg, …\) means nothing here; valid: tag\(log"),
    ],
)
def test_what_cannot_be_searched(words: list[str], message: str) -> None:
    with pytest.raises(LauncherError, match=message):
        space(*words)


MOST = OmegaConf.create({"most": 9})


def conditional(config: Any, trial: Any) -> None:
    if trial.params["model"] == "deep":
        trial.suggest_int("layers", 2, config["most"])


def test_a_conditional_space() -> None:
    found = space("model=deep,flat", function=f"{__name__}.conditional")
    trials = [optuna.trial.FixedTrial(values) for values in ({"model": "flat"}, {"model": "deep", "layers": 5})]
    assert [found.suggest(trial, MOST) for trial in trials] == [["model=flat"], ["model=deep", "layers=5"]]
    assert found.written["custom_search_space"] == f"{__name__}.conditional"
    both = space("model=deep,flat", "layers=3", function=f"{__name__}.conditional")
    with pytest.raises(NoJob, match="suggests layers, which has the value 3 already"):
        both.suggest(trials[1], MOST)
    for name in ("nowhere.at_all", "conditional", f"{__name__}.gone"):
        with pytest.raises(LauncherError, match="dotted name of a function, as my_app.space.suggest"):
            space("x=1,2", function=name)


def failing(config: Any, trial: Any) -> None:
    if trial.params["x"] > 0.6:
        raise optuna.TrialPruned
    raise RuntimeError("no such file")


def test_what_a_function_raises_concerns_its_trial_alone() -> None:
    found = space("x=interval(0,1)", function=f"{__name__}.failing")
    with pytest.raises(
        NoJob, match=r"custom_search_space=.*failing: RuntimeError: no such file \(test_search_space.py, line"
    ) as one:
        found.suggest(optuna.trial.FixedTrial({"x": 0.5}), MOST)
    with pytest.raises(NoJob) as other:
        found.suggest(optuna.trial.FixedTrial({"x": 0.7}), MOST)
    assert (one.value.is_pruned, other.value.is_pruned) == (False, True)


def mended(config: Any, trial: Any) -> None:
    trial.suggest_categorical(name="do", choices=["a,b", "c d", "1", "null", "plain", "it's", "${x}", "back\\", ""])


def test_a_trial_of_before_has_only_what_is_suggested_today(caplog: pytest.LogCaptureFixture) -> None:
    found = space("x=interval(0,1)", function=f"{__name__}.mended")
    study = optuna.create_study()
    study.enqueue_trial({"x": 0.5, "do": "a,b", "lrr": 1}, user_attrs={ENQUEUED: {"x": 0.5, "do": "a,b", "lrr": 1}})
    trial = study.ask({"gone": IntDistribution(1, 4)})
    with caplog.at_level(logging.WARNING):
        assert found.suggest(trial, MOST) == ["x=0.5", "do='a,b'"]
    assert "hydra.sweeper.enqueue: trial 0 has no lrr, which nothing suggests for its other values" in caplog.text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"), (True, "true"), (1e-5, "1e-05"), ("a,b", "'a,b'"), ("1", "'1'"), ("null", "'null'"), ("a", "a"),
        ("${x}", "${x}"), ("it's, so", "'it\\'s, so'"), ("a, b\\", "'a, b\\\\'"), ("", ""),
        ([1, "a,b", None], "[1,'a,b',null]"), ({"a": [True]}, "{a:[true]}"),
    ],
)  # fmt: skip
def test_a_value_is_written_so_that_hydra_reads_the_same(value: Any, text: str) -> None:
    assert written(value) == text and _parsed(f"key={text}").value() == value


@pytest.mark.parametrize(
    ("text", "given", "stored"),
    [
        ("null,1.0", None, None), ("null,1.0", "null", None), ("null,1.0", 1, 1.0), ("'a b',c", "a b", "a b"),
        ("'a b',c", "'a b'", "a b"), ("[1,2],[3]", [1, 2], "[1,2]"), ("true,false", True, True), ("true,false", "true", True),
        ("1,true", True, "True"), ("1,true", 1, "1"), ("int(interval(1,5))", 3.0, 3), ("int(interval(1,5))", "3", 3),
        ("interval(0,5)", "1e-3", 1e-3), ("'8',9", "8", "8"), ("'8',9", 8, None), ("1,2", True, None), ("null,1.0", 2, None),
        ("interval(0,1)", True, None), ("interval(0,1)", "abc", None), ("interval(0,1)", None, None),
        ("int(interval(1,5))", 7.5, None), ("[1,2],[3]", [1], None),
    ],
)  # fmt: skip
def test_what_may_be_enqueued(text: str, given: Any, stored: Any) -> None:
    found = space(f"key={text}")
    if stored is None and given not in (None, "null"):
        with pytest.raises(LauncherError, match="hydra.sweeper.enqueue: key=.* is not in "):
            found.checked({"key": given})
    elif text == "interval(0,1)":
        with pytest.raises(LauncherError, match="hydra.sweeper.enqueue: key=null is not in"):
            found.checked({"key": given})
    else:
        value = found.checked({"key": given})["key"]
        assert value == stored and type(value) is type(stored)


def test_params_of_a_file(caplog: pytest.LogCaptureFixture) -> None:
    params = {"do": None, "z": [1, 2], "flag": True, "optimizer": {"lr": "interval(0.0,1.0)"}, "x": "1,2"}
    with caplog.at_level(logging.WARNING):
        found = space(params=params)
    assert found.fixed == {"do": "null", "z": "[1,2]", "flag": "True"} and list(found.distributions) == ["optimizer.lr", "x"]
    assert 'hydra.sweeper.params: z=[1,2] is one value, a list; "1,2" would search its parts' in caplog.text
