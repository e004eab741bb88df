"""Waiting in threads, and for time to pass."""

from __future__ import annotations

from known_functions import givens
from known_functions.known import HOLDS, RELEASES, Known

_LOCK = "Modules/_threadmodule.c"
_THREADING = "Lib/threading.py"

THREADS = (
    Known(
        "time.sleep(0.05)",
        "50 ms",
        RELEASES,
        "Modules/timemodule.c",
        "pysleep(): clock_nanosleep() and the like with the GIL released",
        "import time",
    ),
    Known(
        "lock.acquire()",
        "threading.Lock, released every 50 ms",
        RELEASES,
        _LOCK,
        "waits with the GIL released, unless the lock is free",
        given=givens.lock,
    ),
    Known(
        "lock.acquire(); lock.release()",
        "threading.Lock, always free",
        HOLDS,
        _LOCK,
        "tries without waiting first, and then there is nothing to release for",
        "import threading; lock = threading.Lock()",
        times=1_000,
    ),
    Known(
        "event.wait(0.05)",
        "threading.Event, 50 ms",
        RELEASES,
        _THREADING,
        "Condition.wait(): acquires a lock",
        "import threading; event = threading.Event()",
    ),
    Known(
        "condition.wait(0.05)",
        "threading.Condition, 50 ms",
        RELEASES,
        _THREADING,
        "Condition.wait(): acquires a lock",
        "import threading; condition = threading.Condition(); condition.acquire()",
    ),
    Known(
        "barrier.wait()",
        "threading.Barrier, the other party comes every 50 ms",
        RELEASES,
        _THREADING,
        "Barrier.wait(): waits for a Condition",
        given=givens.barrier,
    ),
    Known(
        "thread.join(0.05)",
        "threading.Thread, 50 ms",
        RELEASES,
        _THREADING,
        "Thread.join(): waits for a lock or, since 3.13, an event of _threadmodule.c",
        given=givens.thread,
    ),
    Known(
        "queue.get()",
        "queue.Queue, an item every 50 ms",
        RELEASES,
        "Lib/queue.py",
        "Queue.get(): waits for a Condition",
        given=givens.filled_queue,
    ),
    Known(
        "queue.get()",
        "queue.SimpleQueue, an item every 50 ms",
        RELEASES,
        "Modules/_queuemodule.c",
        "_queue_SimpleQueue_get_impl: waits with the GIL released",
        given=givens.filled_simple_queue,
    ),
    Known(
        "pool.submit(time.sleep, 0.05).result()",
        "ThreadPoolExecutor, 50 ms",
        RELEASES,
        "Lib/concurrent/futures/_base.py",
        "Future.result(): waits for a Condition",
        "import time",
        given=givens.pool,
    ),
)
