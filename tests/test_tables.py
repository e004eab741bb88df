"""The tables of a GilMonitor when they are full: coarser, and never larger.

A run that fills them takes a minute at least, so they are filled here without one, in C.
"""

from __future__ import annotations

import shlex
import subprocess
import sysconfig
from pathlib import Path

TESTS = Path(__file__).parent
CSRC = TESTS.parent / "csrc"


def test_full_tables_get_coarser(tmp_path: Path) -> None:
    program = tmp_path / "check_tables"
    compiler = shlex.split(sysconfig.get_config_var("CC"))
    sources = [str(TESTS / "check_tables.c"), str(CSRC / "tables.c")]
    options = ["-std=c11", "-O1", "-Wall", "-Wextra", "-Werror", f"-I{CSRC}", "-o", str(program)]
    subprocess.run([*compiler, *options, *sources], check=True, timeout=60)
    done = subprocess.run([program], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
