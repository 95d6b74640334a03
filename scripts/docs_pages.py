"""Hook of mkdocs: the site has the markdown files of the whole repository, each under its own path, and what they link to."""

from __future__ import annotations

import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[1]
PAGES = ("*.md", "docs/**/*.md", "experiments/**/*.md", "src/hydra-sagemaker-launcher/**/*.md")
LINK = re.compile(r"\]\(([^)\s#]+)[^)]*\)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Replace what lies in docs/ by the pages and the files that they link to; the theme's own files stay."""
    pages = sorted({file for pattern in PAGES for file in ROOT.glob(pattern)})
    linked = {
        target
        for page in pages
        for link in LINK.findall(page.read_text(encoding="utf-8"))
        if ":" not in link and (target := (page.parent / link).resolve()).is_file() and target not in pages
    }
    found = [
        File.generated(config, file.relative_to(ROOT).as_posix(), abs_src_path=str(file)) for file in [*pages, *sorted(linked)]
    ]
    return Files([*(file for file in files if file.src_dir != config.docs_dir), *found])
