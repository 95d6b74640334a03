"""Rewrites conf/json_schema/: what an editor needs to complete and check the files in conf/ and experiments/.

Every such file names its schema in a comment (`# yaml-language-server: $schema=…`). Run it after a change of
src/paraphrase_lab/configuration/schema.py; a test holds the files to the dataclasses.
"""

from __future__ import annotations

import json
from pathlib import Path

from paraphrase_lab.configuration.json_schema import file_schemas

DIRECTORY = Path(__file__).resolve().parent.parent / "conf" / "json_schema"


def main() -> None:
    DIRECTORY.mkdir(exist_ok=True)
    for name, schema in file_schemas().items():
        text = json.dumps(schema, indent=1, ensure_ascii=False)
        (DIRECTORY / f"{name}.json").write_text(text + "\n", encoding="utf-8")
    print(f"{len(file_schemas())} schemas written to {DIRECTORY}")


if __name__ == "__main__":
    main()
