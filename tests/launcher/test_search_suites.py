"""Optuna's own tests of storages on what the search opens, and what Hydra's tests ask of its Optuna sweeper."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from hydra.core.plugins import Plugins
from hydra.plugins.sweeper import Sweeper
from hydra.test_utils.test_utils import TSweepRunner, run_process, run_python_script

optuna = pytest.importorskip("optuna", reason='needs pip install "hydra-sagemaker-launcher[search]"')
storages = pytest.importorskip("optuna.testing.pytest_storages", reason="of Optuna 5")

from optuna.storages import BaseStorage  # noqa: E402

from hydra_plugins.hydra_async_optuna_sweeper.async_optuna_sweeper import AsyncOptunaSweeper  # noqa: E402
from hydra_sagemaker.search.study import open_storage  # noqa: E402

APP = """\
import hydra


@hydra.main(version_base=None, config_path="conf", config_name="config")
def main(config):
    if config.error:
        raise RuntimeError("config.error is true")
    if config.two:
        return 4 * config.x**2 + 4 * config.y**2, (config.x - 5) ** 2 + (config.y - 5) ** 2
    return config.x**2 + config.y**2 + config.get("w", 0)


if __name__ == "__main__":
    main()
"""
SPACE = """\
def suggest(config, trial):
    x = trial.params["x"]
    trial.suggest_float("y", x - config.near, x + config.near)
    trial.suggest_float("+w", 0, 1)
"""
CONFIG = """\
defaults: [_self_, {override hydra/sweeper: async_optuna}]
x: 1
y: 1
near: 0.3
error: false
two: false
hydra:
  sweep: {subdir: "${hydra.job.num}"}
  sweeper:
    n_trials: 20
    sampler: {seed: 123}
"""


@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
class TestJournal(storages.StorageTestCase):
    @pytest.fixture
    def storage(self, tmp_path: Path) -> BaseStorage:
        return open_storage(None, tmp_path)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
class TestDatabase(storages.StorageTestCase):
    @pytest.fixture
    def storage(self, tmp_path: Path) -> Iterator[BaseStorage]:
        pytest.importorskip("sqlalchemy")
        opened = open_storage(f"sqlite:///{tmp_path / 'search.db'}", tmp_path)
        yield opened
        opened.remove_session()
        opened.engine.dispose()  # type: ignore[attr-defined]


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "conf").mkdir()
    for name, text in (("app.py", APP), ("conf/config.yaml", CONFIG), ("space.py", SPACE)):
        (tmp_path / name).write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def results(app: Path, *words: str) -> dict[str, object]:
    """Run a search with Hydra's own launcher, as its tests do."""
    run_python_script([str(app / "app.py"), "-m", f"hydra.sweep.dir={app / 'sweep'}", *words])
    return yaml.safe_load((app / "sweep/optimization_results.yaml").read_text())


def test_hydra_finds_the_sweeper() -> None:
    assert AsyncOptunaSweeper.__name__ in [one.__name__ for one in Plugins.instance().discover(Sweeper)]


@pytest.mark.filterwarnings("ignore::UserWarning")  # Hydra's, of a test configuration without a version
def test_jobs_are_launched(hydra_sweep_runner: TSweepRunner) -> None:
    sweep = hydra_sweep_runner(
        calling_file=None,
        calling_module="hydra.test_utils.a_module",
        task_function=lambda config: float(config.foo),
        config_path="configs",
        config_name="compose.yaml",
        overrides=["hydra/sweeper=async_optuna", "hydra/launcher=basic", "hydra.sweeper.n_trials=8", "foo=1,2"],
    )
    with sweep:
        assert sweep.returns is None and sweep.temp_dir is not None
        assert {"0", "7", "search.journal"} <= {one.name for one in Path(sweep.temp_dir).iterdir()}


@pytest.mark.parametrize("storage", ["null", "sqlite:///search.db"])
def test_a_sphere(app: Path, storage: str) -> None:
    found = results(app, "x=choice(0,1,2)", "y=interval(-5,5)", "~near", f"hydra.sweeper.storage={storage}")
    assert found["name"] == "optuna" and found["best_params"].keys() == {"x", "y"}  # type: ignore[attr-defined]
    assert found["best_value"] <= 2.27  # type: ignore[operator]  # the 95th percentile over seeds, as Hydra's test has it


def test_ranges_in_the_configuration_and_a_fixed_value(app: Path) -> None:
    found = results(app, "+hydra.sweeper.params.x='range(-5,5,0.5)'", "+hydra.sweeper.params.y='interval(-5,5)'", "y=0")
    assert found["best_params"].keys() == {"x"} and found["best_params"]["x"] % 0.5 == 0  # type: ignore


def test_no_solution_dominates_another(app: Path) -> None:
    words = ("x=range(0,5)", "y=range(0,3)", "two=true", "hydra.sweeper.direction=[minimize,minimize]")
    found = results(app, *words, "hydra/sweeper/sampler=random")
    solutions = [one["values"] for one in found["solutions"]]  # type: ignore[attr-defined]
    assert solutions and not any(
        all(map(float.__le__, one, other)) and one != other for one in solutions for other in solutions
    )


def test_a_space_that_depends_on_values(app: Path) -> None:
    found = results(app, "x=interval(-5,5)", "hydra.sweeper.custom_search_space=space.suggest")
    best: dict[str, float] = found["best_params"]  # type: ignore[assignment]
    assert abs(best["x"] - best["y"]) <= 0.3 and 0 <= best["+w"] <= 1
    assert math.isclose(found["best_value"], best["x"] ** 2 + best["y"] ** 2 + best["+w"])  # type: ignore[arg-type]


@pytest.mark.parametrize(("rate", "is_raised"), [(0.5, True), (1.0, False)])
def test_the_failure_rate(app: Path, rate: float, is_raised: bool) -> None:
    words = [
        "-m",
        "x=interval(0,1)",
        f"hydra.sweep.dir={app / 'sweep'}",
        f"hydra.sweeper.max_failure_rate={rate}",
        "error=true",
    ]

    _, said = run_process([sys.executable, str(app / "app.py"), *words], print_error=False, raise_exception=False)
    assert ("RuntimeError: config.error is true" in said) == is_raised, said
    assert is_raised or "no trial of the search has finished" in said
