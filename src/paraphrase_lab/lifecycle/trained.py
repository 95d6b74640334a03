"""Loads what a finished run left: its configuration and its model; imports neither Lightning nor what draws or trains."""

from pathlib import Path

from omegaconf import DictConfig

from paraphrase_lab import build
from paraphrase_lab.check.saved_config import saved_config
from paraphrase_lab.check.targets import target_problems
from paraphrase_lab.configuration.settings import plain_config
from paraphrase_lab.errors import RunError
from paraphrase_lab.model.export import TrainedModel, load_model
from paraphrase_lab.model.inference import best_device
from paraphrase_lab.runtime.third_party import quiet_libraries


def load_run(run_dir: Path, accelerator: str = "auto") -> tuple[DictConfig, TrainedModel]:
    """Load a run's configuration and its model, onto a device of the accelerator: auto, cpu, gpu or mps.

    Raises:
        RunError: the run is not there, kept no model, or its own code is nowhere to be found.
    """
    quiet_libraries()
    config = saved_config(run_dir)
    if problems := target_problems({"model": plain_config(config)["model"]}):
        raise RunError(f"the model of {run_dir} cannot be built: {problems[0]}")
    model = load_model(run_dir, lambda tokenizer, max_length: build.build_recipe(config).encoder(tokenizer, max_length))
    model.encoder.to(best_device(accelerator))  # type: ignore[arg-type]
    return config, model
