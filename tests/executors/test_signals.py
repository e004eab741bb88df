"""The signals that end a program."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from types import FrameType

import pytest

from gildemo.executors import signals
from helpers import run_python

SIGNALS = (signal.SIGTERM, signal.SIGHUP)


def ours(signum: int, frame: FrameType | None) -> None:
    raise AssertionError("no signal is sent here")


def theirs(signum: int, frame: FrameType | None) -> None:
    raise AssertionError("no signal is sent here")


@pytest.fixture(autouse=True)
def _unchanged() -> Iterator[None]:
    before = [signal.getsignal(signum) for signum in SIGNALS]
    yield
    for signum, handler in zip(SIGNALS, before, strict=True):
        signal.signal(signum, handler)


def test_handlers_are_installed_and_restored() -> None:
    signal.signal(signal.SIGTERM, theirs)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    restore = signals.on_termination(ours, *SIGNALS)
    assert [signal.getsignal(signum) for signum in SIGNALS] == [ours, ours]
    restore()
    assert [signal.getsignal(signum) for signum in SIGNALS] == [theirs, signal.SIG_DFL]
    restore()
    assert signal.getsignal(signal.SIGTERM) is theirs


def test_an_ignored_signal_stays_ignored() -> None:
    # As in a program that nohup runs.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    restore = signals.on_termination(ours, *SIGNALS)
    assert [signal.getsignal(signum) for signum in SIGNALS] == [ours, signal.SIG_IGN]
    restore()
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN


def test_a_handler_that_was_installed_meanwhile_is_kept() -> None:
    restore = signals.on_termination(ours, signal.SIGTERM)
    signal.signal(signal.SIGTERM, theirs)
    restore()
    assert signal.getsignal(signal.SIGTERM) is theirs


def test_nested_handlers_are_restored_in_turn() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    outer = signals.on_termination(ours, signal.SIGTERM)
    inner = signals.on_termination(theirs, signal.SIGTERM)
    inner()
    assert signal.getsignal(signal.SIGTERM) is ours
    outer()
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded")
def test_the_child_of_a_fork_has_the_previous_handlers() -> None:
    signal.signal(signal.SIGTERM, theirs)
    restore = signals.on_termination(ours, signal.SIGTERM)
    pid = os.fork()
    if pid == 0:
        os._exit(0 if signal.getsignal(signal.SIGTERM) is theirs else 1)
    _, status = os.waitpid(pid, 0)
    restore()
    assert os.waitstatus_to_exitcode(status) == 0


def test_a_signal_that_comes_while_a_child_starts_ends_it() -> None:
    # The first hook runs before those of gildemo: the child has not got its handlers back yet.
    output = run_python("""
        import os, signal, warnings
        warnings.simplefilter("ignore", DeprecationWarning)
        os.register_at_fork(after_in_child=lambda: os.kill(os.getpid(), signal.SIGTERM))
        from gildemo.executors import signals

        def ours(signum, frame):
            raise SystemExit("this is for the parent")

        signals.on_termination(ours, signal.SIGTERM)
        pid = os.fork()
        if pid == 0:
            os._exit(0)
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
        print(signal.pthread_sigmask(signal.SIG_BLOCK, ()))
        try:
            signal.raise_signal(signal.SIGTERM)
        except SystemExit:
            print("handled")
    """)
    assert output == f"{-signal.SIGTERM}\nset()\nhandled\n"
