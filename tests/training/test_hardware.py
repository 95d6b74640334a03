"""Which precision a machine gets, and which it is refused."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from paraphrase_lab.errors import UserError
from paraphrase_lab.runtime import hardware
from paraphrase_lab.runtime.hardware import Machine, cpu_bf16_instructions, devices_used, resolve_precision, this_machine

A100 = Machine("gpu", 4, "NVIDIA A100", bf16=True, fp16=True)
V100 = Machine("gpu", 1, "Tesla V100", bf16=False, fp16=True)
OLD_CPU = Machine("cpu", 1, "Xeon E5", bf16=False, fp16=False)
NEW_CPU = Machine("cpu", 1, "Xeon 8481C", bf16=True, fp16=False)


@pytest.mark.parametrize(
    ("machine", "precision", "reason"),
    [
        (A100, "bf16-mixed", "bf16-mixed: gpu NVIDIA A100 computes bf16"),
        (V100, "16-mixed", "16-mixed: gpu Tesla V100 computes fp16, but not bf16"),
        (OLD_CPU, "32-true", "32-true: this CPU (Xeon E5) does not compute bf16"),
    ],
)
def test_auto_takes_what_the_hardware_computes(machine: Machine, precision: str, reason: str) -> None:
    assert resolve_precision("auto", machine) == (precision, reason)


def test_auto_names_the_instructions_of_a_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hardware, "cpu_bf16_instructions", lambda: ("amx_bf16", "avx512_bf16"))
    precision, reason = resolve_precision("auto", NEW_CPU)
    assert precision == "bf16-mixed"
    assert reason == "bf16-mixed: this CPU (Xeon 8481C) computes bf16 (amx_bf16, avx512_bf16)"


def test_chosen_by_hand() -> None:
    assert resolve_precision("32", A100) == ("32-true", "32-true: chosen by hand")
    assert resolve_precision("16-mixed", A100) == ("16-mixed", "16-mixed: chosen by hand")
    assert resolve_precision("bf16-mixed", OLD_CPU)[1].endswith("although this CPU (Xeon E5) only emulates bf16, slowly")


def test_refuses_fp16_on_a_cpu() -> None:
    with pytest.raises(UserError, match=r"16-mixed does not run on this CPU \(Xeon E5\).\nHere auto, bf16-mixed and 32 run"):
        resolve_precision("16-mixed", OLD_CPU)


def test_refuses_bf16_before_ampere() -> None:
    with pytest.raises(
        UserError, match="does not run on gpu Tesla V100: bf16 needs compute capability 8.0.*\nHere auto, 16-mixed"
    ):
        resolve_precision("bf16-mixed", V100)


def test_devices() -> None:
    assert devices_used("auto", A100) == 4
    assert devices_used(2, A100) == 2
    assert devices_used("auto", NEW_CPU) == 1
    assert devices_used(2, NEW_CPU) == 2


def test_this_machine_has_a_cpu() -> None:
    machine = this_machine("cpu")
    assert (machine.accelerator, machine.devices, machine.fp16) == ("cpu", 1, False)
    assert machine.name
    assert machine.bf16 == bool(cpu_bf16_instructions())
    precision, _ = resolve_precision("auto", machine)
    assert precision == ("bf16-mixed" if machine.bf16 else "32-true")


@pytest.mark.skipif(not sys.platform.startswith("linux") or os.uname().machine != "x86_64", reason="reads /proc/cpuinfo of x86")
def test_bf16_of_the_cpu_as_the_kernel_says() -> None:
    flags = Path("/proc/cpuinfo").read_text().split()
    assert set(cpu_bf16_instructions()) == {"amx_bf16", "avx512_bf16"} & set(flags)


def test_an_accelerator_that_is_not_here() -> None:
    import torch

    absent = "gpu" if not torch.cuda.is_available() else "mps"
    with pytest.raises(UserError, match=f"trainer.accelerator={absent} is not on this machine.\nHere there is .*cpu"):
        this_machine(absent)


@pytest.mark.gpu
def test_this_gpu() -> None:
    import torch

    machine = this_machine()
    assert machine.accelerator == "gpu" and machine.devices == torch.cuda.device_count()
    assert machine.bf16 == (torch.cuda.get_device_capability(0) >= (8, 0))
