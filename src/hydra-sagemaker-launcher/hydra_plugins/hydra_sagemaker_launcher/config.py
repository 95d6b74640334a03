"""Registers `hydra/launcher=sagemaker`. Hydra imports this module at every start, and may do so twice."""

from typing import Any

from hydra.core.config_store import ConfigNode, ConfigStore
from omegaconf import OmegaConf, open_dict

from hydra_sagemaker.settings import OPEN, REMOVED, SageMakerLauncherConf


class SharedNode(ConfigNode):
    """Hydra copies its whole store for every group that `--help` lists, some fifty times; what it loads it copies once more."""

    def __deepcopy__(self, memo: dict[int, Any]) -> "SharedNode":
        return self


def store() -> None:
    node = OmegaConf.structured(SageMakerLauncherConf)
    with open_dict(node):
        for name in REMOVED:  # so that the launcher, not Hydra, says what to type instead
            node[name] = {} if name == "hyperparameters" else None
    for name in (*OPEN, "hyperparameters"):
        OmegaConf.set_struct(node[name], False)
    instance = ConfigStore.instance()
    instance.store(group="hydra/launcher", name="sagemaker", node={}, provider="hydra_sagemaker_launcher")
    options = instance.repo["hydra"]["launcher"]
    # `store` would convert the node a second time, which is a good part of what the plugin adds to every start.
    options["sagemaker.yaml"] = SharedNode(**{**vars(options["sagemaker.yaml"]), "node": node})


store()
