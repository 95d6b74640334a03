"""The first stage of the check on mistakes in configuration files."""

from __future__ import annotations

from pathlib import Path

import pytest

from checking import check, problems, write

MODEL = "_target_: mine.Model\ndepth: 3\n"
TINY = "defaults:\n  - /schema/model/tiny@_here_\n  - _self_\n"
FILES = [
    (
        "model/x.yaml",
        TINY + "layrs: 3\n",
        ["model/x.yaml: there is no key 'model.layrs'. Did you mean 'model.num_layers'?"],
    ),
    ("model/x.yaml", TINY + "num_layers: many\n", ["model/x.yaml: model.num_layers=many must be a whole number from 1 to 48."]),
    ("model/x.yaml", TINY + "num_layers: 99\n", ["model.num_layers=99 must be a whole number from 1 to 48."]),
    ("model/x.yaml", "layers: [1\n", ["a configuration file is not YAML: while parsing a flow sequence in"]),
    ("model/x.yaml", TINY.replace("tiny", "tinny"), ["model/x.yaml: schema/model has no option 'tinny'. Did you mean 'tiny'?"]),
    ("model/x.yaml", MODEL, ["model lacks the keys that every model has (learning_rate, batch_size, "]),
    (
        "model/x.yaml",
        "depth: 3\n",
        ["model has no _target_: begin its file with 'defaults: [/schema/model/own@_here_, _self_]'", "model lacks the keys"],
    ),
    (
        "model/x.yaml",
        TINY.replace("tiny", "own") + MODEL + "batch_size: 0\nlearning_rate: fast\nname: ???\n",
        [
            "model.learning_rate=fast must be a number above 0 and at most 1.",
            "model.batch_size=0 must be a whole number, 1 or more.",
            "model.name has no value yet: give it with model.name=VALUE.",
        ],
    ),
    (
        "experiment/x.yaml",
        "# @package _global_\ndefaults:\n  - override /model: robrta_base\n",
        ["experiment/x.yaml: model has no option 'robrta_base'. Did you mean 'roberta_base'?"],
    ),
    (
        "experiment/x.yaml",
        "# @package _global_\ndefaults:\n  - override /modl: tiny\n",
        ["experiment/x.yaml: there is no group 'modl' to choose from. Did you mean 'model'?"],
    ),
    ("experiment/x.yaml", "# @package _global_\nsed: 3\n", ["experiment/x.yaml: there is no key 'sed'. Did you mean 'seed'?"]),
]


@pytest.mark.parametrize(("name", "text", "expected"), FILES)
def test_mistakes_in_files(name: str, text: str, expected: list[str], tmp_path: Path) -> None:
    found = problems(f"{name.partition('/')[0]}=x", config_dir=write(tmp_path, name, text))
    assert len(found) == len(expected)
    for problem, start in zip(found, expected, strict=True):
        assert problem.removeprefix(f"{tmp_path}/").startswith(start)


def test_a_researchers_own_node_takes_further_arguments(tmp_path: Path) -> None:
    write(tmp_path, "model/x.yaml", TINY.replace("tiny", "own") + MODEL)
    write(tmp_path, "optimizer/x.yaml", "_target_: torch.optim.SGD\n_partial_: true\nlr: 0.1\n")
    check("model=x", "model.depth=4", "+model.further=1", "optimizer=x", "+optimizer.momentum=0.9", config_dir=tmp_path)
    (problem,) = problems("model=x", "model.depht=4", config_dir=tmp_path)
    assert problem.startswith("there is no key 'model.depht'. Did you mean 'model.depth'?")
    assert problem.endswith("A further argument of mine.Model is added with '+': +model.depht=4.")


def test_other_mistakes_are_judged_by_the_file_that_was_probably_meant() -> None:
    assert len(problems("model=robrta_base", "model.revision=abc")) == 1
    assert len(problems("model=robrta_base", "model.num_layers=3")) == 2
    # Nothing is close to xx: nobody can know which keys its data set has.
    assert problems("experiment=xx", "data.path=y", "seed=z")[1:] == ["seed=z must be a whole number from 0 to 4294967295."]
