"""Pipes in the place of files: scoring reads its input more than once, and writes its output when all pairs are scored."""

import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from paraphrase_lab.data.formats import file_format, named_format
from paraphrase_lab.data.opening import is_pipe
from paraphrase_lab.data.options import ReadOptions
from paraphrase_lab.errors import UserError
from paraphrase_lab.scoring.output import OUTPUT_FORMATS


@contextmanager
def files_for(source: Path, output: Path, options: ReadOptions) -> Iterator[tuple[Path, Path]]:
    """Yield an input and an output that are files. What was piped in is kept until the end, then the output is passed on.

    The format of a piped output is that of the input where it can be written, else csv. Messages name `-`, not the copy.
    """
    with TemporaryDirectory(prefix="paraphrase-") as directory:
        given, written = source, output
        try:
            if is_pipe(source):
                given = Path(directory, "input" + (source.suffix if named_format(source) else ""))
                with given.open("wb") as copy, _reader(source) as pipe:
                    shutil.copyfileobj(pipe, copy)
            if is_pipe(output):
                ending = file_format(given, options)
                written = Path(directory, f"scores{ending if ending in OUTPUT_FORMATS else '.csv'}")
            yield given, written
        except UserError as error:
            for copy, typed in ((given, source), (written, output)):
                for part in ("problem", "valid", "hint"):
                    setattr(error, part, getattr(error, part).replace(str(copy), str(typed)))
            raise type(error)(error.problem, valid=error.valid, hint=error.hint) from error
        if written != output:
            with _writer(output) as pipe, written.open("rb") as scores:
                shutil.copyfileobj(scores, pipe)


@contextmanager
def _reader(source: Path) -> Iterator:
    if str(source) in ("-", "/dev/stdin"):
        yield sys.stdin.buffer
        return
    with source.open("rb") as pipe:
        yield pipe


@contextmanager
def _writer(output: Path) -> Iterator:
    if str(output) in ("-", "/dev/stdout"):
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    with output.open("wb") as pipe:
        yield pipe
