"""gildemo compare: threads or processes, for the user's own code."""

from __future__ import annotations

import argparse
import contextlib
import faulthandler
import os
import sys
import tempfile
import traceback
from collections.abc import Iterator

from gildemo import executors
from gildemo._cli import exit_status, measuring
from gildemo._cli.options import UsageError, add_measuring_options, seconds
from gildemo._cli.run_program import set_first_path
from gildemo._cli.task_argument import ImportFailedError, TaskError, task_from_arguments
from gildemo._comparison import Comparison, MeasurementError, Progress, Verdict, run
from gildemo._comparison.experiment import Experiment
from gildemo._comparison.measurement import UnpicklableTaskError
from gildemo._report import formats, streams, terminal_lanes
from gildemo._report.comparison_table import answer, comparison_table, legend, setting

# Python can't interrupt a task that never releases the GIL. In that case a native thread of
# faulthandler ends the process, this many seconds after the timeout.
_LAST_RESORT = 10.0

_EPILOG = f"""\
examples:
  gildemo compare -s 'import zlib; d = bytes(10**7)' 'zlib.compress(d)'
  gildemo compare package.module:function --arg 'range(10)' --arg 3
  gildemo compare --expect threads --json after.json package.module:function

{exit_status.EXPLAINED}
"""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the parser of this command."""
    parser = commands.add_parser(
        "compare",
        help="compare threads with processes for your own code",
        description="Compare threads with processes for a statement (as in `python -m timeit`)\n"
        "or for a function, and say which to use and why.",
        usage="gildemo compare [options] [-s SETUP] STMT ...\n"
        "       gildemo compare [options] package.module:function [--arg EXPR ...]",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "-s",
        "--setup",
        action="append",
        default=[],
        metavar="SETUP",
        help="code to run before the statement is measured; may be repeated",
    )
    parser.add_argument(
        "--arg",
        action="append",
        default=[],
        metavar="EXPR",
        help="an argument of the function, evaluated in its module; may be repeated",
    )
    parser.add_argument(
        "--expect",
        choices=[verdict.value for verdict in Verdict if verdict is not Verdict.INCONCLUSIVE],
        help="exit with status 3 if the verdict is different",
    )
    parser.add_argument(
        "--min-time",
        type=seconds,
        default=0.1,
        metavar="SECONDS",
        help="repeat a short call until one measurement takes this long (default: 0.1)",
    )
    parser.add_argument(
        "--max-time",
        type=seconds,
        default=30.0,
        metavar="SECONDS",
        help="stop after this time even if the verdict is inconclusive (default: 30)",
    )
    parser.add_argument(
        "--timeout",
        type=seconds,
        metavar="SECONDS",
        help="give up if one measurement takes longer (default: never)",
    )
    add_measuring_options(
        parser,
        workers="one for each usable CPU, at least 2",
        rounds="until the verdict is clear",
    )
    formats.add_options(parser)
    parser.add_argument("statement", nargs="+", metavar="STMT", help=argparse.SUPPRESS)
    parser.set_defaults(run=_run, parser=parser)


def _run(arguments: argparse.Namespace) -> int:
    if why := formats.problem(arguments):
        raise UsageError(why)
    streams.reserve_stdout()
    set_first_path(os.getcwd())  # noqa: PTH109 (sys.path wants a str)
    try:
        task, args, name = task_from_arguments(arguments.statement, arguments.setup, arguments.arg)
        experiment = Experiment(
            task,
            *args,
            name=name,
            workers=arguments.workers,
            executors=arguments.executors or executors.AVAILABLE,
            timeout=arguments.timeout,
            sending=True,
        )
    except SyntaxError as error:
        sys.stderr.write("".join(traceback.format_exception_only(error)))
        return exit_status.USAGE
    except (TaskError, ValueError) as error:
        raise UsageError(str(error)) from error
    except ImportFailedError as error:
        sys.stderr.write(str(error))
        return exit_status.FAILED
    status = measuring.run(_Compare(experiment, arguments), not arguments.no_progress)
    return status or _check_expected(experiment.comparison(), arguments.expect)


def _check_expected(comparison: Comparison | None, expected: str | None) -> int:
    assert comparison is not None
    found = comparison.verdict.value
    if expected in (None, found):
        return exit_status.DONE
    streams.say(f"expected the verdict {expected}, but it is {found}")
    return exit_status.UNEXPECTED


class _Compare:
    """An experiment as `measuring` runs it."""

    def __init__(self, experiment: Experiment, arguments: argparse.Namespace) -> None:
        self._experiment = experiment
        self._arguments = arguments

    def measure(self, progress: Progress | None) -> None:
        experiment, arguments = self._experiment, self._arguments

        def show(done: int, total: int, name: str) -> None:
            if progress is not None:
                progress(done, total, f"round {experiment.rounds + 1}, {name}")

        experiment.around = lambda: _last_resort(arguments.timeout)
        with _kept_streams():
            self._calibrate()
            if not experiment.kinds[0].concurrent:
                # Under other executors, the output may not be that of the task.
                with _printing_noticed(experiment):
                    experiment.step()
            run(experiment, arguments.rounds, arguments.max_time, progress=show)

    def _calibrate(self) -> None:
        """Calibrate in a process, because the very first call may crash or hang."""
        min_time = self._arguments.min_time
        try:
            self._experiment.calibrate(min_time, executors.resolve("processes"))
        except MeasurementError as error:
            if not isinstance(error.__cause__, UnpicklableTaskError):
                raise
            self._experiment.calibrate(min_time, executors.resolve("serial"))

    def is_anything_complete(self) -> bool:
        return self._experiment.rounds > 0

    def report(self) -> bool:
        comparison = self._experiment.comparison()
        if comparison is None:
            return True
        record = comparison.gil
        results = formats.Results(
            comparison.to_dict(),
            [comparison],
            {} if record is None else {comparison.task: record},
            comparison.gil_unavailable,
        )
        # First the files: a reader of standard output may go away.
        succeeded = formats.write(self._arguments, results)
        if not formats.uses_stdout(self._arguments):
            _print(comparison)
        for name, why in comparison.unavailable.items():
            streams.say(f"no result for {name}: {why}")
        for warning in comparison.warnings:
            streams.say(warning)
        return succeeded


def _print(comparison: Comparison) -> None:
    console = streams.console()
    console.print(comparison.task, style="bold")
    console.print(setting(comparison))
    console.print()
    console.print(comparison_table(comparison, console.width))
    console.print(legend(console.width), style="dim")
    console.print()
    if comparison.gil is not None:
        console.print(terminal_lanes.LEGEND)
        title = "one more round in threads"
        for line in terminal_lanes.lanes(title, comparison.gil, console.width):
            console.print(line)
        console.print()
    console.print(answer(comparison))


@contextlib.contextmanager
def _last_resort(timeout: float | None) -> Iterator[None]:
    """End this process if a measurement does not end."""
    if timeout is not None:
        faulthandler.dump_traceback_later(timeout + _LAST_RESORT, exit=True)
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()


@contextlib.contextmanager
def _kept_streams() -> Iterator[None]:
    """Restore the standard streams, which a task in this process may close or replace."""
    stdout, stderr, descriptor = sys.stdout, sys.stderr, os.dup(2)
    try:
        yield
    finally:
        os.dup2(descriptor, 2)
        os.close(descriptor)
        sys.stdout, sys.stderr = stdout, stderr


@contextlib.contextmanager
def _printing_noticed(experiment: Experiment) -> Iterator[None]:
    """Add a warning to the experiment if the task prints."""
    stdout = sys.stdout
    with tempfile.TemporaryFile() as file:
        before = os.dup(1)
        os.dup2(file.fileno(), 1)
        try:
            yield
        finally:
            stdout.flush()
            os.dup2(before, 1)
            os.close(before)
        file.seek(0)
        printed = file.readline(60).decode(errors="replace").rstrip()
    if printed:
        experiment.warnings.append(
            f"the task prints, which takes time; its output ({printed!r}, ...) is discarded"
        )
