"""The command line: parse, call, exit. What the commands do is in commands.py."""

from __future__ import annotations

import argparse
import contextlib
import math
import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Any, NoReturn

from gildemo.executors import signals

EXIT_FAILED = 1
EXIT_INTERRUPTED = 130

_EPILOG = """\
examples:
  gildemo                           run the demonstration
  gildemo demo --original           the experiment of 2021, at its own size
  gildemo --executors thread,process --rounds 9
  gildemo --json result.json        keep the figures ("-": standard output)
  gildemo --plot result.png         draw them (needs gildemo[plot])
  gildemo compare -s 'import zlib; d = bytes(10**7)' 'zlib.compress(d)'
  gildemo compare --expect threads package.module:function --arg 'range(10)'
  gildemo report before.json after.json
  gildemo watch script.py ARG       run a program, then say who held the GIL
  gildemo watch --trace gil.json -m package    for ui.perfetto.dev

exit status: 0 done, 1 the measured code failed, 2 bad usage, 3 another verdict
than expected, 130 interrupted; of `watch`, that of the program
"""


_COMPARE_EPILOG = """\
examples:
  gildemo compare -s 'import zlib; d = bytes(10**7)' 'zlib.compress(d)'
  gildemo compare package.module:function --arg 'range(10)' --arg 3
  gildemo compare --expect threads --json after.json package.module:function

exit status: 0 done, 1 the measured code failed, 2 bad usage, 3 another verdict
than expected, 130 interrupted
"""


class _TerminatedError(KeyboardInterrupt):
    """SIGTERM or SIGHUP: an interruption, but for its exit status."""

    def __init__(self, signum: int) -> None:
        super().__init__()
        self.signum = signum


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """Run the command with `argv` (default: sys.argv[1:]), and exit with its status."""
    try:
        signals.on_termination(_on_termination, signal.SIGTERM, signal.SIGHUP)
        arguments = _parse(sys.argv[1:] if argv is None else list(argv))
        status = _command(arguments.run)(arguments)
        sys.stdout.flush()
        if arguments.run == "watch":
            # Its threads were awaited, and it may have more to do at exit.
            sys.exit(status)
    except _TerminatedError as termination:
        status = 128 + termination.signum
    except KeyboardInterrupt:
        status = EXIT_INTERRUPTED
    except BrokenPipeError:
        # The reader has gone. Python would flush stdout once more when it exits.
        from gildemo._report import output

        os.dup2(os.open(os.devnull, os.O_WRONLY), output.results().fileno())
        status = EXIT_FAILED
    _exit(status)


def _command(name: str) -> Callable[[argparse.Namespace], int]:
    from gildemo._cli import _old_commands as commands
    from gildemo._cli import compare as compare_command

    return {
        "demo": commands.demo,
        "watch": commands.watch,
        "compare": compare_command.compare,
        "report": compare_command.report,
    }[name]


def _on_termination(signum: int, frame: FrameType | None) -> NoReturn:
    raise _TerminatedError(signum)


def _exit(status: int) -> NoReturn:
    """Exit, without another traceback if Ctrl-C is pressed twice."""
    with contextlib.suppress(ValueError):
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    # A thread that still runs can't be ended, and the interpreter would wait for it.
    patience = 3.0 if status == EXIT_INTERRUPTED else 0.1
    for thread in threading.enumerate():
        if thread is not threading.current_thread() and not thread.daemon:
            thread.join(patience)
            if thread.is_alive():
                sys.stderr.write(
                    f"gildemo: a thread of the task still runs ({thread.name}), which can't be "
                    "ended from outside; leaving without it\n"
                )
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(status)
    sys.exit(status)


