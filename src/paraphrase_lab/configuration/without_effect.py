"""The keys that cannot change the result of a run: fingerprints, the launcher's job keys and names of runs leave them out."""

from __future__ import annotations

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
PLACES_OF_DATA = ("data.path", "data.train", "data.validation", "data.test")
"""What the files hold is part of the data's own hash, and of a job's key through `key_files`."""
LOCAL_FILES = (*PLACES_OF_DATA, "model.name")
"""Keys that may name files of this machine: their contents make another job, and a job elsewhere gets them by a channel."""
WITHOUT_EFFECT = (*SAME_JOB, *SAME_RESULT, *PLACES_OF_DATA)
