"""Options that several commands share, and the types of their values."""

from __future__ import annotations

import argparse
import math

from gildemo.executors import registry


class UsageError(Exception):
    """Something on the command line is wrong; the text says what."""


def add_measuring_options(parser: argparse.ArgumentParser, workers: str, rounds: str) -> None:
    """Add the options of commands that measure executors; the texts are their defaults."""
    parser.add_argument(
        "--workers",
        type=positive,
        metavar="N",
        help=f"calls at once (default: {workers})",
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
        "--no-progress", action="store_true", help="show no progress bar (default in a pipe)"
    )


def positive(text: str) -> int:
    """Return a whole number of at least 1."""
    number = int(text) if text.isascii() and text.isdigit() else 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number of at least 1, not {text!r}")
    return number


def seconds(text: str) -> float:
    """Return a number of seconds."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (value >= 0 and math.isfinite(value)):
        raise argparse.ArgumentTypeError(f"must be a number of seconds, not {text!r}")
    return value
