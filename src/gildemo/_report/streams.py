"""Standard output and standard error, as the commands use them."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TextIO

from rich.console import Console

_results: TextIO | None = None


def reserve_stdout() -> None:
    """Reserve standard output for results: whatever else is printed from now on is discarded."""
    global _results
    sys.stdout.flush()
    _results = os.fdopen(os.dup(1), "w", encoding=sys.stdout.encoding)
    with Path(os.devnull).open("wb") as devnull:
        os.dup2(devnull.fileno(), 1)


def results() -> TextIO:
    """Return the stream for results that have no file."""
    return _results or sys.stdout


def discard_results() -> None:
    """Discard what is still to be written: the reader of standard output has gone."""
    devnull = os.open(os.devnull, os.O_WRONLY)
    os.dup2(devnull, results().fileno())
    os.close(devnull)


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """Raise the BrokenPipeError again: rich would discard sys.stdout, not results()."""
        raise  # It is called in an except clause.


def console(stderr: bool = False) -> Console:
    """Return a console on results() or standard error: as wide as the terminal, plain in a pipe."""
    stream = sys.stderr if stderr else results()
    if hasattr(stream, "reconfigure"):
        # A character that the encoding lacks must not lose the whole table.
        stream.reconfigure(errors="replace")
    # Brackets in a statement or in a file's name are not markup.
    return _Console(highlight=False, markup=False, file=stream)


def say(message: str) -> None:
    """Write a message of the command itself to standard error."""
    sys.stderr.write(f"gildemo: {message}\n")
