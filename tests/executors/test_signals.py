"""Signals around forks: what a child is sent, it gets."""

from __future__ import annotations

import signal

from helpers import run_python

# The hooks of a fork run in the child in the order in which they were registered: the first one
# stands for whoever ends the child before it has its own handlers.
SENT_EARLY = """
    import os, signal, warnings
    warnings.simplefilter("ignore", DeprecationWarning)
    os.register_at_fork(after_in_child=lambda: os.kill(os.getpid(), signal.SIGTERM))
    from gildemo.executors import signals
    def fail(number, frame):
        raise KeyboardInterrupt
    restore = signals.on_termination(fail, signal.SIGTERM)
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
    print(signal.pthread_sigmask(signal.SIG_BLOCK, ()))
    try:
        signal.raise_signal(signal.SIGTERM)
    except KeyboardInterrupt:
        print("handled")
"""


def test_a_signal_that_comes_early_ends_the_child_of_a_fork() -> None:
    assert run_python(SENT_EARLY) == f"{-signal.SIGTERM}\nset()\nhandled\n"
