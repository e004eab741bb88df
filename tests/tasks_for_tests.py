"""Tasks that misbehave, in a module of their own so that workers can import them."""

from __future__ import annotations

import multiprocessing
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
    """Return when `parties` calls run at the same time: each makes a file and waits for all."""
    Path(path, f"{os.getpid()}-{threading.get_ident()}").touch()
    while len(list(Path(path).iterdir())) < parties:
        time.sleep(0.001)


def hang_with_child(path: str) -> None:
    """Write the pid of a child that outlives every test, then wait for it."""
    pid = os.posix_spawnp("sleep", ["sleep", "1000"], os.environ)
    Path(path).write_text(str(pid), encoding="ascii")
    os.waitpid(pid, 0)


class OddError(Exception):
    """One that can't be unpickled, as its arguments are not those of its constructor."""

    def __init__(self, what: str, why: str) -> None:
        super().__init__(f"{what}: {why}")


def fail_oddly() -> None:
    raise OddError("this", "that")


def fail_from_call(path: str, number: int) -> None:
    """Count the calls of all workers in a file, and fail from one of them on."""
    with Path(path).open("ab", buffering=0) as file:
        file.write(b".")
        calls = file.tell()
    if calls >= number:
        raise Mishap(f"call {number} or later")


def fork_and_return() -> None:
    os.fork()


def fork_and_exit() -> None:
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)


def leave_a_thread() -> None:
    threading.Thread(target=time.sleep, args=(1000,), name="left behind").start()


KEPT: list[threading.Thread] = []


def keep_a_thread() -> None:
    """Start a thread once and keep it for later calls, as a pool does."""
    if not KEPT:
        KEPT.append(threading.Thread(target=time.sleep, args=(1000,), name="kept"))
        KEPT[0].start()


def use_a_pool() -> None:
    with multiprocessing.get_context("fork").Pool(2) as pool:
        assert pool.map(abs, [-1, 2]) == [1, 2]


def change_folder() -> None:
    os.chdir("/")


def greet() -> None:
    print("a greeting", flush=True)


def large_result() -> bytes:
    return bytes(50_000_000)


def generator() -> object:
    return (i for i in range(3))


def hang() -> None:
    time.sleep(1000)


def hang_in_threads() -> None:
    """Hang in the process that measures, where the task can't be ended."""
    if multiprocessing.parent_process() is None:
        time.sleep(1000)


def nothing() -> None:
    pass


def add(a: int, b: int) -> int:
    return a + b


FIVE = 5
