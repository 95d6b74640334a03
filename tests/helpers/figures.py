"""What was drawn, looked at before matplotlib forgets it."""

from matplotlib.figure import Figure
from matplotlib.text import Text


def texts(figure: Figure) -> str:
    return "\n".join(str(text.get_text()) for text in figure.findobj(Text))  # type: ignore[attr-defined]
