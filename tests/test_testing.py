"""assert_releases_gil() and its mirror."""

from __future__ import annotations

import threading
import time
import zlib
from collections.abc import Callable

import pytest

import gildemo
from gildemo import testing
from gildemo.testing import assert_holds_gil, assert_releases_gil, gil_usage
from helpers import gil_enabled

pytestmark = pytest.mark.skipif(not gil_enabled(), reason="this Python runs without the GIL")

DATA = bytes(range(256)) * 4000


@pytest.fixture
def soon_sure(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Let assertions fail at once. A second of monitoring only prevents failures by chance."""
    return lambda: monkeypatch.setattr(testing, "_LONG_ENOUGH", 0.1)


def slices() -> None:
    gildemo.duty_cycle(50e-6, 50e-6, 200)


def python() -> int:
    return sum(i * i for i in range(100_000))


def test_result_of_the_last_call_is_returned() -> None:
    assert zlib.decompress(assert_releases_gil(zlib.compress, DATA, level=1)) == DATA
    assert assert_holds_gil(sorted, DATA, reverse=True)[0] == 255


def test_short_calls_are_repeated_until_there_are_samples_enough() -> None:
    calls = 0

    def call() -> None:
        nonlocal calls
        calls += 1
        time.sleep(0.002)

    assert_releases_gil(call)
    assert calls > 1
    assert gil_usage(time.sleep, 0.002).record.samples >= 100


HOLDS: dict[str, tuple[Callable[[], object], float]] = {
    "all": (lambda: gildemo.duty_cycle(0.05), 1.0),
    "half": (lambda: gildemo.duty_cycle(0.05, 0.05), 0.5),
    "slices": (slices, 0.5),
    "python": (python, 1.0),
    "spin": (lambda: gildemo.spin(10_000_000, release_gil=False), 1.0),
}
RELEASES: dict[str, Callable[[], object]] = {
    "spin": lambda: gildemo.spin(10_000_000),
    "sleep": lambda: time.sleep(0.02),
    "duty_cycle": lambda: gildemo.duty_cycle(0.0, 0.02),
    "crc32": lambda: zlib.crc32(DATA),
}


@pytest.mark.parametrize(("call", "held"), HOLDS.values(), ids=HOLDS)
def test_a_call_that_holds_the_gil_fails_with_the_figures(
    call: Callable[[], object], held: float, soon_sure: Callable[[], None]
) -> None:
    soon_sure()
    with pytest.raises(AssertionError, match=r"held the GIL for [\d.]+% .* at most 10% is") as info:
        assert_releases_gil(call)
    assert "MainThread █" in str(info.value) or "MainThread ▒" in str(info.value)
    usage = gil_usage(call)
    # On a busy machine a thread can be kept from its CPU in either half.
    assert held - 0.3 <= usage.held <= held + 0.3


@pytest.mark.parametrize("call", RELEASES.values(), ids=RELEASES)
def test_a_call_that_releases_the_gil_fails_the_mirror(
    call: Callable[[], object], soon_sure: Callable[[], None]
) -> None:
    assert_releases_gil(call)
    soon_sure()
    with pytest.raises(AssertionError, match="at least 90% is required"):
        assert_holds_gil(call)


def test_only_the_calling_thread_counts() -> None:
    stop = threading.Event()

    def hold() -> None:
        while not stop.is_set():
            gildemo.duty_cycle(0.002, 0.001)

    other = threading.Thread(target=hold)
    other.start()
    try:
        assert_releases_gil(time.sleep, 0.05)
    finally:
        stop.set()
        other.join()


def test_what_can_not_be_told_is_no_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(testing, "LONGEST", 0.1)
    # No distance from the limit is far enough.
    monkeypatch.setattr(testing, "_MARGIN", 1e6)
    with pytest.raises(AssertionError, match=r"too close to at_most=0\.1 to tell in 0\.1 s: pass"):
        assert_releases_gil(time.sleep, 0.02)
    with pytest.raises(AssertionError, match=r"too close to at_least=0\.9 to tell"):
        assert_holds_gil(gildemo.duty_cycle, 0.02)


def test_exceptions_of_the_call_come_through_and_nothing_is_left() -> None:
    before = threading.active_count()
    with pytest.raises(ZeroDivisionError):
        assert_releases_gil(divmod, 1, 0)
    assert threading.active_count() == before


@pytest.mark.parametrize("limit", [0, 1, -0.1, 1.1, float("nan")])
def test_limits_are_checked(limit: float) -> None:
    with pytest.raises(ValueError, match="at_most must be between 0 and 1, not"):
        assert_releases_gil(time.sleep, 0.001, at_most=limit)
    with pytest.raises(ValueError, match="at_least must be between 0 and 1, not"):
        assert_holds_gil(time.sleep, 0.001, at_least=limit)
