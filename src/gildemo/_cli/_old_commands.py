"""What the commands do: measure, render, and say how it went as an exit status."""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as ProgressBar

from gildemo import GilMonitorUnavailable, executors
from gildemo._cli import run_program as program
from gildemo._comparison._compare import Progress
from gildemo._comparison.experiment import MeasurementError
from gildemo._comparison.results import Comparison
from gildemo._demo import demonstration as demonstrations
from gildemo._demo.demonstration import Demonstration
from gildemo._report import demonstration_table as table
from gildemo._report import lanes as timeline
from gildemo._report import output, plot
from gildemo._report import perfetto as trace
from gildemo._report import record_table as watched
from gildemo.executors import signals
from gildemo.monitor import GilMonitor, GilRecord

EXIT_FAILED = 1
EXIT_USAGE = 2


def usage_error(message: str) -> int:
    """Say what is wrong with the command line; return the exit status."""
    sys.stderr.write(f"gildemo: {message}\n")
    return EXIT_USAGE


def unwritable(arguments: argparse.Namespace) -> str | None:
    """Why the files of these options could not be written; to be asked before measuring."""
    paths = [arguments.json, arguments.trace]
    if paths.count("-") > 1:
        return "only one of --json and --trace can be -"
    if getattr(arguments, "plot", None):
        problem = plot.unusable(Path(arguments.plot))
        if problem:
            return problem
        paths.append(arguments.plot)
    return next((why for why in map(output.not_writable, paths) if why), None)


def demo(arguments: argparse.Namespace) -> int:
    """Run the demonstration; return the exit status."""
    if arguments.original and arguments.executors:
        return usage_error("--original compares threads and processes: leave out --executors")
    if arguments.original and arguments.trace:
        return usage_error("--original is timed, and not monitored: leave out --trace")
    problem = unwritable(arguments)
    if problem:
        return usage_error(problem)
    options = {name: getattr(arguments, name) for name in ("workers", "rounds")}
    options = {name: value for name, value in options.items() if value is not None}
    try:
        if arguments.original:
            demonstration = demonstrations.original(**options)
        else:
            names = arguments.executors or executors.AVAILABLE
            demonstration = demonstrations.demonstration(names=names, **options)
    except ValueError as error:
        return usage_error(str(error))
    return _run(demonstration, arguments)


def _run(demonstration: Demonstration, arguments: argparse.Namespace) -> int:
    """Measure and report; report what there is also when it ends early."""
    try:
        with progress_bar(not arguments.no_progress) as progress:
            demonstration.run(progress)
    except KeyboardInterrupt as interruption:
        # From here on it only prints, which a second Ctrl-C should not spoil.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        _report(demonstration, arguments)
        so_far = "this is" if demonstration.comparisons else "nothing is complete of"
        sys.stderr.write(f"gildemo: interrupted; {so_far} what was measured so far\n")
        raise interruption from None
    except MeasurementError as error:
        _report(demonstration, arguments)
        sys.stderr.write(f"gildemo: {error}\n")
        return EXIT_FAILED
    return EXIT_FAILED if _report(demonstration, arguments) else 0


def _report(demonstration: Demonstration, arguments: argparse.Namespace) -> bool:
    """Show what was measured; return whether some file could not be written."""
    comparisons = demonstration.comparisons
    if comparisons and "-" not in (arguments.json, arguments.trace):
        _print(demonstration, arguments.original)
    failed = False
    if arguments.json:
        failed |= not output.write_json(arguments.json, demonstration.to_dict())
    if arguments.trace:
        failed |= not write_trace(comparisons, arguments.trace)
    if arguments.plot and comparisons:
        failed |= not write_plot(comparisons, arguments.plot)
    return failed


