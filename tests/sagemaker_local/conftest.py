from __future__ import annotations

from collections.abc import Iterator

import pytest

pytest.importorskip("moto", reason='needs pip install "paraphrase-lab[local-aws]"')

from local_account import Account  # noqa: E402
from sagemaker_local import LocalSageMaker  # noqa: E402
from sagemaker_local.warm_pools import Machines  # noqa: E402

MACHINES = Machines(warm_pools=8, pool_delay_seconds=0.5)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalSageMaker]:
    with LocalSageMaker(tmp_path_factory.mktemp("sagemaker"), stop_grace_seconds=3, machines=MACHINES) as started:
        yield started


@pytest.fixture(scope="session")
def account(server: LocalSageMaker) -> Iterator[Account]:
    with Account(server.url) as opened:
        yield opened


@pytest.fixture(autouse=True)
def _no_faults_left(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    if "server" in request.fixturenames:
        request.getfixturevalue("server").faults.replace({})
