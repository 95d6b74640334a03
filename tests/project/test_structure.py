"""scripts/structure.py measures a small checkout whose numbers can be counted by hand, and this one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from commands import ROOT

FILES = {
    "src/lab/__init__.py": "",
    "src/lab/train.py": "from lab.data import load\n\n\ndef train():\n    from lab import runs\n    return load(runs)\n",
    "src/lab/data/__init__.py": "from lab.data.table import load\n",
    "src/lab/data/table.py": "from lab.runs import Run\n\n\ndef load(run):\n    return Run\n",
    "src/lab/runs.py": "import typing\n\nif typing.TYPE_CHECKING:\n    import lab.train\n\nimport lab.data.table\nRun = lab\n",
    "src/launcher/pyproject.toml": "",
    "src/launcher/sagemaker/__init__.py": "",
    "tests/test_one.py": "assert True\n",
}


def structure(root: Path) -> str:
    command = [sys.executable, str(ROOT / "scripts" / "structure.py"), "--root", str(root)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def rows(printed: str) -> dict[str, list[str]]:
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in printed.splitlines() if line.startswith("|")]
    return {name: cells for name, *cells in lines}


def test_a_small_checkout(tmp_path: Path) -> None:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    printed = structure(tmp_path)
    found = rows(printed)
    assert found[""] == ["lab", "all"]
    assert found["modules"] == ["5", "6"] and found["functions"] == ["2", "2"]
    assert found["longest file"][0] == "7" and found["which file"][0] == "runs"
    assert found["longest function"][0] == "3" and found["which function"][0] == "train"
    # train -> data and runs; data -> data.table; data.table <-> runs, which is a circle; nothing under TYPE_CHECKING counts
    assert found["module edges"][0] == "5" and found["module levels"][0] == "3"
    assert found["units"][0] == "4" and found["unit edges"][0] == "4" and found["unit levels"][0] == "2"
    assert found["upward edges"][0] == "1"
    assert "lines of src 19, of tests 1" in printed


def test_this_checkout() -> None:
    found = rows(structure(ROOT))
    assert {"paraphrase_lab", "hydra_sagemaker", "sagemaker_local"} <= set(found[""])
    assert int(found["lines"][-1]) > 10_000


def test_a_folder_that_is_no_checkout(tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / "scripts" / "structure.py"), "--root", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2 and "has no folder src; name the root of a checkout" in done.stderr
