"""What was drawn, looked at before matplotlib forgets it."""

import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text


@pytest.fixture
def drawn(monkeypatch) -> list[Figure]:
    """Every figure that is saved, so that a test can read what stands in it."""
    figures, save = [], Figure.savefig

    def record(figure, *arguments, **options):
        figures.append(figure)
        return save(figure, *arguments, **options)

    monkeypatch.setattr(Figure, "savefig", record)
    return figures


def texts(figure: Figure) -> str:
    return "\n".join(str(text.get_text()) for text in figure.findobj(Text))  # type: ignore[attr-defined]
