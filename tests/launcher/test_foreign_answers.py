"""Answers that are none of the service never pass for one, in single calls and in whole sweeps."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("moto", reason='needs pip install "paraphrase-lab[local-aws]"')
pytest_plugins = ["sagemaker_fixtures"]

from hydra_sagemaker.aws.clients import Clients, api_call  # noqa: E402
from hydra_sagemaker.aws.local_credentials import published  # noqa: E402
from hydra_sagemaker.errors import Unreachable  # noqa: E402
from hydra_sagemaker.settings import SageMakerLauncherConf  # noqa: E402
from sagemaker_local.account import BUCKET, CLIENT_KEY  # noqa: E402
from spoiling_proxy import spoiling  # noqa: E402

if TYPE_CHECKING:
    from sagemaker_fixtures import Account, Cloud

CALLS: dict[str, Callable[[Clients], Any]] = {
    "list": lambda clients: clients.sagemaker.list_training_jobs(),
    "head": lambda clients: clients.s3.head_object(Bucket=BUCKET, Key="spoiled/object"),
    "put": lambda clients: clients.s3.put_object(Bucket=BUCKET, Key="spoiled/other", Body=b"1234"),
    "get": lambda clients: clients.s3.get_object(Bucket=BUCKET, Key="spoiled/object")["Body"].read(),
    "keys": lambda clients: clients.s3.list_objects_v2(Bucket=BUCKET, Prefix="spoiled/object"),
    "identity": lambda clients: clients.sts.get_caller_identity(),
    "role": lambda clients: clients.iam.get_role(RoleName="sagemaker-local"),
}
KINDS = ("page", "empty", "other", "half")
FAST = [("list", "half"), ("list", "empty"), ("put", "empty"), ("get", "half")]
SLOW = [(call, kind) for call in CALLS for kind in KINDS if (call, kind) not in (*FAST, ("head", "half"), ("put", "half"))]
"""An answer without a body has no half."""


@pytest.mark.parametrize("call, kind", [*FAST, *(pytest.param(*one, marks=pytest.mark.slow) for one in SLOW)])
def test_a_spoiled_answer_is_none(account: Account, call: str, kind: str) -> None:
    account.s3.put_object(Bucket=BUCKET, Key="spoiled/object", Body=b"1234")
    with spoiling(account.server.url, kind, 1) as url, published(url, account.server.keys.arguments(CLIENT_KEY)):
        clients = Clients(SageMakerLauncherConf(endpoint_url=url, region="us-east-1"))
        with pytest.raises(Unreachable, match="Next: .*the same command"), api_call("the call"):
            CALLS[call](clients)


@pytest.mark.slow
@pytest.mark.parametrize("kind, period", [("page", 3), ("empty", 4), ("half", 4), ("lost", 3)])
def test_a_sweep_behind_a_bad_proxy_brings_every_result_home(cloud: Cloud, kind: str, period: int) -> None:
    with spoiling(cloud.server.url, kind, period) as url, published(url, cloud.server.keys.arguments(CLIENT_KEY)):
        words = ("x=1,2,3,4", "hydra.launcher.retry_seconds=0.2")
        output = cloud.sweep(*words, env={"AWS_ENDPOINT_URL": url}, seconds=200)
    assert [one["value"] for one in cloud.returns()] == [10, 20, 30, 40] and "Traceback" not in output
    assert len(cloud.names()) == 4, "not one job more than was asked for"
