from __future__ import annotations

import json

import pytest

from hydra_sagemaker.aws.request_limits import service_model, violations
from local_account import BUCKET, ROLE, Account, wait_for
from sagemaker_local import LocalSageMaker

ROOT = "import json, os, pathlib, sys, time; root = pathlib.Path(os.environ['SAGEMAKER_BASE_DIR'])\n"
HANDLES_SIGTERM = (
    ROOT
    + """
import signal
def stop(*_):
    (root / "model" / "weights").write_text("at the last step")
    (root / "checkpoints" / "last").write_text("7")
    print("saved", flush=True)
    sys.exit(0)
signal.signal(signal.SIGTERM, stop)
print("ready", flush=True)
time.sleep(60)
"""
)


def test_a_job_is_run_with_its_inputs_and_leaves_artifacts(account: Account) -> None:
    account.s3.put_object(Bucket=BUCKET, Key="data/train/a/b.csv", Body=b"1,2")
    account.s3.put_object(Bucket=BUCKET, Key="data/train-more/c.csv", Body=b"not within data/train/")
    code = (
        ROOT
        + """
config = root / "input" / "config"
shown = {file.stem: json.loads(file.read_text()) for file in config.iterdir()}
shown["files"] = sorted(str(file.relative_to(root)) for file in (root / "input" / "data").rglob("*.csv"))
shown["environment"] = dict(os.environ)
(root / "model" / "weights").write_text("w")
(root / "output" / "data" / "shown.json").write_text(json.dumps(shown))
print("val_accuracy=0.25"); print("val_accuracy=0.75")
"""
    )
    described = account.run(
        code,
        HyperParameters={"model.lr": "0.1"},
        Environment={"SEED": "3"},
        InputDataConfig=[account.channel("train", "data/train/")],
        AlgorithmSpecification={"MetricDefinitions": [{"Name": "accuracy", "Regex": "val_accuracy=([0-9.]+)"}]},
    )
    name = described["TrainingJobName"]
    assert described["TrainingJobStatus"] == described["SecondaryStatus"] == "Completed"
    assert account.steps(described) == ["Starting", "Downloading", "Training", "Uploading", "Completed"]
    assert described["ModelArtifacts"]["S3ModelArtifacts"] == f"s3://{BUCKET}/out/{name}/output/model.tar.gz"
    assert account.archive(name) == {"weights": b"w"}
    assert [(metric["MetricName"], metric["Value"]) for metric in described["FinalMetricDataList"]] == [("accuracy", 0.75)]
    assert described["Environment"] == {"SEED": "3"} and described["HyperParameters"] == {"model.lr": "0.1"}
    assert described["TrainingTimeInSeconds"] == described["BillableTimeInSeconds"] >= 1
    assert described["CreationTime"] <= described["TrainingStartTime"] <= described["TrainingEndTime"]

    shown = json.loads(account.archive(name, "output.tar.gz")["shown.json"])
    assert shown["files"] == ["input/data/train/a/b.csv"]
    assert shown["hyperparameters"] == {"model.lr": "0.1"}
    assert shown["inputdataconfig"]["train"]["S3DistributionType"] == "FullyReplicated"
    assert shown["resourceconfig"]["hosts"] == [shown["resourceconfig"]["current_host"]]
    assert shown["environment"]["SEED"] == "3"
    assert shown["environment"]["TRAINING_JOB_NAME"] == name
    assert shown["environment"]["TRAINING_JOB_ARN"] == described["TrainingJobArn"]


def test_an_answer_is_one_that_the_service_model_allows(account: Account, server: LocalSageMaker) -> None:
    described = account.run("print('x=1')", AlgorithmSpecification={"MetricDefinitions": [{"Name": "x", "Regex": "x=(.*)"}]})
    model = service_model().operation_model("DescribeTrainingJob").output_shape
    with server.jobs.lock:
        answer = server.jobs.jobs[described["TrainingJobName"]].describe()
    assert list(violations(model, answer)) == []


def test_the_failure_file_becomes_the_failure_reason(account: Account) -> None:
    code = ROOT + "(root / 'output' / 'failure').write_text('ValueError: loss is nan\\n' + 'x' * 2000); sys.exit(3)"
    described = account.run(code)
    assert described["TrainingJobStatus"] == described["SecondaryStatus"] == "Failed"
    assert described["FailureReason"].startswith("AlgorithmError: ValueError: loss is nan\n")
    assert described["FailureReason"].endswith(", exit code: 3") and len(described["FailureReason"]) == 1024
    assert "ModelArtifacts" not in described
    assert account.keys(f"out/{described['TrainingJobName']}/") == [f"out/{described['TrainingJobName']}/output/output.tar.gz"]


def test_a_command_that_does_not_exist_fails_the_job(account: Account) -> None:
    described = account.run("", AlgorithmSpecification={"ContainerEntrypoint": ["no-such-command"]})
    assert described["FailureReason"] == "AlgorithmError: , exit code: 127"
    assert account.log(described["TrainingJobName"]) == ["no-such-command: No such file or directory"]


def test_an_input_without_objects_fails_the_job(account: Account) -> None:
    described = account.run("", InputDataConfig=[account.channel("train", "nothing/here")])
    assert described["FailureReason"].startswith("ClientError: Data download failed:No S3 objects found")
    assert account.steps(described) == ["Starting", "Downloading", "Failed"]


