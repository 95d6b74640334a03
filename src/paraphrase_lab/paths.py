"""The places of the configuration (checkout or installed wheel) and of prepared data."""

import os
from pathlib import Path

PACKAGE_DIR = Path(__file__).resolve().parent
_ROOT = PACKAGE_DIR.parent.parent
_IS_CHECKOUT = (_ROOT / "pyproject.toml").is_file() and (_ROOT / "conf" / "train.yaml").is_file()

CONF_DIR = _ROOT / "conf" if _IS_CHECKOUT else PACKAGE_DIR / "conf"
EXPERIMENTS_DIR = _ROOT / "experiments" if _IS_CHECKOUT else PACKAGE_DIR / "experiments"
SOURCE_ROOT = _ROOT if _IS_CHECKOUT else None
RUNS_DIR = Path("runs")
CHANNELS_DIR = Path("/opt/ml/input/data")
"""Where a training job on SageMaker finds its channels; what lies there is not known anywhere else."""
DIRECTORY_VARIABLE = "PARAPHRASE_RUN_DIRECTORY"
"""Tells the processes of a distributed run the directory that the first of them writes to."""
SWEPT_VARIABLE = "PARAPHRASE_SWEPT_KEYS"
"""Tells the jobs of a sweep the keys in which they differ, with spaces between them."""


FILE_ENDINGS = (
    ".csv", ".tsv", ".tab", ".jsonl", ".ndjson", ".json", ".parquet", ".arrow", ".feather", ".gz", ".bz2", ".xz", ".zst",
)  # fmt: skip


def is_path(text: str) -> bool:
    """Tell whether the value of a key can only be a path: no name on the Hub, which is NAME or OWNER/NAME."""
    return text.endswith(FILE_ENDINGS) or text.startswith((".", "/", "~")) or text.count("/") > 1


def with_home(text: str) -> str:
    """Return a path as typed or written in a file, with the home of its user in place of a leading `~` or `~user`."""
    return os.path.expanduser(text)


def user_path(text: str) -> Path:
    """Return the path that a user means."""
    return Path(with_home(text))


def cache_dir() -> Path:
    """Return `$PARAPHRASE_CACHE_DIR`, else `$XDG_CACHE_HOME/paraphrase-lab`, else `~/.cache/paraphrase-lab`."""
    if chosen := os.environ.get("PARAPHRASE_CACHE_DIR"):
        return user_path(chosen)
    return user_path(os.environ.get("XDG_CACHE_HOME", "~/.cache")) / "paraphrase-lab"


def as_typed(path: Path) -> Path:
    """Return the path as one would type it: relative to the working directory, where it lies below that."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def absence(path: str) -> str:
    """Return why there is nothing under a path, completing "KEY=PATH …"."""
    if "://" in path:
        return "is an address, and files are read from this machine: download it and give its path."
    if path == "-":
        return "is a pipe, and data are read several times: save them to a file and give its path."
    return f"does not exist; a relative path starts at the working directory, {Path.cwd()}."


def is_there(path: Path) -> bool:
    """Tell whether something is there, as far as this user may know."""
    try:
        return path.exists()
    except OSError:  # of a directory that may not be entered
        return False


def can_exist(path: str) -> bool:
    """Tell whether it exists, or will where a training job runs."""
    return user_path(path).exists() or Path(path).is_relative_to(CHANNELS_DIR)
