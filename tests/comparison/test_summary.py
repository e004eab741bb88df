"""summarize(): from measurements to a comparison, without measuring anything."""

from __future__ import annotations

import pytest

from gildemo import Verdict
from gildemo._comparison.measurement import Measurement
from gildemo._comparison.summary import Setting, summarize
from gildemo.monitor.record import GilRecord

SETTING = Setting("task", workers=2, calls=10, cpus=4, python="3.13.0")


def measured(wall: float, rounds: int = 8, sending: float | None = None) -> list[Measurement]:
    return [Measurement(0.05, wall, 5.0, sending)] * rounds


def test_figures_are_per_call_and_those_of_complete_rounds() -> None:
    c = summarize(
        {"serial": measured(20, 9), "threads": measured(20), "processes": measured(10, 9)}, SETTING
    )
    assert (c.task, c.workers, c.calls, c.cpus, c.rounds) == ("task", 2, 10, 4, 8)
    # Two workers make ten calls each: one after another, that takes 20 seconds.
    assert c.call == 1.0
    assert c["processes"].walls == (1.0,) * 8
    assert c["processes"].throughput == 2.0
    assert c["processes"].cpu == 0.5
    assert c["processes"].speedup == 2.0
    # There are four CPUs, but only two workers.
    assert c["processes"].efficiency == 1.0
    assert c.thread_process_ratio is not None
    assert c.thread_process_ratio.median == 2.0
    assert c.verdict is Verdict.PROCESSES
    assert c.reason.startswith("Processes are faster: threads took 2.00 times")


@pytest.mark.parametrize(
    ("wall", "sending", "expected"),
    [
        (20, 0.1, None),  # no speedup
        (10, 0.1, 0.1),  # speedup 2: as long as sending it takes
        (16, 0.1, pytest.approx(0.4)),  # speedup 1.25: (0.4 + 0.1) / 1.25 = 0.4
        (10, None, None),
    ],
)
def test_break_even_is_the_shortest_call_worth_sending(
    wall: float, sending: float | None, expected: float | None
) -> None:
    c = summarize({"serial": measured(20), "processes": measured(wall, 8, sending)}, SETTING)
    assert c["processes"].break_even == expected


def test_setting_goes_into_the_comparison() -> None:
    record = GilRecord(1.0, 1000, 0.5, 0.01)
    setting = Setting(
        *("task", 2, 1, 4, "3.13.0"),
        gil_enabled=False,
        alone=0.25,
        gil=record,
        unavailable={"subinterpreters": "too old"},
        warnings=("noise",),
    )
    c = summarize({"threads": measured(1)}, setting)
    assert (c.call, c.gil, c.gil_enabled) == (0.25, record, False)
    assert (c.unavailable, c.warnings) == ({"subinterpreters": "too old"}, ("noise",))
    assert c.verdict is Verdict.INCONCLUSIVE
    assert c.reason.startswith("There is no verdict without processes")


@pytest.mark.parametrize("rounds", [{}, {"serial": 1, "threads": 0}])
def test_no_complete_round_is_refused(rounds: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="no round is complete"):
        summarize({name: measured(1, n) for name, n in rounds.items()}, SETTING)
