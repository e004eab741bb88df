"""spin(): the same number whether it holds the GIL or not."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from gildemo import spin
from helpers import Index, gil_enabled, interrupt, lets_others_run, progress_during, run_python

SEED = 88172645463325252
CHUNK = 2**23  # STEPS_PER_CHUNK in csrc/spin.c

both_variants = pytest.mark.parametrize("release_gil", [False, True])


def step(state: int) -> int:
    state ^= state << 13 & 0xFFFF_FFFF_FFFF_FFFF
    state ^= state >> 7
    return state ^ state << 17 & 0xFFFF_FFFF_FFFF_FFFF


def step_by_step(steps: int) -> int:
    state = SEED
    for _ in range(steps):
        state = step(state)
    return state


def jump(steps: int) -> int:
    """The same in about log2(steps) matrix products: a step is linear over GF(2)."""

    def times(columns: list[int], vector: int) -> int:
        product = 0
        for bit, column in enumerate(columns):
            if vector >> bit & 1:
                product ^= column
        return product

    state = SEED
    columns = [step(1 << bit) for bit in range(64)]
    while steps:
        if steps & 1:
            state = times(columns, state)
        columns = [times(columns, column) for column in columns]
        steps >>= 1
    return state


@both_variants
@pytest.mark.parametrize("iterations", [0, 1, 2, 1000])
def test_small_counts_step_by_step(iterations: int, release_gil: bool) -> None:
    expected = step_by_step(iterations)
    assert jump(iterations) == expected
    assert spin(iterations, release_gil=release_gil) == expected


@both_variants
@pytest.mark.parametrize(
    "iterations", [CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK - 1, 2 * CHUNK, 3 * CHUNK + 12345]
)
def test_counts_around_the_chunk_length(iterations: int, release_gil: bool) -> None:
    assert spin(iterations, release_gil=release_gil) == jump(iterations)


def test_default_is_a_hundred_million_with_the_gil_released() -> None:
    recorded = 13637911440367556603
    assert jump(100_000_000) == recorded
    assert spin() == recorded
    if gil_enabled():
        assert lets_others_run(spin)


@both_variants
def test_threads_have_a_state_each(release_gil: bool) -> None:
    counts = [CHUNK + extra for extra in range(4)]
    with ThreadPoolExecutor(len(counts)) as pool:
        states = pool.map(lambda count: spin(count, release_gil=release_gil), counts)
        assert list(states) == [jump(count) for count in counts]


@pytest.mark.parametrize("one", [True, Index(1)], ids=["bool", "__index__"])
def test_iterations_is_any_int(one: Any) -> None:
    assert spin(one) == spin(iterations=one) == spin(1)


@pytest.mark.parametrize(
    ("iterations", "error", "message"),
    [
        pytest.param(-1, OverflowError, r"from 0 to 2\*\*64-1, not -1", id="negative"),
        pytest.param(2**64, OverflowError, f", not {2**64}", id="2**64"),
        pytest.param(Index(-(2**70)), OverflowError, f", not -{2**70}", id="__index__"),
        # More digits than int.__repr__() prints.
        pytest.param(10**5000, OverflowError, "thousands of digits", id="10**5000"),
        pytest.param(1.5, TypeError, "not float", id="float"),
        pytest.param("x", TypeError, "not str", id="str"),
        pytest.param(None, TypeError, "not NoneType", id="None"),
    ],
)
def test_bad_iterations(iterations: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=f"^iterations must be .*{message}") as caught:
        spin(iterations)
    assert caught.type is error
    with pytest.raises(error, match=f"^iterations must be .*{message}"):
        spin(iterations=iterations)


# The message of 3.12 and earlier, and that of 3.13 and later.
UNKNOWN = (
    r"('{0}' is an invalid keyword argument for spin\(\)"
    r"|spin\(\) got an unexpected keyword argument '{0}')"
)


@pytest.mark.parametrize(
    ("args", "kwargs", "message"),
    [
        ((1, True), {}, r"spin\(\) takes at most 1 positional argument \(2 given\)"),
        ((1,), {"release": 1}, UNKNOWN.format("release")),
        (
            (1,),
            {"iterations": 1},
            r"argument for spin\(\) given by name \('iterations'\) and position \(1\)",
        ),
    ],
    ids=["too many", "unknown", "twice"],
)
def test_bad_calls(args: tuple[Any, ...], kwargs: dict[str, Any], message: str) -> None:
    with pytest.raises(TypeError, match=f"^{message}$"):
        spin(*args, **kwargs)


class Undecided:
    def __bool__(self) -> bool:
        raise LookupError("undecided")

    def __index__(self) -> int:
        raise LookupError("undecided")


def test_exceptions_of_the_arguments_pass_through() -> None:
    with pytest.raises(LookupError, match="undecided"):
        spin(0, release_gil=Undecided())
    with pytest.raises(LookupError, match="undecided"):
        spin(Undecided())


@pytest.mark.parametrize("release_gil", [False, True, 0, "yes"])
def test_other_threads_run_if_and_only_if_the_gil_is_released(release_gil: object) -> None:
    def call() -> int:
        return spin(4 * CHUNK, release_gil=release_gil)

    if release_gil or not gil_enabled():
        assert lets_others_run(call)
    else:
        assert progress_during(call) == 0


@both_variants
@pytest.mark.timeout(60)
def test_sigint_ends_the_longest_spin(release_gil: bool) -> None:
    printed = interrupt(f"gildemo.spin(2**64 - 1, release_gil={release_gil})")
    assert printed == "KeyboardInterrupt\n"


@pytest.mark.timeout(60)
def test_a_spinning_daemon_thread_does_not_keep_the_interpreter() -> None:
    program = """
        import gildemo, threading
        threading.Thread(target=gildemo.spin, args=[2**64 - 1], daemon=True).start()
        gildemo.spin(2**24)  # The daemon thread is in its loop by then, or soon after.
        print("end")
    """
    assert run_python(program) == "end\n"
