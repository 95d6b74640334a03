"""`paraphrase runs` on runs that lie in S3 and in W&B: real clients, servers on 127.0.0.1."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("moto", reason='needs pip install "paraphrase-lab[local-aws]"')
pytest_plugins = ("wandb_server.fixture",)

import boto3  # noqa: E402

from commands import paraphrase  # noqa: E402
from paraphrase_lab.errors import RunError  # noqa: E402
from paraphrase_lab.runs.listing import read_runs  # noqa: E402
from paraphrase_lab.runs.wandb_access import WandbError  # noqa: E402
from recorded_runs import recorded, swept  # noqa: E402
from sagemaker_local import LocalSageMaker  # noqa: E402
from sagemaker_local.account import BUCKET  # noqa: E402
from wandb_server import WandbServer  # noqa: E402


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalSageMaker]:
    with LocalSageMaker(tmp_path_factory.mktemp("sagemaker")) as server:
        yield server


@pytest.fixture
def account(s3: LocalSageMaker, monkeypatch: pytest.MonkeyPatch) -> LocalSageMaker:
    """The endpoint is found as AWS's own clients find it: in the environment."""
    for name, value in s3.client_environment.items():
        monkeypatch.setenv(name, value)
    return s3


def upload(directory: Path, prefix: str) -> str:
    client = boto3.client("s3")
    for file in directory.rglob("*"):
        if file.is_file():
            client.upload_file(str(file), BUCKET, f"{prefix}/{file.relative_to(directory)}")
    client.close()
    return f"s3://{BUCKET}/{prefix}"


