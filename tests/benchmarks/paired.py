"""Measuring two things against each other on a machine that does not stand still."""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import pytest


class Benchmark(Protocol):
    """The part of pytest-benchmark's fixture that is used here. Its own methods have no types."""

    group: str | None
    extra_info: dict[str, object]

    def pedantic(
        self,
        target: Callable[..., Any],
        args: tuple[object, ...] = (),
        kwargs: dict[str, object] | None = None,
        setup: Callable[[], None] | None = None,
        *,
        rounds: int = 1,
        warmup_rounds: int = 0,
    ) -> Any: ...


class Spread(NamedTuple):
    """A median, and the quartiles around it: half of all values lie between them."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: list[float]) -> Spread:
        """Needs at least two values."""
        low, median, high = statistics.quantiles(values, n=4, method="inclusive")
        return cls(median, low, high)

    def text(self, scale: float, unit: str, digits: int = 1) -> str:
        low, median, high = (
            f"{value * scale:.{digits}f}" for value in (self.low, self.median, self.high)
        )
        return f"{median} {unit} ({low} to {high})"


class Pairs(NamedTuple):
    """What `alternate` measured, in seconds, in pairs of one round each."""

    subject: list[float]
    reference: list[float]

    def ratio(self) -> Spread:
        return Spread.of([a / b for a, b in zip(self.subject, self.reference, strict=True)])

    def difference(self) -> Spread:
        return Spread.of([a - b for a, b in zip(self.subject, self.reference, strict=True)])


def alternate(
    benchmark: Benchmark,
    subject: Callable[[], float],
    reference: Callable[[], float],
    rounds: int,
) -> Pairs:
    """Run both in turn; each returns the seconds that it measured itself.

    The subject is compared with the mean of the reference's runs before and after it, so that a
    machine that gets steadily slower or faster favors neither of them.
    """
    subjects: list[float] = []
    references: list[float] = []
    # The first runs find cold caches and, maybe, a sleeping CPU.
    reference()
    subject()
    benchmark.pedantic(
        lambda: subjects.append(subject()),
        setup=lambda: references.append(reference()),
        rounds=rounds,
    )
    references.append(reference())
    # With --benchmark-disable there is one round, whatever was asked for.
    around = itertools.pairwise(references)
    pairs = Pairs(subjects, [(before + after) / 2 for before, after in around])
    return pairs if len(subjects) > 1 else Pairs(pairs.subject * 2, pairs.reference * 2)


def report(benchmark: Benchmark, capsys: pytest.CaptureFixture[str], name: str, text: str) -> None:
    """Show a result now, and keep it for --benchmark-json."""
    benchmark.extra_info[name] = text
    with capsys.disabled():
        print(f"\n  {name}: {text}", end=" ")
