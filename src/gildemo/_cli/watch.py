"""gildemo watch: run a program, then say who held the GIL."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from pathlib import Path
from typing import NoReturn

from gildemo import GilMonitorUnavailable, _json
from gildemo._cli import exit_status
from gildemo._cli.options import UsageError, seconds
from gildemo._cli.run_program import run_program
from gildemo._report import formats, streams
from gildemo._report.record_table import summary, thread_table
from gildemo._report.sites_table import sites_table
from gildemo.executors import signals
from gildemo.monitor import GilMonitor, GilRecord


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the parser of this command."""
    parser = commands.add_parser(
        "watch",
        help="run a program, then say who held the GIL",
        description="Run a Python program as `python` would, then say on standard error which\n"
        "threads held the GIL, which waited for it, and for how long. The output of the\n"
        "program stays as it is (`--json -` and `--trace -` write after it). The command\n"
        "exits with the status of the program.",
        usage="gildemo watch [options] (script.py | -m module) [ARG ...]",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--interval",
        type=seconds,
        metavar="SECONDS",
        help="average time between two samples (default: from 0.0002 to 0.003, shorter while the "
        "GIL is taken and released more often)",
    )
    formats.add_options(parser)
    parser.add_argument(
        "-m", dest="module", action="store_true", help="the program is a module or a package"
    )
    parser.add_argument("program", metavar="script.py", help=argparse.SUPPRESS)
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    parser.set_defaults(run=_run, parser=parser)


def _run(arguments: argparse.Namespace) -> NoReturn:
    if why := formats.problem(arguments):
        raise UsageError(why)
    try:
        monitor = GilMonitor(arguments.interval)
        monitor.start()
    except (GilMonitorUnavailable, ValueError) as error:
        raise UsageError(str(error)) from error
    pid = os.getpid()
    try:
        status = run_program([arguments.program, *arguments.arguments], arguments.module)
    except (OSError, ImportError) as error:
        monitor.stop()
        raise UsageError(f"can't run {arguments.program}: {error}") from error
    # In a child that the program forked there is nothing to report.
    if os.getpid() == pid:
        # The program's timers may still run: their handlers must not interrupt the report.
        with signals.ignored():
            record = monitor.stop()
            if not _report(record, arguments):
                status = exit_status.FAILED
    # The program's threads have ended, but the functions that it registered with atexit have not
    # run yet.
    sys.exit(status)


def _report(record: GilRecord, arguments: argparse.Namespace) -> bool:
    """Write the files and show the record; return whether all files were written."""
    # The program may have closed or removed its streams. What it printed comes first.
    with contextlib.suppress(AttributeError, ValueError):
        sys.stdout.flush()
    program = arguments.program
    results = formats.Results(
        _json.wrap("record", {"program": program, **record.to_dict()}),
        records={Path(program).name: record},
    )
    succeeded = formats.write(arguments, results)
    if sys.stderr is not None and not sys.stderr.closed:
        with contextlib.suppress(OSError):
            _print(record)
    return succeeded


def _print(record: GilRecord) -> None:
    console = streams.console(stderr=True)
    console.print()
    console.print(summary(record))
    if record.samples:
        console.print(thread_table(record, console.width))
        sites = sites_table(record, console.width)
        if sites is not None:
            console.print()
            console.print(sites)
