"""The second stage of the check on metrics, the machine and the length of the training."""

from __future__ import annotations

from pathlib import Path

import pytest

from checking import built, check, here
from paraphrase_lab.check.built import check_built
from paraphrase_lab.runtime.hardware import Machine

VOLTA = Machine("gpu", 1, "Tesla V100", bf16=False, fp16=True)
CPU = Machine("cpu", 1, "Xeon", bf16=False, fp16=False)


def test_this_machine_runs_the_default() -> None:
    assert check_built(check().jobs[0].config) == ([], [])


def test_metrics_that_nothing_logs() -> None:
    (problem,) = built("monitor=f1", "metrics.mine={_target_:paraphrase_lab.metrics.binary.binary_metrics}").problems
    assert problem == "monitor=f1: nothing logs this metric. Did you mean 'val/f1'?"
    (problem,) = built("monitor=zzz", "metrics.mine={_target_:paraphrase_lab.metrics.binary.binary_metrics}").problems
    assert problem.endswith("val/ece, val/mine.")
    (problem,) = built("callbacks.early_stopping.monitor=val/los").problems
    assert problem.startswith("callbacks.early_stopping.monitor=val/los: nothing logs this metric.")
    (problem,) = built("callbacks.early_stopping.monitor=train/loss").problems  # early stopping looks at validations
    assert problem.startswith("callbacks.early_stopping.monitor=train/loss: nothing logs this metric.")
    assert built("monitor=val/mine", "metrics.mine={_target_:paraphrase_lab.metrics.binary.binary_metrics}").problems == []


def test_width_and_heads() -> None:
    assert built("model.hidden_size=130", "model.num_heads=4").problems == [
        "model.hidden_size=130 is not a multiple of twice model.num_heads=4: every head gets an equal and "
        "even share, for example model.hidden_size=128."
    ]


WARMUP = (
    "scheduler.warmup_fraction=null",
    "scheduler.warmup_steps=500",
    "data.train_pairs=1000",
    "data.batch_size=10",
    "data.epochs=3",
    "optimizer.lr=1e-3",
)


def test_warmup_longer_than_the_training() -> None:
    assert built("experiment=paws_seed_recipe").warnings == [
        "scheduler.warmup_steps=500 is longer than the training: about 196 optimiser steps "
        "(49,401 pairs / (16 pairs x 4 devices x 16 accumulated) x 4 epochs): the peak rate 5.0e-05 is never reached."
    ]
    assert built(*WARMUP).warnings == [
        "scheduler.warmup_steps=500 is longer than the training: about 300 optimiser steps "
        "(1,000 pairs / 10 pairs x 3 epochs): the peak rate 1.0e-03 is never reached."
    ]
    assert built(*WARMUP, "data.epochs=5").warnings == []
    assert built(*WARMUP, "model.swap_augmentation=true").warnings == []
    (warning,) = built(*WARMUP, "data.epochs=5", "trainer.max_steps=20").warnings
    assert "about 20 optimiser steps (trainer.max_steps=20)" in warning
    (warning,) = built(*WARMUP, "data.epochs=5", "trainer=ddp").warnings
    assert "about 65 optimiser steps (1,000 pairs / (10 pairs x 8 devices) x 5 epochs)" in warning


def test_batch_larger_than_the_data() -> None:
    assert built("data.train_limit=60").problems == [
        "data.batch_size=64 is more than the 60 training pairs there are: data.batch_size=60 at most."
    ]
    assert built("data.train_limit=500", "trainer=ddp").problems == [
        "data.batch_size=64 x 8 devices is more than the 500 training pairs there are: data.batch_size=62 at most."
    ]


def test_pairs_of_files_are_counted(tmp_path: Path) -> None:
    rows = "".join(f"a{i},b{i},{i % 2}\n" for i in range(50))
    (tmp_path / "pairs.csv").write_text("sentence1,sentence2,label\n" + rows)
    (problem,) = built("data=pairs", f"data.path={tmp_path / 'pairs.csv'}").problems
    assert problem.startswith("data.batch_size=64 is more than the 40 training pairs there are")  # 5 validate
    assert built("data=checklist").problems == [
        "data: the checklist is never trained on: `paraphrase evaluate RUN data=checklist` scores it."
    ]
    (problem,) = built("data=paws", f"data.path={tmp_path}").problems
    assert problem.startswith(f"data: {tmp_path} has no file of pairs.")


@pytest.mark.parametrize(
    ("overrides", "problem"),
    [
        ((), "no column 'sentence1' and no column 'sentence2'. its columns: question1, question2, label. "),
        (("data.sentence1=question1",), "no column 'sentence2'. its columns: question1, question2, label. "),
        (("data.sentence1=question1", "data.sentence2=question1"), "the column 'question1' is named twice by data.sentence1, "),
    ],
)
def test_columns_are_looked_for_before_anything_is_built(tmp_path: Path, overrides: tuple[str, ...], problem: str) -> None:
    file = tmp_path / "pairs.csv"
    file.write_text("question1,question2,label\n" + "".join(f"a{i},b{i},{i % 2}\n" for i in range(500)), encoding="utf-8")
    found = built("data=pairs", f"data.path={file}", *overrides).problems
    assert len(found) == 1 and problem in found[0] and found[0].startswith("data: ")
    columns = ("data.sentence1=question1", "data.sentence2=question2")
    assert built("data=pairs", f"data.path={file}", *columns).problems == []


def test_devices_and_precision_of_the_machine() -> None:
    assert here("trainer.devices=9", "trainer=ddp").problems == [
        "trainer.devices=9, but this machine has 8 devices (NVIDIA H100): trainer.devices=8, or auto for all there are."
    ]
    assert here("trainer.precision=bf16-mixed", machine=VOLTA).problems == [
        "trainer.precision=bf16-mixed does not run on gpu Tesla V100: bf16 needs compute capability 8.0 (Ampere). "
        "Here auto, 16-mixed and 32 run."
    ]
    assert here("trainer.precision=16-mixed", machine=CPU).problems == [
        "trainer.precision=16-mixed does not run on this CPU (Xeon). Here auto, bf16-mixed and 32 run; auto takes 32-true."
    ]
    (warning,) = here("trainer.devices=999", "data.batch_size=8", machine=CPU).warnings
    assert warning.startswith("trainer.devices=999 processes share the ")
    assert built("trainer.devices=9", "trainer.precision=bf16-mixed", machine=VOLTA).problems == []


def test_an_accelerator_that_is_not_here() -> None:
    import torch

    absent = "gpu" if not torch.cuda.is_available() else "mps"
    found = check_built(check(f"trainer.accelerator={absent}").jobs[0].config).problems
    assert found[0].startswith(f"trainer.accelerator={absent} is not on this machine. Here there is ")
