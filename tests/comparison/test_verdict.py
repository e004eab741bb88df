"""The verdict on wall times, and the reason that goes with it."""

from __future__ import annotations

import math
from typing import Any

import pytest

from gildemo import Verdict
from gildemo._comparison.explanation import explain
from gildemo._comparison.figures import Figures
from gildemo._comparison.results import ExecutorResult, Spread
from gildemo._comparison.verdict import Decision, Ground, decide, ratio
from gildemo.monitor import GilRecord


def walls(**times: list[float]) -> dict[str, list[float]]:
    return times


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        (walls(serial=[2, 2.1, 2], threads=[2, 2, 2.1], processes=[1, 1, 1.02]), Verdict.PROCESSES),
        (walls(serial=[2, 2.1, 2], threads=[1, 1, 1.02], processes=[1, 1, 1.02]), Verdict.THREADS),
        (walls(serial=[2, 2.1, 2], threads=[1, 1, 1], processes=[3, 3, 3]), Verdict.THREADS),
        (walls(serial=[1, 1, 1], threads=[1, 1, 1], processes=[3, 3, 3]), Verdict.NEITHER),
        (walls(serial=[2, 2, 2], threads=[1, 2, 1.5], processes=[2, 1, 1.5]), Verdict.INCONCLUSIVE),
        (walls(threads=[2, 2, 2], processes=[1, 1, 1]), Verdict.PROCESSES),
        (walls(serial=[2, 2, 2], processes=[1, 1, 1]), Verdict.INCONCLUSIVE),
        (walls(serial=[2, 2, 2], threads=[1, 1, 1]), Verdict.INCONCLUSIVE),
        ({"serial": [2.0], "threads": [2.0], "processes:spawn": [1.0]}, Verdict.PROCESSES),
    ],
)
def test_verdict(times: dict[str, list[float]], expected: Verdict) -> None:
    assert decide(times).verdict is expected


def test_ratio_is_taken_round_by_round() -> None:
    # The machine gets ten times slower; the ratio of the two executors does not change.
    r = ratio([2.0, 4.0, 20.0], [1.0, 2.0, 10.0])
    assert (r.median, r.low, r.high) == (2.0, 2.0, 2.0)


def test_interval_of_many_rounds() -> None:
    r = ratio(range(1, 5001), [1.0] * 5000)
    assert 2400 < r.low < r.median < r.high < 2600
    assert 0.99 <= r.confidence < 0.991


@pytest.mark.parametrize(
    ("n", "low", "high", "confidence"),
    [(1, 1, 1, 0.0), (5, 1, 5, 0.9375), (8, 1, 8, 0.9921875), (12, 2, 11, 1 - 26 / 4096)],
)
def test_interval_is_the_sign_tests(n: int, low: int, high: int, confidence: float) -> None:
    r = ratio(range(1, n + 1), [1.0] * n)
    assert (r.low, r.high, r.confidence) == (low, high, confidence)


NO_GAIN = walls(serial=[2] * 8, threads=[2] * 8, processes=[2] * 8)
THREADS = walls(serial=[2] * 8, threads=[1] * 8, processes=[1] * 8)
PROCESSES = walls(serial=[2] * 8, threads=[2] * 8, processes=[1] * 8)


@pytest.mark.parametrize(
    ("times", "call", "sending", "expected", "ground"),
    [
        # With two workers, a wall time is two calls of one second, one after another or at once.
        (
            PROCESSES,
            1,
            {"threads": 0.01, "processes": 0.01},
            Verdict.PROCESSES,
            Ground.PROCESSES_WIN,
        ),
        (PROCESSES, 1, {"threads": 0.01, "processes": 1}, Verdict.NEITHER, Ground.TOO_SHORT),
        (PROCESSES, 1, {"processes": math.inf}, Verdict.NEITHER, Ground.UNSENDABLE),
        (NO_GAIN, 1, {"threads": 2, "processes": 3}, Verdict.NEITHER, Ground.TOO_SHORT),
        (THREADS, 1, {"threads": 0.01, "processes": 0.5}, Verdict.THREADS, Ground.THREADS_DO),
        (THREADS, 1, {"threads": 0.01, "processes": math.inf}, Verdict.THREADS, Ground.THREADS_DO),
        (THREADS, 1, {"threads": 1, "processes": 2}, Verdict.NEITHER, Ground.TOO_SHORT),
        (NO_GAIN, 1, {"threads": 0.1, "processes": 2}, Verdict.NEITHER, Ground.NO_GAIN),
    ],
)
def test_verdict_is_on_calls_that_are_sent_one_at_a_time(
    times: dict[str, list[float]],
    call: float,
    sending: dict[str, float],
    expected: Verdict,
    ground: Ground,
) -> None:
    decision = decide(times, 2, call, sending)
    assert (decision.verdict, decision.ground) == (expected, ground)


