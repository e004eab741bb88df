"""gildemo demo: the demonstration, which is also what `gildemo` alone runs."""

from __future__ import annotations

import argparse

from gildemo import executors
from gildemo._cli import exit_status, measuring
from gildemo._cli.options import UsageError, add_measuring_options
from gildemo._comparison import Progress
from gildemo._demo import PUBLISHED, Demonstration, conclusions, demonstration, original
from gildemo._report import formats, streams, terminal_lanes
from gildemo._report.demonstration_table import demonstration_table, original_table

_EPILOG = f"""\
examples:
  gildemo demo --executors threads,processes --rounds 9
  gildemo demo --json result.json --plot result.svg
  gildemo demo --original

{exit_status.EXPLAINED}
"""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the parser of this command."""
    parser = commands.add_parser(
        "demo",
        help="run the demonstration (the default)",
        description="Run the same tasks in each executor, with the GIL held and released,\n"
        "and say what the wall times mean.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--original",
        action="store_true",
        help="run the experiment of 2021 at its original size, and compare it with the published "
        "results (20 s)",
    )
    add_measuring_options(
        parser,
        workers="one for each usable CPU, at least 2; --original: 5",
        rounds="3; --original: 1",
    )
    formats.add_options(parser)
    parser.set_defaults(run=_run, parser=parser)


def _run(arguments: argparse.Namespace) -> int:
    if arguments.original and arguments.executors:
        raise UsageError("--original compares threads and processes: leave out --executors")
    no_records = "--original is timed, not monitored" if arguments.original else None
    if why := formats.problem(arguments, no_records):
        raise UsageError(why)
    given = {name: getattr(arguments, name) for name in ("workers", "rounds")}
    options = {name: value for name, value in given.items() if value is not None}
    try:
        if arguments.original:
            chosen = original(**options)
        else:
            names = arguments.executors or executors.AVAILABLE
            chosen = demonstration(names=names, **options)
    except ValueError as error:
        raise UsageError(str(error)) from error
    return measuring.run(_Demo(chosen, arguments), not arguments.no_progress)


class _Demo:
    """A demonstration as `measuring` runs it."""

    def __init__(self, demonstration: Demonstration, arguments: argparse.Namespace) -> None:
        self._demonstration = demonstration
        self._arguments = arguments

    def measure(self, progress: Progress | None) -> None:
        self._demonstration.run(progress)

    def is_anything_complete(self) -> bool:
        return bool(self._demonstration.comparisons)

    def report(self) -> bool:
        comparisons = self._demonstration.comparisons
        results = formats.Results(
            self._demonstration.to_dict(),
            comparisons,
            {c.task: c.gil for c in comparisons if c.gil is not None},
            comparisons[0].gil_unavailable if comparisons else None,
        )
        # First the files: a reader of standard output may go away.
        succeeded = formats.write(self._arguments, results)
        if comparisons and not formats.uses_stdout(self._arguments):
            self._print()
        return succeeded

    def _print(self) -> None:
        comparisons = self._demonstration.comparisons
        console = streams.console()
        if self._arguments.original:
            console.print(original_table(comparisons, PUBLISHED))
        else:
            console.print(demonstration_table(comparisons, console.width))
        console.print()
        monitored = [(c.task, c.gil) for c in comparisons if c.gil is not None]
        if monitored:
            console.print(terminal_lanes.LEGEND)
            for task, record in monitored:
                for line in terminal_lanes.lanes(task, record, console.width):
                    console.print(line)
            console.print()
        for sentence in conclusions(comparisons):
            console.print(sentence)
        for name, why in {n: w for c in comparisons for n, w in c.unavailable.items()}.items():
            streams.say(f"no result for {name}: {why}")
        if self._demonstration.monitor and not monitored:
            streams.say(f"no timeline: {comparisons[0].gil_unavailable}")
