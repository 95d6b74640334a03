"""`paraphrase report … --to wandb`: a report and a workspace, made by the real client on a server of this machine."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import wandb

from commands import FEW_PAIRS, TINY, paraphrase
from paraphrase_lab.comparison.compare import compare_runs
from paraphrase_lab.runs.listing import read_runs
from paraphrase_lab.runs.record import RunRecord
from paraphrase_lab.runs.row import RunRow
from reported_runs import write_reported_sweep
from tracked_runs import KEPT_HERE
from wandb_server import View, WandbServer

pytest_plugins = ("wandb_server.fixture",)
pytestmark = pytest.mark.filterwarnings("ignore:Pydantic V1 style:DeprecationWarning")  # of wandb-workspaces
HAND_WRITTEN = "written by hand"
ENTITY, PROJECT, GROUP = "acme", "paraphrase-lab", "sweep"


def write_tracked_sweep(root: Path, seeds: int = 3) -> Path:
    write_reported_sweep(root, seeds=seeds)
    for row in read_runs([str(root)]):
        known = {"id": f"run-{row.name}", "group": GROUP, "name": row.name, "project": PROJECT, "mode": "offline"}
        RunRecord.read(Path(row.path)).update(tracking={"wandb": known})
    return root


def upload(root: Path, *names: str) -> None:
    """Upload runs as a sweep does; all, if no names are given."""
    quiet = wandb.Settings(x_disable_stats=True, console="off", x_save_requirements=False, finish_timeout=20)
    for row in read_runs([str(root)]):
        if names and row.name not in names:
            continue
        known = row.record["tracking"]["wandb"]
        run = wandb.init(
            project=known["project"], id=known["id"], group=known["group"], name=known["name"], settings=quiet,
            config={
                "seed": row.config["seed"], "choices": {"data": "pairs"},
                "model": {"num_layers": row.config["model.num_layers"]},
            },
        )  # fmt: skip
        run.summary.update(row.record["metrics"])
        run.finish()


def views(server: WandbServer) -> tuple[View, View]:
    """The one report that was not written by hand, and the one workspace."""
    (report,) = [view for view in server.state.views.values() if view.type == "runs" and HAND_WRITTEN not in view.spec]
    (workspace,) = [view for view in server.state.views.values() if view.type != "runs"]
    return report, workspace


def panels(view: View) -> list[dict[str, Any]]:
    """Return every object of the specification of a report or workspace that is a panel."""

    def within(value: Any) -> list[dict[str, Any]]:
        if isinstance(value, dict):
            own = [value] if "viewType" in value and "config" in value else []
            return own + [panel for inner in value.values() for panel in within(inner)]
        return [panel for inner in value for panel in within(inner)] if isinstance(value, list) else []

    return within(json.loads(view.spec))


@pytest.mark.slow
def test_a_report_and_a_workspace(wandb_server: WandbServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sweep = write_tracked_sweep(tmp_path / "sweep")
    upload(sweep)
    somebodys = write_by_hand(wandb_server)
    capsys.readouterr()
    assert paraphrase("report", str(sweep), "--to", "wandb") == 0
    said = capsys.readouterr().out
    report, workspace = views(wandb_server)
    assert f"/{ENTITY}/{PROJECT}/reports/Sweep-{GROUP}--" in said and f"/{ENTITY}/{PROJECT}?nw=" in said
    assert report.display_name == workspace.display_name == f"Sweep {GROUP}"
    for view in (report, workspace):
        kinds = [panel["viewType"] for panel in panels(view)]
        assert {"Run Comparer", "Parallel Coordinates Plot", "Parameter Importance", "Bar Chart"} <= set(kinds)
        curves = {panel["config"]["chartTitle"]: panel["config"] for panel in panels(view) if "Line Plot" in panel["viewType"]}
        assert list(curves) == ["val/accuracy by model.num_layers", "val/accuracy", "train/loss", "val/nll"]
        assert curves["val/accuracy by model.num_layers"]["groupBy"] == "model.value.num_layers"
        (parallel,) = [panel["config"] for panel in panels(view) if panel["viewType"] == "Parallel Coordinates Plot"]
        assert [one["accessor"] for one in parallel["columns"]] == ["config:model.value.num_layers", "summary:test/accuracy"]
        (importance,) = [panel["config"] for panel in panels(view) if panel["viewType"] == "Parameter Importance"]
        assert importance["targetKey"] == "test/accuracy"
        assert '{"key":{"section":"run","name":"group"},"op":"=","value":"sweep"' in view.spec
    statistics = compare_runs(read_runs([str(sweep)]))
    assert all(json.dumps(one.verdict, ensure_ascii=False)[1:-1] in report.spec for one in statistics.differences[:2])
    assert "| num_layers=2 | 3 | 0, 1, 2 | 91.56 ± 1.84 |" in report.spec

    assert paraphrase("report", str(sweep), "--to", "wandb", "--metric", "f1", "--where", "seed<2") == 0
    assert list(wandb_server.state.views.values()) == [somebodys, report, workspace]
    assert (report.saved, workspace.saved) == (2, 2), "updated, not doubled"
    assert "too few seeds to compare the recipes (2, need 3)" in report.spec and '"targetKey":"test/f1"' in report.spec
    assert all(f'"{run}"' in report.spec for run in ("run-0", "run-4")) and '"run-5"' not in report.spec
    assert HAND_WRITTEN in somebodys.spec and somebodys.saved == 1

    rows = read_runs([f"wandb:{ENTITY}/{PROJECT}/{GROUP}"])
    there, here = ({row.name: row.metrics["test/accuracy"] for row in of} for of in (rows, read_runs([str(sweep)])))
    assert there == here
    capsys.readouterr()
    assert paraphrase("report", f"wandb:{ENTITY}/{PROJECT}/{GROUP}", "--to", "markdown") == 0
    assert r"| num\_layers=2 | 3 | 0, 1, 2 | 0.8600 | 0.0100 |" in capsys.readouterr().out


def write_by_hand(server: WandbServer) -> View:
    """A report that happens to have the same title."""
    from wandb_workspaces.reports.v2 import interface  # warns when it is imported

    known = set(server.state.views)
    interface.Report(entity=ENTITY, project=PROJECT, title=f"Sweep {GROUP}", blocks=[interface.P(text=HAND_WRITTEN)]).save()
    (key,) = set(server.state.views) - known
    return server.state.views[key]


@pytest.mark.slow
def test_a_sweep_that_was_recorded_offline(
    wandb_server: WandbServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """From training without a key to the report, by the commands that are named on the way."""
    for name in KEPT_HERE:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PARAPHRASE_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    with monkeypatch.context() as without:
        without.delenv("WANDB_API_KEY")
        assert paraphrase("train", "-m", *TINY, *FEW_PAIRS, "model.num_heads=1,2", "hydra.sweep.dir=runs/heads") == 0
    assert paraphrase("report", "--to", "wandb") == 2
    said = capsys.readouterr().err
    assert f"2 of 2 runs are not uploaded to W&B project {ENTITY}/{PROJECT} yet: 0, 1\n" in said
    command = re.findall(r"`(wandb sync [^`]*)`", said)[0]
    assert command.endswith(" runs/heads/wandb/offline-run-*")
    subprocess.run(f"{shlex.quote(sys.executable)} -m {command}", shell=True, check=True, capture_output=True, timeout=120)
    assert paraphrase("report", "--to", "wandb") == 0
    report, _ = views(wandb_server)
    assert report.display_name == "Sweep heads" and "config:model.value.num_heads" in report.spec
    assert wandb_server.state.runs[PROJECT, read_runs(["runs/heads/0"])[0].record["tracking"]["wandb"]["id"]].config["choices"]


def test_some_runs_are_not_there(wandb_server: WandbServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sweep = write_tracked_sweep(tmp_path / "sweep", seeds=1)
    upload(sweep, "0")
    assert paraphrase("report", str(sweep), "--to", "wandb") == 2
    said = capsys.readouterr().err
    assert f"paraphrase report: 1 of 2 runs is not uploaded to W&B project {ENTITY}/{PROJECT} yet: 1\n`wandb sync " in said
    assert wandb_server.state.views == {}
    assert paraphrase("report", str(sweep), "--to", "wandb", "--project", "acme/elsewhere") == 2
    assert f"W&B has no project acme/elsewhere, or you may not see it\nprojects of acme: {PROJECT}" in capsys.readouterr().err


def test_no_key(
    wandb_server: WandbServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sweep = write_tracked_sweep(tmp_path / "sweep", seeds=1)
    monkeypatch.delenv("WANDB_API_KEY")
    assert paraphrase("report", str(sweep), "--to", "wandb") == 2
    said = capsys.readouterr()
    assert "there is no API key\n`wandb login` stores one" in said.err and said.out == ""
    assert wandb_server.requests == []
    monkeypatch.setenv("WANDB_API_KEY", "f" * 40)
    assert paraphrase("report", str(sweep), "--to", "wandb") == 2
    assert "W&B refuses the API key" in capsys.readouterr().err


def test_runs_that_were_never_recorded_for_it(
    wandb_server: WandbServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sweep = write_reported_sweep(tmp_path / "sweep", seeds=1)
    assert paraphrase("report", str(sweep), "--to", "wandb") == 2
    assert "none of these runs was recorded for W&B\nlogger=wandb" in capsys.readouterr().err


def test_keys_as_they_stand_in_wandb() -> None:
    from paraphrase_lab.tracking import wandb_panels

    rows = [
        RunRow(
            Path(str(job)), str(job), "finished", {"model": model, "model.name": model, "optimizer.lr": lr, "seed": job}, {}, {}
        )
        for job, (model, lr) in enumerate([("tiny", 1e-4), ("tiny", 1e-2), ("base", 1e-4), ("base", 1e-2)])
    ]
    assert wandb_panels.swept_keys(rows) == (("choices.model", "optimizer.lr"), {"optimizer.lr"})
