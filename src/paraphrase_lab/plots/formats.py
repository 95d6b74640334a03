"""The formats of pictures, by the endings of their files."""

from pathlib import Path

from paraphrase_lab.errors import UserError

FORMATS = ("png", "pdf", "svg")


def picture_format(path: Path) -> str:
    """Return png, pdf or svg.

    Raises:
        UserError: the file has another ending, or none.
    """
    ending = path.suffix.lower().removeprefix(".")
    if ending not in FORMATS:
        raise UserError(
            f"{path} has no ending of a picture that can be drawn",
            valid=", ".join(f".{name}" for name in FORMATS),
            hint=f"for example {path.with_suffix('.pdf')}",
        )
    return ending
