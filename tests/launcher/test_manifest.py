"""What a sweep writes down so that its jobs can be found again without its application."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

from hydra_sagemaker.errors import LauncherError
from hydra_sagemaker.job.job import Job
from hydra_sagemaker.scheduling.ledger import Ledger
from hydra_sagemaker.settings import Mode, SageMakerLauncherConf
from hydra_sagemaker.sweep.manifest import Manifest, read_manifest, write_manifest

SECRET = "hunter" + "2-of-the-sweep"


def job(sweep: Path, number: int, **settings: Any) -> Job:
    words = (f"x={number}", f"+hydra.launcher.env.TOKEN={SECRET}")
    hydra = {
        "output_subdir": ".hydra",
        "runtime": {"cwd": "/somewhere", "config_sources": [{"path": "/somewhere/conf", "schema": "file", "provider": "main"}]},
        "sweep": {"dir": str(sweep), "subdir": str(number)},
        "job": {"name": "app", "num": number},
        "overrides": {"task": [f"x={number}"], "hydra": [f"hydra.launcher.env.TOKEN={SECRET}"]},
        "launcher": {"env": {"TOKEN": SECRET}},
        "job_env": SECRET,
    }
    config = OmegaConf.create({"x": number, "password": SECRET, "hydra": hydra})
    conf = SageMakerLauncherConf(**{"instance_type": "ml.m5.large", **settings})
    return Job(
        number, words, config, conf, sweep / str(number), key=f"{number:016x}", slug="app", distinguishing_overrides=words
    )


def written(sweep: Path, jobs: Sequence[Job], attempt: int = 0, **settings: Any) -> Manifest:
    conf = SageMakerLauncherConf(**{"mode": Mode.local, "poll_seconds": 0.5, **settings})
    names = {one.number: one.name(attempt) for one in jobs}
    elsewhere = sweep.parent
    write_manifest(
        sweep, conf, jobs, names, state_dir=elsewhere / "state", root=elsewhere, working_dir=elsewhere, task_package="my_app"
    )
    return read_manifest(sweep)


def ledger(sweep: Path, *events: tuple[str, str] | tuple[str, str, str]) -> None:
    for event, name, *state in events:
        Ledger(sweep / ".launcher/ledger.jsonl").append(event, name=name, **({"state": state[0]} if state else {}))


def test_jobs_are_as_they_were(tmp_path: Path) -> None:
    sweep = tmp_path / "sweep"
    original = job(sweep, 3, instance_count=2, model_files=["*.pt"], download_models=True, spot=True, max_run_hours=1.5)
    manifest = written(sweep, [original], collected="my_app.done", price_per_hour={"ml.m5.large": 0.1})
    (read,) = manifest.jobs()
    for name in ("number", "key", "slug", "output_dir"):
        assert getattr(read, name) == getattr(original, name)
    for name in ("instance_type", "instance_count", "model_files", "download_models", "spot", "max_run_hours"):
        assert getattr(read.settings, name) == getattr(original.settings, name)
    assert (read.distinguishing_overrides, read.overrides) == (("x=3",), ("x=3",))
    assert read.settings.mode is Mode.local and read.settings.collected == "my_app.done"
    assert read.settings.price_per_hour == {"ml.m5.large": 0.1} and manifest.task_package == "my_app"
    assert (manifest.state_dir, manifest.root, manifest.working_dir) == (tmp_path / "state", tmp_path, tmp_path)
    hydra = manifest.complete(read).config.hydra
    assert hydra.output_subdir == ".hydra" and hydra.job.name == "app" and hydra.overrides.task == ["x=3"]
    assert hydra.runtime == original.config.hydra.runtime
    assert Path(hydra.sweep.dir) / hydra.sweep.subdir == read.output_dir


def test_nothing_secret_is_written_down(tmp_path: Path) -> None:
    sweep = tmp_path / "sweep"
    fields = ("env", "secrets", "tags", "channels")
    planted: dict[str, Any] = {name: {"TOKEN": SECRET} for name in fields} | {"extra": {"Environment": {"TOKEN": SECRET}}}
    written(sweep, [job(sweep, 0, **planted)], **planted)
    text = (sweep / ".launcher/manifest.json").read_text(encoding="utf-8")
    assert SECRET not in text and "TOKEN" not in text and "x=0" in text


def test_batches_of_one_sweep_add_up(tmp_path: Path) -> None:
    sweep = tmp_path / "sweep"
    written(sweep, [job(sweep, 0), job(sweep, 1)])
    manifest = written(sweep, [job(sweep, 10), job(sweep, 1, instance_count=4)])
    assert [one.number for one in manifest.jobs()] == [0, 1, 10]
    assert [one.settings.instance_count for one in manifest.jobs()] == [1, 4, 1]


def test_jobs_of_another_place_are_not_among_them(tmp_path: Path) -> None:
    """The same directory, first with mode=local, then on SageMaker: one backend knows nothing of the other's jobs."""
    sweep = tmp_path / "sweep"
    written(sweep, [job(sweep, 0), job(sweep, 1)])
    manifest = written(sweep, [job(sweep, 0)], mode=Mode.sagemaker, s3_uri="s3://bucket/prefix")
    assert [one.number for one in manifest.jobs()] == [0]


