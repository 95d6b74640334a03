"""A report about runs, in one HTML file or as text for a README."""

from datetime import UTC, datetime

from paraphrase_lab import __version__
from paraphrase_lab.report.blocks import Section, counted
from paraphrase_lab.report.checklist import checklist
from paraphrase_lab.report.curves import curves
from paraphrase_lab.report.differences import by_slice, differences
from paraphrase_lab.report.html import render_html
from paraphrase_lab.report.markdown import render_markdown
from paraphrase_lab.report.material import Material, gather
from paraphrase_lab.report.overview import runs, verdict
from paraphrase_lab.report.predictions import calibration, hardest, symmetry
from paraphrase_lab.report.provenance import provenance, settings
from paraphrase_lab.report.swept import swept

__all__ = ["RENDERERS", "Material", "gather", "render", "sections_of"]
RENDERERS = {"html": render_html, "markdown": render_markdown}
SECTIONS = (
    ("verdict", "In short", verdict),
    ("runs", "Runs", runs),
    ("differences", "Differences", differences),
    ("curves", "Learning curves", curves),
    ("slices", "By slice", by_slice),
    ("checklist", "Capability checklist", checklist),
    ("swept", "Swept keys", swept),
    ("symmetry", "Symmetry and probes", symmetry),
    ("calibration", "Calibration", calibration),
    ("hardest", "Hardest pairs", hardest),
    ("settings", "Settings", settings),
    ("provenance", "Versions, data, time", provenance),
)
"""Key, heading and what makes the blocks, in the order a reader asks."""


def sections_of(material: Material) -> list[Section]:
    """Make the sections that have anything to show."""
    return [Section(key, heading, blocks) for key, heading, make in SECTIONS if (blocks := make(material))]


def render(material: Material, form: str = "html") -> str:
    """Return the whole report as text; `form` is one of RENDERERS."""
    what = f"{counted(len(material.rows), 'run')}, evaluated on {material.split}"
    made = f"{what}; made {datetime.now(UTC):%Y-%m-%d %H:%M} UTC by paraphrase-lab {__version__}"
    return RENDERERS[form](material.title, made, sections_of(material))
