"""The first stage of the check: each text a user may meet about keys and values."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from checking import check, composed, problems
from paraphrase_lab.check.values import value_problems
from paraphrase_lab.configuration.composition import Composer
from paraphrase_lab.errors import ConfigError
from paraphrase_lab.paths import FILE_ENDINGS


def test_three_typos_in_one_message() -> None:
    with pytest.raises(ConfigError, match=r"3 problems in this configuration:\n  - \+sed=1") as caught:
        check("+sed=1", "model.hiden=3", "optimizer.lrr=1")
    sed, hiden, lrr = caught.value.problems
    assert sed == "+sed=1: there is no key 'sed'. Did you mean 'seed'?"
    assert hiden == "there is no key 'model.hiden'. Did you mean 'model.hidden_size'?"
    assert lrr == "there is no key 'optimizer.lrr'. Did you mean 'optimizer.lr'?"


def test_valid_keys_are_listed_where_none_is_near() -> None:
    (problem,) = problems("+optimizer.zzz.y=1")
    assert problem.endswith("there is no key 'optimizer.zzz.y'. Keys of optimizer: lr, weight_decay, betas, eps.")


def test_a_fraction_of_a_second_without_torch() -> None:
    code = (
        "import sys; from paraphrase_lab.check import check_request;"
        "from paraphrase_lab.configuration.composition import Request;"
        "check_request(Request(('seed=1,2',), multirun=True));"
        "print([name for name in ('torch', 'numpy', 'transformers', 'pytorch_lightning', 'rich') if name in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


KEYS = [
    ("++model.hiden=3", "++model.hiden=3: there is no key 'model.hiden'. Did you mean 'model.hidden_size'?"),
    ("+model.foo.bar=1", "+model.foo.bar=1: there is no key 'model.foo.bar'. Keys of model: "),
    ("+model={hiden:3}", "+model={hiden:3}: there is no key 'model.hiden'"),
    ("model={hiden:3}", "there is no key 'model.hiden'"),
    (
        "modl=tiny",
        "there is no key 'modl'. Did you mean 'model'?",
    ),
    ("modl.num_layers=3", "there is no key 'modl.num_layers'. Did you mean 'model.num_layers'?"),
    ("lr=3", "there is no key 'lr'. Did you mean 'optimizer.lr'?"),
    ("batch_size=3", "there is no key 'batch_size'. Did you mean 'data.batch_size' or 'model.batch_size'?"),
    ("model.num_layers.foo=3", "model.num_layers is a value and has no keys, so there is no 'model.num_layers.foo'."),
    ("~nope", "~nope: there is no key 'nope'"),
    ("~callbacks.early_stoping", "~callbacks.early_stoping: … Did you mean 'callbacks.early_stopping'?"),
    ("~model.num_layers", "~model.num_layers: model.num_layers cannot be left out, every configuration has it"),
    ("~seed", "seed is not there: it must be a whole numbe"),
    ("~model", "model is empty: choose one of its files with model=NAME"),
    ("+seed=1", "+seed=1: seed is there already, so write it without the '+': seed=1"),
    (
        "callbacks.early_stoping.patience=3",
        "callbacks.early_stoping has no _target_… Did you mean 'callbacks.early_stopping'?",
    ),
    ("callbacks.early_stoping=null", "there is no key 'callbacks.early_stoping'. Did you mean 'callbacks.early_stopping'?"),
    (
        "callbacks.early_stopping.patiense=3",
        "Did you mean 'callbacks.early_stopping.patience'?… A further argument of … is added with '+'",
    ),
    ("metrics.mine=3", "metrics.mine has no _target_, which names its class or function as package.module.Name."),
    ("metrics.mine=null", "there is no key 'metrics.mine'"),
    ("hydra.run.dirr=x", "there is no key 'hydra.run.dirr'. Did you mean 'hydra.run.dir'?"),
    (
        "+hydra.launcher.typo=3",
        "+hydra.launcher.typo=3: there is no key 'hydra.launcher.typo'. Keys of hydra.launcher: mode, sweep_name, ",
    ),
    ("+foo/bar=baz", "+foo/bar=baz: there is no group 'foo/bar'. Groups: ablation, callbacks"),
    ("model/tiny=x", "model/tiny=x: there is no group 'model/tiny'."),
    ("model@other=tiny", "there is no group 'model@other' to choose from."),
    ("model=robrta_base", "model has no option 'robrta_base'. Did you mean 'roberta_base'?"),
    ("experiment=xx", "experiment=xx: experiment has no option 'xx'. Options of experiment: both_ends_distilled, both"),
    ("hydra/launcher=nope", "hydra/launcher has no option 'nope'. Options of hydra/launcher: basic"),
    ("optimizer=[adamw,foo]", "optimizer has no option 'foo'. Options of optimizer: adamw"),
    ("experiment=null", "experiment=null chooses no file: leave it out"),
    ("model=null", "model=null chooses no file: choose one. Options of model: "),
    ("++model=tiny", "++model=tiny: a file is chosen without '++', as in model=tiny"),
    ("model.num_layers", "model.num_layers: this is not an override (it has no '='). Valid: key=value, group=option"),
    ("model.num_layers=[1,2", "model.num_layers=[1,2: this is not an override"),
    ("=3", "=3: there is no key before the '='"),
]


@pytest.mark.parametrize(("override", "text"), KEYS, ids=[override for override, _ in KEYS])
def test_keys_and_choices(override: str, text: str) -> None:
    """`…` stands for any words."""
    (problem,) = problems(override)
    assert re.search(".*".join(map(re.escape, text.split("…"))), problem), problem


VALUES = [
    ("seed=x", "seed=x must be a whole number from 0 to 4294967295."),
    ("seed=1.0", "seed=1.0 must be a whole number from 0 to 4294967295."),
    ("seed=", "seed= must be a whole number from 0 to 4294967295."),
    ("model.num_layers=null", "model.num_layers=null must be a whole number from 1 to 48."),
    ("model.num_layers=49", "model.num_layers=49 must be a whole number from 1 to 48."),
    ("model.batch_size=[1,2]", "model.batch_size=[1,2] must be a whole number, 1 or more."),
    ("optimizer.lr=0", "optimizer.lr=0.0 must be a number above 0 and at most 1."),
    ("optimizer.lr=nan", "optimizer.lr=nan must be a number above 0 and at most 1."),
    ("optimizer.eps=inf", "optimizer.eps=inf must be a number above 0."),
    ("trainer.gradient_clip_val=-1", "trainer.gradient_clip_val=-1.0 must be a number above 0, or null."),
    ("trainer.deterministic=maybe", "trainer.deterministic=maybe must be true or false."),
    ("monitor=null", "monitor=null must be text."),
    ("trainer.precision=bf16", "trainer.precision=bf16 must be one of auto, bf16-mixed, 16-mixed, 32."),
    ("trainer.profiler=simpel", "trainer.profiler=simpel must be one of simple, advanced, or null. Did you mean 'simple'?"),
    ("model.class_weights=[1,a]", "model.class_weights=[1,a] must be a list of numbers, or null."),
    (
        "model.class_weights=[1]",
        "model.class_weights=[1.0] must be two numbers above 0, of label 0 and label 1, as in model.class_weights=[1.0,1.3].",
    ),
    (
        "loss.class_weights=[0,1]",
        "loss.class_weights=[0.0,1.0] must be two numbers above 0, of label 0 and label 1, as in loss.class_weights=[1.0,1.3].",
    ),
    (
        "optimizer.betas=[0.9,1]",
        "optimizer.betas=[0.9,1.0] must be two numbers from 0 to below 1, as in optimizer.betas=[0.9,0.999].",
    ),
    (
        "trainer.devices=0",
        "trainer.devices=0 must be auto or a number of devices, 1 or more; CUDA_VISIBLE_DEVICES says which.",
    ),
    ("seed=${nope}", "seed=${nope}: Interpolation key 'nope' not found."),
    (
        "model.hidden_size=${model.laers}",
        "model.hidden_size=${model.laers}: Interpolation key 'model.laers' not found. Did you mean '${model.num_layers}'?",
    ),
    (
        "data.batch_size=${model.learning_rate}",
        "data.batch_size=${model.learning_rate}: what it points at does not fit; "
        "data.batch_size must be a whole number, 1 or more, or null.",
    ),
    (
        "scheduler.warmup_steps=100",
        "scheduler.warmup_steps=100 and scheduler.warmup_fraction=0.06 exclude each other: set one to null, "
        "as in scheduler.warmup_steps=100 scheduler.warmup_fraction=null.",
    ),
    (
        "data.batch_tokens=4096",
        "data.batch_size=64 and data.batch_tokens=4096 exclude each other: set one to null, "
        "as in data.batch_tokens=4096 data.batch_size=null.",
    ),
    (
        "data.batch_size=null",
        "data.batch_size and data.batch_tokens are both null: give one of them, as in data.batch_size=32.",
    ),
    (
        "monitor=test/f1",
        "monitor=test/f1 would choose the checkpoint on the test split, whose result then says nothing: "
        "monitor a validation metric, as in monitor=val/f1.",
    ),
    (
        "trainer.max_steps=0",
        "trainer.max_steps=0 trains nothing: give 1 or more, or -1 for as long as trainer.max_epochs says.",
    ),
    ("optimizer._partial_=false", "optimizer._partial_ must be true: training supplies what the optimizer still needs."),
    ("resume=gone", "resume=gone does not exist: give a run directory, or auto for the newest interrupted run of its kind."),
    ("model=pretrained", "model.name has no value yet: give it with model.name=VALUE (text)."),
    (
        "data=pairs",
        "nothing says where the pairs are: data.path=FILE, data.path=DIRECTORY, data.path=HUB_NAME or data.train=FILE.",
    ),
]


@pytest.mark.parametrize(("override", "text"), VALUES, ids=[override for override, _ in VALUES])
def test_values(override: str, text: str) -> None:
    assert problems(override) == [text]


def test_values_that_exclude_each_other() -> None:
    assert problems("model.swap_augmentation=true", "model.consistency_weight=1") == [
        "model.swap_augmentation=true and model.consistency_weight=1 exclude each other: the consistency loss already trains "
        "on both orders of every pair. Set model.swap_augmentation=false or model.consistency_weight=0."
    ]
    assert problems("trainer.accelerator=cpu", "trainer.precision=16-mixed") == [
        "trainer.precision=16-mixed does not run on trainer.accelerator=cpu: "
        "there choose trainer.precision=auto, bf16-mixed or 32."
    ]
    assert problems("trainer.accelerator=mps", "trainer.strategy=ddp") == [
        "trainer.strategy=ddp does not run on trainer.accelerator=mps, which is one device: choose trainer=auto."
    ]
    (labels,) = problems("data=pairs", "data.path=me/pairs", "data.labels={no:0,yes:2}")
    assert labels.endswith(
        "must lead to 0 (another meaning) and 1 (a paraphrase), both of them and nothing else, "
        "as in 'data.labels={no:0,yes:1}'; null leaves the pairs of a label out."
    )


def test_missing_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    here = f"does not exist; a relative path starts at the working directory, {tmp_path}."
    assert problems("data=paws", "data.path=paws") == [f"data.path=paws {here}"]
    assert problems("data=pairs", "data.path=pairs.csv") == [f"data.path=pairs.csv {here}"]
    assert problems("data=pairs", "data.train=a.csv", "data.test=b.csv") == [
        f"data.train=a.csv {here}",
        f"data.test=b.csv {here}",
    ]
    (tmp_path / "pairs.csv").touch()
    (tmp_path / "paws").mkdir()
    check("data=pairs", "data.path=pairs.csv")
    check("data=paws", "data.path=paws")


def test_what_is_fine() -> None:
    for overrides in (
        ("++seed=1", "+resume=auto", "model={num_layers:3}", "callbacks.early_stopping=null"),
        ("metrics.mine={_target_:a.b}", "+callbacks.early_stopping.min_delta=0.1", "~callbacks.collapse", "~debug"),
        ("hydra.run.dir=x", "+hydra.job.env_set.X=1", "hydra.searchpath=[file:///tmp]", "logger=tensorboard"),
        ("scheduler.warmup_steps=10", "scheduler.warmup_fraction=null", "data.batch_size=null", "data.batch_tokens=512"),
        ("data=pairs", "data.path=me/pairs", "data.labels={no:0,yes:1}"),
    ):
        checked = check(*overrides)
        assert (len(checked.jobs), checked.multirun_reason, checked.warnings) == (1, None, [])
        assert checked.jobs[0].overrides == checked.request.overrides == overrides


def test_a_saved_configuration(tmp_path: Path) -> None:
    with Composer() as composer:
        OmegaConf.save(composed(composer), tmp_path / "config.yaml")
    saved = OmegaConf.load(tmp_path / "config.yaml")
    assert value_problems(saved) == []  # type: ignore[arg-type]
    saved.sed, saved.model.layrs, saved.trainer.precision, saved.data.train_pairs = 1, 3, "bf16", "x"
    found = value_problems(saved)  # type: ignore[arg-type]
    assert [problem[:59] for problem in found] == [
        "there is no key 'sed'. Did you mean 'seed'?",
        "data.train_pairs=x must be a whole number, 100 or more.",
        "there is no key 'model.layrs'. Did you mean 'model.num_laye",
        "trainer.precision=bf16 must be one of auto, bf16-mixed, 16-",
    ]


def test_file_endings_are_the_ones_that_can_be_read() -> None:
    from paraphrase_lab.data.formats import FORMATS
    from paraphrase_lab.data.opening import PACKED_ENDINGS

    assert set(FILE_ENDINGS) == {*FORMATS, *PACKED_ENDINGS}
