"""Registers `hydra/sweeper=async_optuna`, its samplers and its pruners. Hydra imports this module at every start."""

from hydra.core.config_store import ConfigStore

from hydra_sagemaker.search.settings import PRUNERS, SAMPLERS, AsyncOptunaConf

PROVIDER = "hydra_async_optuna_sweeper"


def store() -> None:
    instance = ConfigStore.instance()
    instance.store(group="hydra/sweeper", name="async_optuna", node=AsyncOptunaConf, provider=PROVIDER)
    for group, nodes in (("sampler", SAMPLERS), ("pruner", PRUNERS)):
        for name, node in nodes.items():
            instance.store(group=f"hydra/sweeper/{group}", name=name, node=node, provider=PROVIDER)


store()
