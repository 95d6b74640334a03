"""Opens a run in W&B: online, offline where W&B cannot be had, and never in place of another run."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, NamedTuple

from paraphrase_lab.runs.wandb_files import last_step
from paraphrase_lab.tracking import wandb_directories
from paraphrase_lab.tracking.hooks import RunInfo
from paraphrase_lab.tracking.identity import Identity, tags
from paraphrase_lab.tracking.metrics_csv import FILE_NAME

log = logging.getLogger(__name__)
ORIGIN = "origin"
"""In the configuration that W&B has: tells another run of the same id from an earlier attempt of this one."""


class Opened(NamedTuple):
    run: Any
    mode: str
    """online or offline."""
    first_step: int
    """The first that W&B does not have yet."""
    identity: Identity


@dataclass(frozen=True)
class Opening:
    """Opens a run; `arguments` are those of `wandb.init` that do not depend on the run's identity."""

    run_dir: Path
    environment: wandb_directories.Environment
    arguments: Mapping[str, Any]
    own_tags: tuple[str, ...]
    settings: Callable[[], Any]

    def open(self, mode: str, about: RunInfo, earlier: Sequence[Path]) -> Opened | None:
        """Open the run; None, with a warning, where not even the disk takes it. `earlier`: records of previous processes."""
        opened = self._online(about, earlier) if mode == "online" else None
        opened = opened or self._offline(about, earlier)
        if opened is not None:
            opened.run.config.update({**about.config, ORIGIN: about.origin}, allow_val_change=True)
        return opened

    def _online(self, about: RunInfo, earlier: Sequence[Path]) -> Opened | None:
        import wandb

        self.environment.stage(online=True)
        identity = about.identity
        try:
            run = self._init("online", identity)
            if run.config.get(ORIGIN, about.origin) != about.origin:
                run.finish()
                identity = replace(identity, id=f"{identity.id}-{about.origin[:4]}")
                log.warning("W&B has another run called %s; this one is called %s", about.identity.id, identity.id)
                run = self._init("online", identity)
            return Opened(run, "online", run.starting_step, identity)
        except Exception as error:  # refused, away, too slow, or a key that is none: W&B has an error of its own for each
            said = (str(error).strip().splitlines() or [""])[0].strip(" .")
            said = f": {said}" if said and said != "<no message>" else ""
            log.warning(
                "W&B: %s cannot be used (%s%s): training continues, recorded in %s",
                wandb.setup().settings.base_url, type(error).__name__, said, wandb_directories.shown_folder(self.run_dir),
            )  # fmt: skip
            wandb.teardown()  # else the next init finds the id in use
            for attempt in set(wandb_directories.attempts(self.run_dir, identity.id)) - set(earlier):
                wandb_directories.forget(attempt, self.run_dir)
            return None

    def _offline(self, about: RunInfo, earlier: Sequence[Path]) -> Opened | None:
        """A run whose beginning is recorded already continues after it; else the new record holds the whole run."""
        replays = (self.run_dir / FILE_NAME).is_file()
        kept = [attempt for attempt in earlier if not replays or not wandb_directories.never_went_up(attempt)]
        first_step = max((last_step(attempt) + 1 for attempt in kept), default=0)
        self.environment.stage(online=False)
        try:
            return Opened(self._init("offline", about.identity), "offline", first_step, about.identity)
        except Exception as error:
            log.warning("W&B: nothing is recorded for it (%s: %s); metrics.csv has everything", type(error).__name__, error)
            return None

    def _init(self, mode: Literal["online", "offline"], identity: Identity) -> Any:
        """Without the configuration: what W&B has of an earlier attempt is looked at first."""
        import wandb

        self.run_dir.mkdir(parents=True, exist_ok=True)
        return wandb.init(
            **self.arguments, mode=mode, dir=str(self.run_dir), id=identity.id, group=identity.group,
            job_type=identity.job_type, name=identity.name, tags=list(tags((*identity.tags, *self.own_tags))),
            resume="allow", reinit="finish_previous", settings=self.settings(),
        )  # fmt: skip
