"""A barrier from which the workers of an executor start together.

A worker may be a thread, a process or a subinterpreter. All of them can open named pipes, so the
barrier needs nothing else: no lock, no shared memory, no inherited file descriptor.
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
_BROKEN = b"x"


class BarrierBrokenError(RuntimeError):
    """Raised in a worker whose barrier was closed before all workers had arrived."""


class BarrierHandle(NamedTuple):
    """A barrier as its workers know it: the paths of two named pipes. It can be pickled."""

    ready: str  # workers announce their arrival here
    go: str  # and wait here for a byte

    def arrive(self) -> None:
        """Announce this worker, and wait until all start. Raises BarrierBrokenError."""
        # The parent may have ended by now, so only the read may block. The pipe to read from is
        # opened before the arrival is announced, so that the read can't miss the answer.
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
            raise BarrierBrokenError("the measurement ended before this worker started")


class Barrier:
    """The parent's side of a barrier for `parties` workers. Use it in a `with` statement.

    Leaving the `with` statement before release() breaks the barrier.
    """

    def __init__(self, parties: int) -> None:
        self._parties = parties
        # If an interruption comes before the `with`, the folder is deleted with this object.
        self._folder = tempfile.TemporaryDirectory(prefix="gildemo-", ignore_cleanup_errors=True)
        ready, go = (str(Path(self._folder.name, name)) for name in ("ready", "go"))
        self.handle = BarrierHandle(ready, go)
        self._pipes: list[int] = []
        self._waiting = parties

    def __enter__(self) -> Barrier:
        try:
            for path in self.handle:
                os.mkfifo(path, 0o600)
                # Opened for both directions, so that neither side blocks in open().
                self._pipes.append(os.open(path, os.O_RDWR | os.O_NONBLOCK))
        except BaseException:
            self._close()
            raise
        return self

    def wait(self, check: Callable[[], None]) -> None:
        """Return when all workers have arrived.

        Meanwhile, calls `check` about every 50 ms. `check` raises an exception to stop waiting.
        """
        arrived = 0
        poll = select.poll()
        poll.register(self._pipes[0], select.POLLIN)
        while arrived < self._parties:
            check()
            if poll.poll(50):
                arrived += len(os.read(self._pipes[0], self._parties))

    def release(self) -> None:
        """Let all workers start. Each reads one byte."""
        waiting, self._waiting = self._waiting, 0
        os.write(self._pipes[1], _GO * waiting)

    def __exit__(self, *exc_info: object) -> None:
        with signals.blocked():
            self._close()

    def _close(self) -> None:
        # Delete the folder first: a worker that arrives later finds no pipe, and does not wait.
        self._folder.cleanup()
        if len(self._pipes) == 2 and self._waiting:
            os.write(self._pipes[1], _BROKEN * self._waiting)
        for fd in self._pipes:
            os.close(fd)
