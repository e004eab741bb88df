"""The command line: parse, run a command, exit. Each command is a module of this package."""

from __future__ import annotations

import argparse
import contextlib
import importlib
import os
import signal
import sys
import threading
from collections.abc import Sequence
from typing import NoReturn, Protocol

from gildemo import __version__
from gildemo._cli import exit_status
from gildemo._cli.options import UsageError

# Each is a Command, imported only when it is needed: `watch` runs in the program that it watches.
_COMMANDS = ("demo", "compare", "watch", "report")
_DEFAULT = "demo"

_EPILOG = f"""\
examples:
  gildemo                           run the demonstration
  gildemo demo --original           the experiment of 2021, at its original size
  gildemo --executors threads,processes --rounds 9
  gildemo --json result.json        write the results ("-": standard output)
  gildemo --plot result.png         draw them (needs gildemo[plot])
  gildemo compare -s 'import zlib; d = bytes(10**7)' 'zlib.compress(d)'
  gildemo compare --expect threads package.module:function --arg 'range(10)'
  gildemo report before.json after.json
  gildemo watch script.py ARG       run a program, then say who held the GIL
  gildemo watch --trace gil.json -m package    for ui.perfetto.dev

{exit_status.EXPLAINED}
Run `gildemo COMMAND --help` for the options of a command.
"""


class Command(Protocol):
    """What a module of this package provides to be a command."""

    def add_parser(self, commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
        """Add the command's parser, with `run` set to a function of the parsed arguments.

        `run` returns the exit status, or raises UsageError. It may also exit by itself.
        """


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """Run the command with `argv` (default: sys.argv[1:]), and exit with its status."""
    try:
        arguments = _parse(sys.argv[1:] if argv is None else list(argv))
        status: int = arguments.run(arguments)
        sys.stdout.flush()
    except UsageError as error:
        sys.stderr.write(f"gildemo: {error}\n")
        status = exit_status.USAGE
    except exit_status.TerminatedError as termination:
        status = termination.exit_status
    except KeyboardInterrupt:
        status = exit_status.INTERRUPTED
    except BrokenPipeError:
        from gildemo._report import streams

        # Python would flush standard output once more when it exits.
        streams.discard_results()
        status = exit_status.FAILED
    _exit(status)


def _parse(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="gildemo",
        description="Shows when releasing the GIL makes threads as fast as processes.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"gildemo {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    if not argv or (argv[0].startswith("-") and argv[0] not in ("-h", "--help", "--version")):
        argv = [_DEFAULT, *argv]
    for name in argv[:1] if argv[0] in _COMMANDS else _COMMANDS:
        command: Command = importlib.import_module(f"gildemo._cli.{name}")
        command.add_parser(commands)
    arguments, unknown = parser.parse_known_args(argv)
    if unknown:
        arguments.parser.error(f"unrecognized arguments: {' '.join(unknown)}")
    return arguments


def _exit(status: int) -> NoReturn:
    """Exit. From here on, Ctrl-C is ignored, so it can't cause a traceback."""
    with contextlib.suppress(ValueError):
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    # The interpreter would wait for threads that still run, and nothing can end a thread.
    patience = 3.0 if status == exit_status.INTERRUPTED else 0.1
    for thread in threading.enumerate():
        if thread is not threading.current_thread() and not thread.daemon:
            thread.join(patience)
            if thread.is_alive():
                sys.stderr.write(
                    f"gildemo: exiting while a thread of the task still runs ({thread.name}), "
                    "because a thread can't be ended from outside\n"
                )
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(status)
    sys.exit(status)
