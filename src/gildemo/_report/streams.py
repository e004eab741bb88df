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
    """Return the stream for results that are not written to a file."""
    return _results or sys.stdout


def discard_results() -> None:
    """Discard the rest of the output, because nothing reads standard output any more."""
    devnull = os.open(os.devnull, os.O_WRONLY)
    os.dup2(devnull, results().fileno())
    os.close(devnull)


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """Raise the BrokenPipeError again: rich would discard sys.stdout, not results()."""
        raise  # rich calls this in an except clause.


def console(stderr: bool = False) -> Console:
    """Return a console that prints to results() or to standard error.

    It is as wide as the terminal, and has no colors in a pipe.
    """
    stream = sys.stderr if stderr else results()
    if hasattr(stream, "reconfigure"):
        # A character that the encoding lacks must not prevent the output of the whole table.
        stream.reconfigure(errors="replace")
    # Brackets in a statement or in a file name are not markup.
    return _Console(highlight=False, markup=False, file=stream)


def say(message: str) -> None:
    """Write a message of the command itself to standard error."""
    sys.stderr.write(f"gildemo: {message}\n")
