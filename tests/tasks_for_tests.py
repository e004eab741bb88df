"""Tasks that misbehave, in a module of their own so that workers can import them."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from pathlib import Path


class Mishap(Exception):  # noqa: N818 (what it is called is part of the messages tested)
    """What a task raises."""


def fail() -> None:
    raise Mishap("on purpose")


def fail_in_process_of(pid: int) -> None:
    if os.getpid() == pid:
        raise Mishap("in the process that measures")


def kill_itself() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def exit_with(status: int) -> None:
    sys.exit(status)


def record(path: str) -> None:
    """Append who runs this, in one write, which does not interleave with others'."""
    line = f"{os.getpid()} {threading.get_ident()}\n"
    with Path(path).open("ab", buffering=0) as file:
        file.write(line.encode())


def meet(path: str, parties: int) -> None:
    """Return only when `parties` calls run at once: each leaves a file and looks for all."""
    Path(path, f"{os.getpid()}-{threading.get_ident()}").touch()
    while len(list(Path(path).iterdir())) < parties:
        time.sleep(0.001)


def hang_with_child(path: str) -> None:
    """Write the pid of a child that outlives every test, then wait for it."""
    pid = os.posix_spawnp("sleep", ["sleep", "1000"], os.environ)
    Path(path).write_text(str(pid), encoding="ascii")
    os.waitpid(pid, 0)
