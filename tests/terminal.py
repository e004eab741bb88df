"""The command on a terminal of its own, and what it leaves behind."""

from __future__ import annotations

import os
import pty
import subprocess
import sys

import psutil

from helpers import TESTS


class OnTerminal:
    """The command with its standard error on a terminal of its own."""

    def __init__(self, *arguments: str) -> None:
        self._terminal, stderr = pty.openpty()
        environment = {**os.environ, "TERM": "xterm", "COLUMNS": "80"}
        environment["PYTHONPATH"] = str(TESTS)
        environment.pop("NO_COLOR", None)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "gildemo", *arguments],
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            start_new_session=True,
            env=environment,
        )
        os.close(stderr)
        self.shown = ""

    def __enter__(self) -> OnTerminal:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.process.kill()
        self.process.communicate()
        os.close(self._terminal)

    def read_until(self, text: str) -> None:
        while text not in self.shown:
            self.shown += os.read(self._terminal, 4096).decode()

    def finish(self) -> tuple[int, str, str]:
        """Its exit status, its standard output, and all that the terminal showed."""
        assert self.process.stdout is not None
        output = self.process.stdout.read()
        status = self.process.wait(60)
        while True:
            try:
                data = os.read(self._terminal, 4096)
            except OSError:  # EIO: the last process that had it open has ended.
                return status, output, self.shown
            if not data:
                return status, output, self.shown
            self.shown += data.decode()


def left_of_session(leader: int) -> list[str]:
    """The processes of a session that go on running, now that its leader has ended.

    A process that is just ending, or that has ended and has not been reaped yet, does not count.
    """

    def is_of_it(process: psutil.Process) -> bool:
        try:
            ended = process.status() == psutil.STATUS_ZOMBIE
            return not ended and os.getsid(process.pid) == leader
        except (ProcessLookupError, psutil.NoSuchProcess):
            return False

    processes = [process for process in psutil.process_iter() if is_of_it(process)]
    _, alive = psutil.wait_procs(processes, timeout=10)
    return [str(process) for process in alive if is_of_it(process)]