def test_a_directory_that_was_moved(tmp_path: Path) -> None:
    sweep = tmp_path / "sweep"
    written(sweep, [job(sweep, 0)])
    moved = Path(shutil.move(sweep, tmp_path / "moved"))
    manifest = read_manifest(moved)
    read = manifest.complete(manifest.jobs()[0])
    assert read.output_dir == moved / "0" and read.config.hydra.sweep.dir == str(moved)
    assert read_manifest(moved).state_dir == tmp_path / "state"


def test_what_is_no_sweep_is_named(tmp_path: Path) -> None:
    with pytest.raises(
        LauncherError, match=r"sweep that this launcher submitted: no \.launcher/manifest.json.*hydra.sweep.dir"
    ):
        read_manifest(tmp_path)
    file = tmp_path / ".launcher/manifest.json"
    file.parent.mkdir()
    for text in ("{", "[]", '{"format": 1}', '{"format": 99}'):
        file.write_text(text, encoding="utf-8")
        with pytest.raises(LauncherError, match="by another version of the launcher, or damaged; this one reads format 2"):
            read_manifest(tmp_path)
    assert [one.number for one in written(tmp_path, [job(tmp_path, 0)]).jobs()] == [0]


def test_the_newest_attempt_is_what_the_ledger_says(tmp_path: Path) -> None:
    jobs = [job(tmp_path, number) for number in range(6)]
    planned, again, attached, reused, unheard, retried = (one.name(0) for one in jobs)
    ledger(
        tmp_path,
        ("new", planned),
        ("submit", again),
        ("status", again, "running"),
        ("status", again, "failed"),
        ("submit", jobs[1].name(1)),
        ("attached", jobs[2].name(4)),
        ("reused", reused),
        ("submit", unheard),
        ("stop", retried),
    )
    with (tmp_path / ".launcher/ledger.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps({"event": "stop", "names": [planned]}) + "\n" + '{"event": "sub')
    attempts = written(tmp_path, jobs).attempts()
    assert [attempts[number].name for number in range(6)] == [
        planned,
        jobs[1].name(1),
        jobs[2].name(4),
        reused,
        unheard,
        retried,
    ]
    assert [attempts[number].submitted is not None for number in range(6)] == [False, True, True, True, True, False]
    assert [attempts[number].seen for number in range(6)] == [False, False, True, True, False, False]


def test_an_attempt_that_was_planned_after_the_ones_that_were_made(tmp_path: Path) -> None:
    one = job(tmp_path, 0)
    ledger(tmp_path, ("submit", one.name(0)), ("status", one.name(0), "failed"))
    manifest = written(tmp_path, [one], attempt=1)
    assert manifest.attempts()[0].name == one.name(1) and manifest.attempts()[0].submitted is None
    ledger(tmp_path, ("submit", one.name(1)))
    assert manifest.attempts()[0].submitted is not None
    ledger(tmp_path, ("submit", one.name(2)), ("status", one.name(2), "completed"))
    assert manifest.attempts()[0].name == one.name(2) and manifest.attempts()[0].ended is not None
