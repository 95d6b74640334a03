from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest

# Read when huggingface_hub is imported: no test asks the real Hub.
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("WANDB_MODE", "disabled")  # the tests of tracking say otherwise
pytest.register_assert_rewrite("container_fixtures")  # imported by one file, a plugin of others
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:  # started in the background: the tests' commands would not hear Ctrl-C
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def tiny_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of four steps: its numbers mean nothing."""
    from commands import FEW_PAIRS, TINY, paraphrase  # imports torch

    directory = tmp_path_factory.mktemp("tiny") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PARAPHRASE_CACHE_DIR", str(directory.parent / "cache"))
        assert paraphrase("train", *TINY, *FEW_PAIRS, f"hydra.run.dir={directory}") == 0
    return directory


@pytest.fixture
def paws_dir() -> Path:
    """A directory of PAWS TSVs, where there is one."""
    directory = os.environ.get("PARAPHRASE_PAWS_DIR")
    if not directory:
        pytest.skip("PARAPHRASE_PAWS_DIR names no directory of PAWS TSVs")
    return Path(directory)


@pytest.fixture(scope="session")
def minilm_dir() -> Path:
    """The pre-trained MiniLM of six layers, where it is on this machine."""
    directory = os.environ.get("PARAPHRASE_MINILM_DIR")
    if not directory:
        pytest.skip("PARAPHRASE_MINILM_DIR names no directory of all-MiniLM-L6-v2")
    return Path(directory)


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Every figure that is saved, so that a test can read what stands in it."""
    from matplotlib.figure import Figure

    figures, save = [], Figure.savefig

    def record(figure, *arguments, **options):
        figures.append(figure)
        return save(figure, *arguments, **options)

    monkeypatch.setattr(Figure, "savefig", record)
    return figures
