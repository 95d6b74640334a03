"""Trains the best trials again with other seeds: the best value of a search is one run's, picked for being the best.

Successive halving across seeds (Jamieson and Talwalkar 2016, arXiv 1502.07943, with seeds as the resource): all leaders get one
seed, the better half of them two, and so on. The last one, and the configuration without the search's values, are then trained
with seeds by which nothing was chosen.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import mean

from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig, OmegaConf
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial

from hydra_sagemaker.errors import JobsRefused, LauncherError, TooExpensive
from hydra_sagemaker.pricing.cost import money
from hydra_sagemaker.search.endings import kept
from hydra_sagemaker.search.jobs import Ended, Left, TrialJobs
from hydra_sagemaker.search.outcome import best_trials
from hydra_sagemaker.search.settings import RepeatConf
from hydra_sagemaker.search.space import Space
from hydra_sagemaker.search.values import values_of

log = logging.getLogger(__name__)
DIRECTORY = "repeats"
LAST = "comparison"
DEFAULT = "default"
"""The configuration without the search's values."""
ABSENT = object()
PREFIX = f"{DIRECTORY}/"
JOB, VALUE, USD = "job", "value", "usd"


@dataclass
class Repeats:
    """`run` continues where an exception, such as a KeyboardInterrupt, has ended it. What has ended is kept in the study."""

    study: Study
    jobs: TrialJobs
    space: Space
    settings: RepeatConf
    last_failed: int | None = None
    """The number of the job."""
    stopped_because: str = ""
    running: dict[int, str] = field(default_factory=dict)
    """Directories, by the number of the job."""
    ranking: list[FrozenTrial] = field(default_factory=list)
    """The leaders, the best first by their fresh seeds."""

    def __post_init__(self) -> None:
        known = self.study.user_attrs.items()
        self.known = {name.removeprefix(PREFIX): dict(one) for name, one in known if name.startswith(PREFIX)}
        self.failed: dict[str, str] = {}
        """Why, of this launch."""
        self.ranking = best_trials(self.study, self.settings.leaders)
        self.count = len(self.ranking)
        self.maximize = self.study.direction == StudyDirection.MAXIMIZE

    def run(self) -> None:
        """Train all that the settings ask for; what fails is left out. Raises LauncherError where a file cannot be written."""
        with kept(lambda: None):
            self._recover()
            leaders, seeds = self.ranking, 1
            while len(leaders) > 1:
                self._train({self._place(one, seed): self._words(one, seed) for one in leaders for seed in self._seeds(seeds)})
                ranked = sorted(leaders, key=lambda one: self._rank(self.halving_values(one, seeds)))
                self.ranking = ranked + self.ranking[len(leaders) :]
                leaders, seeds = self.ranking[: math.ceil(len(leaders) / 2)], 2 * seeds
            self._train(self._comparison())
        if self.stopped_because:
            log.warning("%s", self.stopped_because)

    def _recover(self) -> None:
        """Return to jobs that an interruption has left between their submission and `running`."""
        places = {one[JOB]: place for place, one in self.known.items()}
        self.running |= {number: places[number] for number in self.jobs.open & places.keys()}

    @property
    def total(self) -> int:
        """The number of jobs."""
        count, seeds, total, before = self.count, 1, 2 * self.settings.seeds, 0
        while count > 1:
            total += count * (seeds - before)
            count, seeds, before = math.ceil(count / 2), 2 * seeds, seeds
        return total

    def line(self) -> str:
        """Describe all of them in a line."""
        done = sum(VALUE in one for one in self.known.values())
        parts = [f"repeats: {done} of {self.total} jobs"]
        parts += [f"{len(self.running)} run"] if self.running else []
        parts += [f"{len(self.failed)} failed"] if self.failed else []
        parts += [money(usd)] if (usd := spent_usd(self.study)) else []
        return ", ".join(parts)

    def halving_values(self, trial: FrozenTrial, seeds: int = 0) -> list[float]:
        """Return a leader's values by its first seeds; 0: by all of them."""
        places = [
            self._place(trial, seed) for seed in self._seeds(seeds or self._last_seeds().start - self.settings.first_seed)
        ]
        return [self.known[place][VALUE] for place in places if VALUE in self.known.get(place, {})]

    def last_values(self, name: str) -> dict[int, float]:
        """Return the values of the last comparison, by seed; `name`: a trial's number, or `DEFAULT`."""
        places = {seed: f"{LAST}/{name}/{seed}" for seed in self._last_seeds()}
        return {seed: self.known[place][VALUE] for seed, place in places.items() if VALUE in self.known.get(place, {})}

    def _rank(self, values: Sequence[float]) -> float:
        """The smaller, the better; one whose jobs have all failed is the last."""
        return math.inf if not values else -mean(values) if self.maximize else mean(values)

    def _seeds(self, count: int) -> range:
        return range(self.settings.first_seed, self.settings.first_seed + count)

    def _last_seeds(self) -> range:
        """Those behind all of the halving."""
        first = self.settings.first_seed + 2 ** max(0, math.ceil(math.log2(max(1, self.count))) - 1)
        return range(first, first + self.settings.seeds)

    def _place(self, trial: FrozenTrial, seed: int) -> str:
        return f"leaders/{trial.number}/{seed}"

    def _words(self, trial: FrozenTrial | None, seed: int) -> list[str]:
        values = {} if trial is None else trial.params
        key = self.settings.key
        return [*(word for word in self.space.words(values) if word.partition("=")[0].lstrip("+") != key), f"{key}={seed}"]

    def _comparison(self) -> dict[str, list[str]]:
        """Return the overrides of the last jobs by their directories, the winner's and the default's in turn."""
        both = (str(self.ranking[0].number), self.ranking[0]), (DEFAULT, None)
        more = self.settings.overrides
        return {f"{LAST}/{name}/{seed}": [*self._words(one, seed), *more] for seed in self._last_seeds() for name, one in both}

    def _train(self, wanted: Mapping[str, list[str]]) -> None:
        left = {place: words for place, words in wanted.items() if VALUE not in self.known.get(place, {})}
        left = {place: words for place, words in left.items() if place not in (*self.running.values(), *self.failed)}
        while (left and not self.stopped_because) or self.running:
            while left and self.jobs.free > 0 and not self.stopped_because:
                place = next(iter(left))
                if not self._submit(place, left[place]):
                    break
                del left[place]
            if self.running:
                for ended in self.jobs.wait():
                    self._take(ended)

    def _take(self, ended: Ended) -> None:
        """Keep a job's value; a second call, after an interruption of the first, does the same again."""
        if (place := self.running.get(ended.number)) is not None:
            if ended.left == Left.SKIPPED:
                self.stopped_because = f"{ended.left.value}: nothing more is submitted; the same command continues"
            else:
                self._judge(place, ended)
            del self.running[ended.number]
            log.info("%s", self.line())
        self.jobs.taken(ended.number)

    def _judge(self, place: str, ended: Ended) -> None:
        known: dict[str, float | int | None] = {JOB: ended.number, USD: ended.usd}
        try:
            [known[VALUE]], _ = values_of(ended.returned, 1)
        except Exception as error:
            self._fail(place, ended.number, error)
        self._keep(place, known)

    def _submit(self, place: str, words: list[str]) -> bool:
        """Submit a job; return False where the budget has no room for one more before another has ended."""
        number = self.known.get(place, {}).get(JOB)
        if number is None:
            number = 1 + max((one[JOB] for one in self.known.values()), default=-1)
            self._keep(place, {JOB: number})
        try:
            self.jobs.submit(number, [*words, f"hydra.sweep.subdir={place}"])
        except TooExpensive as refused:
            if not self.running:
                self.stopped_because = f"the budget is spent: {refused.problems[0]}"
            return False
        except JobsRefused as refused:
            self._fail(place, number, refused)
            return True
        self.running[number] = place
        return True

    def _keep(self, place: str, values: dict[str, float | int | None]) -> None:
        self.known[place] = values
        self.study.set_user_attr(PREFIX + place, values)

    def _fail(self, place: str, number: int, error: Exception) -> None:
        self.last_failed, self.failed[place] = number, str(error)
        lines = (str(error) if isinstance(error, LauncherError) else f"{type(error).__name__}: {error}").splitlines()
        log.warning("%s failed: %s", place, lines[0] if lines else type(error).__name__)


