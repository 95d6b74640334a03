"""The account and region, the names made from them, and a container's base directory."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping

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
"""Beginnings of the access keys, one per caller, that distinguish the recorded requests."""


def arn(kind: str, name: str) -> str:
    return f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:{kind}/{name}"


class Keys:
    """The access keys of one server, which another user of this machine does not know.

    Args:
        kept: the client's keys of the server that had the port before, by the names of boto3's arguments; without them,
            or where they have another form, all are new.
    """

    def __init__(self, kept: Mapping[str, str] = {}) -> None:
        self.secret = secrets.token_hex(20)
        self.ids = {kind: f"{kind}{secrets.token_hex(6).upper()}" for kind in (CLIENT_KEY, JOB_KEY, SERVER_KEY)}
        client, secret = kept.get("aws_access_key_id", ""), kept.get("aws_secret_access_key", "")
        if re.fullmatch(rf"{CLIENT_KEY}[0-9A-F]{{12}}", client) and re.fullmatch(r"[0-9a-f]{40}", secret):
            self.ids[CLIENT_KEY], self.secret = client, secret

    def arguments(self, kind: str) -> dict[str, str]:
        """Return the keys of a caller by the names of boto3's arguments."""
        return {"aws_access_key_id": self.ids[kind], "aws_secret_access_key": self.secret}

    def environment(self, url: str, kind: str) -> dict[str, str]:
        """Return the environment variables with which AWS's clients talk to the server at `url`."""
        own = {name.upper(): value for name, value in self.arguments(kind).items()}
        return {"AWS_ENDPOINT_URL": url, "AWS_DEFAULT_REGION": REGION, **own}
