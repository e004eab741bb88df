"""How many rounds are measured."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, cast

import pytest

from gildemo._comparison import run
from gildemo._comparison.experiment import Experiment
from gildemo._comparison.rounds import next_check
from gildemo._comparison.verdict import ratio
from gildemo.executors import resolve


def test_checks_get_rarer_and_never_end() -> None:
    checks = [next_check(0)]
    while checks[-1] < 10**9:
        checks.append(next_check(checks[-1]))
    assert checks[:5] == [8, 12, 18, 27, 41]
    assert all(1.4 < b / a < 1.6 for a, b in pairwise(checks))
    assert next_check(9) == 12


class Endless:
    """An experiment that has been inconclusive for very many rounds."""

    rounds = 17_735
    kinds = (resolve("serial"),)

    def step(self) -> str:
        self.rounds += 1
        return "serial"


def test_no_number_of_rounds_is_too_many() -> None:
    experiment: Any = Endless()
    planned: list[int] = []
    run(
        cast(Experiment, experiment),
        max_time=0,
        progress=lambda done, total, name: planned.append(total),
    )
    assert experiment.rounds == 17_736
    assert planned[0] > 17_736


@pytest.mark.timeout(20)
def test_interval_of_very_many_rounds_is_found_fast() -> None:
    # It took minutes when each binomial coefficient was computed from scratch.
    values = [float(i) for i in range(1, 20_002)]
    r = ratio(values, [1.0] * 20_001)
    assert 9_800 < r.low < r.median == 10_001 < r.high < 10_200
    assert 0.99 <= r.confidence < 0.9905
