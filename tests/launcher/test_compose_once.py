"""Jobs that share their files are composed as Hydra composes them, reading the files once."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import hydra as hydra_package
import pytest
from hydra import initialize_config_dir
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.core.utils import setup_globals
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import Container, DictConfig, OmegaConf

from hydra_sagemaker.job.compose_once import compose_once

pytestmark = pytest.mark.skipif(not hydra_package.__version__.startswith("1.3."), reason="other lines compose as Hydra does")


@dataclass
class Net:
    width: int = 3
    names: dict[str, int] = field(default_factory=dict)


CONFIG = """
defaults:
  - net: small
  - optional local: mine
  - data@train_data: a
  - data@test_data: b
  - _self_
x: 1
when: ${now:%H-%M-%S-%f}
root: ${oc.env:HOME}
"""


@pytest.fixture
def loader(tmp_path: Path) -> Iterator[ConfigLoaderImpl]:
    files = {
        "config": CONFIG,
        "net/small": "defaults: [/net_schema]\nwidth: 1\n", "net/large": "defaults: [/net_schema]\nwidth: 9\n",
        "data/a": "path: a\n", "data/b": "path: b\n", "extra/e": "# @package _global_\nx: 5\nmore: ${x}\n",
    }  # fmt: skip
    for name, text in files.items():
        (tmp_path / f"{name}.yaml").parent.mkdir(exist_ok=True)
        (tmp_path / f"{name}.yaml").write_text(text)
    setup_globals()
    ConfigStore.instance().store(name="net_schema", node=Net, package="net")
    with initialize_config_dir(str(tmp_path), version_base="1.3"):
        found = GlobalHydra.instance().config_loader()
        assert isinstance(found, ConfigLoaderImpl)
        yield found


def master_of(loader: ConfigLoaderImpl, *words: str) -> DictConfig:
    return loader.load_configuration("config", [*words], RunMode.MULTIRUN)


JOBS = (
    ["x=2"],
    ["x=3", "net=large", "net.width=4"],
    ["+extra=e"],
    ["~data@test_data", "+y.z=[1,{a: b}]"],
    ["data@train_data=b", "train_data.path=c"],
    ["net={width: 7}", "++net.names.new=3"],
    ["hydra.job.name=named", "+hydra.job.env_set.A=1", "hydra.sweep.subdir=${hydra.job.override_dirname}"],
    ["~x", "when='${now:%Y}'"],
)


def everything(node: Any) -> Any:
    """Return the values with their types, flags and resolver caches."""
    if not isinstance(node, Container):
        return type(node).__name__, getattr(node, "_value", lambda: None)(), getattr(node, "_metadata", None)
    own = (type(node).__name__, node._metadata.object_type, node._metadata.ref_type, node._metadata.flags)
    if node._is_none() or node._is_missing() or node._is_interpolation():
        return own, node._value()
    keys = node.keys() if isinstance(node, DictConfig) else range(len(node))  # type: ignore[arg-type]
    return own, {key: everything(node._get_node(key)) for key in keys}


@pytest.mark.parametrize("words", JOBS, ids=" ".join)
def test_a_job_is_what_hydra_composes(loader: ConfigLoaderImpl, monkeypatch: pytest.MonkeyPatch, words: list[str]) -> None:
    monkeypatch.setenv("COPIED", "1")
    master = master_of(loader, "hydra.job.env_copy=[COPIED]", "hydra.sweep.dir=/tmp/s")
    assert master.when
    expected = loader.load_sweep_config(master, words)
    compose_once(loader)
    for _ in range(2):
        found = loader.load_sweep_config(master, words)
        assert OmegaConf.to_yaml(found) == OmegaConf.to_yaml(expected)
        assert everything(found) == everything(expected)
        assert "${now" not in words[-1] and found.when == master.when or words[-1].startswith("when")


def test_jobs_do_not_share_values(loader: ConfigLoaderImpl) -> None:
    master = master_of(loader)
    compose_once(loader)
    first, second = (loader.load_sweep_config(master, [f"net.width={width}"]) for width in (5, 6))
    first.hydra.job.num = 1
    assert (first.net.width, second.net.width) == (5, 6) and OmegaConf.is_missing(second.hydra.job, "num")


def test_files_are_read_once(loader: ConfigLoaderImpl, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    (kind,) = {type(source) for source in loader.get_sources() if source.scheme() == "file"}
    load = kind.load_config
    monkeypatch.setattr(kind, "load_config", lambda self, config_path: read.append(config_path) or load(self, config_path))
    master = master_of(loader)
    compose_once(loader)
    loader.load_sweep_config(master, ["x=1"])
    read.clear()
    for number in range(5):
        loader.load_sweep_config(master, [f"x={number}", "+extra_value=1"])
    assert read == []
    loader.load_sweep_config(master, ["net=large"])
    assert [path.removesuffix(".yaml") for path in read].count("net/large") > 0


@pytest.mark.parametrize("words", [["net=nothing"], ["nosuch=1"], ["x=1,2"], ["x=[1"], ["net.width=wide"], ["+x=1"], ["~y"]])
def test_a_mistake_is_the_same(loader: ConfigLoaderImpl, words: list[str]) -> None:
    master = master_of(loader)
    with pytest.raises(HydraException) as expected:
        loader.load_sweep_config(master, words)
    compose_once(loader)
    with pytest.raises(type(expected.value), match=f"^{re.escape(str(expected.value))}$"):
        loader.load_sweep_config(master, words)
