"""What the steps of one training run share."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from paraphrase_lab.data.module import PairDataModule
from paraphrase_lab.data.tables import PairTables
from paraphrase_lab.hardware import Machine
from paraphrase_lab.runs import fingerprint, own_code
from paraphrase_lab.runs.record import RunRecord, Stopwatch

LAST_CHECKPOINT = Path("checkpoints") / "last.ckpt"


@dataclass
class Run:
    """A run that is about to train; `searching`: it is one trial of a search."""

    config: DictConfig
    directory: Path
    record: RunRecord
    tables: PairTables
    datamodule: PairDataModule
    machine: Machine
    precision: str
    devices: int
    searching: bool
    watch: Stopwatch

    @property
    def replicas(self) -> int:
        """Devices of all nodes."""
        return self.devices * self.config.trainer.num_nodes

    def data_summary(self) -> dict[str, Any]:
        return {
            split: {
                "pairs": len(table),
                "yes_share": round(float(table.labels.mean()), 4) if len(table) else None,
                "fingerprint": table.fingerprint,
                "truncated": self.datamodule.encoded[split].truncated,
            }
            for split, table in self.tables.splits.items()
        }


def fingerprint_parts(config: DictConfig, tables: PairTables, machine: Machine, precision: str) -> dict[str, Any]:
    """Everything that can change the result of a run, by name."""
    plain = plain_config(config)
    return {
        "configuration": fingerprint.config_fingerprint(plain),
        "data": tables.fingerprints,
        "code": fingerprint.code_fingerprint(own_code.source_files(own_code.own_modules(plain))),
        "libraries": fingerprint.library_versions(),
        "device": {"kind": machine.accelerator, "precision": precision},
    }


def plain_config(config: DictConfig) -> dict[str, Any]:
    """Resolved, as nested dicts and lists."""
    plain = OmegaConf.to_container(config, resolve=True)
    assert isinstance(plain, dict)
    return {str(key): value for key, value in plain.items()}


def is_main_process() -> bool:
    """Of the processes of a distributed run the one that writes."""
    return int(os.environ.get("LOCAL_RANK", "0")) == 0 and int(os.environ.get("NODE_RANK", "0")) == 0
