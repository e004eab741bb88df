"""The files that the commands can write: one registry for the options of all commands.

To add a format, write a class like these and add an instance to FORMATS. Every command then has the
option and its help, checks the file before anything is measured, and writes it afterwards.
"""

from __future__ import annotations

import argparse
import json
import os
import typing
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from gildemo._comparison.results import Comparison
from gildemo._report import perfetto, plot, profile_files, streams
from gildemo.monitor.record import GilRecord


@dataclass(frozen=True)
class Results:
    """What a command found, for the formats to write."""

    document: Mapping[str, Any]  # values that the json module can write
    comparisons: Sequence[Comparison] = ()
    records: Mapping[str, GilRecord] = field(default_factory=dict)  # by name of what was monitored
    no_records: str | None = None  # why there are no records


# By ending of the file's name.
_PROFILE_FORMATS = {
    ".speedscope.json": profile_files.speedscope,
    ".folded": profile_files.collapsed,
    ".txt": profile_files.collapsed,
}


class OutputFormat(ABC):
    """One format, with an option of its name on every command that has results."""

    name: ClassVar[str]
    help: ClassVar[str]
    to_stdout: ClassVar[bool]  # whether the file "-" means standard output
    of_records: ClassVar[bool] = False  # whether it shows only records

    def add_options(self, parser: argparse.ArgumentParser) -> None:
        """Add the option that names the file, and any options that go with it."""
        parser.add_argument(f"--{self.name}", metavar="FILE", help=self.help)

    def unusable(self, path: Path) -> str | None:
        """Return why this format can't be written to a file of this name, or None."""
        return None

    @abstractmethod
    def write(self, results: Results, path: Path | None, arguments: argparse.Namespace) -> None:
        """Write to a file, or to standard output for None. Raises OSError."""


class Json(OutputFormat):
    """All figures."""

    name = "json"
    help = 'write the results as JSON ("-": to standard output)'
    to_stdout = True

    def write(self, results: Results, path: Path | None, arguments: argparse.Namespace) -> None:
        _write_text(f"{json.dumps(results.document, indent=2)}\n", path)


class Trace(OutputFormat):
    """Who held the GIL when."""

    name = "trace"
    help = 'write who held the GIL when, for ui.perfetto.dev ("-": to standard output)'
    to_stdout = True
    of_records = True

    def write(self, results: Results, path: Path | None, arguments: argparse.Namespace) -> None:
        if not results.records and results.no_records:
            streams.say(f"the trace is empty: {results.no_records}")
        _write_text(perfetto.to_json(results.records), path)


class Profile(OutputFormat):
    """Which code held the GIL."""

    name = "profile"
    help = f"write which code held the GIL, as a flame graph ({', '.join(_PROFILE_FORMATS)})"
    to_stdout = False
    of_records = True

    def add_options(self, parser: argparse.ArgumentParser) -> None:
        super().add_options(parser)
        parser.add_argument(
            "--weight",
            choices=typing.get_args(profile_files.Weight),
            default="held",
            help="what --profile shows: how long code held the GIL, or how long other threads "
            "waited for the GIL meanwhile (default: held)",
        )

    def unusable(self, path: Path) -> str | None:
        if path.name.endswith(tuple(_PROFILE_FORMATS)):
            return None
        endings = ", ".join(_PROFILE_FORMATS)
        return f"can't write a profile to {str(path)!r}: its name must end in one of {endings}"

    def write(self, results: Results, path: Path | None, arguments: argparse.Namespace) -> None:
        assert path is not None
        why = results.no_records or _no_profile(results.records)
        if why:
            streams.say(f"the profile is empty: {why}")
        convert = next(f for end, f in _PROFILE_FORMATS.items() if path.name.endswith(end))
        _write_text(convert(results.records, arguments.weight), path)


class Plot(OutputFormat):
    """A picture."""

    name = "plot"
    help = f"draw a picture ({', '.join(plot.ENDINGS)})"
    to_stdout = False

    def unusable(self, path: Path) -> str | None:
        return plot.unusable(path)

    def write(self, results: Results, path: Path | None, arguments: argparse.Namespace) -> None:
        assert path is not None
        if results.comparisons:
            plot.plot(results.comparisons, path)
        for title, record in () if results.comparisons else results.records.items():
            plot.plot_record(title, record, path)


# The order is that of the help texts.
FORMATS: tuple[OutputFormat, ...] = (Json(), Trace(), Profile(), Plot())


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add an option for each format."""
    for output in FORMATS:
        output.add_options(parser)


def problem(arguments: argparse.Namespace, no_records: str | None = None) -> str | None:
    """Return why one of the files of these options can't be written, or None.

    Call this before anything is measured.

    no_records: why the results will have no records, or None if they will have some.
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
    """Return whether a format is written to standard output, so that nothing else may be."""
    return any(_path(arguments, output) == "-" for output in FORMATS)


def write(arguments: argparse.Namespace, results: Results) -> bool:
    """Write the files of these options, and print what fails. Return whether nothing failed."""
    succeeded = True
    for output in FORMATS:
        path = _path(arguments, output)
        if path is None:
            continue
        try:
            output.write(results, None if path == "-" else Path(path), arguments)
        except BrokenPipeError:
            raise
        except OSError as error:
            streams.say(f"can't write {path}: {error.strerror}")
            succeeded = False
    return succeeded


def _no_profile(records: Mapping[str, GilRecord]) -> str | None:
    """Return why no record has a profile, or None if one has."""
    if any(record.profile.nodes for record in records.values()):
        return None
    found = (record.profile.unavailable for record in records.values())
    return next((why for why in found if why), "no sample found the GIL held")


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
        # The name of a source file may have surrogates, which UTF-8 lacks.
        path.write_text(text, encoding="utf-8", errors="backslashreplace")
        return
    streams.results().write(text)
    streams.results().flush()