@pytest.mark.slow
def test_runs_in_s3_are_those_of_the_directory(
    account: LocalSageMaker, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    here = tmp_path / "here"
    swept(here / "sweep")
    recorded(here / "dead", status="running", process={"host": "algo-1", "pid": 7}, metrics={}, best=None)
    (here / "sweep" / "0" / "plots").mkdir()
    (here / "sweep" / "0" / "plots" / "training.png").write_bytes(b"png")
    recorded(here / "sweep" / "0" / "code" / "copy")
    recorded(here / ".jobs" / "hidden")
    place = upload(here, "team/runs")
    upload(swept(tmp_path / "other"), "team/runs-old")
    there, local = read_runs([place]), read_runs([str(here)])
    assert [(row.name, row.status, row.config, row.metrics) for row in there] == [
        (row.name, row.status, row.config, row.metrics) for row in local
    ]
    assert [row.name for row in there] == ["sweep/0", "sweep/1", "sweep/2", "sweep/3", "dead"]
    assert there[-1].status == "interrupted"  # it has not been heard of for a day
    assert [row.name for row in read_runs([f"{place}/"])] == [row.name for row in there]
    assert [(row.name, row.path) for row in read_runs([f"{place}/sweep/1"])] == [("1", f"{place}/sweep/1")]
    assert len(read_runs([f"s3://{BUCKET}/team", str(here)])) == 14
    assert paraphrase("runs", place, "--where", "num_layers=2 and test/f1>0.62") == 0
    text = capsys.readouterr().out
    assert "sweep/3" in text and f"1 of 5 runs below {place}" in text
    assert paraphrase("compare", place) == 2
    assert "is not on this machine, and its predictions are needed\ncopy the run here first" in capsys.readouterr().err


@pytest.mark.slow
def test_places_in_s3_that_cannot_be_read(
    account: LocalSageMaker,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    place = f"s3://{BUCKET}/broken"
    client = boto3.client("s3")
    client.put_object(Bucket=BUCKET, Key="broken/half/run.json", Body=b'{"status": "fin')
    client.close()
    assert read_runs([place]) == [] and f"{place}/half/run.json cannot be read" in caplog.text
    assert paraphrase("runs", f"s3://{BUCKET}/nothing") == 0
    assert f"no runs below s3://{BUCKET}/nothing" in capsys.readouterr().out
    with pytest.raises(RunError, match=r"s3://no-such-bucket/runs cannot be read: .*NoSuchBucket.*\n`aws s3 ls s3://no-such"):
        read_runs(["s3://no-such-bucket/runs"])
    with pytest.raises(RunError, match="s3:/// is no address in S3\ns3://BUCKET or s3://BUCKET/PREFIX"):
        read_runs(["s3:///"])
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with pytest.raises(RunError, match="cannot be read: Could not connect to the endpoint"):
        read_runs([place])


def send(run_id: str, *, group: str | None = "sweep", **words: Any) -> None:
    import wandb

    quiet = wandb.Settings(x_disable_stats=True, console="off", x_save_requirements=False, finish_timeout=20, silent=True)
    layers, exit_code = words.pop("num_layers"), words.pop("exit_code", 0)
    summary = words.pop("summary", {})
    config = {
        "seed": 1, "monitor": "val/accuracy", "model": {"num_layers": layers}, "optimizer": {"lr": 0.001},
        "choices": {"model": "tiny", "data": "pairs"}, **words,
    }  # fmt: skip
    run = wandb.init(project="pairs", id=run_id, name=f"num_layers={layers}", group=group, config=config, settings=quiet)
    run.summary.update(summary)
    run.finish(exit_code=exit_code)


@pytest.mark.slow
def test_runs_in_wandb(
    wandb_server: WandbServer, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "140")
    scores = {
        "test/accuracy": 0.8,
        "val_fitted/accuracy": 0.81,
        "val/accuracy": 0.79,
        "best/val_accuracy": 0.82,
        "best/step": 30,
        "baselines/test/f1": 0.6,
    }
    send("one", num_layers=1, summary={**scores, "test/f1": float("nan"), "test_hardest": {"_type": "table"}})
    send("two", num_layers=2, summary={**scores, "test/accuracy": 0.9})
    send("broken", num_layers=3, exit_code=1)
    send("alone", num_layers=4, group=None)
    place = f"wandb:{wandb_server.state.entity}/pairs"
    rows = {row.path.rpartition("/")[2]: row for row in read_runs([f"{place}/sweep"]) if isinstance(row.path, str)}
    assert {name: row.status for name, row in rows.items()} == {"one": "finished", "two": "finished", "broken": "failed"}
    assert rows["one"].metrics == {"test/accuracy": 0.8, "val_fitted/accuracy": 0.81, "best": 0.82}
    assert rows["two"].config == {
        "model": "tiny", "data": "pairs", "seed": 1, "monitor": "val/accuracy", "model.num_layers": 2, "optimizer.lr": 0.001,
    }  # fmt: skip
    assert rows["two"].record["tracking"]["wandb"]["url"].endswith("/two") and rows["two"].name == "num_layers=2"
    assert len(read_runs([place])) == 4 and [row.name for row in read_runs([f"{place}/alone"])] == ["num_layers=4"]
    here = recorded(tmp_path / "here", config={"model.num_layers": 5})
    assert (
        paraphrase(
            "runs", f"{place}/sweep", str(here), "--where", "num_layers>1 and status=finished", "--sort", "-test/accuracy"
        )
        == 0
    )
    lines = capsys.readouterr().out.splitlines()
    assert lines[2].startswith(f"{place}/two") and lines[3].startswith(("…", str(here)[:5]))
    assert lines[-1].startswith("2 of 4 runs below ")


@pytest.mark.slow
def test_places_in_wandb_that_cannot_be_read(wandb_server: WandbServer, monkeypatch: pytest.MonkeyPatch) -> None:
    entity = wandb_server.state.entity
    send("one", num_layers=1)
    with pytest.raises(WandbError, match=f"the W&B project {entity}/pairs has no group or run typo\nnewest groups: sweep"):
        read_runs([f"wandb:{entity}/pairs/typo"])
    with pytest.raises(
        WandbError, match=f"W&B has no project {entity}/piars, or you may not see it\nprojects of {entity}: pairs"
    ):
        read_runs([f"wandb:{entity}/piars"])
    for place in ("wandb:pairs", "wandb:a/b/c/d", "wandb:"):
        with pytest.raises(WandbError, match="names no runs in W&B\nwandb:entity/project"):
            read_runs([place])


def test_wandb_without_a_key(
    wandb_server: WandbServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("WANDB_API_KEY")
    assert paraphrase("runs", "wandb:acme/pairs") == 2
    assert "W&B cannot be asked: there is no API key\n`wandb login`" in capsys.readouterr().err
