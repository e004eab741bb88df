"""Numbers as people read them."""

from __future__ import annotations

import pytest

from gildemo._units import counted, number, rounded_up, seconds


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0 ns"),
        (1.23e-9, "1.23 ns"),
        (4.5e-5, "45.0 µs"),
        (0.123456, "123 ms"),
        (2, "2.00 s"),
        (3600, "3600 s"),
    ],
)
def test_seconds(value: float, text: str) -> None:
    assert seconds(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.5, "0.50"), (12.34, "12.3"), (1234, "1.23k"), (5e6, "5.00M"), (2.5e11, "250G")],
)
def test_number(value: float, text: str) -> None:
    assert number(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(1, "1 call"), (2, "2 calls"), (9999, "9,999 calls"), (10**7, "10.0M calls")],
)
def test_counted(value: int, text: str) -> None:
    assert counted(value, "call") == text


@pytest.mark.parametrize(
    ("value", "expected"), [(1, 1), (1.1, 2), (99.5, 100), (101, 110), (51_234, 52_000)]
)
def test_rounded_up(value: float, expected: int) -> None:
    assert rounded_up(value) == expected
