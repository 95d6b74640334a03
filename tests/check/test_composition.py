"""Composition equals Hydra's own, and jobs are the ones that Hydra's sweeper runs."""

from __future__ import annotations

from pathlib import Path

import pytest
from hydra.core.global_hydra import GlobalHydra
from hydra.core.utils import JobRuntime
from hydra.errors import ConfigCompositionException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from checking import composed
from paraphrase_lab.check import overrides as overrides_check
from paraphrase_lab.configuration.composition import CONFIG_NAME, Composer, Request, jobs_of, wants_multirun
from paraphrase_lab.configuration.settings import resolved
from paraphrase_lab.errors import UserError

COMMAND_LINES = [
    (),
    ("model.num_layers=3", "seed=7"),
    ("experiment=paws_seed_recipe", "data.batch_size=4", "+callbacks.mine={_target_:a.B,x:1}"),
    ("debug=overfit", "callbacks=none", "logger=tensorboard", "hydra.run.dir=elsewhere"),
    ("~callbacks.early_stopping", "++trainer.devices=2", "model={num_layers:1,num_heads:2}"),
    ("data=pairs", "data.path=me/pairs", "data.labels={no:0,yes:1}"),
    ("ablation=encoder_depth", "hydra.job.chdir=false"),
]


def hydra_node(request: Request, composer: Composer) -> DictConfig:
    """The hydra node that decides how jobs are launched, as `check_request` composes it: without swept keys."""
    return composed(composer, request.overrides, with_hydra=True).hydra


def expand(request: Request, composer: Composer) -> list[tuple[str, ...]]:
    return jobs_of(request, hydra_node(request, composer), composer)


@pytest.mark.parametrize("overrides", COMMAND_LINES, ids=" ".join)
def test_composes_what_hydra_composes(overrides: tuple[str, ...]) -> None:
    with Composer() as composer:
        ours = composed(composer, overrides, with_hydra=True)
        theirs = composer.loader.load_configuration(CONFIG_NAME, list(overrides), RunMode.RUN)
        assert OmegaConf.to_yaml(ours) == OmegaConf.to_yaml(theirs)
        del theirs._content["hydra"]  # type: ignore[union-attr]
        assert OmegaConf.to_yaml(composed(composer, overrides)) == OmegaConf.to_yaml(theirs)


def test_one_composition_does_not_leak_into_the_next() -> None:
    with Composer() as composer:
        composed(composer, ["model.num_layers=9", "callbacks.early_stopping=null"])
        again = composed(composer)
    assert again.model.num_layers == 3
    assert again.callbacks.early_stopping.patience == 5


def test_refuses_what_hydra_refuses() -> None:
    with Composer() as composer:
        (problem,) = overrides_check.compose(["model.hiden=3"], composer).problems
        with pytest.raises(ConfigCompositionException, match="model.hiden"):
            composer.loader.load_configuration(CONFIG_NAME, ["model.hiden=3"], RunMode.RUN)
    assert "model.hiden" in problem


def test_leaves_hydra_as_it_was() -> None:
    JobRuntime.instance().set("name", "before")
    with Composer() as composer:
        assert composed(composer, with_hydra=True).hydra.job.name == CONFIG_NAME
    assert JobRuntime.instance().get("name") == "before"
    assert not GlobalHydra.instance().is_initialized()


def test_groups_and_their_options() -> None:
    with Composer() as composer:
        assert composer.group_options("trainer") == ["auto", "ddp"]
        assert {"experiment", "ablation", "model"} <= set(composer.groups())
        assert not {"schema", "hydra"} & set(composer.groups())
        assert composer.is_group("model") and not composer.is_group("seed")
        assert composer.is_group("hydra/launcher")


