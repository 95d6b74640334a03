"""The account and region, the names made from them, and a container's base directory."""

from __future__ import annotations

ACCOUNT = "123456789012"
REGION = "us-east-1"
BUCKET = "sagemaker-local"
"""Exists as soon as the server has started."""
ROLE_NAME = "sagemaker-local"
ROLE_ARN = f"arn:aws:iam::{ACCOUNT}:role/{ROLE_NAME}"
SERVICE_PRINCIPAL = "sagemaker.amazonaws.com"
LOG_GROUP = "/aws/sagemaker/TrainingJobs"
ENDPOINT_LOG_GROUP = "/aws/sagemaker/Endpoints"
CONTAINER_BASE = "/opt/ml"

CLIENT_KEY, JOB_KEY, SERVER_KEY = "LOCALCLIENT", "LOCALJOB", "LOCALSERVER"
"""Access keys, one per caller, that distinguish the recorded requests."""


def arn(kind: str, name: str) -> str:
    return f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:{kind}/{name}"


def credentials(url: str, access_key: str) -> dict[str, str]:
    """Return the environment variables with which AWS's clients talk to this server."""
    return {
        "AWS_ENDPOINT_URL": url,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": access_key,
        "AWS_SECRET_ACCESS_KEY": "local",
    }
