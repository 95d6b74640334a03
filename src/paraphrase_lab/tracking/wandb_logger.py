"""A run in Weights & Biases: online where it can be, else on the disk; nothing that happens there ends a training.

W&B's own step is the optimiser step, and all that is logged for one step is sent as one row. So a run that resumes after an
interruption sends again what W&B lacks, from metrics.csv, and nothing twice.
"""

import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from lightning_fabric.loggers.logger import _DummyExperiment as Nothing
from lightning_fabric.loggers.logger import rank_zero_experiment
from pytorch_lightning.loggers import WandbLogger
from pytorch_lightning.utilities import rank_zero_only

from paraphrase_lab.paths import as_typed
from paraphrase_lab.runs.wandb_files import STEP, upload_failed
from paraphrase_lab.tracking import wandb_directories, wandb_outcome
from paraphrase_lab.tracking.hooks import RunInfo
from paraphrase_lab.tracking.identity import Identity, sagemaker_job
from paraphrase_lab.tracking.metrics_csv import FILE_NAME, logged_rows
from paraphrase_lab.tracking.redaction import redacted
from paraphrase_lab.tracking.wandb_opening import Opening
from paraphrase_lab.tracking.wandb_settings import client_settings, resolved_mode

log = logging.getLogger(__name__)


class WandbRun(WandbLogger):
    """Lightning's logger, opened by `begin` and closed by `end`; before, after and in mode disabled it does nothing.

    Args:
        mode: auto (online where there is an API key), online, offline, disabled.
        log_model: auto (the chosen weights, online and where keep_model keeps them), always, never.
        hardest_pairs: number of wrongly answered pairs that go into a table, with both sentences; 0: no sentence leaves.
        share_console: what is printed. share_machine: host name, hardware, command line, packages, load. share_code: the commit
            and its remote, uncommitted changes and the script.
    """

    def __init__(
        self,
        run_dir: str | Path,
        project: str = "paraphrase-lab",
        entity: str | None = None,
        mode: str = "auto",
        tags: Sequence[str] = (),
        notes: str | None = None,
        log_model: str = "auto",
        hardest_pairs: int = 50,
        share_console: bool = False,
        share_machine: bool = False,
        share_code: bool = False,
        init_timeout_s: float = 30.0,
        finish_timeout_s: float = 60.0,
    ) -> None:
        super().__init__(project=project, save_dir=run_dir)
        self.run_dir = Path(run_dir)
        self.wanted_mode, self.mode = mode, "disabled"
        self.log_weights, self.hardest_pairs = log_model, hardest_pairs
        self._environment = wandb_directories.Environment(self.run_dir)
        settings = partial(
            client_settings, console=share_console, machine=share_machine, code=share_code,
            init_timeout_s=init_timeout_s, finish_timeout_s=finish_timeout_s,
        )  # fmt: skip
        where = {"project": project, "entity": entity, "notes": notes}
        self._opening = Opening(self.run_dir, self._environment, where, tuple(tags), settings)
        self._first_step, self._row, self._row_step = 0, {}, -1
        self._fell_back, self._data_name = False, "data"
        self._attempt: Path | None = None
        """The record that this process writes."""

    @property
    @rank_zero_experiment
    def experiment(self) -> Any:
        return self._experiment or Nothing()

    def begin(self, about: RunInfo) -> dict[str, Any]:
        """Open the run, send what W&B lacks of an interrupted one, and say where it is. Returns what run.json remembers."""
        self._environment.enter()
        self.mode, reason = resolved_mode(self.wanted_mode)
        self._data_name = about.identity.data
        earlier = wandb_directories.attempts(self.run_dir, about.identity.id)
        opened = None if self.mode == "disabled" else self._opening.open(self.mode, about, earlier)
        if opened is None:
            self.mode = "disabled"
            self._environment.leave(uploaded=False)
            return {}
        self._fell_back = opened.mode != self.mode
        self._experiment, self.mode, self._first_step = opened.run, opened.mode, opened.first_step
        self._attempt = Path(opened.run.settings.sync_dir)
        if (self.run_dir / FILE_NAME).is_file():
            # It sends all that was in an offline record that never went up: twice would be once too often.
            for attempt in filter(wandb_directories.never_went_up, earlier):
                wandb_directories.forget(attempt, self.run_dir)
        self.experiment.define_metric(STEP)
        self.experiment.define_metric("*", step_metric=STEP, step_sync=True)
        for step, row in logged_rows(self.run_dir / FILE_NAME):
            self.log_metrics(row, step)
        wandb_directories.link_into_sweep(self.run_dir)
        if not self._fell_back:
            log.info("W&B: %s", self._where(reason))
        return self._remembered(opened.identity)

    def _where(self, reason: str) -> str:
        if self.mode == "online":
            return str(self.experiment.url)
        if sagemaker_job():
            return f"offline ({reason}); its record is downloaded with the results"
        folder = wandb_directories.shown_folder(self.run_dir)
        return f"offline ({reason}). To look at it: wandb leet {folder}. To upload it: wandb sync {folder}/offline-run-*"

    def _remembered(self, identity: Identity) -> dict[str, Any]:
        run = self.experiment
        known = {"id": identity.id, "group": identity.group, "name": identity.name, "project": self._project, "mode": self.mode}
        return {"wandb": known | ({"entity": run.entity, "url": run.url} if self.mode == "online" else {})}

    @rank_zero_only
    def log_hyperparams(self, *args: Any, **kwargs: Any) -> None:
        """The configuration went up when the run was opened, without its secrets."""

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Collect what comes for one step into one row, sent when the next step comes, or the end."""
        if self._experiment is None:
            return
        if step != self._row_step:
            self.flush()
        self._row_step = step if step is not None else -1
        self._row |= metrics
        if step is None:
            self.flush()

    def flush(self) -> None:
        row, self._row = self._row, {}
        if not row or self._experiment is None:
            return
        try:
            self._send(row)
        except Exception as error:  # its client is a process of its own, which can be gone
            log.warning("W&B: its client has ended (%s): training continues without it", type(error).__name__)
            self._experiment = None
            with suppress(Exception):  # else W&B talks to it again when the process ends, and prints a traceback
                import wandb

                wandb.teardown()
            self._close(uploaded=False)

    def _send(self, row: dict[str, Any]) -> None:
        if self._row_step < 0:
            self.experiment.log(row)
        elif self._row_step >= self._first_step:
            self.experiment.log({**row, STEP: self._row_step}, step=self._row_step, commit=True)
            self._first_step = self._row_step + 1

    @rank_zero_only
    def finalize(self, status: str) -> None:
        """Lightning calls it when fitting ends; the evaluation follows, and `end` is what closes it."""

    @rank_zero_only
    def log_outcome(self, run_dir: Path, record: Mapping[str, Any], *, keep: bool) -> None:
        """Write what run.json says into the summary, and send pictures, hardest pairs and the chosen weights."""
        self.flush()  # which finds out whether the client is still there
        if self._experiment is None:
            return
        run = self.experiment
        run.config.update({"run": redacted(wandb_outcome.facts(record))}, allow_val_change=True)
        run.summary.update(redacted(wandb_outcome.summary(record)))
        wanted = self.log_weights == "always" or (self.log_weights == "auto" and self.mode == "online")
        try:
            wandb_outcome.log_pictures(run, run_dir, record, self.hardest_pairs)
            if self.mode == "online":
                wandb_outcome.use_data(run, self._data_name, record)
            if keep and wanted:
                wandb_outcome.log_weights(run, run_dir, record)
        except Exception as error:  # W&B has many of its own
            log.warning("W&B: pictures, data set or weights are not there: %s: %s", type(error).__name__, error)

    @rank_zero_only
    def end(self, exit_code: int, *, preempted: bool = False) -> None:
        """Close the run. 0 is finished for W&B, 255 killed, anything else failed; preempted: another attempt follows."""
        self.flush()
        if self._experiment is None:
            return
        run, self._experiment = self.experiment, None
        uploaded = False
        try:
            if preempted:
                run.mark_preempting()
            run.finish(exit_code=exit_code)
            uploaded = self.mode == "online" and not upload_failed(Path(run.settings.sync_dir))
        except TimeoutError:
            pass
        finally:
            self._close(uploaded=uploaded)

    def _close(self, *, uploaded: bool) -> None:
        wandb_directories.link_into_sweep(self.run_dir)
        self._environment.leave(uploaded=uploaded)
        if self._attempt is not None and not uploaded and (self.mode == "online" or self._fell_back):
            flag = "" if wandb_directories.is_offline(self._attempt) else "--no-skip-online "
            message = "W&B: this run is not, or not wholly, uploaded. Once the server answers: wandb sync %s%s"
            log.warning(message, flag, as_typed(self._attempt))
