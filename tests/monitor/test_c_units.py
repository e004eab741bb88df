"""The parts of a GilMonitor that need no Python: threads, schedule, tables, copies of memory.

To fill the tables takes a minute at least, and to see a bias of a hundredth takes hundreds of runs,
so both are done here in C, and without a clock.
"""

from __future__ import annotations

import shlex
import subprocess
import sysconfig
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
CSRC = TESTS.parents[1] / "csrc" / "monitor"


# What each is built from, besides the file of its name.
UNITS: dict[str, list[str]] = {
    "sampler_threads": [],
    "sampling_plan": [],
    "history": [],
    "safe_copy": [],
    "waiters": [],
    "code_table": [],
    "profile": ["code_table"],
}


@pytest.mark.parametrize("unit", UNITS)
def test_c_unit(tmp_path: Path, unit: str) -> None:
    program = tmp_path / f"check_{unit}"
    compiler = shlex.split(sysconfig.get_config_var("CC"))
    sources = [
        str(TESTS / f"check_{unit}.c"),
        *(str(CSRC / f"{name}.c") for name in (unit, *UNITS[unit])),
    ]
    include = [f"-I{CSRC}", "-isystem", sysconfig.get_path("include")]
    options = ["-std=c11", "-O1", "-Wall", "-Wextra", "-Werror", "-pthread", "-o", str(program)]
    subprocess.run([*compiler, *options, *include, *sources, "-lm"], check=True, timeout=60)
    done = subprocess.run([program], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
