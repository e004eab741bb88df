"""The signals that end a program, in the process that measures and in its workers."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

Handler = Callable[[int, FrameType | None], None]


@contextlib.contextmanager
def blocked() -> Iterator[None]:
    """Block Ctrl-C, SIGTERM and SIGHUP while an exception would leave something behind.

    Threads and processes that are started meanwhile inherit the blocked signals, until they call
    `unblock`.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def unblock() -> None:
    """Unblock these signals in a thread or process that was started inside `blocked`."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDING)


@contextlib.contextmanager
def ignored() -> Iterator[None]:
    """Ignore every signal that has a handler in Python. For the main thread only."""
    handlers = {signum: signal.getsignal(signum) for signum in signal.valid_signals()}
    python = {signum: handler for signum, handler in handlers.items() if callable(handler)}
    for signum in python:
        signal.signal(signum, signal.SIG_IGN)
    try:
        yield
    finally:
        for signum, handler in python.items():
            signal.signal(signum, handler)


def on_termination(handler: Handler, *signums: int) -> Callable[[], None]:
    """Handle signals in this process; return a function that restores the previous handlers.

    A signal that is ignored stays ignored, as `nohup` requires. A handler that was not installed
    from Python stays, too, because it could not be restored. The child of a fork gets the previous
    handlers back: it has other work to do, and an exception that `handler` raises there could get
    lost. For the main thread only.
    """
    replaced = {}
    for signum in signums:
        before = signal.getsignal(signum)
        if before not in (signal.SIG_IGN, None):
            signal.signal(signum, handler)
            replaced[signum] = before
    installed = (handler, replaced)
    _installed.append(installed)
    return lambda: _restore(installed)


# Each handler that on_termination() installed in this process, and what it replaced.
_installed: list[tuple[Handler, dict[int, Any]]] = []


def _restore(installed: tuple[Handler, dict[int, Any]]) -> None:
    handler, replaced = installed
    while replaced:
        signum, before = replaced.popitem()
        # The measured code may have installed a handler of its own since.
        if signal.getsignal(signum) is handler:
            signal.signal(signum, before)


class _Mask(threading.local):
    before: set[int | signal.Signals] | None = None


_mask = _Mask()


def _before_fork() -> None:
    """Block the handled signals until the child has its own handlers.

    CPython forgets a signal that reaches the child before its hooks run. If a handler raises inside
    a hook, CPython only prints the exception. Either way, a child that was sent SIGTERM would
    continue to run.
    """
    # With a single call, an exception from a handler could lose the old mask.
    _mask.before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    signal.pthread_sigmask(signal.SIG_BLOCK, {n for _, replaced in _installed for n in replaced})


def _after_fork() -> None:
    before, _mask.before = _mask.before, None
    if before is not None:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _after_fork_in_child() -> None:
    while _installed:
        _restore(_installed.pop())
    _after_fork()


os.register_at_fork(
    before=_before_fork, after_in_parent=_after_fork, after_in_child=_after_fork_in_child
)
