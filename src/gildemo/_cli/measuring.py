"""What demo and compare share: a progress bar, and a report even if the measurement ends early."""

from __future__ import annotations

import contextlib
import importlib.util
import re
import signal
import sys
from collections.abc import Iterator
from types import FrameType
from typing import NoReturn, Protocol

from rich.console import Console
from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as ProgressBar

from gildemo._cli import exit_status
from gildemo._comparison import MeasurementError, Progress
from gildemo._report import streams
from gildemo.executors import signals


class Measuring(Protocol):
    """A measurement as a command runs it."""

    def measure(self, progress: Progress | None) -> None:
        """Measure. Raises MeasurementError."""

    def report(self) -> bool:
        """Show and write what is complete so far; return whether all files were written."""

    def is_anything_complete(self) -> bool:
        """Whether there is something to report."""


def run(measuring: Measuring, with_progress: bool) -> int:
    """Measure, and report what is complete even if the measurement ends early.

    Return the exit status. An interruption (by Ctrl-C, SIGTERM or SIGHUP) is raised again after
    the report.
    """
    restore = signals.on_termination(_terminate, signal.SIGTERM, signal.SIGHUP)
    try:
        return _run(measuring, with_progress)
    finally:
        restore()


def _terminate(signum: int, frame: FrameType | None) -> NoReturn:
    raise exit_status.TerminatedError(signum)


def _run(measuring: Measuring, with_progress: bool) -> int:
    try:
        with _progress_bar(with_progress) as progress:
            measuring.measure(progress)
    except KeyboardInterrupt as interruption:
        # A second Ctrl-C must not spoil the report.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        measuring.report()
        complete = measuring.is_anything_complete()
        so_far = "these are the results so far" if complete else "no result is complete"
        streams.say(f"interrupted; {so_far}")
        raise interruption from None
    except MeasurementError as error:
        measuring.report()
        sys.stderr.write(_shortened(error.trace))
        streams.say(f"{error}{_hint(error)}")
        return exit_status.FAILED
    return exit_status.DONE if measuring.report() else exit_status.FAILED


def _shortened(trace: str) -> str:
    lines = [line if len(line) < 1000 else f"{line[:1000]}..." for line in trace.splitlines()]
    return "".join(f"{line}\n" for line in lines)


def _hint(error: MeasurementError) -> str:
    """Return what to write instead if a statement uses a module without importing it."""
    found = re.search(r"name '(\w+)' is not defined", str(error.__cause__))
    if found is None or importlib.util.find_spec(found[1]) is None:
        return ""
    return f" (add -s 'import {found[1]}', or name a function as {found[1]}:function)"


@contextlib.contextmanager
def _progress_bar(wanted: bool) -> Iterator[Progress | None]:
    """Show a progress bar on standard error, if that is a terminal."""
    if not wanted or not sys.stderr.isatty():
        yield None
        return
    # No thread refreshes the bar: the thread would compete for the GIL that is being measured, and
    # a process should not fork while it has other threads.
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
