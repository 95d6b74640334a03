"""The image that belongs to a framework, a version and a region, with a stand-in for sagemaker-core's table."""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from hydra_sagemaker.aws.images import image_of
from hydra_sagemaker.errors import LauncherError
from hydra_sagemaker.settings import ImageConf, SageMakerLauncherConf


def retrieve(framework: str, region: str, **given: Any) -> str:
    """Answers as sagemaker-core 2.27 does."""
    if framework == "nothing":
        raise FileNotFoundError("image_uri_config/nothing.json")
    if given["version"] == "9.9":
        raise ValueError("Unsupported pytorch version: 9.9.")
    assert given["image_scope"] == "training"
    return f"{region}/{framework}:{given['version']}-{given['instance_type']}"


def test_an_image_is_looked_up(monkeypatch: pytest.MonkeyPatch) -> None:
    core: Any = ModuleType("sagemaker.core")
    core.image_uris = SimpleNamespace(retrieve=retrieve)
    monkeypatch.setitem(sys.modules, "sagemaker", ModuleType("sagemaker"))
    monkeypatch.setitem(sys.modules, "sagemaker.core", core)

    def looked_up(**image: str) -> str:
        return image_of(SageMakerLauncherConf(region="eu-test-1", instance_type="ml.m5.xlarge", image=ImageConf(**image)))

    assert looked_up(version="2.5") == "eu-test-1/pytorch:2.5-ml.m5.xlarge"
    with pytest.raises(LauncherError, match=r"hydra.launcher.image: Unsupported pytorch version: 9.9"):
        looked_up(version="9.9")
    with pytest.raises(LauncherError, match=r"image.framework=nothing: sagemaker-core knows no such framework; valid: pytorch"):
        looked_up(framework="nothing")
