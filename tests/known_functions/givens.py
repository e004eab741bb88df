"""What some calls need: files, and threads at the other end. All of it is cleaned up."""

from __future__ import annotations

import contextlib
import mmap
import multiprocessing
import os
import queue
import selectors
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from known_functions.known import Names

# How long a call waits for the other end.
WAIT = 0.05
MEGABYTES = 30


@contextlib.contextmanager
def again_and_again(act: Callable[[], object], seconds: float = WAIT) -> Iterator[None]:
    """Call `act` repeatedly in another thread, whose held time does not count for the caller."""
    stop = threading.Event()

    def work() -> None:
        while not stop.wait(seconds):
            act()

    thread = threading.Thread(target=work, name="the other end")
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


@contextlib.contextmanager
def _pipe() -> Iterator[tuple[int, int]]:
    read_end, write_end = os.pipe()
    try:
        yield read_end, write_end
    finally:
        os.close(read_end)
        os.close(write_end)


@contextlib.contextmanager
def written_pipe() -> Iterator[Names]:
    with _pipe() as (read_end, write_end), again_and_again(lambda: os.write(write_end, b"x")):
        yield {"read_end": read_end}


@contextlib.contextmanager
def read_pipe() -> Iterator[Names]:
    with _pipe() as (read_end, write_end):
        # The reader must not wait when nothing writes any more.
        os.set_blocking(read_end, False)

        def read() -> None:
            with contextlib.suppress(BlockingIOError):
                os.read(read_end, 1 << 20)

        with again_and_again(read, WAIT / 10):
            yield {"write_end": write_end}


@contextlib.contextmanager
def connection() -> Iterator[Names]:
    ours, theirs = socket.socketpair()
    with ours, theirs, again_and_again(lambda: theirs.send(b"x")):
        yield {"connection": ours}


@contextlib.contextmanager
def selector() -> Iterator[Names]:
    """One that watches a connection on which nothing comes."""
    ours, theirs = socket.socketpair()
    with ours, theirs, selectors.DefaultSelector() as watching:
        watching.register(ours, selectors.EVENT_READ)
        yield {"selector": watching}


@contextlib.contextmanager
def silent_pipe() -> Iterator[Names]:
    """A pipe of multiprocessing's into which nobody writes."""
    ours, theirs = multiprocessing.Pipe()
    with ours, theirs:
        yield {"ours": ours}


@contextlib.contextmanager
def server() -> Iterator[Names]:
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as listening:
        path = str(Path(folder, "socket"))
        listening.bind(path)
        listening.listen()

        def connect() -> None:
            with socket.socket(socket.AF_UNIX) as client, contextlib.suppress(BlockingIOError):
                # Nobody accepts any more at the end, and then the backlog may be full.
                client.settimeout(0)
                client.connect(path)

        with again_and_again(connect):
            yield {"server": listening}


@contextlib.contextmanager
def lock() -> Iterator[Names]:
    contended = threading.Lock()

    def release() -> None:
        if contended.locked():
            contended.release()

    with again_and_again(release):
        yield {"lock": contended}


@contextlib.contextmanager
def filled_queue() -> Iterator[Names]:
    filled: queue.Queue[None] = queue.Queue()
    with again_and_again(lambda: filled.put(None)):
        yield {"queue": filled}


@contextlib.contextmanager
def filled_simple_queue() -> Iterator[Names]:
    filled: queue.SimpleQueue[None] = queue.SimpleQueue()
    with again_and_again(lambda: filled.put(None)):
        yield {"queue": filled}


@contextlib.contextmanager
def barrier() -> Iterator[Names]:
    shared = threading.Barrier(2)

    def work() -> None:
        with contextlib.suppress(threading.BrokenBarrierError):
            while True:
                time.sleep(WAIT)
                shared.wait()

    partner = threading.Thread(target=work, name="the other end")
    partner.start()
    try:
        yield {"barrier": shared}
    finally:
        shared.abort()
        partner.join()


@contextlib.contextmanager
def thread() -> Iterator[Names]:
    stop = threading.Event()
    waiting = threading.Thread(target=stop.wait, name="the other end")
    waiting.start()
    try:
        yield {"thread": waiting}
    finally:
        stop.set()
        waiting.join()


@contextlib.contextmanager
def pool() -> Iterator[Names]:
    with ThreadPoolExecutor(1) as executor:
        yield {"pool": executor}


@contextlib.contextmanager
def file() -> Iterator[Names]:
    """A file without a buffer, its descriptor, and its content."""
    data = bytes(MEGABYTES * 10**6)
    with tempfile.TemporaryFile(buffering=0) as opened:
        opened.write(data)
        yield {"file": opened, "fd": opened.fileno(), "data": data}


@contextlib.contextmanager
def path() -> Iterator[Names]:
    """The path of a file, its content, and where a copy may be."""
    data = bytes(MEGABYTES * 10**6)
    with tempfile.TemporaryDirectory() as folder:
        written = Path(folder, "file")
        written.write_bytes(data)
        yield {"path": written, "copy": Path(folder, "copy"), "data": data}


@contextlib.contextmanager
def mapping() -> Iterator[Names]:
    """A file in memory."""
    with tempfile.TemporaryFile() as opened:
        opened.truncate(MEGABYTES * 10**6)
        with mmap.mmap(opened.fileno(), 0) as mapped:
            yield {"mapping": mapped}


@contextlib.contextmanager
def database() -> Iterator[Names]:
    import sqlite3

    with contextlib.closing(sqlite3.connect(":memory:")) as connected:
        yield {"connection": connected}