def test_a_call_shorter_than_its_sending_pays_for_no_number_of_workers() -> None:
    for workers in (2, 8, 1000):
        times = walls(serial=[workers] * 8, threads=[1.0] * 8, processes=[1.0] * 8)
        just, not_quite = ({"threads": s, "processes": s} for s in (0.5, 1.01))
        assert decide(times, workers, 1.0, not_quite).verdict is Verdict.NEITHER
        if workers > 2:
            assert decide(times, workers, 1.0, just).verdict is Verdict.THREADS


def test_more_rounds_are_foreseen_from_the_spread() -> None:
    def inconclusive(middle: float, spread: float, n: int) -> Decision:
        threads = [middle + spread * (-1) ** i * (i + 1) / n for i in range(n)]
        return decide(walls(serial=[3.0] * n, threads=threads, processes=[1.0] * n))

    few, many = inconclusive(1.4, 0.5, 8), inconclusive(1.2, 0.5, 8)
    assert few.ground is many.ground is Ground.INCONCLUSIVE
    assert few.more_rounds is not None
    assert many.more_rounds is not None
    assert 0 < few.more_rounds < many.more_rounds
    times = walls(serial=[3.0] * 8, threads=[1.05, 1.15] * 4, processes=[1.0] * 8)
    assert decide(times).more_rounds is None
    assert decide(THREADS).more_rounds is None


def explanation(
    times: dict[str, list[float]], results: dict[str, dict[str, Any]], **fields: Any
) -> str:
    """The explanation for two workers with these wall times, and what else was measured."""
    call = fields.pop("call", 1.0)
    sending = {name: r["sending"] for name, r in results.items() if "sending" in r}
    sending |= {name: math.inf for name, r in results.items() if "unsendable" in r}
    decision = decide(times, 2, call, sending)
    executors = {
        name: ExecutorResult(
            **{
                "wall": Spread.of(w),
                "startup": Spread.of([results.get(name, {}).pop("startup", 0.1)]),
                "speedup": times["serial"][0] / w[0],
                "efficiency": None,
                "walls": tuple(w),
                "throughput": 2 / w[0],
                "cpu": 1.0,
                **results.get(name, {}),
            }
        )
        for name, w in times.items()
    }
    figures = Figures(
        calls=1,
        rounds=len(times["serial"]),
        call=call,
        executors=executors,
        decision=decision,
        **{"cpus": 2, "workers": 2, "gil": None, "gil_enabled": True, **fields},
    )
    return explain(figures)


def record(held: float, duration: float) -> GilRecord:
    return GilRecord(duration, 1000, held, 0.01)


def test_reason_of_threads_says_what_they_save() -> None:
    text = explanation(THREADS, {"processes": {"sending": 0.002, "startup": 0.05}})
    assert "as fast as processes: they took 1.00 times (1.00 to 1.00 in 8 rounds) as long." in text
    assert "start processes (50.0 ms) and to send each call to one (2.00 ms)." in text
    better = walls(serial=[2] * 8, threads=[1] * 8, processes=[2] * 8)
    assert "faster than processes" in explanation(better, {})


def test_reason_of_short_calls_says_how_many_in_a_batch_pay() -> None:
    costs = {"threads": {"sending": 3e-5}, "processes": {"sending": 2e-4, "break_even": 2e-4}}
    text = explanation(PROCESSES, costs, call=1e-7)
    assert "One call takes 100 ns" in text
    assert "costs 30.0 µs with threads and 200 µs with processes" in text
    assert "Processes would be faster if 2,000 or more calls were sent at a time." in text


@pytest.mark.parametrize(
    ("fields", "cpu", "expected"),
    [
        ({"cpus": 1}, 1.0, "only one CPU"),
        ({}, 1.6, "1.60 times as much CPU time beside other calls as alone"),
        ({}, 1.0, "no more CPU time beside other calls than alone, so it waits"),
    ],
)
def test_reason_of_no_gain_says_why(fields: dict[str, Any], cpu: float, expected: str) -> None:
    text = explanation(NO_GAIN, {"processes": {"cpu": cpu}}, **fields)
    assert text.startswith("Nothing is faster than running the calls one after another: the")
    assert expected in text