def test_a_key_cannot_lead_out_of_the_container(account: Account, server: LocalSageMaker) -> None:
    account.s3.put_object(Bucket=BUCKET, Key="evil/../../../../../escaped", Body=b"x")
    described = account.run("", InputDataConfig=[account.channel("train", "evil/")])
    assert "leads out of the container's directory" in described["FailureReason"]
    assert not list(server.root.rglob("escaped"))


def test_stop_lets_the_job_save_what_it_has(account: Account) -> None:
    name = account.create(HANDLES_SIGTERM, CheckpointConfig={"S3Uri": f"s3://{BUCKET}/checkpoints/stopped"})
    account.until_logged(name, "ready")
    account.sagemaker.stop_training_job(TrainingJobName=name)
    assert account.describe(name)["TrainingJobStatus"] in ("Stopping", "Stopped")
    described = account.finished(name)
    assert (described["TrainingJobStatus"], described["SecondaryStatus"]) == ("Stopped", "Stopped")
    assert account.steps(described) == ["Starting", "Downloading", "Training", "Stopping", "Uploading", "Stopped"]
    assert account.archive(name) == {"weights": b"at the last step"}
    assert account.read("checkpoints/stopped/last") == b"7"
    assert "saved" in account.log(name)


@pytest.mark.slow
def test_who_ignores_sigterm_is_killed_after_the_grace_with_all_its_children(account: Account, server: LocalSageMaker) -> None:
    code = (
        ROOT
        + """
import signal, subprocess
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=True)
print("child", child.pid, flush=True)
time.sleep(60)
"""
    )
    grace = server.stop_grace_seconds
    name = account.create(code)
    pid = wait_for(lambda: [line.split()[1] for line in account.log(name) if line.startswith("child")])[0]
    account.sagemaker.stop_training_job(TrainingJobName=name)
    described = account.finished(name)
    assert described["TrainingJobStatus"] == "Stopped"
    stopping = next(step for step in described["SecondaryStatusTransitions"] if step["Status"] == "Stopping")
    assert grace <= (described["TrainingEndTime"] - stopping["StartTime"]).total_seconds() < grace + 10
    wait_for(lambda: not is_running(int(pid)), seconds=2)


def is_running(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_max_runtime_stops_the_job(account: Account) -> None:
    described = account.run(HANDLES_SIGTERM, StoppingCondition={"MaxRuntimeInSeconds": 1})
    assert (described["TrainingJobStatus"], described["SecondaryStatus"]) == ("Stopped", "MaxRuntimeExceeded")
    assert account.archive(described["TrainingJobName"]) == {"weights": b"at the last step"}


def test_what_waits_for_a_place_is_stopped_at_once(account: Account, server: LocalSageMaker) -> None:
    running = [account.create("import time; time.sleep(30)") for _ in range(server.max_running)]
    wait_for(lambda: all(account.describe(name)["SecondaryStatus"] == "Training" for name in running))
    waiting = account.create("")
    assert account.describe(waiting)["SecondaryStatus"] == "Starting"
    account.sagemaker.stop_training_job(TrainingJobName=waiting)
    described = account.describe(waiting)
    assert described["TrainingJobStatus"] == "Stopped" and "TrainingStartTime" not in described
    for name in running:
        account.sagemaker.stop_training_job(TrainingJobName=name)
    assert {account.finished(name)["TrainingJobStatus"] for name in running} == {"Stopped"}


def test_a_model_without_compression(account: Account) -> None:
    code = ROOT + "(root / 'model' / 'd').mkdir(); (root / 'model' / 'd' / 'w').write_text('1')"
    output = {"S3OutputPath": f"s3://{BUCKET}/out/", "CompressionType": "NONE"}
    described = account.run(code, OutputDataConfig=output)
    name = described["TrainingJobName"]
    assert described["ModelArtifacts"]["S3ModelArtifacts"] == f"s3://{BUCKET}/out/{name}/output/model/"
    assert account.keys(f"out/{name}/output/") == [f"out/{name}/output/model/d/w", f"out/{name}/output/output.tar.gz"]


def test_several_hosts_each_with_a_tree_of_its_own(account: Account) -> None:
    for number in range(3):
        account.s3.put_object(Bucket=BUCKET, Key=f"shards/{number}", Body=b"x")
    code = (
        ROOT
        + """
config = json.loads((root / "input" / "config" / "resourceconfig.json").read_text())
shard = sorted(file.name for file in (root / "input" / "data" / "train").iterdir())
print(config["hosts"].index(config["current_host"]), len(config["hosts"]), *shard)
(root / "model" / config["current_host"]).write_text("")
"""
    )
    channel = account.channel("train", "shards/", S3DataDistributionType="ShardedByS3Key")
    described = account.run(code, ResourceConfig={"InstanceCount": 2}, InputDataConfig=[channel], RoleArn=ROLE)
    name = described["TrainingJobName"]
    assert sorted(account.log(name)) == ["0 2 0 2", "1 2 1"]
    assert sorted(account.archive(name)) == ["127.0.0.1", "127.0.0.2"]


def test_one_host_that_fails_ends_the_others(account: Account) -> None:
    code = (
        ROOT
        + """
config = json.loads((root / "input" / "config" / "resourceconfig.json").read_text())
if config["current_host"] == config["hosts"][1]:
    (root / "output" / "failure").write_text("second host")
    sys.exit(4)
time.sleep(60)
"""
    )
    described = account.run(code, ResourceConfig={"InstanceCount": 2})
    assert described["FailureReason"] == "AlgorithmError: second host, exit code: 4"