def spent_usd(study: Study) -> float:
    return sum(one.get(USD) or 0.0 for name, one in study.user_attrs.items() if name.startswith(PREFIX))


def check(settings: RepeatConf, space: Space, directions: Sequence[str], composed: DictConfig) -> None:
    """Raise LauncherError where repeats make no sense; `composed` is the configuration of a trial."""
    if settings.key is None:
        return
    name = "hydra.sweeper.repeat"
    if len(directions) > 1:
        raise LauncherError(f"{name}.key: of several objectives none is the one to choose by; {name}.key=null")
    if settings.key in space.distributions:
        raise LauncherError(f"{name}.key={settings.key} is searched itself: leave it out of the space")
    if settings.leaders < 1 or settings.seeds < 1 or settings.first_seed < 0:
        raise LauncherError(
            f"{name}: leaders={settings.leaders}, seeds={settings.seeds}, first_seed={settings.first_seed}: "
            "the first two are at least 1, the last at least 0"
        )
    if (own := OmegaConf.select(composed, settings.key, throw_on_missing=False, default=ABSENT)) is ABSENT:
        raise LauncherError(f"{name}.key={settings.key}: the configuration has no such key")
    if isinstance(own, int) and own >= settings.first_seed:
        raise LauncherError(
            f"{name}.first_seed={settings.first_seed}: the search itself uses {settings.key}={own}: type a larger"
        )
    OverridesParser.create().parse_overrides(list(settings.overrides))
