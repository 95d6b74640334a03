"""Hydra's own tests of launchers, unchanged: they say whether Hydra's sweepers and users get what they are used to."""

from __future__ import annotations

import pytest
from hydra.core.plugins import Plugins
from hydra.plugins.launcher import Launcher
from hydra.test_utils.launcher_common_tests import BatchedSweeperTestSuite, IntegrationTestSuite, LauncherTestSuite

from hydra_plugins.hydra_sagemaker_launcher.sagemaker_launcher import SageMakerLauncher

Plugins.instance()
STATE = "hydra.launcher.state_dir=${hydra.sweep.dir}/.jobs"
LOCAL = ["hydra.launcher.mode=local", "hydra.launcher.poll_seconds=0.1", STATE]


def test_hydra_finds_the_launcher() -> None:
    assert SageMakerLauncher.__name__ in [plugin.__name__ for plugin in Plugins.instance().discover(Launcher)]


@pytest.mark.slow
@pytest.mark.parametrize("launcher_name, overrides", [("sagemaker", LOCAL)])
class TestLocal(LauncherTestSuite):
    pass


@pytest.mark.slow
@pytest.mark.parametrize("launcher_name, overrides", [("sagemaker", [*LOCAL, "hydra.sweeper.max_batch_size=2"])])
class TestLocalInBatches(BatchedSweeperTestSuite):
    pass


@pytest.mark.slow
@pytest.mark.parametrize("task_launcher_cfg, extra_flags", [({}, ["-m", "hydra/launcher=sagemaker", *LOCAL])])
class TestLocalIntegration(IntegrationTestSuite):
    pass