def test_reason_joins_what_the_monitor_saw_to_the_speed_up() -> None:
    agree = explanation(PROCESSES, {}, gil=record(1.0, 2.0))
    assert "held the GIL for 100% of its time" in agree
    assert "a speedup of 1.00; the measured speedup is 1.00." in agree
    half = explanation(THREADS, {}, gil=record(0.5, 1.0))
    assert "held the GIL for 25% of its time" in half
    assert "a speedup of 2.00; the measured speedup is 2.00." in half


def test_reason_says_when_speed_up_and_monitor_disagree() -> None:
    lock = explanation(PROCESSES, {}, gil=record(0.0, 2.0))
    assert (
        "of 2.00; the measured speedup is 1.00. The GIL is not the reason. A call takes no" in lock
    )
    memory = explanation(PROCESSES, {"threads": {"cpu": 1.9}}, gil=record(0.0, 2.0))
    assert "they slow each other down" in memory
    odd = explanation(THREADS, {}, gil=record(1.0, 2.0))
    assert "so the monitored run was not like the others" in odd


def test_reason_without_a_gil_says_so() -> None:
    assert "runs without the GIL" in explanation(THREADS, {}, gil_enabled=False)


def test_reason_of_processes_says_what_interpreters_save() -> None:
    costs = {
        "processes": {"sending": 3e-4, "startup": 0.09},
        "subinterpreters": {"sending": 2e-4, "startup": 0.03},
    }
    text = explanation({**PROCESSES, "subinterpreters": [1.0] * 8}, costs)
    assert "Subinterpreters are as fast as processes: they took 1.00 times as long" in text
    assert "start in 30.0 ms instead of 90.0 ms" in text
    assert "in 200 µs instead of 300 µs" in text
    slower = explanation({**PROCESSES, "subinterpreters": [1.5] * 8}, {})
    assert "Subinterpreters" not in slower


def test_reason_tells_of_a_result_that_can_not_be_sent() -> None:
    text = explanation(THREADS, {"processes": {"unsendable": "TypeError: no"}})
    assert "can't send the result back (TypeError: no)" in text


def test_reason_quotes_the_ratio_that_it_judges_by() -> None:
    times = walls(serial=[2] * 8, threads=[1.2] * 8, processes=[1.0] * 8)
    cheap = {"threads": {"sending": 1e-6}, "processes": {"sending": 1e-6}}
    assert "Processes are faster: threads took 1.20 times" in explanation(times, cheap)
    dear = {"threads": {"sending": 1e-6}, "processes": {"sending": 0.5}}
    text = explanation(times, dear)
    assert "Threads are faster than processes: including the cost of sending each call" in text
    assert "they took 0.80 times" in text


def test_reason_of_processes_that_can_not_be_used() -> None:
    text = explanation(PROCESSES, {"processes": {"unsendable": "TypeError: no"}})
    assert text.startswith("Threads are no faster than running the calls one after another")
    assert "can't send the result back (TypeError: no)" in text


def test_reason_of_one_worker() -> None:
    assert "only one worker" in explanation(NO_GAIN, {}, workers=1)


def test_reason_of_neither_tells_of_interpreters_that_gain() -> None:
    text = explanation({**NO_GAIN, "subinterpreters": [1.0] * 8}, {})
    assert "Subinterpreters have a speedup of 2.00." in text


def test_inconclusive_reason_says_how_many_more_rounds_would_tell() -> None:
    times = walls(serial=[3.0] * 4, threads=[1.0, 1.5, 1.1, 1.4], processes=[1.0] * 4)
    text = explanation(times, {})
    assert text.startswith(
        "The rounds differ too much to tell whether there is a difference of 10%"
    )
    assert "threads took 1.25 times (1.00 to 1.50 in 4 rounds) as long as processes" in text
    assert "more rounds would decide: allow more rounds or more time" in text
    assert "speedup" not in text


def test_inconclusive_reason_names_what_is_inconclusive() -> None:
    times = walls(serial=[1.0, 1.2] * 4, threads=[1.0] * 8, processes=[1.05] * 8)
    text = explanation(times, {})
    assert "threads have a speedup of 1.10 (1.00 to 1.20 in 8 rounds)" in text
    assert "as long as processes" not in text
    assert "More rounds would not help: the difference is too close to 10%" in text


def test_reason_of_calls_that_use_all_cpus_by_themselves() -> None:
    text = explanation(NO_GAIN, {"serial": {"cpu": 2.0}}, gil=record(0.0, 2.0))
    assert "A call alone keeps 2.0 CPUs busy with threads of its own, and there are 2 CPUs" in text
    assert "which allows threads a speedup of 1.00" in text