def _print(demonstration: Demonstration, original: bool) -> None:
    comparisons = demonstration.comparisons
    console = output.console()
    if original:
        console.print(table.original(comparisons, demonstrations.PUBLISHED))
    else:
        console.print(table.demonstration(comparisons, console.width))
    console.print()
    monitored = [(c.task, c.gil) for c in comparisons if c.gil is not None]
    if monitored:
        console.print(timeline.LEGEND)
        for task, record in monitored:
            for line in timeline.lanes(task, record, console.width):
                console.print(line)
        console.print()
    for sentence in demonstrations.conclusions(comparisons):
        console.print(sentence)
    notes = {f"without {name}": why for name, why in table.unavailable(comparisons).items()}
    if demonstration.monitor and not monitored:
        notes["no timeline"] = str(comparisons[0].gil_unavailable)
    for what, why in notes.items():
        sys.stderr.write(f"gildemo: {what}: {why}\n")


def write_plot(comparisons: list[Comparison], path: str) -> bool:
    """Draw comparisons; return whether that went well."""
    return _drawn(lambda: plot.plot(comparisons, Path(path)), path)


def _drawn(draw: Callable[[], None], path: str) -> bool:
    try:
        draw()
    except OSError as error:
        sys.stderr.write(f"gildemo: can't write {path}: {error.strerror}\n")
        return False
    return True


def write_trace(comparisons: list[Comparison], path: str) -> bool:
    """Write what monitors saw, and say why if that is nothing; return whether that went well."""
    records = {c.task: c.gil for c in comparisons if c.gil is not None}
    if comparisons and not records:
        sys.stderr.write(f"gildemo: the trace is empty: {comparisons[0].gil_unavailable}\n")
    return _traced(records, path)


def _traced(records: dict[str, GilRecord], path: str) -> bool:
    return output.write(path, lambda file: trace.write(records, file))


@contextlib.contextmanager
def progress_bar(wanted: bool) -> Iterator[Progress | None]:
    """A progress bar on stderr, if that is a terminal."""
    if not wanted or not sys.stderr.isatty():
        yield None
        return
    # No thread refreshes it: that would compete for the GIL which is being measured, and a
    # process that forks should have no other threads.
    bar = ProgressBar(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        auto_refresh=False,
        transient=True,
    )
    with bar:
        task = bar.add_task("")

        def show(done: int, total: int, what: str) -> None:
            bar.update(task, completed=done, total=total, description=what, refresh=True)

        yield show


def watch(arguments: argparse.Namespace) -> int:
    """Run a program under a monitor; return the exit status, mostly the program's."""
    problem = unwritable(arguments)
    if problem:
        return usage_error(problem)
    try:
        monitor = GilMonitor(arguments.interval)
        monitor.start()
    except (GilMonitorUnavailable, ValueError) as error:
        return usage_error(str(error))
    # The program gets the signals that Python would give it.
    for signum in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(signum, signal.SIG_DFL)
    pid = os.getpid()
    try:
        status = program.run([arguments.program, *arguments.arguments], arguments.module)
    except (OSError, ImportError) as error:
        monitor.stop()
        return usage_error(f"can't run {arguments.program}: {error}")
    if os.getpid() != pid:
        # The program forked, and this is the end of its child.
        return status
    # Not only Ctrl-C may come again: the program's own timer may still run.
    with signals.ignored():
        record = monitor.stop()
        return EXIT_FAILED if _report_watched(record, arguments) else status


def _report_watched(record: GilRecord, arguments: argparse.Namespace) -> bool:
    """Show on stderr what was seen; return whether some file could not be written."""
    sys.stdout.flush()
    console = output.console(stderr=True)
    console.print()
    console.print(watched.summary(record))
    if record.samples:
        console.print(watched.threads(record))
    failed = False
    if arguments.json:
        failed |= not output.write_json(arguments.json, {"schema": 1, "gil": record.to_dict()})
    if arguments.trace:
        failed |= not _traced({arguments.program: record}, arguments.trace)
    if path := arguments.plot:
        name = Path(arguments.program).name
        failed |= not _drawn(lambda: plot.plot_record(name, record, Path(path)), path)
    return failed
