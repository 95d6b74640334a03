"""Two versions of the launcher in one environment are named, with the command that mends it."""

from __future__ import annotations

from pathlib import Path

import pytest

from hydra_sagemaker import __version__
from hydra_sagemaker.cli.main import main
from hydra_sagemaker.sweep.installation import version_conflict


def installed(directory: Path, version: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A distribution of that version, first on sys.path."""
    dist_info = directory / f"hydra_sagemaker_launcher-{version}.dist-info"
    dist_info.mkdir(parents=True)
    (dist_info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: hydra-sagemaker-launcher\nVersion: {version}\n")
    monkeypatch.syspath_prepend(str(directory))


def test_another_version_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    installed(tmp_path, "9.8.7", monkeypatch)
    conflict = version_conflict()
    assert conflict is not None
    assert f"hydra-sagemaker-launcher 9.8.7 is installed in {tmp_path}" in conflict
    assert f"version {__version__} is imported from " in conflict and "hydra_sagemaker: files of both" in conflict
    assert "Type `pip uninstall hydra-sagemaker-launcher`, then install " in conflict
    assert main(["prices", "ml.m5.large"]) == 0
    out, err = capsys.readouterr()
    assert err == f"warning: {conflict}\n" and "9.8.7" not in out


def test_the_same_version_is_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    installed(tmp_path, __version__, monkeypatch)
    assert version_conflict() is None
    assert main(["prices", "ml.m5.large"]) == 0 and capsys.readouterr().err == ""
