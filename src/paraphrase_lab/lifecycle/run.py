"""The things that the steps of one training run share."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from paraphrase_lab.configuration.settings import Settings
from paraphrase_lab.data.module import PairDataModule
from paraphrase_lab.data.pair_table import PairTables
from paraphrase_lab.lifecycle.rerun import Origin
from paraphrase_lab.lifecycle.teacher import Teacher
from paraphrase_lab.runs import fingerprint, own_code
from paraphrase_lab.runs.configuration import flat, follows, typed_and_chosen
from paraphrase_lab.runs.record import RunRecord, Stopwatch
from paraphrase_lab.runtime.hardware import Machine, devices_used
from paraphrase_lab.tracking.redaction import redacted_words

LAST_CHECKPOINT = Path("checkpoints") / "last.ckpt"


@dataclass
class Run:
    """A run that is about to train; `searching`: it is one trial of a search; `origin`: the run that it repeats."""

    settings: Settings
    directory: Path
    record: RunRecord
    tables: PairTables
    datamodule: PairDataModule
    machine: Machine
    precision: str
    devices: int
    searching: bool
    watch: Stopwatch
    origin: Origin | None = None
    teacher: Teacher | None = None

    @property
    def config(self) -> DictConfig:
        return self.settings.config

    @property
    def replicas(self) -> int:
        """Devices of all nodes."""
        return self.devices * self.config.trainer.num_nodes

    def data_summary(self) -> dict[str, Any]:
        """Return what run.json says of each split; `shared` counts pairs with a sentence that an earlier split has too."""
        return {
            split: {
                "pairs": len(table),
                "positive_rate": round(float(table.labels.mean()), 4) if len(table) else None,
                "fingerprint": table.fingerprint,
                "truncated": self.datamodule.encoded[split].truncated,
                "shared": {
                    one.earlier: {"pairs": one.pairs, "repeated": one.repeated}
                    for one in self.tables.shared
                    if one.split == split
                },
            }
            for split, table in self.tables.splits.items()
        }


def fingerprint_parts(
    plain: dict[str, Any], tables: PairTables, machine: Machine, precision: str, teacher: Teacher | None = None
) -> dict[str, Any]:
    """Return everything that can change the result of a run, by name; `plain`: the resolved configuration."""
    trainer, has_adapters = plain["trainer"], bool((plain["model"].get("lora") or {}).get("rank"))
    return {
        "configuration": fingerprint.config_fingerprint(plain),
        "data": tables.fingerprints,
        **({"teacher": teacher.fingerprint} if teacher is not None else {}),
        "code": fingerprint.code_fingerprint(own_code.source_files(own_code.own_modules(plain))),
        "libraries": fingerprint.library_versions(also=["peft"] if has_adapters else []),
        "device": {
            "kind": machine.accelerator,
            "precision": precision,
            "count": devices_used(trainer["devices"], machine) * trainer["num_nodes"],
        },
    }


def provenance(settings: Settings, directory: Path, origin: Origin | None = None) -> dict[str, Any]:
    """Return for run.json the flat configuration, which keys stand for others, and what was typed: lists read no other file."""
    raw = OmegaConf.to_container(settings.composed, resolve=False)
    assert isinstance(raw, dict)
    if origin is not None:
        return {"config": flat(settings.plain), "follows": follows(raw), **origin.provenance()}
    typed = typed_and_chosen(directory)
    command = redacted_words(["paraphrase", "train", *typed["overrides"]])
    return {"config": flat(settings.plain), "follows": follows(raw), **typed, "command": command}
