"""The signals that end a program, in the processes that measure and in those that they start."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable, Iterator
from types import FrameType

_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

Handler = Callable[[int, FrameType | None], None]


@contextlib.contextmanager
def blocked() -> Iterator[None]:
    """Let none of them in meanwhile, where an exception would leave something behind.

    What is started meanwhile holds them too, until it calls `let_in`.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextlib.contextmanager
def ignored() -> Iterator[None]:
    """Run no handler in Python meanwhile, whoever set it. For the main thread only."""
    handlers = {signum: signal.getsignal(signum) for signum in signal.valid_signals()}
    ours = {signum: handler for signum, handler in handlers.items() if callable(handler)}
    for signum in ours:
        signal.signal(signum, signal.SIG_IGN)
    try:
        yield
    finally:
        for signum, handler in ours.items():
            signal.signal(signum, handler)


def unblock() -> None:
    """End in the thread, or process, that was started meanwhile what `held` did."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDING)


def on_termination(handler: Handler, *signums: int) -> None:
    """Set a handler that is for this process only, and not for those that it forks.

    A handler that raises an exception would not end them, but be lost wherever exceptions are.
    """
    for signum in signums:
        signal.signal(signum, handler)
        _handlers[signum] = handler


_handlers: dict[int, Handler] = {}


def _forget_handlers() -> None:
    for signum, handler in _handlers.items():
        if signal.getsignal(signum) is handler:
            signal.signal(signum, signal.SIG_DFL)
    _handlers.clear()


os.register_at_fork(after_in_child=_forget_handlers)
