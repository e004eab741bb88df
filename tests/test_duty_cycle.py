"""duty_cycle(): its sums are what it did."""

from __future__ import annotations

import math
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from gildemo import duty_cycle, spin
from helpers import (
    SIGNAL_SENDER,
    Index,
    Shells,
    gil_enabled,
    interrupt,
    lets_others_run,
    on_signal,
    progress_during,
)

pytestmark = pytest.mark.timeout(60)

# Seconds are truncated to nanoseconds once in each cycle. Rounding in a sum of floats is less.
NANOSECOND = 1e-9

with_a_gil = pytest.mark.skipif(not gil_enabled(), reason="there is no GIL to hold")


@pytest.mark.parametrize(
    ("held", "released", "cycles"),
    [
        pytest.param(0.03, 0.0, 1, id="held"),
        pytest.param(0.0, 0.03, 1, id="released"),
        pytest.param(0.05, 0.05, 1, id="more than a slice"),
        pytest.param(0.002, 0.003, 7, id="many"),
        pytest.param(0.001, 0.0001, 30, id="less than sleeping takes"),
        pytest.param(1e-9, 1e-9, 1000, id="nanoseconds"),
    ],
)
def test_sums(held: float, released: float, cycles: int) -> None:
    begin = time.monotonic()
    sums = duty_cycle(held, released, cycles)
    end = time.monotonic()
    assert type(sums) is tuple
    assert [type(value) for value in sums] == [float, float]
    assert sums[0] >= cycles * (held - NANOSECOND)
    assert sums[1] >= cycles * (released - NANOSECOND)
    assert sum(sums) <= end - begin + NANOSECOND
    assert released or sums[1] == 0.0


@pytest.mark.parametrize("held", [0.05, 10**9])
def test_no_cycles_take_no_time(held: float) -> None:
    assert duty_cycle(held, held, 0) == (0.0, 0.0)


def test_defaults_and_keywords() -> None:
    held, released = duty_cycle(0.01)
    assert held >= 0.01 - NANOSECOND
    assert released == 0.0
    nothing: Any = Index(0)
    held, released = duty_cycle(cycles=Index(2), released=nothing, held=0)
    assert held >= 0.0
    assert released == 0.0


BAD_SECONDS = [
    pytest.param(-1.0, ValueError, r"from 0 to 1e9 seconds, not -1\.0", id="negative"),
    pytest.param(-1, ValueError, r"from 0 to 1e9 seconds, not -1\.0", id="negative int"),
    pytest.param(-1e-300, ValueError, "from 0 to 1e9 seconds, not -1e-300", id="hardly negative"),
    pytest.param(math.nan, ValueError, "from 0 to 1e9 seconds, not nan", id="nan"),
    pytest.param(math.inf, ValueError, "from 0 to 1e9 seconds, not inf", id="inf"),
    pytest.param(-math.inf, ValueError, "from 0 to 1e9 seconds, not -inf", id="-inf"),
    pytest.param(1e10, ValueError, r"from 0 to 1e9 seconds, not 10000000000\.0", id="1e10"),
    pytest.param(10**400, ValueError, "from 0 to 1e9 seconds, not ", id="10**400"),
    pytest.param("1", TypeError, "a number of seconds, not str", id="str"),
    pytest.param(None, TypeError, "a number of seconds, not NoneType", id="None"),
    pytest.param(1j, TypeError, "a number of seconds, not complex", id="complex"),
]


@pytest.mark.parametrize(("value", "error", "message"), BAD_SECONDS)
def test_bad_seconds(value: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=f"^held must be {message}") as caught:
        duty_cycle(value)
    assert caught.type is error
    # This would take an hour if the arguments were checked too late.
    with pytest.raises(error, match=f"^released must be {message}") as caught:
        duty_cycle(3600.0, released=value)
    assert caught.type is error


@pytest.mark.parametrize(
    ("cycles", "error", "message"),
    [
        pytest.param(-1, ValueError, "0 or more, not -1", id="negative"),
        pytest.param(Index(-1), ValueError, "0 or more, not ", id="negative __index__"),
        pytest.param(2**63, OverflowError, f"from .*, not {2**63}", id="2**63"),
        pytest.param(-(2**63) - 1, OverflowError, f"from .*, not -{2**63 + 1}", id="-2**63-1"),
        pytest.param(10**5000, OverflowError, "from .*thousands of digits", id="10**5000"),
        pytest.param(1.0, TypeError, "an int, not float", id="float"),
        pytest.param("1", TypeError, "an int, not str", id="str"),
        pytest.param(None, TypeError, "an int, not NoneType", id="None"),
    ],
)
def test_bad_cycles(cycles: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=f"^cycles must be {message}") as caught:
        duty_cycle(3600.0, 3600.0, cycles)
    assert caught.type is error


# The message of 3.12 and earlier, and that of 3.13 and later.
UNKNOWN = (
    r"('{0}' is an invalid keyword argument for duty_cycle\(\)"
    r"|duty_cycle\(\) got an unexpected keyword argument '{0}')"
)


