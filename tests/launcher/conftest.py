from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from hydra_apps import App, Elsewhere


@pytest.fixture
def app(tmp_path: Path) -> Iterator[App]:
    app = App(tmp_path)
    yield app
    app.close()


@pytest.fixture(scope="module")
def shared_app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """For the tests of a file that look at what one sweep left."""
    app = App(tmp_path_factory.mktemp("app"))
    yield app
    app.close()


@pytest.fixture
def elsewhere(app: App, tmp_path: Path) -> Elsewhere:
    return Elsewhere(app, tmp_path)
