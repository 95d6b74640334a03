"""The warning that validation is no better than the majority class: when it begins, when it ends, and after a resume."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from paraphrase_lab.metrics.binary import ValidationAnswers
from paraphrase_lab.training.callbacks import CollapseWarning

PAIRS = 400


def validate(callback: CollapseWarning, step: int, right: int, yes: int) -> Any:
    """A validation of 400 pairs, 220 of them paraphrases, of which `right` are answered right and `yes` with "paraphrase"."""
    labels, probabilities = np.arange(PAIRS) < 220, (np.arange(PAIRS) < yes).astype(float)
    trainer: Any = SimpleNamespace(
        sanity_checking=False, is_global_zero=True, global_step=step, callback_metrics={"val/accuracy": right / PAIRS}
    )
    module: Any = SimpleNamespace(validation_answers=ValidationAnswers.of(labels, probabilities))
    callback.on_validation_end(trainer, module)
    return trainer, module


def test_it_is_said_when_it_begins_and_when_it_ends_and_no_more(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    callback = CollapseWarning()
    for step, right, yes in ((100, 220, 400), (200, 222, 300), (300, 239, 250), (400, 241, 240), (500, 300, 220)):
        validate(callback, step, right, yes)
    began, left = caplog.messages
    assert began.startswith(
        "not learning yet: validation accuracy 0.5500 is no better than the majority class's (0.5500) after 100 steps, "
        "and 100.0% of the pairs are answered 'paraphrase'; patience first: a pre-trained encoder of base size may stay there "
        "for 500 steps; then a longer warm-up"
    )
    assert left == "learning: validation accuracy 0.6025 is above the majority class's (0.5500) after 400 steps"


def test_a_training_that_ends_there_says_so_after_a_resume_too(caplog: pytest.LogCaptureFixture) -> None:
    before, resumed = CollapseWarning(), CollapseWarning()
    validate(before, 1_000, 220, 300)
    resumed.load_state_dict(before.state_dict())
    caplog.clear()
    resumed.on_train_end(*validate(resumed, 2_000, 225, 300))
    assert caplog.messages == [
        "training ends after 2,000 steps with a validation accuracy no better than the majority class's since step 1,000"
    ]


def test_a_model_that_learns_is_left_alone(caplog: pytest.LogCaptureFixture) -> None:
    callback = CollapseWarning()
    callback.on_train_end(*validate(callback, 10, 300, 200))
    assert not caplog.messages