@pytest.mark.parametrize(
    ("args", "kwargs", "message"),
    [
        ((), {"cycles": 0}, r"duty_cycle\(\) missing required argument 'held' \(pos 1\)"),
        ((0, 0, 0, 0), {}, r"duty_cycle\(\) takes at most 3 arguments \(4 given\)"),
        ((0,), {"seconds": 0}, UNKNOWN.format("seconds")),
        (
            (0, 0),
            {"released": 0},
            r"argument for duty_cycle\(\) given by name \('released'\) and position \(2\)",
        ),
    ],
    ids=["missing", "too many", "unknown", "twice"],
)
def test_bad_calls(args: tuple[Any, ...], kwargs: dict[str, Any], message: str) -> None:
    with pytest.raises(TypeError, match=f"^{message}$"):
        duty_cycle(*args, **kwargs)


class Undecided:
    def __float__(self) -> float:
        raise LookupError("undecided")


def test_exceptions_of_the_arguments_pass_through() -> None:
    with pytest.raises(LookupError, match="undecided"):
        duty_cycle(Undecided())
    with pytest.raises(LookupError, match="undecided"):
        duty_cycle(0.0, Undecided())


@with_a_gil
@pytest.mark.parametrize("cycles", [1, 20])
def test_without_a_released_part_no_other_thread_runs(cycles: int) -> None:
    # Longer than a slice, and than CPython's switch interval.
    assert progress_during(lambda: duty_cycle(0.1 / cycles, 0.0, cycles)) == 0


@pytest.mark.parametrize("held", [0.0, 0.01])
def test_other_threads_run_in_the_released_part(held: float) -> None:
    assert lets_others_run(lambda: duty_cycle(held, 0.05))


@with_a_gil
def test_threads_hold_it_one_at_a_time() -> None:
    begun = threading.Barrier(4)

    def work(held: float) -> tuple[float, float]:
        begun.wait()
        return duty_cycle(held, 0.001, 20)

    begin = time.monotonic()
    with ThreadPoolExecutor(4) as pool:
        sums = list(pool.map(work, [0.001, 0.002, 0.003, 0.004]))
    elapsed = time.monotonic() - begin
    assert 20 * 0.01 - 80 * NANOSECOND <= sum(held for held, _ in sums) <= elapsed


@with_a_gil
def test_waiting_for_the_gil_counts_as_released() -> None:
    """The worker asks for almost no released time, so what it reports is the wait for the GIL."""
    ready = threading.Event()
    stop = threading.Event()

    def work() -> tuple[float, float]:
        ready.set()
        held = released = 0.0
        while not stop.is_set():
            sums = duty_cycle(0.0, NANOSECOND)
            held += sums[0]
            released += sums[1]
        return held, released

    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(work)
        try:
            ready.wait()
            # While this thread holds the GIL, the worker waits for it inside duty_cycle(), except
            # for the short times that it is outside.
            taken = sum(duty_cycle(0.02)[0] for _ in range(20))
        finally:
            stop.set()
        held, released = future.result()
    assert released > taken / 2
    assert held < taken / 2


def test_the_released_part_sleeps() -> None:
    begin = time.thread_time()
    _, released = duty_cycle(0.0, 0.2)
    assert time.thread_time() - begin < released / 2


@pytest.mark.parametrize(("held", "released"), [(0.2, 0.0), (0.0, 0.2), (0.1, 0.1)])
def test_handlers_do_not_cut_it_short(held: float, released: float) -> None:
    seen = 0

    def handler() -> None:
        nonlocal seen
        seen += 1

    with on_signal(signal.SIGUSR1, handler), Shells() as children:
        children.start(SIGNAL_SENDER)
        while not seen:
            spin(1)
        before = seen
        sums = duty_cycle(held, released)
        assert seen > before
        assert sums[0] >= held - NANOSECOND
        assert sums[1] >= released - NANOSECOND


def test_the_time_of_handlers_counts_as_held() -> None:
    taken = 0.0

    def handler() -> None:
        nonlocal taken
        taken += duty_cycle(0.005)[0]

    with on_signal(signal.SIGUSR1, handler), Shells() as children:
        children.start(SIGNAL_SENDER)
        meanwhile = 0.0
        while meanwhile < 0.02:
            begin, before = time.monotonic(), taken
            held, released = duty_cycle(0.0, 0.1)
            meanwhile, elapsed = taken - before, time.monotonic() - begin
    outside = elapsed - held - released
    assert held >= meanwhile - outside - NANOSECOND
    assert released >= 0.1 - NANOSECOND


@pytest.mark.parametrize(
    "arguments",
    ["1e9", "0.0, 1e9", "0.0, 0.0, 2**63 - 1", "0.001, 0.001, 2**63 - 1"],
    ids=["held", "released", "cycles", "both"],
)
def test_sigint(arguments: str) -> None:
    assert interrupt(f"gildemo.duty_cycle({arguments})") == "KeyboardInterrupt\n"
