"""Keeps the looks that a study has planned: they are not changed once it has been looked at."""

import json

from paraphrase_lab.errors import UserError
from paraphrase_lab.files import json_text
from paraphrase_lab.studies.plan import Study

FILE_NAME = "looks.json"


def keep_looks(study: Study) -> None:
    """Write the planned looks into the study's directory.

    Raises:
        UserError: it holds others.
    """
    file = study.directory / FILE_NAME
    planned = [[look.seeds, round(look.level, 6)] for look in study.looks]
    if file.is_file():
        earlier = json.loads(file.read_text(encoding="utf-8"))
        if earlier == planned:
            return
        seeds = " ".join(str(number) for number, _ in earlier)
        raise UserError(
            f"{study.directory} was begun with looks at {seeds} seeds, and these overrides plan others: "
            f"{' '.join(str(look.seeds) for look in study.looks)}",
            valid="the looks that were planned before the first one",
            hint="the study's first command continues it; hydra.sweep.dir=DIR begins another",
        )
    if len(study.looks) > 1:
        study.directory.mkdir(parents=True, exist_ok=True)
        file.write_text(json_text(planned), encoding="utf-8")
