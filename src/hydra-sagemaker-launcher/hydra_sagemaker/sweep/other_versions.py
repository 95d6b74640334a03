"""Says with which versions reused results were computed, where a new job would have others: versions are no part of a key."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra_sagemaker.display.tables import counted
from hydra_sagemaker.files import read_json
from hydra_sagemaker.scheduling.tracker import Submission

if TYPE_CHECKING:
    from hydra_sagemaker.sweep.sweep import Sweep

NAMED_AT_MOST = 8
ABSENT = "absent"


class OtherVersions:
    """Compares the versions in the results of reused jobs with the versions of a new job."""

    def __init__(self, sweep: Sweep) -> None:
        self.sweep = sweep
        self._seen: set[str] = set()

    def sentence(self, submissions: Sequence[Submission]) -> str | None:
        """Return what differs and what to type, None where nothing does; a result counts once, when it is on this machine."""
        changes: dict[str, None] = {}
        count = 0
        for submission in submissions:
            if submission.is_reused and submission.name not in self._seen:
                found = list(self._changes(submission))
                changes |= dict.fromkeys(found)
                count += bool(found)
        if not changes:
            return None
        named = ", ".join([*changes][:NAMED_AT_MOST])
        more = f" and {len(changes) - NAMED_AT_MOST} more" if len(changes) > NAMED_AT_MOST else ""
        return (
            f"{counted(count, 'reused job')} had other versions than a new one would have: {named}{more}; "
            "hydra.launcher.on_existing=rerun computes all of this sweep anew"
        )

    def _changes(self, submission: Submission) -> Iterator[str]:
        directory = self.sweep.backend.records_of(submission.job, submission.name)
        spec, result = (_read(directory / file, submission.name) for file in ("spec.json", "result.json"))
        if not spec or not result:
            return  # it is not downloaded yet
        self._seen.add(submission.name)
        had, asked_for = result.get("versions", spec.get("versions", {})), spec.get("versions", {})
        for name, version in sorted(had.items()):
            now = self._today(name)
            is_the_images = not self.sweep.is_local and asked_for.get(name, version) != version
            if now is not None and now != version and not is_the_images:
                yield f"{name} {version} -> {now}"

    def _today(self, name: str) -> str | None:
        """Return the version that a new job would have; None where that is not known: it is the image's, or pip's choice."""
        if not self.sweep.is_local:
            return self._pinned.get(name)
        if name == "python":
            return None  # part of the key
        with suppress(metadata.PackageNotFoundError):
            return metadata.version(name)
        return ABSENT

    @cached_property
    def _pinned(self) -> Mapping[str, str]:
        return dict(pin.split("==", 1) for pin in self.sweep.requirements.pins)


def _read(file: Path, name: str) -> dict[str, Any]:
    """Return a record of this attempt; empty where the file is another's."""
    values = read_json(file)
    return values if isinstance(values, dict) and values.get("name") == name else {}
