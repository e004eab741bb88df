"""Numbers and times as text that people read."""

from __future__ import annotations

import math


def seconds(value: float) -> str:
    """Return a duration with three significant digits and a unit."""
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if value >= size:
            return f"{_three_digits(value / size)} {unit}"
    return f"{_three_digits(value * 1e9)} ns" if value >= 1e-9 else "0 ns"


def number(value: float) -> str:
    """Return a number with three significant digits; a large one in k, M or G."""
    for suffix, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if value >= size:
            return f"{_three_digits(value / size)}{suffix}"
    return _three_digits(value)


def counted(count: int, noun: str) -> str:
    """Return a count with its noun, which is plural unless the count is 1."""
    many = f"{count:,}" if count < 10_000 else number(count)
    return f"1 {noun}" if count == 1 else f"{many} {noun}s"


def rounded_up(value: float) -> int:
    """Round up to a whole number with at most two significant digits."""
    size = 1
    while value / size > 100:
        size *= 10
    # The quotient may be slightly too large because of a rounding error.
    return math.ceil(value / size * (1 - 1e-9)) * size


def _three_digits(value: float) -> str:
    return f"{value:.{0 if value >= 100 else 1 if value >= 10 else 2}f}"
