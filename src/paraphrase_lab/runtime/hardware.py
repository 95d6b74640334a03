"""The hardware that a machine computes with, and the precision that suits it."""

import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from paraphrase_lab.errors import UserError

LIGHTNING_PRECISIONS = {"bf16-mixed": "bf16-mixed", "16-mixed": "16-mixed", "32": "32-true"}
_AMPERE = (8, 0)
"""The first compute capability whose tensor cores take bf16; torch also says yes to slower emulation on older ones."""


@contextmanager
def cpu_threads(number: int | None) -> Iterator[None]:
    """Compute with this number of threads meanwhile; None leaves it as it is. The order of sums depends on it."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(number or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@dataclass(frozen=True)
class Machine:
    accelerator: str
    """cpu, gpu or mps."""
    devices: int
    """GPUs; 1 on a CPU, where trainer.devices may still ask for several processes."""
    name: str
    bf16: bool
    """The hardware computes bf16, and does not emulate it."""
    fp16: bool


def this_machine(accelerator: str = "auto") -> Machine:
    """Return what `trainer.accelerator` means here; raises UserError when it is not here."""
    import torch

    there = {"gpu": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    available = [name for name, is_there in there.items() if is_there]
    chosen = available[0] if accelerator == "auto" else accelerator
    if chosen not in available:
        raise UserError(
            f"trainer.accelerator={chosen} is not on this machine.",
            valid=f"Here there is {' and '.join(available)}: trainer.accelerator=auto takes {available[0]}.",
        )
    if chosen == "gpu":
        count = torch.cuda.device_count()
        oldest = min(torch.cuda.get_device_capability(index) for index in range(count))
        return Machine("gpu", count, torch.cuda.get_device_name(0), bf16=oldest >= _AMPERE, fp16=True)
    if chosen == "mps":
        return Machine("mps", 1, platform.processor() or "Apple GPU", bf16=False, fp16=True)
    name = _cpu_information("model name") or platform.processor() or platform.machine()
    return Machine("cpu", 1, name, bf16=bool(cpu_bf16_instructions()), fp16=False)


def resolve_precision(precision: str, machine: Machine) -> tuple[str, str]:
    """Return Lightning's name of the precision, and why in one line; raises UserError where the machine cannot run it."""
    if precision == "auto":
        return _automatic(machine)
    lightning = LIGHTNING_PRECISIONS[precision]
    if precision == "16-mixed" and not machine.fp16:
        raise UserError(
            f"trainer.precision=16-mixed does not run on {_described(machine)}.",
            valid=f"Here auto, bf16-mixed and 32 run; auto takes {_automatic(machine)[0]}.",
        )
    if precision == "bf16-mixed" and machine.accelerator == "gpu" and not machine.bf16:
        raise UserError(
            f"trainer.precision=bf16-mixed does not run on {_described(machine)}: bf16 needs compute capability 8.0 (Ampere).",
            valid="Here auto, 16-mixed and 32 run.",
        )
    if precision == "bf16-mixed" and not machine.bf16:
        return lightning, f"{lightning}: chosen by hand, although {_described(machine)} only emulates bf16, slowly"
    return lightning, f"{lightning}: chosen by hand"


def devices_used(devices: str | int, machine: Machine) -> int:
    """Return the number of processes that `trainer.devices` means: auto is all GPUs, but one process on a CPU."""
    return machine.devices if devices == "auto" else int(devices)


def cpu_bf16_instructions() -> tuple[str, ...]:
    """Return those of avx512_bf16 and amx_bf16 that this CPU has (x86 under Linux; elsewhere unknown, so none)."""
    flags = _cpu_information("flags").split()
    return tuple(name for name in ("amx_bf16", "avx512_bf16") if name in flags)


def _automatic(machine: Machine) -> tuple[str, str]:
    if machine.bf16:
        how = f" ({', '.join(cpu_bf16_instructions())})" if machine.accelerator == "cpu" and cpu_bf16_instructions() else ""
        return "bf16-mixed", f"bf16-mixed: {_described(machine)} computes bf16{how}"
    if machine.accelerator == "gpu":
        return "16-mixed", f"16-mixed: {_described(machine)} computes fp16, but not bf16"
    return "32-true", f"32-true: {_described(machine)} does not compute bf16"


def _described(machine: Machine) -> str:
    return f"this CPU ({machine.name})" if machine.accelerator == "cpu" else f"{machine.accelerator} {machine.name}"


def cpu_cores() -> int:
    """Count the cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def free_memory() -> int | None:
    """Return the free bytes of the device that scores: the GPU's where there is one, else the machine's; None: unknown."""
    import torch

    if torch.cuda.is_available():
        return torch.cuda.mem_get_info()[0]
    file = Path("/proc/meminfo")
    lines = file.read_text(encoding="utf-8").splitlines() if file.is_file() else []
    return next((1024 * int(line.split()[1]) for line in lines if line.startswith("MemAvailable:")), None)


def _cpu_information(key: str) -> str:
    """Return the first value of the key in /proc/cpuinfo; empty where there is none."""
    file = Path("/proc/cpuinfo")
    lines = file.read_text(encoding="utf-8", errors="replace").splitlines() if file.is_file() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(key)), "")
