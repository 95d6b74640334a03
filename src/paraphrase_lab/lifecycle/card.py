"""Collects the facts of a run for its model card, from configuration and record."""

from collections.abc import Mapping
from typing import Any

from paraphrase_lab.data.checklist import SPLIT_NAMES
from paraphrase_lab.lifecycle.run import Run
from paraphrase_lab.metrics.calibration import Calibration
from paraphrase_lab.metrics.groups import from_record
from paraphrase_lab.model.card import CardFacts, base_of
from paraphrase_lab.runs.configuration import flat
from paraphrase_lab.tracking.redaction import redacted, redacted_words

LANGUAGES = {"paraphrase_lab.data.sources.WordOrder": "en", "paraphrase_lab.data.sources.Paws": "en"}
SECTIONS = ("seed", "monitor", "data", "model", "loss", "optimizer", "scheduler", "trainer", "distil")
NOT_OF_TRAINING = ("_target_", "_partial_", "instance_type", "epochs", "progress", "profiler", "num_workers")


def card_facts(run: Run, metrics: Mapping[str, float], calibration: Calibration) -> CardFacts:
    plain: dict[str, Any] = redacted(run.settings.plain)
    model, data = plain["model"], plain["data"]
    choices = run.record.values.get("choices") or {}
    places = (data.get(key) for key in ("path", "train", "validation", "test"))
    name = choices.get("data") or data["_target_"].rpartition(".")[2]
    return CardFacts(
        name=run.directory.name,
        base=base_of(model["name"], model.get("revision")) if isinstance(model.get("name"), str) else None,
        data_name=" ".join([name, *(place for place in places if isinstance(place, str))]),
        language=LANGUAGES.get(data["_target_"]),
        data=run.data_summary(),
        settings=_settings(plain),
        command=redacted_words(["paraphrase", "train", *(run.record.values.get("overrides") or [])]),
        metrics=metrics,
        calibration=calibration,
        max_length=run.config.data.max_length,
        checklist=from_record(_last_half(run.record.values.get("groups") or {})),
    )


def _last_half(groups: Mapping[str, Any]) -> Mapping[str, Any]:
    return next((groups[half] for half in reversed(SPLIT_NAMES.values()) if half in groups), {})


def _settings(plain: Mapping[str, Any]) -> dict[str, Any]:
    found = flat({name: plain[name] for name in SECTIONS})
    without_effect = tuple(
        name for key, name in (("model.lora.rank", "model.lora"), ("distil.teacher", "distil.")) if not found.get(key)
    )
    return {
        key: value
        for key, value in found.items()
        if value is not None and key.rpartition(".")[2] not in NOT_OF_TRAINING and not key.startswith(without_effect)
    }