def _parse(argv: list[str]) -> argparse.Namespace:
    from gildemo import __version__

    parser = argparse.ArgumentParser(
        prog="gildemo",
        description="Shows when releasing the GIL makes threads as fast as processes.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"gildemo {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _add_demo(commands)
    _add_compare(commands)
    _add_watch(commands)
    _add_report(commands)
    if not argv or (argv[0].startswith("-") and argv[0] not in ("-h", "--help", "--version")):
        argv = ["demo", *argv]
    arguments, unknown = parser.parse_known_args(argv)
    if unknown:
        arguments.parser.error(f"unrecognized arguments: {' '.join(unknown)}")
    return arguments


def _add_demo(commands: Any) -> None:
    demo = commands.add_parser(
        "demo",
        help="the demonstration (the default)",
        description="Run six tasks serially, in threads, in processes and in subinterpreters,\n"
        "and say what the wall times mean.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    demo.add_argument(
        "--original",
        action="store_true",
        help="the experiment of 2021 at its own size, beside the published figures (20 s)",
    )
    _add_common(demo, workers="--original: 5", rounds="3; --original: 1")
    demo.set_defaults(run="demo", parser=demo)


def _add_compare(commands: Any) -> None:
    compare = commands.add_parser(
        "compare",
        help="threads or processes, for your own code?",
        description="Compare threads and processes on a statement, as `python -m timeit` takes\n"
        "it, or on a function, and say which to use, and why.",
        usage="gildemo compare [options] [-s SETUP] STMT ...\n"
        "       gildemo compare [options] package.module:function [--arg EXPR ...]",
        epilog=_COMPARE_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    compare.add_argument(
        "-s",
        "--setup",
        action="append",
        default=[],
        metavar="SETUP",
        help="run once in each worker, before it is measured; may be repeated",
    )
    compare.add_argument(
        "--arg",
        action="append",
        default=[],
        metavar="EXPR",
        help="an argument of the function, evaluated in its module; may be repeated",
    )
    compare.add_argument(
        "--expect",
        choices=("threads", "processes", "neither"),
        help="exit with status 3 if the verdict is another",
    )
    compare.add_argument(
        "--min-time",
        type=_seconds,
        default=0.1,
        metavar="SECONDS",
        help="repeat a short call until one measurement takes so long (default: 0.1)",
    )
    compare.add_argument(
        "--max-time",
        type=_seconds,
        default=30.0,
        metavar="SECONDS",
        help="measure for no longer, even if the answer is not clear (default: 30)",
    )
    compare.add_argument(
        "--timeout",
        type=_seconds,
        metavar="SECONDS",
        help="give up if one measurement takes so long (default: never)",
    )
    _add_common(compare, workers="", rounds="until the answer is clear")
    compare.add_argument("statement", nargs="+", metavar="STMT", help=argparse.SUPPRESS)
    compare.set_defaults(run="compare", parser=compare)


def _add_report(commands: Any) -> None:
    report = commands.add_parser(
        "report",
        help="print earlier runs side by side",
        description="Print what --json wrote, side by side: of another Python, of a\n"
        "free-threaded build, or from before and after a change.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    report.add_argument("files", nargs="+", metavar="FILE", help="a file that --json wrote")
    report.set_defaults(run="report", parser=report)


def _add_common(parser: argparse.ArgumentParser, workers: str, rounds: str) -> None:
    parser.add_argument(
        "--workers",
        type=_positive,
        metavar="N",
        help="tasks at once (default: one for each usable CPU, at least 2"
        + (f"; {workers})" if workers else ")"),
    )
    parser.add_argument(
        "--rounds",
        type=_positive,
        metavar="N",
        help=f"how often each is measured (default: {rounds})",
    )
    parser.add_argument(
        "--executors",
        type=lambda text: tuple(text.split(",")),
        metavar="LIST",
        help="comma-separated: serial, thread, process, process:spawn (or another start "
        "method), interpreter (Python 3.14 and later; default: all)",
    )
    parser.add_argument(
        "--no-progress", action="store_true", help="show no progress bar (nor without a terminal)"
    )
    _add_files(parser)


def _add_watch(commands: Any) -> None:
    watch = commands.add_parser(
        "watch",
        help="run a program, then say who held the GIL",
        description="Run a Python program as `python` would, and then say on standard error,\n"
        "thread by thread, who held the GIL, who waited for it, and for how long. What\n"
        "the program prints is left alone (`--json -` and `--trace -` come after it);\n"
        "its exit status is that of the command.",
        usage="gildemo watch [options] (script.py | -m module) [ARG ...]",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    watch.add_argument(
        "--interval",
        type=_seconds,
        metavar="SECONDS",
        help="time between two samples, on average (default: from 0.0002 to 0.003, the shorter the "
        "more often the GIL is taken or given up)",
    )
    _add_files(watch)
    watch.add_argument(
        "-m", dest="module", action="store_true", help="the program is a module or a package"
    )
    watch.add_argument("program", metavar="script.py", help=argparse.SUPPRESS)
    watch.add_argument("arguments", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    watch.set_defaults(run="watch", parser=watch)


def _add_files(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--json", metavar="FILE", help='write the figures as JSON ("-": to standard output)'
    )
    parser.add_argument(
        "--trace",
        metavar="FILE",
        help='write who held the GIL when, for ui.perfetto.dev ("-": to standard output)',
    )
    parser.add_argument(
        "--plot", metavar="FILE", help="draw a picture (.png, .svg or .pdf by its ending)"
    )


def _positive(text: str) -> int:
    number = int(text) if text.isascii() and text.isdigit() else 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"a whole number from 1 on is needed, not {text!r}")
    return number


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (value >= 0 and math.isfinite(value)):
        raise argparse.ArgumentTypeError(f"a number of seconds is needed, not {text!r}")
    return value
