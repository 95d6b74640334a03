"""Hydra's own integration tests, unchanged, with training jobs on a local SageMaker."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hydra.test_utils.launcher_common_tests import IntegrationTestSuite

if TYPE_CHECKING:
    from sagemaker_fixtures import Account

pytest.importorskip("moto", reason='needs pip install "paraphrase-lab[local-aws]"')
pytest_plugins = ["sagemaker_fixtures"]

WRAPPER = Path(__file__).parents[1] / "helpers" / "translating_run.py"
WORDS = [
    *("-m", "hydra/launcher=sagemaker", "hydra.launcher.poll_seconds=0.2", "hydra.launcher.s3_uri=s3://sagemaker-local/suite"),
    *("hydra.launcher.role_arn=arn:aws:iam::123456789012:role/sagemaker-local", "hydra.launcher.instance_type=ml.m5.large"),
    "hydra.launcher.image_uri=123456789012.dkr.ecr.us-east-1.amazonaws.com/image:1",
]


@pytest.fixture(autouse=True)
def _at_the_local_sagemaker(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    nobody_elses = {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull, "no_proxy": "127.0.0.1"}
    for name, value in {**account.server.client_environment, **nobody_elses}.items():
        monkeypatch.setenv(name, value)
    account.requests.clear()


@pytest.mark.slow
@pytest.mark.parametrize("task_launcher_cfg, extra_flags", [({}, WORDS)])
class TestSageMakerIntegration(IntegrationTestSuite):
    def generate_custom_cmd(self) -> Callable[..., list[str]]:
        """The suite compares directories, and a container's are its own."""
        return lambda command, filename: [sys.executable, str(WRAPPER), *command]

    @pytest.fixture(autouse=True)
    def _every_sweep_was_a_training_job(self, account: Account) -> object:
        yield
        created = [request for request in account.requests if request.operation == "CreateTrainingJob"]
        assert created and all(job.status == "Completed" for job in account.server.jobs.jobs.values())
