"""The parts of a GilMonitor that need no Python.

It takes at least a minute to fill the history, and hundreds of runs to see a bias of 0.01. So both
are tested here in C, with a clock that is only a number.
"""

from __future__ import annotations

import shlex
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
CSRC = TESTS.parents[1] / "csrc"
# The files in csrc/monitor that each program is built with.
UNITS = {
    "sampler_threads": ["sampler_threads.c", "os_thread.c", "safe_copy.c"],
    "sampling_plan": ["sampling_plan.c"],
    "history": ["history.c", "history_threads.c", "timeline.c"],
    "safe_copy": ["safe_copy.c"],
    "frame_walk": ["frame_walk.c", "safe_copy.c"],
    "waiters": ["waiters.c"],
    "code_table": ["code_table.c"],
    "profile": ["profile.c", "code_table.c"],
}

COMPILER = shlex.split(sysconfig.get_config_var("CC"))
OPTIONS = ["-std=c11", "-O1", "-Wall", "-Wextra", "-Werror"]
# What the headers of some architectures, or those of older kernels, do not define.
NOT_EVERYWHERE = ["accept", "close_range", "epoll_wait", "msgrcv", "msgsnd", "poll", "semtimedop"]


@pytest.mark.parametrize("unit", UNITS)
def test_c_unit(tmp_path: Path, unit: str) -> None:
    program = tmp_path / f"check_{unit}"
    sources = [TESTS / f"check_{unit}.c", *(CSRC / "monitor" / name for name in UNITS[unit])]
    include = [f"-I{CSRC}", f"-I{CSRC / 'monitor'}", "-isystem", sysconfig.get_path("include")]
    options = [*OPTIONS, "-pthread", "-o", str(program)]
    subprocess.run([*COMPILER, *options, *include, *sources, "-lm"], check=True, timeout=60)
    done = subprocess.run([program], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere no system call has a number")
@pytest.mark.parametrize("name", ["safe_copy.c", "system_calls.c"])
def test_system_calls_that_are_not_everywhere(tmp_path: Path, name: str) -> None:
    header = tmp_path / "older.h"
    lines = ["#include <sys/syscall.h>", *(f"#undef SYS_{call}" for call in NOT_EVERYWHERE)]
    header.write_text("\n".join([*lines, ""]), encoding="utf-8")
    options = [*OPTIONS, "-include", str(header)]
    source = CSRC / "monitor" / name
    subprocess.run([*COMPILER, *options, "-fsyntax-only", source], check=True, timeout=60)
