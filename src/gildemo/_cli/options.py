"""Options that several commands share, and the types of their values."""

from __future__ import annotations

import argparse
import math

from gildemo.executors import registry


class UsageError(Exception):
    """The command line is wrong; the text says what is wrong."""


def add_measuring_options(parser: argparse.ArgumentParser, workers: str, rounds: str) -> None:
    """Add the options of commands that measure executors.

    workers: the default of --workers, for the help text.
    rounds: the default of --rounds, for the help text.
    """
    parser.add_argument(
        "--workers",
        type=positive,
        metavar="N",
        help=f"how many calls run at a time (default: {workers})",
    )
    parser.add_argument(
        "--rounds",
        type=positive,
        metavar="N",
        help=f"how often each executor is measured (default: {rounds})",
    )
    parser.add_argument(
        "--executors",
        type=lambda text: tuple(text.split(",")),
        metavar="LIST",
        help=f"comma-separated: {registry.spelled()} (default: all that this Python has)",
    )
    parser.add_argument(
        "--no-progress",
        action="store_true",
        help="show no progress bar (the default if standard error is not a terminal)",
    )


def positive(text: str) -> int:
    """Return a whole number of at least 1."""
    number = int(text) if text.isascii() and text.isdigit() else 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number of at least 1, not {text!r}")
    return number


def seconds(text: str) -> float:
    """Return a finite number of seconds, 0 or more."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (value >= 0 and math.isfinite(value)):
        raise argparse.ArgumentTypeError(f"must be 0 or more seconds, not {text!r}")
    return value
