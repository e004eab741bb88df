"""gildemo report: earlier runs side by side."""

from __future__ import annotations

import argparse
from pathlib import Path

from gildemo import Comparison, _json
from gildemo._cli import exit_status
from gildemo._cli.options import UsageError
from gildemo._report import streams
from gildemo._report.comparison_table import side_by_side


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the parser of this command."""
    parser = commands.add_parser(
        "report",
        help="print earlier runs side by side",
        description="Print the results that --json wrote, side by side: for example from other\n"
        "Python versions, from a free-threaded build, or from before and after a change.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("files", nargs="+", metavar="FILE", help="a file that --json wrote")
    parser.set_defaults(run=_run, parser=parser)


def _run(arguments: argparse.Namespace) -> int:
    runs: dict[str, list[Comparison]] = {}
    for path in arguments.files:
        name = Path(path).stem
        try:
            runs[path if name in runs else name] = _read(Path(path))
        except OSError as error:
            raise UsageError(f"can't read {path}: {error.strerror}") from error
        except ValueError as error:
            raise UsageError(f"{path}: {error}") from error
    streams.console().print(side_by_side(runs))
    return exit_status.DONE


def _read(path: Path) -> list[Comparison]:
    """Return the comparisons in a file of `compare` or of the demonstration."""
    kind, fields = _json.read(path.read_text(encoding="utf-8"))
    if kind == "record":
        raise ValueError(
            "`gildemo watch` wrote this file: use a file that `gildemo compare` or `gildemo demo` "
            "wrote with --json"
        )
    if kind == "comparison":
        return [Comparison.from_dict(fields)]
    comparisons = fields.get("comparisons")
    if not isinstance(comparisons, list):
        raise ValueError(f"comparisons must be a list, not {comparisons!r}: {_json.ADVICE}")
    return [Comparison.from_dict(part) for part in comparisons]
