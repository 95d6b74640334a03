"""tests/helpers/wandb_server answers the real client as W&B would, and lets nothing pass that it does not know."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import wandb
from wandb.errors import CommError
from wandb.sdk.lib.service.service_connection import WandbApiFailedError

from wandb_server import WandbServer

pytest_plugins = ("wandb_server.fixture",)


def start(run_id: str, **words: Any) -> wandb.Run:
    quiet = wandb.Settings(
        x_disable_stats=True, console="off", x_save_requirements=False, finish_timeout=20
    )  # init writes to it
    return wandb.init(project="pairs", id=run_id, settings=quiet, **words)


def log(run: wandb.Run, scores: list[float]) -> None:
    for score in scores:
        run.log({"val/f1": score})


def scores_of(rows: list[dict[str, Any]]) -> list[float]:
    return [row["val/f1"] for row in rows]


def test_a_run_online(wandb_server: WandbServer) -> None:
    config = {"model": {"layers": 2}, "seed": 1}
    run = start("one", name="num_layers=2", group="sweep", job_type="train", tags=["tiny"], notes="a try", config=config)
    log(run, [0.1, 0.2])
    run.summary["best"] = 0.2
    run.alert("Diverged", "loss is not a number")
    assert wandb_server.runs["pairs", "one"].state == "running"
    run.finish()
    seen = wandb_server.runs["pairs", "one"]
    assert (seen.id, seen.display_name, seen.group, seen.job_type) == ("one", "num_layers=2", "sweep", "train")
    assert (seen.tags, seen.notes, seen.config) == (["tiny"], "a try", config)
    assert (seen.state, seen.exit_code, seen.resumed) == ("finished", 0, 0)
    assert scores_of(seen.history) == [0.1, 0.2] and seen.summary["best"] == 0.2
    assert [alert["title"] for alert in wandb_server.state.alerts] == ["Diverged"]
    assert not any(wandb_server.key in str(request) for request in wandb_server.requests)


def test_a_resumed_run_continues(wandb_server: WandbServer) -> None:
    for scores in ([0.1, 0.2], [0.3]):
        run = start("one", resume="allow", config={"lr": scores[0]})
        log(run, scores)
        run.finish()
    seen = wandb_server.runs["pairs", "one"]
    assert scores_of(seen.history) == [0.1, 0.2, 0.3]
    assert [row["_step"] for row in seen.history] == [0, 1, 2]
    assert (seen.resumed, seen.state, seen.config) == (1, "finished", {"lr": 0.3})


def test_offline_runs_are_synchronised(wandb_server: WandbServer, tmp_path: Path) -> None:
    for scores in ([0.1, 0.2], [0.3]):  # the second after an interruption: two files of one run
        run = start("one", mode="offline", resume="allow", group="sweep")
        log(run, scores)
        run.finish()
    assert wandb_server.requests == []
    kept = sorted(Path(os.environ["WANDB_DIR"]).glob("wandb/offline-run-*"))
    command = [sys.executable, "-m", "wandb", "sync", "--yes", *map(str, kept)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    seen = wandb_server.runs["pairs", "one"]
    assert (seen.group, seen.state) == ("sweep", "finished")
    assert sorted(scores_of(seen.history)) == [0.1, 0.2, 0.3]


@pytest.mark.parametrize(("code", "state"), [(0, "finished"), (1, "failed"), (255, "killed")])
def test_states_at_the_end(wandb_server: WandbServer, code: int, state: str) -> None:
    start("one").finish(exit_code=code)
    seen = wandb_server.runs["pairs", "one"]
    assert (seen.state, seen.exit_code) == (state, code)


def test_a_run_that_is_preempted(wandb_server: WandbServer) -> None:
    run = start("one", resume="allow")
    run.mark_preempting()
    run.finish(exit_code=143)
    seen = wandb_server.runs["pairs", "one"]
    assert (seen.state, seen.exit_code, seen.preempting) == ("preempted", 143, True)
    start("one", resume="allow").finish()
    assert (seen.state, seen.resumed) == ("finished", 1)


def test_a_silent_run_has_crashed(wandb_server: WandbServer) -> None:
    run = start("one")
    wandb_server.runs["pairs", "one"].silent_seconds = 0
    assert wandb_server.runs["pairs", "one"].state == "crashed"
    run.finish()


def log_file(run: wandb.Run, path: Path, text: str) -> wandb.Artifact:
    path.write_text(text)
    artifact = wandb.Artifact("pairs", "dataset", metadata={"pairs": 3})
    artifact.add_file(str(path))
    return run.log_artifact(artifact, aliases=["best"]).wait()


@pytest.mark.slow
def test_artifacts_up_and_down(wandb_server: WandbServer, tmp_path: Path) -> None:
    run = start("one")
    log_file(run, tmp_path / "test.tsv", "first")
    assert log_file(run, tmp_path / "test.tsv", "first").version == "v0", "the same content is the same version"
    log_file(run, tmp_path / "test.tsv", "second")
    run.finish()
    later = start("two")
    place = later.use_artifact("pairs:best", type="dataset").download(str(tmp_path / "down"))
    later.finish()
    assert (Path(place) / "test.tsv").read_text() == "second"
    first, second = wandb_server.artifacts["pairs:v0"], wandb_server.artifacts["pairs:v1"]
    assert (first.aliases, sorted(second.aliases)) == ([], ["best", "latest"])
    assert (second.logged_by, second.used_by, second.type) == ("one", ["two"], "dataset")
    two = wandb.Api().run("acme/pairs/two")
    assert [artifact.name for artifact in two.used_artifacts()] == ["pairs:v1"]
    with pytest.raises(CommError, match="not found"):
        wandb.Api().artifact("acme/pairs/other:latest")


def test_runs_are_listed(wandb_server: WandbServer) -> None:
    for number, group in enumerate(("a", "b", "a")):
        run = start(f"run-{number}", group=group, config={"optimizer": {"lr": number}})
        log(run, [number / 10])
        run.finish(exit_code=number // 2)
    api = wandb.Api()

    def ids(**filters: Any) -> list[str]:
        return [run.id for run in api.runs("acme/pairs", filters=filters, order="-summary_metrics.val/f1", per_page=1)]

    assert ids() == ["run-2", "run-1", "run-0"]
    assert ids(group="a") == ["run-2", "run-0"]
    assert ids(group="a", state="finished") == ["run-0"]
    assert ids(**{"config.optimizer.value.lr": {"$gte": 1}}) == ["run-2", "run-1"]
    assert ids(**{"$or": [{"display_name": "run-1"}, {"state": {"$in": ["failed"]}}]}) == ["run-2", "run-1"]
    run = next(iter(api.runs("acme/pairs", filters={"group": "b"})))
    assert (run.config, run.summary["val/f1"]) == ({"optimizer": {"lr": 1}}, 0.1)
    assert scores_of(run.history(pandas=False)) == scores_of(list(run.scan_history())) == [0.1]
    assert scores_of(run.history(keys=["val/f1"], pandas=False)) == [0.1]
    with pytest.raises(ValueError, match="Could not find project"):
        list(api.runs("acme/elsewhere"))


@pytest.mark.slow
def test_an_outage_loses_nothing(wandb_server: WandbServer) -> None:
    run = start("one")
    wandb_server.stop()
    log(run, [0.1, 0.2])
    wandb_server.start()
    run.finish()
    assert scores_of(wandb_server.runs["pairs", "one"].history) == [0.1, 0.2]


@pytest.mark.slow
@pytest.mark.parametrize("status", [503, None], ids=["unavailable", "dropped"])
def test_a_fault_that_passes(wandb_server: WandbServer, status: int | None) -> None:
    wandb_server.fail(status, operation="UpsertBucket", times=1)
    start("one").finish()
    sent = [request.status for request in wandb_server.requests if request.operation == "UpsertBucket"]
    assert sent[:2] == [status or 0, 200]


def test_a_key_that_is_refused(wandb_server: WandbServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_API_KEY", "f" * 40)
    with pytest.raises(CommError):
        start("one")
    assert {request.status for request in wandb_server.requests} == {401}
    assert wandb_server.runs == {}


def test_what_it_does_not_know_is_kept(wandb_server: WandbServer) -> None:
    api = wandb.Api()
    start("one").finish()
    for query, variables in (
        ("query Weather { weather }", {}),
        ("query Viewer($city: String) { viewer { id } }", {"city": "Bern"}),
        ("query Runs($project: String) { project { runCount } }", {"project": "pairs", "filters": '{"colour": "red"}'}),
    ):
        with contextlib.suppress(WandbApiFailedError):
            api._service_api.execute_graphql(query, variables)
    kept = " | ".join(wandb_server.unknown)
    for part in ("operation Weather", "variables ['city'] of Viewer", "filter or order by colour"):
        assert part in kept
    wandb_server.unknown.clear()


@pytest.mark.slow
def test_another_host_is_noticed(wandb_server: WandbServer) -> None:
    program = "import wandb; wandb.init(project='pairs', settings=wandb.Settings(init_timeout=5))"
    for url in ("https://wandb.invalid", "http://wandb.invalid"):
        environment = os.environ | {"WANDB_BASE_URL": url, "WANDB_INIT_TIMEOUT": "3"}
        subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, timeout=60)
    kept = " | ".join(wandb_server.unknown)
    assert "CONNECT wandb.invalid:443" in kept and "POST http://wandb.invalid/graphql" in kept
    wandb_server.unknown.clear()
