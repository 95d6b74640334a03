"""Registers the schema with Hydra, so that the files of `conf/` can extend it."""

from __future__ import annotations

from dataclasses import fields

from hydra.core.config_store import ConfigStore
from omegaconf import DictConfig, OmegaConf

from paraphrase_lab.configuration.schema import GROUP_BASES, SCHEMAS, TrainConfig
from paraphrase_lab.configuration.without_effect import LOCAL_FILES, PLACES_OF_SOURCES, SAME_JOB


def register() -> None:
    """Tell Hydra of the dataclasses as the groups schema/*, and of schema/{data,model}/own for a researcher's own targets."""
    store = ConfigStore.instance()
    if "schema.yaml" in store.repo:
        return
    store.store(name="schema", node=_opened(TrainConfig))
    files = [f"${{oc.select:{key},null}}" for key in LOCAL_FILES]
    same_job = {"key_exclude": list(SAME_JOB), "key_files": files, "inputs": [*LOCAL_FILES, *PLACES_OF_SOURCES]}
    store.store(group="schema/compute", name="same_job", node={"hydra": {"launcher": same_job}})
    for group, schemas in SCHEMAS.items():
        for name, schema in schemas.items():
            store.store(group=f"schema/{group}", name=name, node=_opened(schema))
    for group, base in GROUP_BASES.items():
        # An untyped copy: a file that extends it may add the keys of its own target.
        own = OmegaConf.to_container(OmegaConf.structured(base), resolve=False)
        store.store(group=f"schema/{group}", name="own", node=own)


def _opened(schema: type) -> DictConfig:
    node = OmegaConf.structured(schema)
    for entry in fields(schema):
        if entry.metadata.get("open"):
            OmegaConf.set_struct(node[entry.name], False)
    return node
