"""Each problem that CreateTrainingJob would refuse has a sentence; where botocore checks the same it has to agree."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from typing import Any

import boto3
import pytest
from botocore.exceptions import ParamValidationError
from botocore.validate import ParamValidator

from hydra_sagemaker.aws.request_limits import matches, python_pattern, request_shape
from hydra_sagemaker.aws.request_problems import request_problems

Request = dict[str, Any]
SECRET = "hunter2"


def channel(name: str, uri: str = "s3://bucket/code/0a1b/") -> Request:
    source = {"S3DataType": "S3Prefix", "S3Uri": uri, "S3DataDistributionType": "FullyReplicated"}
    return {"ChannelName": name, "DataSource": {"S3DataSource": source}}


GOOD: Request = {
    "TrainingJobName": "tiny-0a1b2c3d-0",
    "RoleArn": "arn:aws:iam::123456789012:role/service/Training",
    "AlgorithmSpecification": {
        "TrainingImage": "123456789012.dkr.ecr.us-east-1.amazonaws.com/pytorch-training:2.10-gpu-py313",
        "TrainingInputMode": "File",
        "ContainerEntrypoint": ["/bin/bash", "-c", "exec python3 entry.py"],
        "ContainerArguments": ["--verbose"],
        "MetricDefinitions": [{"Name": "loss", "Regex": "loss=([0-9.]+)"}],
    },
    "InputDataConfig": [channel("code"), channel("job")],
    "OutputDataConfig": {"S3OutputPath": "s3://bucket/output", "KmsKeyId": "alias/my-key"},
    "ResourceConfig": {"InstanceType": "ml.g5.xlarge", "InstanceCount": 1, "VolumeSizeInGB": 50},
    "StoppingCondition": {"MaxRuntimeInSeconds": 3600, "MaxWaitTimeInSeconds": 7200, "MaxPendingTimeInSeconds": 7200},
    "EnableManagedSpotTraining": True,
    "CheckpointConfig": {"S3Uri": "s3://bucket/checkpoints/1"},
    "VpcConfig": {"Subnets": ["subnet-0a1b"], "SecurityGroupIds": ["sg-0a1b"]},
    "Environment": {"HYDRA_FULL_ERROR": "1", "LINES": "one\ntwo"},
    "HyperParameters": {"model.name": "bert", "optimizer.lr": "1e-3"},
    "Tags": [{"Key": "hydra-launcher:sweep", "Value": "prüfung äöü 日本 1/2 a+b=c@d"}],
    "RetryStrategy": {"MaximumRetryAttempts": 3},
}


def changed(change: Callable[[Request], object]) -> Request:
    request = copy.deepcopy(GOOD)
    change(request)
    return request


def put(path: str, value: Any) -> Callable[[Request], object]:
    *parents, last = path.split("/")

    def change(request: Request) -> None:
        place: Any = request
        for name in parents:
            place = place[int(name) if name.isdigit() else name]
        if value is None:
            del place[last]
        else:
            place[int(last) if last.isdigit() else last] = value

    return change


def test_a_good_request_has_no_findings() -> None:
    assert request_problems(GOOD) == ([], [])
    assert not ParamValidator().validate(GOOD, request_shape()).has_errors()
    without_spot = changed(put("EnableManagedSpotTraining", None))
    del without_spot["StoppingCondition"]["MaxWaitTimeInSeconds"]
    assert request_problems(without_spot) == ([], [])


LONG_ROLE = "arn:aws:iam::123456789012:role/" + "r" * 2048
TABLE: list[tuple[str, Any, str]] = [
    ("TrainingJobName", None, "TrainingJobName is missing"),
    ("TrainingJobName", "a" * 64, "TrainingJobName is 64 characters long: at most 63"),
    ("TrainingJobName", "a_b",
     "TrainingJobName 'a_b' has another form than is valid: letters, digits and hyphens, a letter or digit"),
    ("TrainingJobName", "ends-", "TrainingJobName 'ends-' has another form"),
    ("TrainingJobName", 7, "TrainingJobName is int 7: it must be text"),
    ("RoleArn", "Training", "RoleArn is 8 characters long: at least 20"),
    ("RoleArn", "arn:aws:iam::1234:role/Training", "has another form than is valid: arn:aws:iam::ACCOUNT:role/NAME"),
    ("RoleArn", LONG_ROLE, "RoleArn is 2079 characters long: at most 2048"),
    ("RoleARN", "x", "RoleARN is no field of CreateTrainingJob: did you mean RoleArn?"),
    ("Colour", "red", "Colour is no field of CreateTrainingJob: valid: AlgorithmSpecification, "),
    ("StoppingCondition/MaxRuntimeInSecond", 3,
     "StoppingCondition.MaxRuntimeInSecond is no field .* did you mean MaxRuntimeInSeconds"),
    ("StoppingCondition/MaxRuntimeInSeconds", "3600",
     "StoppingCondition.MaxRuntimeInSeconds is str '3600': it must be a whole number"),
    ("StoppingCondition/MaxRuntimeInSeconds", True,
     "StoppingCondition.MaxRuntimeInSeconds is bool True: it must be a whole number"),
    ("StoppingCondition/MaxRuntimeInSeconds", 3.5,
     "StoppingCondition.MaxRuntimeInSeconds is float 3.5: it must be a whole number"),
    ("StoppingCondition/MaxRuntimeInSeconds", 0, "StoppingCondition.MaxRuntimeInSeconds is 0: at least 1"),
    ("StoppingCondition/MaxPendingTimeInSeconds", 1799, "StoppingCondition.MaxPendingTimeInSeconds is 1799: at least 1800"),
    ("StoppingCondition/MaxPendingTimeInSeconds", 2419201,
     "StoppingCondition.MaxPendingTimeInSeconds is 2419201: at most 2419200"),
    ("StoppingCondition/MaxWaitTimeInSeconds", None,
     r"MaxWaitTimeInSeconds is missing: spot needs at least MaxRuntimeInSeconds \(3600\)"),
    ("StoppingCondition/MaxWaitTimeInSeconds", 3599, r"MaxWaitTimeInSeconds is 3599: at least MaxRuntimeInSeconds \(3600\)"),
    ("StoppingCondition", {"MaxWaitTimeInSeconds": 3600}, r"is 3600: at least MaxRuntimeInSeconds \(86400\)"),
    ("StoppingCondition", None, "StoppingCondition is missing"),
    ("ResourceConfig/VolumeSizeInGB", 0, "ResourceConfig.VolumeSizeInGB is 0: at least 1, or leave it out"),
    ("ResourceConfig/VolumeSizeInGB", -1, "ResourceConfig.VolumeSizeInGB is -1: at least 0"),
    ("ResourceConfig/InstanceCount", 0, "ResourceConfig.InstanceCount is missing or 0: at least 1"),
    ("ResourceConfig/InstanceCount", None, "ResourceConfig.InstanceCount is missing or 0: at least 1"),
    ("ResourceConfig/InstanceType", None, "ResourceConfig has no instances: give one of InstanceType, InstanceGroups"),
    ("ResourceConfig/InstanceType", "g5.xlarge", "InstanceType 'g5.xlarge' is not known: did you mean ml.g5.xlarge?"),
    ("ResourceConfig/InstanceGroups", [
        {"InstanceType": "ml.g5.xlarge", "InstanceCount": 1, "InstanceGroupName": "a"}
    ], "ResourceConfig has InstanceType and InstanceGroups: give one of"),
    ("ResourceConfig", {"InstancePreferences": [{"InstanceType": "ml.g5.xlarge", "InstanceCount": 1}]},
     "spot needs one InstanceType"),
    ("ResourceConfig/SelectedInstanceType", "ml.g5.xlarge",
     "SelectedInstanceType is what the service answers: it is not accepted"),
    ("ResourceConfig/KeepAlivePeriodInSeconds", 21601, "ResourceConfig.KeepAlivePeriodInSeconds is 21601: at most 21600"),
    ("AlgorithmSpecification/TrainingImage", None,
     "AlgorithmSpecification has no image: give one of TrainingImage, AlgorithmName"),
    ("AlgorithmSpecification/AlgorithmName", "x", "AlgorithmSpecification has TrainingImage and AlgorithmName: give one"),
    ("AlgorithmSpecification/TrainingInputMode", None, "AlgorithmSpecification.TrainingInputMode is missing"),
    ("AlgorithmSpecification/TrainingInputMode", "Files", "TrainingInputMode 'Files' is not known: did you mean File?"),
    ("AlgorithmSpecification/TrainingImage", "i" * 256,
     "AlgorithmSpecification.TrainingImage is 256 characters long: at most 255"),
    ("AlgorithmSpecification/ContainerEntrypoint", [], "AlgorithmSpecification.ContainerEntrypoint has 0 entries: at least 1"),
    ("AlgorithmSpecification/ContainerEntrypoint", "python", "ContainerEntrypoint is str 'python': it must be a list"),
    ("AlgorithmSpecification/ContainerArguments/0", "a" * 257, r"ContainerArguments\[0\] is 257 characters long: at most 256"),
    ("AlgorithmSpecification/ContainerArguments/0", "a\nb",
     r"ContainerArguments\[0\] holds a line break: put text of several lines"),
    ("AlgorithmSpecification/MetricDefinitions", [{"Name": "m", "Regex": "r"}] * 41,
     "MetricDefinitions has 41 entries: at most 40"),
    ("AlgorithmSpecification/MetricDefinitions/0/Regex", "r" * 501,
     r"MetricDefinitions\[0\].Regex is 501 characters long: at most 500"),
    ("InputDataConfig", [channel(f"c{number}") for number in range(21)], "InputDataConfig has 21 entries: at most 20"),
    ("InputDataConfig/1/ChannelName", "code", "InputDataConfig has 2 channels named 'code': names must differ"),
    ("InputDataConfig/1/ChannelName", "my data", r"InputDataConfig\[1\].ChannelName 'my data' holds ' ': valid is \("),
    ("InputDataConfig/1/DataSource", {}, r"InputDataConfig\[1\].DataSource has 0 sources: exactly one"),
    ("InputDataConfig/1", channel("data", "bucket/prefix"),
     r"InputDataConfig\[1\].DataSource.S3DataSource.S3Uri 'bucket/prefix' has another"),
    ("InputDataConfig/1", channel("data", "s3://My_Bucket/x"),
     "S3Uri 's3://My_Bucket/x' names no possible bucket: 3 to 63 lowercase"),
    ("InputDataConfig/1", channel("data", "s3://a..b/x"), "names no possible bucket"),
    ("InputDataConfig/1/DataSource/S3DataSource/S3DataType", "Prefix",
     "S3DataType 'Prefix' is not known: did you mean S3Prefix?"),
    ("OutputDataConfig/S3OutputPath", "s3://", "OutputDataConfig.S3OutputPath 's3://' has another form than is valid"),
    ("OutputDataConfig/CompressionType", "ZIP", "OutputDataConfig.CompressionType 'ZIP' is not known: .*GZIP"),
    ("OutputDataConfig/KmsKeyId", "my key!", r"OutputDataConfig.KmsKeyId 'my key!' holds ' ' '!': valid is \("),
    ("CheckpointConfig/S3Uri", "s3://b/" + "p" * 1024, "CheckpointConfig.S3Uri is 1031 characters long: at most 1024"),
    ("VpcConfig/Subnets", None, "VpcConfig.Subnets is missing"),
    ("VpcConfig/SecurityGroupIds", [], "VpcConfig.SecurityGroupIds has 0 entries: at least 1"),
    ("VpcConfig/SecurityGroupIds", ["sg-1"] * 6, "VpcConfig.SecurityGroupIds has 6 entries: at most 5"),
    ("VpcConfig/Subnets", ["subnet-1"] * 17, "VpcConfig.Subnets has 17 entries: at most 16"),
    ("Environment", {f"V{number}": "" for number in range(101)}, "Environment has 101 entries: at most 100"),
    ("Environment", f"A={SECRET}", "Environment is str: it must be a mapping"),
    ("Environment/A", SECRET * 100, r"Environment\['A'\] is 700 characters long: at most 512"),
    ("Environment/A", 1, r"Environment\['A'\] is int: it must be text"),
    ("Environment/1A", "", "the name '1A' in Environment has another form than is valid: letters, digits and _, no digit"),
    ("Environment/A-B", "", "the name 'A-B' in Environment has another form"),
    ("HyperParameters", {f"h{number}": "" for number in range(101)}, "HyperParameters has 101 entries: at most 100"),
    ("HyperParameters/h", SECRET * 400, r"HyperParameters\['h'\] is 2800 characters long: at most 2500"),
    ("HyperParameters/h", f"a\n{SECRET}", r"HyperParameters\['h'\] holds a line break"),
    ("HyperParameters/h", f"a\r{SECRET}", r"HyperParameters\['h'\] holds a line break"),
    ("HyperParameters/" + "k" * 257, "", r"the name 'kkk.*\.\.\. in HyperParameters is 257 characters long: at most 256"),
    ("Tags", [{"Key": f"k{number}", "Value": ""} for number in range(51)], "Tags has 51 entries: at most 50"),
    ("Tags/0/Value", "lr=1,2 [a]",
     r"Tags\[0\].Value 'lr=1,2 \[a\]' holds ',' '\[' '\]': letters, digits, spaces and _ . : / = \+ - @"),
    ("Tags/0/Value", "tab\t", r"Tags\[0\].Value 'tab\\t' holds '\\t'"),
    ("Tags/0/Value", "v" * 257, r"Tags\[0\].Value is 257 characters long: at most 256"),
    ("Tags/0/Key", "aws:mine", "Tags has the key 'aws:mine': keys that begin with aws: belong to AWS"),
    ("Tags", [{"Key": "a", "Value": "1"}, {"Key": "a", "Value": "2"}], "Tags has 2 tags with the key 'a': keys must differ"),
    ("Tags/0", {"Key": "a"}, r"Tags\[0\].Value is missing"),
    ("RetryStrategy/MaximumRetryAttempts", 31, "RetryStrategy.MaximumRetryAttempts is 31: at most 30"),
    ("EnableNetworkIsolation", "true", "EnableNetworkIsolation is str 'true': it must be true or false"),
]  # fmt: skip


@pytest.mark.parametrize(("path", "value", "message"), TABLE, ids=[f"{index}-{path}" for index, (path, *_) in enumerate(TABLE)])
def test_each_problem_in_words(path: str, value: Any, message: str) -> None:
    problems = request_problems(changed(put(path, value))).problems
    assert [problem for problem in problems if re.search(message, problem)], problems
    assert len(problems) <= 2, problems
    assert not [problem for problem in problems if SECRET in problem]


def test_the_limits_themselves_are_valid() -> None:
    request = changed(put("TrainingJobName", "a" * 63))
    request["HyperParameters"] = {f"{number:0256}": "v" * 2500 for number in range(100)}
    request["Environment"] = {f"{'V' * 509}{number:03}": "v" * 512 for number in range(100)}
    request["Tags"] = [{"Key": f"{number:0128}", "Value": "v" * 256} for number in range(50)]
    request["AlgorithmSpecification"]["ContainerArguments"] = ["a" * 256] * 100
    request["InputDataConfig"] = [channel(f"{number:064}", "s3://abc/" + "p" * 1015) for number in range(20)]
    request["StoppingCondition"] = {"MaxRuntimeInSeconds": 1, "MaxWaitTimeInSeconds": 1, "MaxPendingTimeInSeconds": 1800}
    assert request_problems(request) == ([], [])


def test_serverless_jobs_have_no_machines() -> None:
    request = changed(put("EnableManagedSpotTraining", None))
    for name in ("AlgorithmSpecification", "ResourceConfig", "StoppingCondition"):
        del request[name]
    assert [problem.rpartition(" ")[2] for problem in request_problems(request).problems] == ["missing"] * 3
    base_model = "arn:aws:sagemaker:us-east-1:aws:hub-content/Hub/Model/tiny/1.0.0"
    request["ServerlessJobConfig"] = {"BaseModelArn": base_model, "JobType": "FineTuning"}
    assert request_problems(request) == ([], [])


def test_more_than_28_days() -> None:
    at_most = changed(
        lambda request: request["StoppingCondition"].update(MaxRuntimeInSeconds=2419200, MaxWaitTimeInSeconds=2419200)
    )
    assert request_problems(at_most).problems == []
    at_most["StoppingCondition"].update(MaxRuntimeInSeconds=2419201, MaxWaitTimeInSeconds=2419201)
    assert request_problems(at_most).problems == ["StoppingCondition.MaxRuntimeInSeconds is 2419201: at most 2419200 (28 days)"]


def test_all_problems_at_once() -> None:
    def spoil(request: Request) -> None:
        request["TrainingJobName"] = "a b"
        request["RoleArn"] = None
        request["ResourceConfig"] = "ml.g5.xlarge"
        request["InputDataConfig"] = [None, "code"]
        request["Tags"] = {"a": "b"}
        del request["AlgorithmSpecification"]

    assert [problem.split(" (")[0] for problem in request_problems(changed(spoil)).problems] == [
        "TrainingJobName 'a b' has another form than is valid: letters, digits and hyphens, a letter or digit at both ends",
        "RoleArn is empty: give text or leave it out",
        "InputDataConfig[0] is empty: give a mapping or leave it out",
        "InputDataConfig[1] is str 'code': it must be a mapping",
        "ResourceConfig is str 'ml.g5.xlarge': it must be a mapping",
        "Tags is dict: it must be a list",
        "AlgorithmSpecification is missing",
    ]


WARNINGS: list[tuple[str, Any, str]] = [
    (
        "ResourceConfig/InstanceType",
        "ml.g5.xlrge",
        "'ml.g5.xlrge' is not known: did you mean ml.g5.*; a type newer than the installed",
    ),
    ("ResourceConfig/InstanceType", "ml.zz99-x.8xlarge", "a type newer than the installed botocore is accepted"),
    ("ResourceConfig/VolumeSizeInGB", None, "VolumeSizeInGB is not set: an instance type without disks of its own"),
    ("EnableManagedSpotTraining", False, "MaxWaitTimeInSeconds is set without EnableManagedSpotTraining"),
]


@pytest.mark.parametrize(("path", "value", "message"), WARNINGS)
def test_warnings_are_no_problems(path: str, value: Any, message: str) -> None:
    findings = request_problems(changed(put(path, value)))
    assert findings.problems == []
    assert len(findings.warnings) == 1
    assert re.search(message, findings.warnings[0])


CHECKED_BY_BOTOCORE = [
    ("TrainingJobName", None),
    ("TrainingJobName", 7),
    ("RoleARN", "x"),
    ("RoleArn", "Training"),
    ("StoppingCondition/MaxRuntimeInSeconds", "3600"),
    ("StoppingCondition/MaxRuntimeInSeconds", 0),
    ("StoppingCondition/MaxPendingTimeInSeconds", 1799),
    ("AlgorithmSpecification/ContainerEntrypoint", "python"),
    ("InputDataConfig/1/DataSource/S3DataSource/S3Uri", None),
    ("ResourceConfig/KeepAlive", 3),
    ("VpcConfig/Subnets", []),
    ("Environment/A", 1),
    ("Tags/0", {"Key": "a"}),
    ("EnableNetworkIsolation", "true"),
]


@pytest.mark.parametrize(("path", "value"), CHECKED_BY_BOTOCORE)
def test_what_boto3_refuses_is_refused(path: str, value: Any) -> None:
    request = changed(put(path, value))
    nowhere = {"endpoint_url": "http://127.0.0.1:9", "region_name": "us-east-1"}
    client = boto3.client("sagemaker", **nowhere, aws_access_key_id="x", aws_secret_access_key="x")
    with pytest.raises(ParamValidationError):
        client.create_training_job(**request)
    client.close()
    assert request_problems(request).problems


def test_every_pattern_of_the_model_can_be_read() -> None:
    """A new one with a class of Java's that is not translated would end here."""
    patterns: set[str] = set()
    types: set[str] = set()

    def collect(shape: Any) -> None:
        types.add(shape.type_name)
        patterns.add(shape.metadata.get("pattern", ""))
        inner = {
            "structure": lambda: shape.members.values(),
            "list": lambda: [shape.member],
            "map": lambda: [shape.key, shape.value],
        }
        for member in inner.get(shape.type_name, list)():
            collect(member)

    collect(request_shape())
    assert types == {"structure", "list", "map", "string", "integer", "long", "boolean"}
    assert len(patterns) > 20
    for pattern in patterns:
        re.compile(python_pattern(pattern, "Aé1 -"))
    assert set(re.findall(r"\\p\{(\w+)\}", " ".join(patterns))) == {"L", "Z", "N", "Alnum"}


@pytest.mark.parametrize(
    ("pattern", "value", "fits"),
    [
        (r"[\p{L}\p{N}]+", "Ωß٣", True), (r"[\p{L}]+", "٣", False), (r"[\p{Z}]+", "\u00a0 ", True), (r"[\p{L}_]*", "]", False),
        (r"[\p{Alnum}\-]+", "aZ9-", True), (r"[\p{Alnum}\-]+", "é", False), (r"\d{2}", "٣٣", False), (".*", "a\u2028b", False),
        (r"[\S\s]*", "a\nb", True), ("a", "ab", False), (r"\p{IsLatin}[", "a", True),
    ],
)  # fmt: skip
def test_patterns_as_java_reads_them(pattern: str, value: str, fits: bool) -> None:
    assert matches(pattern, value) is fits