def test_config_dir_adds_files(tmp_path: Path) -> None:
    (tmp_path / "debug").mkdir()
    (tmp_path / "debug" / "mine.yaml").write_text("# @package _global_\nseed: 5\n")
    with Composer(Request(config_dir=str(tmp_path))) as composer:
        assert composed(composer, ["debug=mine"]).seed == 5
    with Composer(Request((f"hydra.searchpath=[file://{tmp_path}]",))) as composer:
        assert "mine" in composer.group_options("debug")
        assert composed(composer, [f"hydra.searchpath=[file://{tmp_path}]", "debug=mine"]).seed == 5


def test_config_dir_that_does_not_exist() -> None:
    with pytest.raises(UserError, match="--config-dir nowhere: there is no such directory"):
        Composer(Request(config_dir="nowhere"))


def test_a_single_run_is_one_job() -> None:
    request = Request(("seed=3", "hydra.run.dir=x"))
    with Composer(request) as composer:
        assert expand(request, composer) == [("seed=3", "hydra.run.dir=x")]


def test_a_sweep_is_the_product_without_hydras_own_keys() -> None:
    request = Request(("seed=1,2", "model.num_layers=range(1,3)", "data.num_workers=0", "hydra.sweep.dir=x"))
    with Composer(request) as composer:
        jobs = expand(request, composer)
    assert jobs == [
        ("seed=1", "model.num_layers=1", "data.num_workers=0"),
        ("seed=1", "model.num_layers=2", "data.num_workers=0"),
        ("seed=2", "model.num_layers=1", "data.num_workers=0"),
        ("seed=2", "model.num_layers=2", "data.num_workers=0"),
    ]


def test_sweep_of_a_file_and_typed_overrides() -> None:
    request = Request(("ablation=encoder_depth", "seed=4"))
    with Composer(request) as composer:
        jobs = expand(request, composer)
    assert jobs == [(f"model.num_layers={layers}", "seed=4", "ablation=encoder_depth") for layers in (1, 2, 3, 4)]


def test_multirun_without_a_sweep_is_one_job_and_files_sweep_too() -> None:
    with Composer() as composer:
        assert expand(Request(("hydra.sweep.dir=x",), multirun=True), composer) == [()]
        assert len(expand(Request(("model=glob(modernbert*)",), multirun=True), composer)) == 2


def test_a_search_stands_for_itself_by_its_ends(tmp_path: Path) -> None:
    (tmp_path / "hydra" / "sweeper").mkdir(parents=True)
    (tmp_path / "hydra" / "sweeper" / "search.yaml").write_text(
        "_target_: somebody.Sweeper\nparams:\n  model.num_layers: range(1,9)\n"
    )
    request = Request(("hydra/sweeper=search", "optimizer.lr=interval(0.001,0.1)", "seed=1"), str(tmp_path))
    with Composer(request) as composer:
        jobs = expand(request, composer)
    assert jobs == [
        ("model.num_layers=1", "optimizer.lr=0.001", "seed=1"),
        ("model.num_layers=8", "optimizer.lr=0.1", "seed=1"),
    ]


@pytest.mark.parametrize(
    ("overrides", "reason"),
    [
        (("seed=1",), None),
        (("hydra.launcher=null",), None),
        (("seed=1,2",), None),
        (("ablation=encoder_depth",), "-m added: the configuration describes a sweep over model.num_layers, seed"),
        (("hydra.mode=MULTIRUN",), "-m added: the configuration describes a sweep"),
        (("ablation=encoder_depth", "hydra.mode=RUN"), None),
    ],
)
def test_why_multirun_is_added(overrides: tuple[str, ...], reason: str | None) -> None:
    request = Request(overrides)
    with Composer(request) as composer:
        hydra = hydra_node(request, composer)
    assert wants_multirun(request, hydra) == reason
    assert wants_multirun(Request(overrides, multirun=True), hydra) is None


def test_text_that_looks_like_an_interpolation_stays_text() -> None:
    config = OmegaConf.create({"x": 1, "a": r"\${x}", "b": "${x}", "deep": [{"c": r"\${nothing} and ${x}"}]})
    settings = resolved(config)
    assert settings.plain["a"] == settings.config.a == "${x}"
    assert (settings.config.b, settings.config.deep[0].c) == (1, "${nothing} and 1")
