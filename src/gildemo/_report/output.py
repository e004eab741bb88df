"""Where results go: the terminal, and the files that options name."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

from rich.console import Console

_results: TextIO | None = None


def set_apart() -> None:
    """From now on, standard output is for results only: what else is printed goes nowhere."""
    global _results
    sys.stdout.flush()
    _results = os.fdopen(os.dup(1), "w", encoding=sys.stdout.encoding)
    with Path(os.devnull).open("wb") as nowhere:
        os.dup2(nowhere.fileno(), 1)


def results() -> TextIO:
    """Where results go that have no file."""
    return _results or sys.stdout


def console(stderr: bool = False) -> Console:
    """A console on standard output or error: as wide as the terminal, plain where it is none."""
    stream = sys.stderr if stderr else results()
    if hasattr(stream, "reconfigure"):
        # A mark that the encoding does not have should not lose the table.
        stream.reconfigure(errors="replace")
    # What is in brackets in a statement, or in a file's name, is no markup.
    return Console(highlight=False, markup=False, file=stream)


def not_writable(path: str | None) -> str | None:
    """Why a result could not be written to this path; to be asked before measuring."""
    if path is None or path == "-":
        return None
    folder = Path(path).parent
    if Path(path).is_dir():
        return f"can't write {path}: it is a folder"
    if not folder.is_dir():
        return f"can't write {path}: there is no folder {folder}"
    if not os.access(path if Path(path).exists() else folder, os.W_OK):
        return f"can't write {path}: no permission"
    return None


def write(path: str, write_to: Callable[[TextIO], None]) -> bool:
    """Write to a file, or to standard output for "-"; say on stderr if that fails."""
    if path == "-":
        write_to(results())
        results().flush()
        return True
    try:
        with Path(path).open("w", encoding="utf-8") as file:
            write_to(file)
    except OSError as error:
        sys.stderr.write(f"gildemo: can't write {path}: {error.strerror}\n")
        return False
    return True


def write_json(path: str, data: dict[str, Any]) -> bool:
    """Write JSON as `write` does."""

    def dump(file: TextIO) -> None:
        json.dump(data, file, indent=2)
        file.write("\n")

    return write(path, dump)
