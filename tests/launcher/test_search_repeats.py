"""The best trials with other seeds: who gets how many, what is kept after a kill, and what the report says."""

from __future__ import annotations

from typing import Any

import pytest
from omegaconf import OmegaConf

from hydra_apps import App

optuna = pytest.importorskip("optuna", reason='needs pip install "hydra-sagemaker-launcher[search]"')

from hydra_sagemaker.errors import LauncherError  # noqa: E402
from hydra_sagemaker.search.repeats import Repeats, check  # noqa: E402
from hydra_sagemaker.search.repeats_report import report  # noqa: E402
from hydra_sagemaker.search.settings import RepeatConf  # noqa: E402
from hydra_sagemaker.search.space import Space  # noqa: E402
from simulated_trials import SimulatedJobs  # noqa: E402


def found(values: list[float], direction: str = "maximize") -> Any:
    study = optuna.create_study(direction=direction)
    for number, value in enumerate(values):
        study.add_trial(optuna.create_trial(params={"x": float(number)}, distributions={"x": DISTRIBUTION}, value=value))
    return study


DISTRIBUTION = optuna.distributions.FloatDistribution(0, 100)
SPACE = Space({"x": DISTRIBUTION}, {"model": "small", "seed": "3"}, {"x": "interval(0,100)"})


class Repeated(SimulatedJobs):
    """A job's value is `worth` of its x, and its seed's last digit in hundredths."""

    def __init__(self, worth: dict[float, float]) -> None:
        super().__init__(2, lambda number: 1.0, self._value)
        self.worth = worth

    def _value(self, number: int) -> float:
        words = dict(word.split("=", 1) for word in self.overrides[number])
        assert "seed" in words and list(words).count("seed") == 1
        return self.worth[float(words.get("x", -1))] + int(words["seed"]) % 10 / 100


def repeats(study: Any, jobs: SimulatedJobs, **settings: object) -> Repeats:
    return Repeats(study, jobs, SPACE, RepeatConf(key="seed", **settings))  # type: ignore[arg-type]


def test_the_leaders_get_more_seeds_and_the_last_comparison_has_its_own() -> None:
    study = found([0.1, 0.9, 0.8, 0.7, 0.85])
    jobs = Repeated({0: 0.0, 1: 0.3, 2: 0.6, 3: 0.4, 4: 0.5, -1: 0.2})
    again = repeats(study, jobs, seeds=3)
    again.run()
    places = [words[-1].removeprefix("hydra.sweep.subdir=") for words in jobs.overrides.values()]
    assert sorted(places) == sorted(
        [f"leaders/{number}/1000" for number in (1, 2, 3, 4)]
        + ["leaders/2/1001", "leaders/4/1001"]
        + [f"comparison/{name}/{seed}" for name in ("2", "default") for seed in (1002, 1003, 1004)]
    )
    assert again.total == len(places) == 12 and [one.number for one in again.ranking][:2] == [2, 4]
    assert all("model=small" in words and "seed=3" not in words for words in jobs.overrides.values())
    told = report(again)
    assert "trial 2 with 3 further seeds: 0.63 ± 0.01" in told
    assert "without the search's values: 0.23 ± 0.01; trial 2 is better with 3 of 3, by 0.4 ± " in told
    assert "the best value of the search, 0.9 (trial 1), is 0.27 too good" in told


def test_of_a_search_that_minimizes() -> None:
    again = repeats(found([0.5, 0.1, 0.2], "minimize"), Repeated({0: 0.5, 1: 0.4, 2: 0.2, -1: 0.6}), seeds=2, leaders=2)
    again.run()
    assert [one.number for one in again.ranking] == [2, 1]
    assert "by 0.4" in report(again) and "the best value of the search, 0.1 (trial 1), is 0.115 too good" in report(again)


def test_what_has_ended_is_not_trained_again_and_a_job_keeps_its_number() -> None:
    study = found([0.1, 0.9])
    first = Repeated({0: 0.1, 1: 0.2, -1: 0.0})
    first.refuse = lambda number: (_ for _ in ()).throw(KeyboardInterrupt) if number == 3 else None
    with pytest.raises(KeyboardInterrupt):
        repeats(study, first, seeds=2).run()
    ended = {words[-1] for number, words in first.overrides.items() if number not in first.running}
    second = Repeated(first.worth)
    again = repeats(study, second, seeds=2)
    again.run()
    assert not ended & {words[-1] for words in second.overrides.values()} and ended
    assert len(ended) + len(second.submitted) == again.total and 3 in second.submitted


def test_failures_are_left_out_and_said() -> None:
    class Fails(Repeated):
        def _value(self, number: int) -> float:
            if "x=" not in " ".join(self.overrides[number]):
                raise RuntimeError("no default")
            return super()._value(number)

    again = repeats(found([0.5]), Fails({0: 0.5}), seeds=2)
    again.run()
    assert len(again.failed) == 2 and "2 failed" in again.line()
    assert "trial 0 with 2 further seeds" in report(again) and "without the search's values" not in report(again)


@pytest.mark.parametrize(
    ("settings", "directions", "config", "message"),
    [
        ({"key": "x"}, ["minimize"], {"x": 0}, "repeat.key=x is searched itself"),
        ({"key": "sead"}, ["minimize"], {"seed": 0}, "repeat.key=sead: the configuration has no such key"),
        ({"key": "seed"}, ["minimize", "maximize"], {"seed": 0}, "of several objectives none is the one to choose by"),
        ({"key": "seed", "leaders": 0}, ["minimize"], {"seed": 0}, "leaders=0, seeds=5, first_seed=1000: the first two are"),
        ({"key": "seed"}, ["minimize"], {"seed": 1234}, "first_seed=1000: the search itself uses seed=1234: type a larger"),
    ],
)
def test_what_is_refused(settings: dict[str, object], directions: list[str], config: dict[str, int], message: str) -> None:
    with pytest.raises(LauncherError, match=message):
        check(RepeatConf(**settings), SPACE, directions, OmegaConf.create(config))  # type: ignore[arg-type]


def test_from_the_command_line(app: App) -> None:
    app.write("conf/config.yaml", "x: 0\nseed: 0\ndo: nothing\n")
    words = """
        -m hydra/launcher=sagemaker hydra.launcher.mode=local hydra.launcher.poll_seconds=0.05 hydra.sweep.dir=sweep
        hydra/sweeper=async_optuna x=int(interval(0,1000)) hydra.sweeper.n_trials=3
        hydra.sweeper.repeat.key=seed hydra.sweeper.repeat.seeds=2 hydra.sweeper.repeat.leaders=2
    """.split()
    done = app.run(*words)
    assert done.code == 0, done.output
    assert "with 2 further seeds" in done.output and "is not too good" in done.output, done.output
    assert (app.sweep_dir / "repeats/comparison/default/1002/.job/result.json").is_file()
    count = len(app.marks())
    assert count == 3 + 2 + 4
    assert app.run(*words).code == 0 and len(app.marks()) == count, "nothing is trained again"
