"""How the workers of an executor are made to start together.

A worker may be a thread, a process or a subinterpreter, so this needs nothing but the file
system: two named pipes are known to all of them.
"""

from __future__ import annotations

import errno
import os
import select
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from gildemo.executors import signals

_GO = b"g"
_CALLED_OFF = b"x"


class CalledOffError(RuntimeError):
    """Raised in a worker that waits at a rendezvous which then does not take place."""


class Ticket(NamedTuple):
    """What a worker needs to know to arrive at a rendezvous: the paths of two named pipes."""

    ready: str
    go: str

    def arrive(self) -> None:
        """Say that this worker is ready, and wait until all start. Raises CalledOffError."""
        # Nothing here may block but the last read, as the parent may be gone by now. The pipe to
        # read is opened before the arrival is announced: what is written then can't be missed.
        pipes = []
        try:
            for path, mode in ((self.go, os.O_RDONLY), (self.ready, os.O_WRONLY)):
                pipes.append(os.open(path, mode | os.O_NONBLOCK))
            os.set_blocking(pipes[0], True)
            os.write(pipes[1], b"!")
            started = os.read(pipes[0], 1) == _GO
        except OSError as error:
            if error.errno not in (errno.ENOENT, errno.ENXIO, errno.EPIPE):
                raise
            started = False
        finally:
            for pipe in pipes:
                os.close(pipe)
        if not started:
            raise CalledOffError("the measurement was called off before this worker started")


class Rendezvous:
    """A barrier between the parent and `parties` workers of any kind. Use it in a `with`."""

    def __init__(self, parties: int) -> None:
        self._parties = parties
        # It goes with this object, too, should an interruption come before the `with`.
        self._folder = tempfile.TemporaryDirectory(prefix="gildemo-", ignore_cleanup_errors=True)
        ready, go = (str(Path(self._folder.name, name)) for name in ("ready", "go"))
        self.ticket = Ticket(ready, go)
        self._pipes: list[int] = []
        self._left = parties

    def __enter__(self) -> Rendezvous:
        try:
            for path in self.ticket:
                os.mkfifo(path, 0o600)
                # Open for both directions, so that neither side blocks to wait for the other.
                self._pipes.append(os.open(path, os.O_RDWR | os.O_NONBLOCK))
        except BaseException:
            self._close()
            raise
        return self

    def wait(self, check: Callable[[], None]) -> None:
        """Return when all have arrived; call `check` now and then, which raises to give up."""
        arrived = 0
        poll = select.poll()
        poll.register(self._pipes[0], select.POLLIN)
        while arrived < self._parties:
            check()
            if poll.poll(50):
                arrived += len(os.read(self._pipes[0], self._parties))

    def release(self) -> None:
        """Let all start. They read a byte each, so no process can miss the end of the file."""
        left, self._left = self._left, 0
        os.write(self._pipes[1], _GO * left)

    def __exit__(self, *exc_info: object) -> None:
        with signals.blocked():
            self._close()

    def _close(self) -> None:
        # In this order: who comes later finds no pipes, and does not wait at them.
        self._folder.cleanup()
        if len(self._pipes) == 2 and self._left:
            os.write(self._pipes[1], _CALLED_OFF * self._left)
        for fd in self._pipes:
            os.close(fd)
