"""Values of overrides that Hydra's grammar reads as something else: paths, names of columns, commas, the user's home."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf

from checking import check, problems, write
from paraphrase_lab.check.saved_config import with_overrides
from paraphrase_lab.cli.request import parse_request
from paraphrase_lab.configuration.composition import Request
from paraphrase_lab.configuration.quoting import expand_home, quoted
from paraphrase_lab.configuration.settings import plain_config
from paraphrase_lab.errors import ConfigError

PARSER = OverridesParser.create()
REFUSED = (
    "ep=3/p.csv", "d[1]/p.csv", "p(2).csv", "p #1.csv", "ünï 数据/päar.csv", "it's.csv", 'a "b".csv', "a&b.csv", "what!.csv",
    "{old}.csv", "a;b.csv", "back\\slash=.csv", "a\nb.csv", "~x.csv", "${x.csv",
)  # fmt: skip
READ_OTHERWISE = ("1e5", "1_000.0", "[a]", "true", "1.10", " p.csv", "p.csv ", "p\\(1\\).csv")
COMMAS = ("a,b.csv", "1,2", "a, b (1).csv")


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    "text", ["", "a", "\\", "\\\\", '"', "'", '\\"', "a\\", '\\\\"a\\', "a\nb", "ü,=(){}[]#~", " a ", *REFUSED]
)
def test_a_quoted_text_is_read_as_it_was(text: str) -> None:
    assert PARSER.parse_overrides([f"key={quoted(text)}"])[0].value() == text


@pytest.mark.parametrize("name", [*REFUSED, *READ_OTHERWISE, *COMMAS])
def test_the_quoted_form_that_is_printed_works_in_a_shell(name: str) -> None:
    file = Path(name)
    file.parent.mkdir(exist_ok=True)
    file.touch()
    (problem,) = problems("data=pairs", f"data.path={name}")
    hint = shlex.split(problem[problem.rindex("uote it: " if "uote it: " in problem else "uote the value") :])[-1]
    assert check("data=pairs", hint).jobs[0].config.data.path == name


@pytest.mark.parametrize(
    "typed",
    ['{"not paraphrase":0,"paraphrase":1}', "{'not paraphrase': 0, 'paraphrase': 1}", '{ "not paraphrase" :0,paraphrase:1}'],
)
def test_quotes_around_keys_are_taken_off(typed: str) -> None:
    Path("p.csv").write_text("sentence1,sentence2,label\na,b,paraphrase\n", encoding="utf-8")
    (problem,) = problems("data=pairs", "data.path=p.csv", f"data.labels={typed}")
    said, _, hint = problem.partition(" Type ")
    assert said == f"data.labels={typed}: Hydra's grammar has no quotes around a key."
    (override,) = shlex.split(hint)
    config = check("data=pairs", "data.path=p.csv", override).jobs[0].config
    assert config.data.labels == {"not paraphrase": 0, "paraphrase": 1}
    (refused,) = problems("data=pairs", "data.path=p.csv", 'data.labels={"a:b":0,b:1}')
    assert "this is not an override" in refused


def test_messages_about_a_path() -> None:
    file = Path("ep=3/p.csv")
    assert problems("data=pairs", "data.path=ep=3/p.csv")[0] == (
        "data.path=ep=3/p.csv: Hydra's grammar refuses this value. Quote it: 'data.path=\"ep=3/p.csv\"'"
    )
    file.parent.mkdir()
    file.touch()
    assert len(problems("data=pairs", "data.path=ep=3/p.csv")) == 1, "nothing is said of a path that is missing"
    assert problems("data=pairs", "data.path=1e5") == [
        "data.path=1e5: Hydra reads '100000.0' here. Quote the value if it is a text: 'data.path=\"1e5\"'"
    ]
    assert problems("hydra.run.dir=runs/lr=1 [a] ü") == [
        "hydra.run.dir=runs/lr=1 [a] ü: Hydra's grammar refuses this value. Quote it: 'hydra.run.dir=\"runs/lr=1 [a] ü\"'"
    ]


def test_a_text_that_the_key_cannot_have_is_one_problem() -> None:
    assert problems("resume=true") == [
        "resume=true does not exist: give a run directory, or auto for the newest interrupted run of its kind."
    ]


@pytest.mark.parametrize("word", ["data.labels={no:0", "model=a(b", "seed=1=2", "trainer.precision=[x"])
def test_what_is_no_text_is_not_quoted(word: str) -> None:
    assert problems("data=pairs", word)[0].startswith(f"{word}: this is not an override (")


@pytest.mark.parametrize(
    "word", ["trainer.devices=1e0", "monitor_mode=true", "data.train=null", "data.train=2024", "data.path=a/b"]
)
def test_numbers_and_choices_are_no_mistyped_texts(word: str) -> None:
    Path("2024").touch()
    try:
        check("data=pairs", "data.path=owner/pairs", word)
    except ConfigError as error:
        assert "Quote" not in str(error)


def test_a_sweep_is_asked_for_with_m() -> None:
    command = "paraphrase train -m seed=1,2 compute=sagemaker_local"
    assert problems("seed=1,2", "compute=sagemaker_local") == [f"seed=1,2 is a sweep, which only -m starts: {command}"]
    assert len(check("seed=1,2", "compute=sagemaker_local", multirun=True).jobs) == 2
    assert problems("seed=choice(1,2)", "model.num_layers=range(1,3)") == [
        "seed=choice(1,2) and model.num_layers=range(1,3) are a sweep, which only -m starts: "
        "paraphrase train -m 'seed=choice(1,2)' 'model.num_layers=range(1,3)'"
    ]
    assert len(check("ablation=encoder_depth", "seed=0,1").jobs) == 8, "the file says that it is a sweep"
    with pytest.raises(ConfigError, match=r"only -m starts: paraphrase check -m --config-dir \S+ seed=1,2$"):
        check_words("check", "--config-dir", ".", "seed=1,2")


def check_words(verb: str, *words: str) -> None:
    from paraphrase_lab.check import check_request

    check_request(parse_request(words, verb))


def test_a_comma_in_a_path_is_no_sweep() -> None:
    (problem,) = problems("data=pairs", "data.path=a,b.csv")
    assert problem == (
        "data.path=a,b.csv is a sweep, which only -m starts. One text with a comma is quoted: 'data.path=\"a,b.csv\"' "
        "The sweep: paraphrase train -m data=pairs data.path=a,b.csv"
    )
    with pytest.raises(ConfigError, match="paraphrase data describes one data set at a time. One text with a comma is quoted"):
        check_words("data", "data=pairs", "data.path=a,b.csv")
    for name in ("a", "b.csv", "a,b.csv"):
        Path(name).touch()
    for multirun in (False, True):
        assert problems("data=pairs", "data.path=a,b.csv", multirun=multirun) == [
            "data.path=a,b.csv: the comma makes it a sweep, but there is a file of that name. Quote it: 'data.path=\"a,b.csv\"'"
        ]
    Path("a,b.csv").unlink()
    assert len(check("data=pairs", "data.path=a,b.csv", multirun=True).jobs) == 2


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("data.path=~/p.csv", "data.path=/home/me/p.csv"),
        ("data.path='~/p (1).csv'", "data.path='/home/me/p (1).csv'"),
        ('hydra.run.dir="~/r1"', 'hydra.run.dir="/home/me/r1"'),
        ("data.path=~/my pairs/ü.csv", 'data.path="/home/me/my pairs/ü.csv"'),
        ("data.path=~/a.csv,~/b.csv", "data.path=/home/me/a.csv,/home/me/b.csv"),
        ("data.path=~nobody-of-this-name/p.csv", "data.path=~nobody-of-this-name/p.csv"),
        ("data.path=a~b.csv", "data.path=a~b.csv"),
        ("~callbacks.early_stopping", "~callbacks.early_stopping"),
    ],
)
def test_the_home_of_the_user_in_a_word(word: str, expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    assert expand_home(word) == expected
    assert parse_request([word], "train").overrides == (expected,)


def test_the_home_of_the_user_in_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    Path("p.csv").touch()
    text = "# @package _global_\ndefaults:\n  - override /data: pairs\ndata:\n  path: ~/p.csv\nresume: ~\n"
    job = check("experiment=x", config_dir=write(tmp_path, "experiment/x.yaml", text)).jobs[0]
    assert job.config.data.path == f"{tmp_path}/p.csv"
    own = OmegaConf.create({"callbacks": {"mine": {"places": ["~/a", "b~", "~"]}}})
    assert plain_config(own) == {"callbacks": {"mine": {"places": [f"{tmp_path}/a", "b~", str(tmp_path)]}}}


def test_an_evaluation_prints_the_quoted_form_too() -> None:
    saved = check().jobs[0].config
    with pytest.raises(ConfigError, match="""refuses this value. Quote it: 'data.path="ep=3"'"""):
        with_overrides(saved, Request(("data=pairs", "data.path=ep=3")))
    with pytest.raises(ConfigError, match="--also evaluates on more data. A text with a comma is quoted: 'data.path=\"a,b\"'"):
        with_overrides(saved, Request(("data=pairs", "data.path=a,b")))


@pytest.mark.parametrize("key", ["data.path", "data.train"])
@pytest.mark.parametrize("address", ["s3://bucket/p.csv", "https://example.org/p.csv", "file:///data/p.csv", "hf://a/b/p.csv"])
def test_an_address_is_no_path(key: str, address: str) -> None:
    (problem,) = problems("data=pairs", f"{key}={address}")
    assert problem.startswith(f"{key}={address} is an address, and files are read from this machine: download it")
