"""The files that a command can write: ONE registry for the options of every command.

To add a format, write a class like these and add an instance to FORMATS: the option, its help, the
checks before anything is measured and the writing afterwards follow from it.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from gildemo._comparison.results import Comparison
from gildemo._report import perfetto, plot, streams
from gildemo.monitor.record import GilRecord


@dataclass(frozen=True)
class Results:
    """What a command found, for every format to write."""

    document: Mapping[str, Any]  # JSON-able
    comparisons: Sequence[Comparison] = ()
    records: Mapping[str, GilRecord] = field(default_factory=dict)  # by what was monitored
    no_records: str | None = None  # why there are none


class OutputFormat(Protocol):
    """One format, with an option of its name on every command that has results."""

    name: str
    help: str
    to_stdout: bool  # whether the file "-" is standard output
    of_records: bool  # whether it shows nothing but records

    def unusable(self, path: Path) -> str | None:
        """Return why this format can't be written to a file of this name, or None."""

    def write(self, results: Results, path: Path | None) -> None:
        """Write to a file, or to standard output for None. Raises OSError."""


class Json:
    """All figures."""

    name = "json"
    help = 'write the figures as JSON ("-": to standard output)'
    to_stdout = True
    of_records = False

    def unusable(self, path: Path) -> None:
        return None

    def write(self, results: Results, path: Path | None) -> None:
        _write_text(f"{json.dumps(results.document, indent=2)}\n", path)


class Trace:
    """Who held the GIL when."""

    name = "trace"
    help = 'write who held the GIL when, for ui.perfetto.dev ("-": to standard output)'
    to_stdout = True
    of_records = True

    def unusable(self, path: Path) -> None:
        return None

    def write(self, results: Results, path: Path | None) -> None:
        if not results.records and results.no_records:
            streams.say(f"the trace is empty: {results.no_records}")
        _write_text(perfetto.to_json(results.records), path)


class Plot:
    """A picture."""

    name = "plot"
    help = f"draw a picture ({', '.join(plot.ENDINGS)} by the name's ending)"
    to_stdout = False
    of_records = False

    def unusable(self, path: Path) -> str | None:
        return plot.unusable(path)

    def write(self, results: Results, path: Path | None) -> None:
        assert path is not None
        if results.comparisons:
            plot.plot(results.comparisons, path)
        for title, record in () if results.comparisons else results.records.items():
            plot.plot_record(title, record, path)


# The order is that of the help texts.
FORMATS: tuple[OutputFormat, ...] = (Json(), Trace(), Plot())


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add an option for each format."""
    for output in FORMATS:
        parser.add_argument(f"--{output.name}", metavar="FILE", help=output.help)


def problem(arguments: argparse.Namespace, no_records: str | None = None) -> str | None:
    """Return why the files of these options could not be written, before anything is measured.

    no_records: why the results will have no records, if they will not.
    """
    options: dict[str, str] = {}
    for output in FORMATS:
        path = _path(arguments, output)
        if path is None:
            continue
        if output.of_records and no_records:
            return f"{no_records}: leave out --{output.name}"
        target = path if path == "-" else os.path.realpath(path)
        if target in options:
            return f"{options[target]} and --{output.name} can't both write to {path}"
        options[target] = f"--{output.name}"
        if path == "-" and output.to_stdout:
            continue
        why = output.unusable(Path(path)) or _not_writable(path)
        if why:
            return why
    return None


def uses_stdout(arguments: argparse.Namespace) -> bool:
    """Whether a format is written to standard output, which then is for nothing else."""
    return any(_path(arguments, output) == "-" for output in FORMATS)


def write(arguments: argparse.Namespace, results: Results) -> bool:
    """Write the files of these options; say what fails, and return whether all went well."""
    succeeded = True
    for output in FORMATS:
        path = _path(arguments, output)
        if path is None:
            continue
        try:
            output.write(results, None if path == "-" else Path(path))
        except BrokenPipeError:
            raise
        except OSError as error:
            streams.say(f"can't write {path}: {error.strerror}")
            succeeded = False
    return succeeded


def _path(arguments: argparse.Namespace, output: OutputFormat) -> str | None:
    path: str | None = getattr(arguments, output.name)
    return path


def _not_writable(path: str) -> str | None:
    folder = Path(path).parent
    if Path(path).is_dir():
        return f"can't write {path}: it is a folder"
    if not folder.is_dir():
        return f"can't write {path}: there is no folder {folder}"
    if not os.access(path if Path(path).exists() else folder, os.W_OK):
        return f"can't write {path}: no permission"
    return None


def _write_text(text: str, path: Path | None) -> None:
    if path is not None:
        path.write_text(text, encoding="utf-8")
        return
    streams.results().write(text)
    streams.results().flush()
