"""GilMonitor and a thread that Python did not start, with a new thread state for each call."""

from __future__ import annotations

import ctypes
import os
import shlex
import subprocess
import sys
import sysconfig
import threading
import time
from pathlib import Path

import pytest

from gildemo import GilMonitor, duty_cycle
from helpers import gil_enabled, retried

pytestmark = [
    pytest.mark.timeout(60),
    pytest.mark.skipif(not gil_enabled(), reason="GilMonitor needs a GIL"),
    pytest.mark.skipif(sys.platform != "linux", reason="nothing else tells its CPU time"),
]

CALLS = 20
CALLBACK = ctypes.CFUNCTYPE(None)


class Work(ctypes.Structure):
    _fields_ = (
        ("burn", ctypes.c_double),
        ("ready", ctypes.c_int),
        ("go", ctypes.c_int),
        ("times", ctypes.c_int),
        ("callback", CALLBACK),
    )


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    path = tmp_path_factory.mktemp("library") / "foreign_thread.so"
    source = Path(__file__).with_name("foreign_thread.c")
    compiler = shlex.split(sysconfig.get_config_var("CC"))
    options = ["-std=c11", "-O1", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-pthread"]
    subprocess.run([*compiler, *options, "-o", path, source], check=True, timeout=60)
    return ctypes.CDLL(str(path))


@retried
def test_it_is_one_thread(library: ctypes.CDLL) -> None:
    ids: set[int] = set()
    held = 0.0
    clock: list[float] = []

    def called() -> None:
        nonlocal held
        ids.add(threading.get_native_id())
        clock.append(time.thread_time())
        held += duty_cycle(0.004)[0]
        clock.append(time.thread_time())

    ready, go = os.pipe(), os.pipe()
    work = Work(0.3, ready[1], go[0], CALLS, CALLBACK(called))
    thread = threading.Thread(target=library.run_foreign_thread, args=(ctypes.byref(work),))
    thread.start()
    try:
        # CPU time used before the monitor starts does not count.
        os.read(ready[0], 1)
        with GilMonitor() as monitor:
            os.write(go[1], b"x")
            thread.join()
    finally:
        for end in (*ready, *go):
            os.close(end)
    record = monitor.record
    rows = [thread for thread in record.threads if thread.native_id in ids]
    assert len(rows) == len(ids) == 1
    row = rows[0]
    assert row.held == pytest.approx(held / record.duration, abs=0.02 + 3 * record.error / 1.96)
    assert row.cpu is not None
    # On a busy machine it may wait for a CPU while it holds the GIL.
    assert 0.5 < row.cpu / (clock[-1] - clock[0]) < 1.2
