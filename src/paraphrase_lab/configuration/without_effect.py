"""The keys that cannot change the result of a run: fingerprints, the launcher's job keys and names of runs leave them out."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

SAME_JOB = (
    "resume",
    "logger",
    "study",
    "model.instance_type",  # the device is a part of the fingerprint of its own
    "data.num_workers",
    "trainer.progress",
    "trainer.profiler",
    "trainer.log_every_steps",
    "trainer.checkpoint_every_steps",
)
"""Jobs that differ only here are the same job: `hydra.launcher.key_exclude` of every conf/compute/*.yaml."""
SAME_RESULT = ("keep_model", "evaluate_test", "checklist")
"""They change what a run leaves behind: another job, but the same training."""
PLACES = ("path", "train", "validation", "test")
PLACES_OF_DATA = tuple(f"data.{name}" for name in PLACES)
"""What the files hold is part of the data's own hash, and of a job's key through `key_files`."""
PLACES_OF_SOURCES = tuple(f"data.sources.*.{name}" for name in PLACES)
"""The same of the sources of a mixture."""
LOCAL_MODELS = ("model.name", "distil.teacher")
LOCAL_FILES = (*PLACES_OF_DATA, *LOCAL_MODELS)
"""Keys that may name files of this machine: their contents make another job, and a job elsewhere gets them by a channel."""
WITHOUT_EFFECT = (*SAME_JOB, *SAME_RESULT, *PLACES_OF_DATA)


def is_place_of_data(key: str) -> bool:
    """Tell whether the key names files of pairs, of a source of a mixture among others."""
    return re.fullmatch(rf"data\.(sources\.[^.]+\.)?({'|'.join(PLACES)})", key) is not None


def places_of_data(data: Mapping[Any, Any]) -> list[str]:
    """Return the keys of a composed or saved `data` that may name files."""
    sources = data.get("sources") if isinstance(data.get("sources"), Mapping) else None
    inside = [
        f"data.sources.{name}.{place}" for name, node in (sources or {}).items() for place in PLACES if place in (node or ())
    ]
    return [*PLACES_OF_DATA, *inside]
