"""What was drawn, looked at before matplotlib forgets it."""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import Image


def texts(figure: Figure) -> str:
    return "\n".join(str(text.get_text()) for text in figure.findobj(Text))  # type: ignore[attr-defined]


def reaches_the_edge(picture: Path) -> bool:
    """Tell whether something other than white stands on the outermost pixels: what is cut off always does."""
    with Image.open(picture) as image:
        pixels = np.asarray(image.convert("L"))
    edges = (pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1])
    return any(bool((edge < 250).any()) for edge in edges)
