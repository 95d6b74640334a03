"""The direction of the monitored metric is one fact: for the checkpoint, early stopping, lists and searches."""

from __future__ import annotations

from pathlib import Path

import pytest

from checking import check
from paraphrase_lab.build import build_callbacks
from paraphrase_lab.metrics.names import higher_is_better
from paraphrase_lab.training.callbacks import EarlyStopping
from paraphrase_lab.training.checkpoints import BestCheckpoint
from paraphrase_lab.training.stopping import StopRequest


@pytest.mark.parametrize(
    ("monitor", "mode", "rises"),
    [
        ("val/accuracy", "auto", True),
        ("val/nll", "auto", False),
        ("val/flip_rate", "auto", False),
        ("val/loss", "auto", False),
        ("val/recall_at_95", "auto", True),
        ("val/recall_at_95", "min", False),
        ("val/loss", "max", True),
    ],
)
def test_which_value_is_better(monitor: str, mode: str, rises: bool, tmp_path: Path) -> None:
    assert higher_is_better(monitor, mode) is rises
    assert EarlyStopping(monitor, mode=mode).mode == ("max" if rises else "min")
    config = check(f"monitor={monitor}", f"monitor_mode={mode}").jobs[0].config
    (best,) = (one for one in build_callbacks(config, tmp_path, StopRequest()) if isinstance(one, BestCheckpoint))
    best.value = 0.5
    assert best.is_improved_by(0.6) is rises
