"""Refuses what CreateTrainingJob refuses beyond the service model, and what this emulator cannot run."""

from __future__ import annotations

import re
from typing import Any

from sagemaker_local.account import CONTAINER_BASE
from sagemaker_local.errors import invalid, not_served
from sagemaker_local.training_job import DEFAULT_MAX_RUNTIME_SECONDS
from sagemaker_local.validation import null_violation, validation_error
from sagemaker_local.warm_pools import check_keep_alive


def check_training_job(request: dict[str, Any]) -> None:
    _check_served(request)
    _check_present(request)
    condition = request["StoppingCondition"]
    max_runtime = condition.get("MaxRuntimeInSeconds", DEFAULT_MAX_RUNTIME_SECONDS)
    if request.get("EnableManagedSpotTraining") and condition.get("MaxWaitTimeInSeconds", 0) < max_runtime:
        raise invalid("Invalid MaxWaitTimeInSeconds. It must be present and be greater than or equal to MaxRuntimeInSeconds")
    seconds = request["ResourceConfig"].get("KeepAlivePeriodInSeconds", 0)
    check_keep_alive(seconds, is_spot=bool(request.get("EnableManagedSpotTraining")))
    _check_channels(request.get("InputDataConfig", []))
    for definition in request["AlgorithmSpecification"].get("MetricDefinitions", []):
        try:
            re.compile(definition["Regex"])
        except re.error as error:
            raise invalid(f"Invalid regex of metric {definition['Name']}: {error}") from error
    local_path = request.get("CheckpointConfig", {}).get("LocalPath", CONTAINER_BASE)
    if not f"{local_path}/".startswith(f"{CONTAINER_BASE}/") or ".." in local_path.split("/"):
        raise not_served(f"checkpoints outside {CONTAINER_BASE} (CheckpointConfig.LocalPath={local_path})")


def _check_served(request: dict[str, Any]) -> None:
    resources = request.get("ResourceConfig", {})
    unserved = {
        "ServerlessJobConfig": request.get("ServerlessJobConfig"),
        "ResourceConfig.InstanceGroups": resources.get("InstanceGroups"),
        "ResourceConfig.TrainingPlanArn": resources.get("TrainingPlanArn"),
        "AlgorithmSpecification.AlgorithmName": request.get("AlgorithmSpecification", {}).get("AlgorithmName"),
    }
    for field, value in unserved.items():
        if value:
            raise not_served(field)


def _check_present(request: dict[str, Any]) -> None:
    """Require what the model makes optional for serverless jobs."""
    paths = ("AlgorithmSpecification.TrainingImage", "ResourceConfig.InstanceType", "ResourceConfig.InstanceCount")
    missing = [] if request.get("StoppingCondition") else ["stoppingCondition"]
    for path in paths:
        structure, _, member = path.partition(".")
        names = structure if structure not in request else path if request[structure].get(member) is None else None
        if names:
            missing.append(".".join(name[0].lower() + name[1:] for name in names.split(".")))
    if missing:
        raise validation_error([null_violation(path) for path in dict.fromkeys(missing)])
    if request["ResourceConfig"]["InstanceCount"] < 1:
        constraint = "failed to satisfy constraint: Member must have value greater than or equal to 1"
        raise validation_error([f"Value '0' at 'resourceConfig.instanceCount' {constraint}"])


def _check_channels(channels: list[dict[str, Any]]) -> None:
    names = [channel["ChannelName"] for channel in channels]
    if len(set(names)) < len(names):
        raise invalid(f"Channel names must be unique: {', '.join(names)}")
    for channel in channels:
        source = channel["DataSource"].get("S3DataSource")
        if not source or source["S3DataType"] != "S3Prefix":
            raise not_served(f"data sources other than S3Prefix (channel {channel['ChannelName']})")
        if channel.get("InputMode") == "Pipe":
            raise not_served(f"the input mode Pipe (channel {channel['ChannelName']})")
